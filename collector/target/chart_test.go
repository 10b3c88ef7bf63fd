package target_test

import (
	"errors"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

var chart = target.Chart{
	Accounts: []target.Account{
		{ID: "1", Code: "200", Name: "Sales", Class: target.Income, Active: true},
		{ID: "2", Code: "201", Name: "Old sales", Class: target.Income},
		{ID: "3", Name: "Till", Class: target.Asset, Active: true},
		{ID: "4", Code: "090", Name: "Bank", Class: target.Asset, Active: true, Closed: "it is a bank account"},
	},
	Taxes: []target.TaxCode{
		{Code: "OUT", Name: "20 %", Rate: money.MustParse("20"), Active: true, Classes: []string{target.Income}},
		{Code: "ANY", Active: true}, {Code: "OLD"},
	},
}

func TestWhatMayNotBePostedToIsNamedWithWhatToDo(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"200": "", "Till": "", "Sales": `is written "200"`, "till": `is written "Till"`, "999": "is not in the chart", "201": "was archived", "090": "it is a bank account",
	} {
		if a, err := chart.ToPost(name); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || err == nil && a.Key() != name {
			t.Errorf("account %q: %+v, %v; want %q", name, a, err, want)
		}
	}
	for _, test := range []struct{ code, account, want string }{
		{"OUT", "200", ""}, {"out", "200", ""}, {"20 %", "200", ""}, {"ANY", "Till", ""},
		{"OUT", "Till", "cannot be used on account"}, {"OLD", "200", "was retired"}, {"NEW", "200", "is not there"},
	} {
		account, _ := chart.Account(test.account)
		if _, err := chart.TaxToPost(test.code, account); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("tax code %q on %s: %v; want %q", test.code, test.account, err, test.want)
		}
	}
}

func TestAPeriodIsOpenAfterEverythingThatIsClosedOrFiled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		period target.Period
		first  bizday.Day
	}{
		{target.Period{}, ""},
		{target.Period{Closed: "2026-02-28"}, "2026-03-01"},
		{target.Period{Filed: "2026-12-31"}, "2027-01-01"},
		{target.Period{Closed: "2026-01-31", Filed: "2026-03-31"}, "2026-04-01"},
		{target.Period{Closed: "2026-04-30", Filed: "2026-03-31"}, "2026-05-01"},
	} {
		first := test.period.FirstOpen()
		if first != test.first {
			t.Errorf("%+v: first open day %q, want %q", test.period, first, test.first)
		}
		if first != "" && (!test.period.Open(first) || test.period.Open(first.Add(-1))) {
			t.Errorf("%+v: %s is open: %t, the day before: %t", test.period, first, test.period.Open(first), test.period.Open(first.Add(-1)))
		}
	}
	if !(target.Period{}).Open("2000-01-01") {
		t.Error("books that were never closed are not open")
	}
}

func TestARestIsAnUnavailabilityThatSaysForHowLong(t *testing.T) {
	t.Parallel()
	cause := errors.New("too many")
	var err error = &target.Later{Rest: 7_000_000_000, Err: cause}
	if !errors.Is(err, target.ErrUnavailable) || !errors.Is(err, cause) || errors.Is(err, target.ErrDisconnected) || !strings.Contains(err.Error(), "7s") {
		t.Errorf("%v", err)
	}
	if !errors.Is(target.ErrDisconnected, target.ErrUnavailable) {
		t.Error("ended access is no unavailability")
	}
}

func TestATwinHasTheDayAndTheTotalOfThePayload(t *testing.T) {
	t.Parallel()
	p := sample()
	for _, test := range []struct {
		other target.Other
		want  bool
	}{
		{target.Other{Date: p.Date, Total: 12000}, true},
		{target.Other{Date: p.Date, Total: 12001}, false},
		{target.Other{Date: p.Date.Add(1), Total: 12000}, false},
		{target.Other{Date: p.Date}, false},
	} {
		if _, found := target.Twin(p, []target.Other{test.other}); found != test.want {
			t.Errorf("%+v: %t", test.other, found)
		}
	}
}
