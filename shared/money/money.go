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
	"math/bits"
	"strconv"
	"strings"
)

// Scale is the number of decimal places a Decimal carries.
const Scale = 6

// One is the Decimal 1.
const One Decimal = 1_000_000

// Max is the largest Decimal, nine million million; -Max is the smallest. It is
// a whole number short of what an int64 holds, so that the sign of a Decimal can
// always be turned and rounding one to places never leaves the range.
const Max = 9_000_000_000_000 * One

// MaxDigits bounds the text of a number that is parsed, its point included and
// its sign not; more is an error.
const MaxDigits = 24

// ErrRange is returned when a result does not fit a Decimal or minor units.
var ErrRange = errors.New("number out of range")

// Decimal is an exact number in millionths, from -Max to Max. Every function
// here keeps to that range; whoever makes a Decimal from an integer of another
// source checks it with InRange.
type Decimal int64

// InRange reports whether d lies from -Max to Max.
func (d Decimal) InRange() bool { return -Max <= d && d <= Max }

// Parse reads a decimal such as "-12.50": an optional sign, digits, and a
// point with at most six places (zeros after them are accepted). Spaces,
// exponents, commas and digit grouping are errors; formats that have them clean
// the text first. A number beyond Max is ErrRange.
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
	for i := range len(text) {
		if digit := text[i]; (digit < '0' || digit > '9') && i != len(whole) {
			return 0, fmt.Errorf("%q is not a decimal number", clip(s))
		}
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > Scale {
		return 0, fmt.Errorf("%q has more than %d decimal places", clip(s), Scale)
	}
	var n Decimal
	for i := range len(whole) + Scale {
		digit := byte('0')
		switch {
		case i < len(whole):
			digit = whole[i]
		case i-len(whole) < len(fraction):
			digit = fraction[i-len(whole)]
		}
		if n > (Max-Decimal(digit-'0'))/10 {
			return 0, fmt.Errorf("%q: %w", clip(s), ErrRange)
		}
		n = n*10 + Decimal(digit-'0')
	}
	if negative {
		return -n, nil
	}
	return n, nil
}

// MustParse is Parse for constants in code and tests; it panics on an error.
func MustParse(s string) Decimal {
	d, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

// FromInt returns a whole number as a Decimal, or ErrRange.
func FromInt(n int64) (Decimal, error) {
	d, err := muldiv(n, int64(One), 1)
	if err != nil {
		return 0, fmt.Errorf("%d: %w", n, err)
	}
	return d, nil
}

// String prints the number with at least two places and no needless zeros
// after them: "1672.00", "0.333", "-12.50".
func (d Decimal) String() string { return string(d.append(make([]byte, 0, 24))) }

// AppendText appends what String returns; it never fails.
func (d Decimal) AppendText(b []byte) ([]byte, error) { return d.append(b), nil }

// MarshalText writes the number as String does.
func (d Decimal) MarshalText() ([]byte, error) { return d.append(nil), nil }

func (d Decimal) append(b []byte) []byte {
	n := magnitude(int64(d))
	if d < 0 {
		b = append(b, '-')
	}
	b = strconv.AppendUint(b, n/uint64(One), 10)
	b = append(b, '.')
	fraction, digits := n%uint64(One), 0
	for place := uint64(One) / 10; place > 0 && (fraction > 0 || digits < 2); place /= 10 {
		b = append(b, byte('0'+fraction/place))
		fraction %= place
		digits++
	}
	return b
}

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
	if sum := a + b; a.InRange() && b.InRange() && sum.InRange() && (sum >= a) == (b >= 0) {
		return sum, nil
	}
	return 0, fmt.Errorf("%s + %s: %w", a, b, ErrRange)
}

// Sub returns a - b, or ErrRange.
func Sub(a, b Decimal) (Decimal, error) {
	if diff := a - b; a.InRange() && b.InRange() && diff.InRange() && (diff <= a) == (b >= 0) {
		return diff, nil
	}
	return 0, fmt.Errorf("%s - %s: %w", a, b, ErrRange)
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
	d, err := muldiv(int64(a), int64(b), int64(One))
	if err != nil {
		return 0, fmt.Errorf("%s × %s: %w", a, b, err)
	}
	return d, nil
}

// Div returns a ÷ b rounded half away from zero to six places. A zero divisor
// and a result that does not fit are errors.
func Div(a, b Decimal) (Decimal, error) {
	d, err := muldiv(int64(a), int64(One), int64(b))
	if err != nil {
		return 0, fmt.Errorf("%s ÷ %s: %w", a, b, err)
	}
	return d, nil
}

// MulDiv returns a × b ÷ c with one rounding, half away from zero: the share b
// of c in a, as when tax is taken out of a gross price.
func MulDiv(a, b, c Decimal) (Decimal, error) {
	d, err := muldiv(int64(a), int64(b), int64(c))
	if err != nil {
		return 0, fmt.Errorf("%s × %s ÷ %s: %w", a, b, c, err)
	}
	return d, nil
}

// RoundTo rounds half away from zero to the given number of places (0 to 6;
// fewer count as 0, more as 6).
func (d Decimal) RoundTo(places int) Decimal {
	unit := unitOf(places)
	rest := d % unit
	d -= rest
	switch {
	case rest.Abs()*2 < unit:
		return d
	case rest < 0:
		return d - unit
	}
	return d + unit
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

// unitOf returns one unit of the given number of places: 0.01 at 2.
func unitOf(places int) Decimal {
	unit := One
	for range min(places, Scale) {
		unit /= 10
	}
	return unit
}

// muldiv returns a × b ÷ c over the full 128-bit product, rounded half away
// from zero. It works on bare integers: the caller sees to their scale.
func muldiv(a, b, c int64) (Decimal, error) {
	if c == 0 {
		return 0, fmt.Errorf("division by zero: %w", ErrRange)
	}
	divisor := magnitude(c)
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	if high >= divisor {
		return 0, ErrRange
	}
	n, rest := bits.Div64(high, low, divisor)
	if n > uint64(Max) {
		return 0, ErrRange
	}
	if rest >= divisor-rest {
		n++
	}
	d := Decimal(n)
	if (a < 0) != (b < 0) != (c < 0) {
		d = -d
	}
	if !d.InRange() {
		return 0, ErrRange
	}
	return d, nil
}

// magnitude returns n without its sign, right for the least int64 too.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}
