package money

import (
	"fmt"
	"slices"
)

// Minor is a whole number of a currency's minor units: cents, yen, fils. Only
// the books and what is posted from them count in it.
type Minor int64

// Currencies without minor units, and those with three places, by ISO 4217
// (2024). Every other code that a till can be run in has two; the units of
// account CLF and UYW, which have four, are none.
var (
	zeroPlaces  = []string{"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"}
	threePlaces = []string{"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
)

// Places returns how many decimal places the currency's minor unit has. A code
// that is not three capital letters is an error.
func Places(currency string) (int, error) {
	if len(currency) != 3 {
		return 0, fmt.Errorf("%q is not an ISO 4217 currency code", clip(currency))
	}
	for _, r := range currency {
		if r < 'A' || r > 'Z' {
			return 0, fmt.Errorf("%q is not an ISO 4217 currency code", currency)
		}
	}
	switch {
	case slices.Contains(zeroPlaces, currency):
		return 0, nil
	case slices.Contains(threePlaces, currency):
		return 3, nil
	}
	return 2, nil
}

// ToMinor rounds d half away from zero to minor units of the given places and
// returns what was left: d = minor + rest.
func ToMinor(d Decimal, places int) (minor Minor, rest Decimal) {
	rounded := d.RoundTo(places)
	return Minor(rounded / unitOf(places)), d - rounded
}

// FromMinor returns minor units of the given places as a Decimal, or ErrRange.
func FromMinor(m Minor, places int) (Decimal, error) {
	d, err := muldiv(int64(m), int64(unitOf(places)), 1)
	if err != nil {
		return 0, fmt.Errorf("%d minor units: %w", int64(m), err)
	}
	return d, nil
}

// Format prints minor units with the currency's places: 12345 at 2 is "123.45".
func (m Minor) Format(places int) string {
	n, sign := magnitude(int64(m)), ""
	if m < 0 {
		sign = "-"
	}
	if places <= 0 {
		return fmt.Sprintf("%s%d", sign, n)
	}
	unit := uint64(1)
	for range places {
		unit *= 10
	}
	return fmt.Sprintf("%s%d.%0*d", sign, n/unit, places, n%unit)
}
