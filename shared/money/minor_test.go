package money_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/money"
)

func TestPlacesOfCurrencies(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{"EUR": 2, "USD": 2, "GBP": 2, "AZN": 2, "ZAR": 2, "JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "KWD": 3, "TND": 3, "HUF": 2} {
		if got, err := money.Places(code); err != nil || got != want {
			t.Errorf("%s has %d places, %v, want %d", code, got, err, want)
		}
	}
	for _, code := range []string{"", "E", "EU", "EURO", "eur", "E R", "EÜ", "€", "E1R", "\xff\xff\xff"} {
		if places, err := money.Places(code); err == nil {
			t.Errorf("%q has %d places", code, places)
		}
	}
}

func TestMinorUnitsAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d      string
		places int
		minor  money.Minor
		rest   string
	}{
		{"12.50", 2, 1250, "0"}, {"12.345", 2, 1235, "-0.005"}, {"-12.345", 2, -1235, "0.005"}, {"12.344999", 2, 1234, "0.004999"},
		{"12.5", 0, 13, "-0.5"}, {"1.2345", 3, 1235, "-0.0005"}, {"0", 2, 0, "0"}, {"9000000000000", 3, 9_000_000_000_000_000, "0"},
	} {
		minor, rest := money.ToMinor(money.MustParse(c.d), c.places)
		if minor != c.minor || rest != money.MustParse(c.rest) {
			t.Errorf("%s at %d places is %d and %s, want %d and %s", c.d, c.places, minor, rest, c.minor, c.rest)
		}
	}
}

func TestMinorUnitsAndTheirRestAreTheNumber(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, places := decimals().Draw(t, "d"), rapid.SampledFrom([]int{0, 2, 3}).Draw(t, "places")
		minor, rest := money.ToMinor(d, places)
		back, err := money.FromMinor(minor, places)
		if err != nil || back+rest != d || back != d.RoundTo(places) {
			t.Fatalf("%s is %d and %s, and %s again, %v", d, minor, rest, back, err)
		}
		text, err := money.Parse(minor.Format(places))
		if err != nil || text != back {
			t.Fatalf("%d is printed as %q", minor, minor.Format(places))
		}
	})
}

func TestFormatPrintsThePlacesOfTheCurrency(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor  money.Minor
		places int
		want   string
	}{
		{12345, 2, "123.45"}, {-5, 2, "-0.05"}, {0, 2, "0.00"}, {0, 0, "0"}, {-12345, 0, "-12345"}, {12345, 3, "12.345"}, {-1, 3, "-0.001"},
		{math.MinInt64, 2, "-92233720368547758.08"}, {math.MaxInt64, 0, "9223372036854775807"},
	} {
		if got := c.minor.Format(c.places); got != c.want {
			t.Errorf("%d at %d places is %q, want %q", int64(c.minor), c.places, got, c.want)
		}
	}
}
