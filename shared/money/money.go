// Package money holds exact decimal numbers: the amounts, quantities, prices
// and percentages that tills state, and the minor units that books are kept in.
//
// A Decimal is a count of millionths, so every number a till prints with up to
// six places is kept as it was printed. Nothing here rounds unless the name of
// the function says so, and arithmetic that does not fit is an error, never a
// wrong number. Minor units (cents, yen, fils) belong to the books: ToMinor is
// the only way there and it hands back what rounding left over.
package money

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"strings"
)

// Scale is the number of decimal places a Decimal carries.
const Scale = 6

// One is the Decimal 1.
const One Decimal = 1_000_000

// MaxDigits bounds the text of a number that is parsed; more is an error.
const MaxDigits = 24

// ErrRange is returned when a result does not fit a Decimal or minor units.
var ErrRange = errors.New("number out of range")

// Decimal is an exact number in millionths, between about -9.2e12 and 9.2e12.
type Decimal int64

// Parse reads a decimal such as "-12.50": an optional sign, digits, and a
// point with at most six places. Spaces, exponents, commas and digit grouping
// are errors; formats that have them clean the text first.
func Parse(s string) (Decimal, error) {
	text, negative := s, false
	if text != "" && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	whole, fraction, point := strings.Cut(text, ".")
	if len(text) > MaxDigits || (whole == "" && fraction == "") || (point && fraction == "") {
		return 0, fmt.Errorf("%q is not a decimal number", clip(s))
	}
	if len(strings.TrimRight(fraction, "0")) > Scale {
		return 0, fmt.Errorf("%q has more than %d decimal places", clip(s), Scale)
	}
	var n uint64
	for i := range len(whole) + Scale {
		digit := byte('0')
		switch {
		case i < len(whole):
			digit = whole[i]
		case i-len(whole) < len(fraction):
			digit = fraction[i-len(whole)]
		}
		if digit < '0' || digit > '9' {
			return 0, fmt.Errorf("%q is not a decimal number", clip(s))
		}
		high, low := bits.Mul64(n, 10)
		n = low + uint64(digit-'0')
		if high != 0 || n > 1<<63-1 {
			return 0, fmt.Errorf("%q: %w", clip(s), ErrRange)
		}
	}
	if negative {
		return Decimal(-int64(n)), nil
	}
	return Decimal(n), nil
}

// MustParse is Parse for constants in code and tests; it panics on an error.
func MustParse(s string) Decimal {
	d, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

// FromInt returns a whole number as a Decimal.
func FromInt(n int64) (Decimal, error) { return mul(n, int64(One)) }

// String prints the number with at least two places and no needless zeros
// after them: "1672.00", "0.333", "-12.50".
func (d Decimal) String() string {
	n, sign := uint64(d), ""
	if d < 0 {
		n, sign = -n, "-"
	}
	fraction := fmt.Sprintf("%06d", n%uint64(One))
	keep := len(strings.TrimRight(fraction, "0"))
	return fmt.Sprintf("%s%d.%s", sign, n/uint64(One), fraction[:max(keep, 2)])
}

// MarshalText writes the number as String does.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the number as Parse does.
func (d *Decimal) UnmarshalText(text []byte) error {
	v, err := Parse(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Add returns a + b, or ErrRange.
func Add(a, b Decimal) (Decimal, error) {
	sum := a + b
	if (sum > a) != (b > 0) && b != 0 {
		return 0, fmt.Errorf("%s + %s: %w", a, b, ErrRange)
	}
	return sum, nil
}

// Sub returns a - b, or ErrRange.
func Sub(a, b Decimal) (Decimal, error) {
	diff := a - b
	if (diff < a) != (b > 0) && b != 0 {
		return 0, fmt.Errorf("%s - %s: %w", a, b, ErrRange)
	}
	return diff, nil
}

// Abs returns the number without its sign.
func (d Decimal) Abs() Decimal {
	if d < 0 {
		return -d
	}
	return d
}

// Mul returns a × b rounded half away from zero to six places, or ErrRange.
// Use it for rates and quantities; amounts that a till printed are never
// recomputed with it.
func Mul(a, b Decimal) (Decimal, error) {
	return quotient(new(big.Int).Mul(big.NewInt(int64(a)), big.NewInt(int64(b))), big.NewInt(int64(One)))
}

// Div returns a ÷ b rounded half away from zero to six places. A zero divisor
// and a result that does not fit are errors.
func Div(a, b Decimal) (Decimal, error) {
	if b == 0 {
		return 0, fmt.Errorf("%s ÷ 0: %w", a, ErrRange)
	}
	return quotient(new(big.Int).Mul(big.NewInt(int64(a)), big.NewInt(int64(One))), big.NewInt(int64(b)))
}

// MulDiv returns a × b ÷ c with one rounding, half away from zero: the share b
// of c in a, as when tax is taken out of a gross price.
func MulDiv(a, b, c Decimal) (Decimal, error) {
	if c == 0 {
		return 0, fmt.Errorf("%s × %s ÷ 0: %w", a, b, ErrRange)
	}
	return quotient(new(big.Int).Mul(big.NewInt(int64(a)), big.NewInt(int64(b))), big.NewInt(int64(c)))
}

// RoundTo rounds half away from zero to the given number of places (0 to 6).
func (d Decimal) RoundTo(places int) Decimal {
	unit := Decimal(1)
	for range Scale - places {
		unit *= 10
	}
	rest := d % unit
	d -= rest
	if rest.Abs()*2 >= unit {
		if rest < 0 {
			return d - unit
		}
		return d + unit
	}
	return d
}

// Sum adds numbers and remembers the first that did not fit. The zero value is
// an empty sum.
type Sum struct {
	total Decimal
	err   error
}

// Add adds one number.
func (s *Sum) Add(d Decimal) {
	if s.err == nil {
		s.total, s.err = Add(s.total, d)
	}
}

// Value returns the sum, or ErrRange if it did not fit on the way.
func (s *Sum) Value() (Decimal, error) { return s.total, s.err }

// Split divides total over the weights by largest remainder at the given number
// of places: the parts add up to total exactly, and no part is off its exact
// share by one unit or more. Weights of zero get nothing; if all are zero, or
// total has more places than asked for, it is an error. Ties go to the earlier
// part, so that the same input always gives the same split.
func Split(total Decimal, weights []Decimal, places int) ([]Decimal, error) {
	unit := Decimal(1)
	for range Scale - places {
		unit *= 10
	}
	if total%unit != 0 {
		return nil, fmt.Errorf("split %s at %d places: the total has more", total, places)
	}
	whole := new(big.Int)
	for _, w := range weights {
		if w < 0 {
			return nil, fmt.Errorf("split %s: weight %s is negative", total, w)
		}
		whole.Add(whole, big.NewInt(int64(w)))
	}
	if whole.Sign() == 0 {
		return nil, fmt.Errorf("split %s: no part has a weight", total)
	}
	parts := make([]Decimal, len(weights))
	rests := make([]*big.Int, len(weights))
	units := big.NewInt(int64(total.Abs() / unit))
	left := int64(total.Abs() / unit)
	for i, w := range weights {
		n, rest := new(big.Int).QuoRem(new(big.Int).Mul(units, big.NewInt(int64(w))), whole, new(big.Int))
		parts[i], rests[i] = Decimal(n.Int64())*unit, rest
		left -= n.Int64()
	}
	for ; left > 0; left-- {
		best := -1
		for i := range rests {
			if rests[i].Sign() > 0 && (best < 0 || rests[i].Cmp(rests[best]) > 0) {
				best = i
			}
		}
		parts[best] += unit
		rests[best] = new(big.Int)
	}
	if total < 0 {
		for i := range parts {
			parts[i] = -parts[i]
		}
	}
	return parts, nil
}

func quotient(n, d *big.Int) (Decimal, error) {
	half := new(big.Int).Quo(new(big.Int).Abs(d), big.NewInt(2))
	if odd := new(big.Int).Abs(d).Bit(0); odd == 1 {
		half.Add(half, big.NewInt(1))
	}
	q, r := new(big.Int).QuoRem(n, d, new(big.Int))
	if r.CmpAbs(half) >= 0 && r.Sign() != 0 {
		if n.Sign()*d.Sign() < 0 {
			q.Sub(q, big.NewInt(1))
		} else {
			q.Add(q, big.NewInt(1))
		}
	}
	if !q.IsInt64() {
		return 0, ErrRange
	}
	return Decimal(q.Int64()), nil
}

func mul(a, b int64) (Decimal, error) {
	p := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	if !p.IsInt64() {
		return 0, ErrRange
	}
	return Decimal(p.Int64()), nil
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
