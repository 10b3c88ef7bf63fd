package settle

import "tillbook.example/tillbook/shared/money"

// Bounds of the search for an exact sum.
const (
	maxTerms = 30      // amounts among which a sum is looked for
	maxSteps = 200_000 // looked at in one search
)

// exactly returns the indexes of those amounts that add up to want, where there is
// exactly one such choice of one or more. It gives up, with nil, beyond its bounds:
// then it cannot be told that a choice is the only one.
//
// It goes through the choices in the order of the amounts, so its answer is a
// function of them.
func exactly(amounts []money.Decimal, want money.Decimal) []int {
	if len(amounts) == 0 || len(amounts) > maxTerms {
		return nil
	}
	// What the amounts from i on can still add at most, and at least.
	most, least := make([]money.Decimal, len(amounts)+1), make([]money.Decimal, len(amounts)+1)
	for i := len(amounts) - 1; i >= 0; i-- {
		most[i], least[i] = most[i+1]+max(amounts[i], 0), least[i+1]+min(amounts[i], 0)
	}
	s := search{amounts: amounts, most: most, least: least}
	s.from(0, want)
	if s.found != 1 || s.steps > maxSteps {
		return nil
	}
	return s.choice
}

type search struct {
	amounts     []money.Decimal
	most, least []money.Decimal
	chosen      []int
	choice      []int // the first that was found
	found       int
	steps       int
}

// from looks for choices among the amounts from i on that add up to rest.
func (s *search) from(i int, rest money.Decimal) {
	s.steps++
	if s.found > 1 || s.steps > maxSteps || rest > s.most[i] || rest < s.least[i] {
		return
	}
	if i == len(s.amounts) {
		if rest == 0 && len(s.chosen) > 0 {
			s.found++
			if s.found == 1 {
				s.choice = append([]int(nil), s.chosen...)
			}
		}
		return
	}
	s.chosen = append(s.chosen, i)
	s.from(i+1, rest-s.amounts[i])
	s.chosen = s.chosen[:len(s.chosen)-1]
	s.from(i+1, rest)
}
