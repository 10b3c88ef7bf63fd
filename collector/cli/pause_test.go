package cli_test

import (
	"testing"
	"time"

	"tillbook.example/tillbook/collector/day"
)

// Scenario 57: a restart from a chosen date warns of days that people may have
// entered by hand.
func TestAMerchantIsPausedAndResumedFromADayByCommands(t *testing.T) {
	t.Parallel()
	c := open(t)
	second := c.sale("2", "2.00")
	second.Day = "2026-03-03"
	c.sends("a1", c.sale("1", "1.00"), second)
	closer := &day.Closer{Store: c.db, Now: time.Now}
	states := func() map[string]string {
		t.Helper()
		if _, err := closer.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var rows []struct {
			Day, State string
			Hold       *day.Hold
		}
		c.call(&rows, "days")
		all := map[string]string{}
		for _, r := range rows {
			all[r.Day] = r.State
			if r.Hold != nil {
				all[r.Day] += " " + r.Hold.Reason
			}
		}
		return all
	}
	var paused struct{ Paused bool }
	if code := c.call(&paused, "pause", "corner", "--by", "olga"); code != 0 || !paused.Paused {
		t.Fatalf("pause: exit %d, %+v", code, paused)
	}
	if s := states(); s["2026-03-02"] != "held paused" || s["2026-03-03"] != "held paused" {
		t.Errorf("paused: %v", s)
	}
	var resumed struct {
		Resumed        bool
		Waiting        int
		Oldest, Newest string
	}
	if code := c.call(&resumed, "resume", "corner", "--from", "2026-03-03", "--by", "olga"); code != 0 || !resumed.Resumed ||
		resumed.Waiting != 1 || resumed.Oldest != "2026-03-03" || resumed.Newest != "2026-03-03" {
		t.Fatalf("resume: exit %d, %+v", code, resumed)
	}
	if s := states(); s["2026-03-02"] != day.External || s["2026-03-03"] != "held mapping" {
		t.Errorf("resumed: %v", s)
	}
	var entered struct{ Posted []string }
	if code := c.call(&entered, "entered", "corner", "S1", "2026-03-03", "2026-03-03", "--by", "olga"); code != 0 || len(entered.Posted) != 0 {
		t.Errorf("entered: exit %d, %+v", code, entered)
	}
	if s := states(); s["2026-03-03"] != day.External {
		t.Errorf("entered: %v", s)
	}
	if code := c.call(&entered, "entered", "corner", "S1", "2026-03-03", "2026-03-03", "--withdraw"); code != 0 {
		t.Errorf("withdraw: exit %d", code)
	}
	if s := states(); s["2026-03-03"] != "held mapping" {
		t.Errorf("withdrawn: %v", s)
	}
	for _, wrong := range [][]string{{"pause", "nobody"}, {"resume", "corner", "--from", "tuesday"}, {"entered", "corner", "S1", "2026-03-03", "2026-03-02"}, {"entered", "corner", "S9", "2026-03-03", "2026-03-04"}} {
		if code := c.call(nil, wrong...); code != 2 {
			t.Errorf("%v: exit %d", wrong, code)
		}
	}
}
