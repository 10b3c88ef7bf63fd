package money_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/money"
)

// decimals draws numbers of every size, often near the bounds or near zero.
func decimals() *rapid.Generator[money.Decimal] {
	number := func(from, to money.Decimal) *rapid.Generator[money.Decimal] {
		return rapid.Map(rapid.Int64Range(int64(from), int64(to)), func(n int64) money.Decimal { return money.Decimal(n) })
	}
	return rapid.OneOf(
		number(-money.Max, money.Max),
		number(-1000*money.One, 1000*money.One),
		number(-1000, 1000),
		number(money.Max-1000, money.Max),
		number(-money.Max, -money.Max+1000),
		rapid.SampledFrom([]money.Decimal{0, 1, -1, money.One, -money.One, money.Max, -money.Max, money.Max / 2, money.Max/2 + 1}),
	)
}

func TestParseReadsWhatTillsPrint(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]money.Decimal{
		"0": 0, "-0": 0, "+0.00": 0, "1": money.One, "12.50": 12_500_000, "-12.50": -12_500_000, "+7": 7 * money.One, ".5": 500_000,
		"0.000001": 1, "-0.000001": -1, "000012.5": 12_500_000, "1.500000000000": 1_500_000, "0000000000000000000001.5": 1_500_000,
		"9000000000000": money.Max, "-9000000000000.000000": -money.Max, "8999999999999.999999": money.Max - 1,
	} {
		if got, err := money.Parse(in); err != nil || got != want {
			t.Errorf("Parse(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
}

func TestParseRefusesWhatIsNotADecimal(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", " ", "-", "+", ".", "5.", "-.", "1.2.3", "1.0.", "1..0", "--1", "+-1", "1-", "1e5", "1E5", "0x10", "1,5", "1 000", " 1", "1 ", "1_0",
		"∞", "NaN", "Inf", "١", "１", "1\x00", "−1", "0.0000001", "1.2345678", "1.abcdef00", "1.0000000x",
		"0000000000000000000000001", strings.Repeat("9", 1<<20),
	} {
		if got, err := money.Parse(in); err == nil || errors.Is(err, money.ErrRange) {
			t.Errorf("Parse(%.40q) = %s, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"9000000000000.000001", "-9000000000000.000001", "9223372036854.775807", "-9223372036854.775808", "9223372036854.775808",
		"18446744073709.551616", "18446744073709.551617", "36893488147419.103232", // 2^64 and more millionths wrap round in 64 bits
		"99999999999999999999999",
	} {
		if got, err := money.Parse(in); !errors.Is(err, money.ErrRange) {
			t.Errorf("Parse(%q) = %s, %v, want out of range", in, got, err)
		}
	}
}

func TestMustParsePanicsOnAMistakeInCode(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	money.MustParse("1,50")
}

func TestStringHasTwoPlacesAndNoNeedlessZeros(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]money.Decimal{
		"0.00": 0, "1672.00": 1672 * money.One, "0.333": 333_000, "-12.50": -12_500_000, "0.000001": 1, "-0.000001": -1,
		"0.10": 100_000, "100.01": 100_010_000, "9000000000000.00": money.Max, "-8999999999999.999999": -money.Max + 1,
		"9223372036854.775807": math.MaxInt64, "-9223372036854.775808": math.MinInt64, // out of range, but printed as they are
	} {
		if got := d.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(d), got, want)
		}
	}
}

func TestEveryDecimalIsReadBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := decimals().Draw(t, "d")
		if back, err := money.Parse(d.String()); err != nil || back != d {
			t.Fatalf("%s was read as %s, %v", d, back, err)
		}
		appended, err := d.AppendText([]byte("x"))
		if err != nil || string(appended) != "x"+d.String() {
			t.Fatalf("%q, %v", appended, err)
		}
		text, err := json.Marshal(d)
		var back money.Decimal
		if err != nil || string(text) != `"`+d.String()+`"` || json.Unmarshal(text, &back) != nil || back != d {
			t.Fatalf("%s, %v, %s", text, err, back)
		}
	})
}

func TestUnmarshalTextRefusesAndLeavesTheNumber(t *testing.T) {
	t.Parallel()
	d := money.One
	if err := d.UnmarshalText([]byte("one")); err == nil || d != money.One {
		t.Errorf("%v, %s", err, d)
	}
}

// exact returns d in millionths.
func exact(d money.Decimal) *big.Rat { return new(big.Rat).SetInt64(int64(d)) }

// agrees fails unless got is want, in millionths, rounded half away from zero,
// or out of range where that does not fit.
func agrees(t *rapid.T, got money.Decimal, err error, want *big.Rat) {
	t.Helper()
	half := big.NewRat(1, 2)
	if want.Sign() < 0 {
		half.Neg(half)
	}
	sum := new(big.Rat).Add(want, half)
	rounded := new(big.Int).Quo(sum.Num(), sum.Denom()) // toward zero
	if rounded.CmpAbs(big.NewInt(int64(money.Max))) > 0 {
		if !errors.Is(err, money.ErrRange) || got != 0 {
			t.Fatalf("%s, %v, want out of range", got, err)
		}
		return
	}
	if err != nil || int64(got) != rounded.Int64() {
		t.Fatalf("%d, %v, want %s", int64(got), err, rounded)
	}
}

func TestArithmeticAgreesWithExactFractions(t *testing.T) {
	t.Parallel()
	one := exact(money.One)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := decimals().Draw(t, "a"), decimals().Draw(t, "b"), decimals().Draw(t, "c")

		got, err := money.Add(a, b)
		agrees(t, got, err, new(big.Rat).Add(exact(a), exact(b)))
		got, err = money.Sub(a, b)
		agrees(t, got, err, new(big.Rat).Sub(exact(a), exact(b)))
		product := new(big.Rat).Mul(exact(a), exact(b))
		got, err = money.Mul(a, b)
		agrees(t, got, err, new(big.Rat).Quo(product, one))
		if b != 0 {
			got, err = money.Div(a, b)
			agrees(t, got, err, new(big.Rat).Quo(new(big.Rat).Mul(exact(a), one), exact(b)))
		}
		if c != 0 {
			got, err = money.MulDiv(a, b, c)
			agrees(t, got, err, new(big.Rat).Quo(product, exact(c)))
		}
		whole := rapid.Int64().Draw(t, "whole")
		got, err = money.FromInt(whole)
		agrees(t, got, err, new(big.Rat).Mul(new(big.Rat).SetInt64(whole), one))
	})
}

func TestDivisionByZeroIsAnError(t *testing.T) {
	t.Parallel()
	if d, err := money.Div(money.One, 0); !errors.Is(err, money.ErrRange) {
		t.Errorf("1 ÷ 0 = %s, %v", d, err)
	}
	if d, err := money.MulDiv(0, 0, 0); !errors.Is(err, money.ErrRange) {
		t.Errorf("0 × 0 ÷ 0 = %s, %v", d, err)
	}
}

func TestHalvesAreRoundedAwayFromZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, c, want string }{
		{"0.000001", "0.5", "1", "0.000001"},
		{"-0.000001", "0.5", "1", "-0.000001"},
		{"0.000001", "-0.5", "1", "-0.000001"},
		{"0.000001", "0.499999", "1", "0"},
		{"1", "1", "3", "0.333333"},
		{"2", "1", "3", "0.666667"},
		{"2", "1", "-3", "-0.666667"},
		{"0.000003", "1", "2", "0.000002"},
		{"0.000005", "0.000001", "0.000003", "0.000002"}, // 5/3, odd divisor
		{"12", "20", "120", "2"},
	} {
		a, b, d := money.MustParse(c.a), money.MustParse(c.b), money.MustParse(c.c)
		if got, err := money.MulDiv(a, b, d); err != nil || got != money.MustParse(c.want) {
			t.Errorf("%s × %s ÷ %s = %s, %v, want %s", a, b, d, got, err, c.want)
		}
	}
}

func TestTheBoundsAreNeverPassed(t *testing.T) {
	t.Parallel()
	least := money.Decimal(math.MinInt64)
	for name, f := range map[string]func() (money.Decimal, error){
		"Max + least":      func() (money.Decimal, error) { return money.Add(money.Max, 1) },
		"-Max - least":     func() (money.Decimal, error) { return money.Sub(-money.Max, 1) },
		"-Max + -Max":      func() (money.Decimal, error) { return money.Add(-money.Max, -money.Max) },
		"Max - -Max":       func() (money.Decimal, error) { return money.Sub(money.Max, -money.Max) },
		"least int64 + 0":  func() (money.Decimal, error) { return money.Add(least, 0) },
		"0 - least int64":  func() (money.Decimal, error) { return money.Sub(0, least) },
		"least int64 × 1":  func() (money.Decimal, error) { return money.Mul(least, money.One) },
		"least int64 ÷ -1": func() (money.Decimal, error) { return money.Div(least, -money.One) },
		"Max × Max":        func() (money.Decimal, error) { return money.Mul(money.Max, money.Max) },
		"Max ÷ 0.000001":   func() (money.Decimal, error) { return money.Div(money.Max, 1) },
		"a half above Max": func() (money.Decimal, error) { return money.MulDiv(947_368_421_052_631_579, 19, 2) },
		"9e12 + 1 whole":   func() (money.Decimal, error) { return money.FromInt(9_000_000_000_001) },
		"minor units":      func() (money.Decimal, error) { return money.FromMinor(math.MinInt64, 2) },
	} {
		if d, err := f(); !errors.Is(err, money.ErrRange) || d != 0 {
			t.Errorf("%s = %s, %v", name, d, err)
		}
	}
	for name, d := range map[string]money.Decimal{"Max": money.Max, "-Max": -money.Max} {
		if sum, err := money.Add(d, 0); err != nil || sum != d {
			t.Errorf("%s + 0 = %s, %v", name, sum, err)
		}
		if sum, err := money.Sub(d, d); err != nil || sum != 0 {
			t.Errorf("%s - %s = %s, %v", name, name, sum, err)
		}
		if d.Abs() != money.Max {
			t.Errorf("|%s| = %s", name, d.Abs())
		}
	}
}

func TestRoundToTakesTheNearestHalfAwayFromZeroAndStaysInRange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, places := decimals().Draw(t, "d"), rapid.IntRange(0, 6).Draw(t, "places")
		unit := money.One
		for range places {
			unit /= 10
		}
		got := d.RoundTo(places)
		quotient := new(big.Rat).Quo(exact(d), exact(unit))
		if got%unit != 0 || !got.InRange() {
			t.Fatalf("%s at %d places is %s", d, places, got)
		}
		agrees(t, got/unit, nil, quotient)
		if again := got.RoundTo(places); again != got {
			t.Fatalf("%s, then %s", got, again)
		}
	})
	for _, c := range []struct {
		d, want string
		places  int
	}{
		{"0.005", "0.01", 2}, {"-0.005", "-0.01", 2}, {"0.004999", "0", 2}, {"0.5", "1", 0}, {"-0.5", "-1", 0}, {"1.0005", "1.001", 3},
		{"8999999999999.999999", "9000000000000", 0}, {"-8999999999999.995", "-9000000000000", 2}, {"0.000001", "0.000001", 6},
		{"0.000001", "0.000001", 9}, {"7.5", "8", -3}, // out of its range: as 6, as 0
	} {
		if got := money.MustParse(c.d).RoundTo(c.places); got != money.MustParse(c.want) {
			t.Errorf("%s at %d places is %s, want %s", c.d, c.places, got, c.want)
		}
	}
}

func TestSumRemembersWhatDidNotFit(t *testing.T) {
	t.Parallel()
	var sum money.Sum
	if v, err := sum.Value(); v != 0 || err != nil {
		t.Errorf("an empty sum is %s, %v", v, err)
	}
	for _, d := range []money.Decimal{money.Max, 1, -money.Max} {
		sum.Add(d)
	}
	if v, err := sum.Value(); !errors.Is(err, money.ErrRange) {
		t.Errorf("%s, %v", v, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "-12.50", "+.5", "9000000000000", "18446744073709.551616", "1.0000000", "00.1", "1e5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := money.Parse(s)
		if err != nil {
			if d != 0 {
				t.Fatalf("%q gives %s and %v", s, d, err)
			}
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok || want.Mul(want, exact(money.One)).Cmp(exact(d)) != 0 || !d.InRange() {
			t.Fatalf("%q was read as %s", s, d)
		}
		if back, err := money.Parse(d.String()); err != nil || back != d {
			t.Fatalf("%s was read back as %s, %v", d, back, err)
		}
	})
}

func BenchmarkString(b *testing.B) {
	b.ReportAllocs()
	buffer := make([]byte, 0, 32)
	for b.Loop() {
		buffer, _ = money.Decimal(-1_234_560_000).AppendText(buffer[:0])
	}
}

func BenchmarkMulDiv(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := money.MulDiv(12*money.One, 20*money.One, 120*money.One); err != nil {
			b.Fatal(err)
		}
	}
}
