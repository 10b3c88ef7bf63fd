package money

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// Split divides total over the weights by largest remainder at the given number
// of places: the parts add up to total exactly, and no part is off its exact
// share by one unit or more. Weights of zero get nothing. It is an error if a
// weight is negative, all are zero, their sum is out of range, or total has more
// places than asked for. Ties go to the earlier part, so that the same input
// always gives the same split; a negative total gives the split of the positive
// one with its sign turned.
func Split(total Decimal, weights []Decimal, places int) ([]Decimal, error) {
	unit := unitOf(places)
	if total%unit != 0 {
		return nil, fmt.Errorf("split %s at %d places: the total has more", total, places)
	}
	var sum Sum
	for _, w := range weights {
		if w < 0 {
			return nil, fmt.Errorf("split %s: weight %s is negative", total, w)
		}
		sum.Add(w)
	}
	whole, err := sum.Value()
	if err != nil {
		return nil, fmt.Errorf("split %s: weights: %w", total, err)
	}
	if whole == 0 {
		return nil, fmt.Errorf("split %s: no part has a weight", total)
	}
	sign := Decimal(1)
	if total < 0 {
		sign = -1
	}
	units := magnitude(int64(total / unit))
	left := units
	parts := make([]Decimal, len(weights))
	rests := make([]uint64, len(weights))
	order := make([]int, len(weights))
	for i, w := range weights {
		high, low := bits.Mul64(units, uint64(w))
		n, rest := bits.Div64(high, low, uint64(whole)) // w <= whole, so n <= units
		parts[i], rests[i], order[i] = sign*Decimal(n)*unit, rest, i
		left -= n
	}
	// The rests add up to left wholes, so at least left of them are not zero.
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rests[b], rests[a]) })
	for _, i := range order[:left] {
		parts[i] += sign * unit
	}
	return parts, nil
}
