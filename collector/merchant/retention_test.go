package merchant

import (
	"testing"

	"tillbook.example/tillbook/shared/bizday"
)

func TestWhatDocumentsStateOfPersonsIsKeptAsLongAsSaidElseAsTheLawWants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		country, keep string
		want          bizday.Day
	}{
		{"GB", "", "2020-01-01"}, {"DE", "", "2016-01-01"}, {"NO", "", "2021-01-01"}, {"XX", "", "2016-01-01"},
		{"GB", "1y", "2025-01-01"}, {"GB", "90d", "2025-12-02"}, {"GB", "1d", "2026-03-01"},
	} {
		m := Merchant{Country: c.country, KeepPersonal: c.keep}
		if got := m.PersonalBefore("2026-03-02"); got != c.want {
			t.Errorf("%s, %q: before %s, not %s", c.country, c.keep, got, c.want)
		}
	}
	for _, wrong := range []string{"90", "y", "0d", "-1d", "101y", "36501d", "6 y", "6m"} {
		if _, _, err := keeping(wrong); err == nil {
			t.Errorf("%q was read", wrong)
		}
	}
}
