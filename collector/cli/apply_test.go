package cli_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/merchant"
)

func TestTheFormOfPostedDaysIsNotChangedWithoutADay(t *testing.T) {
	t.Parallel()
	c := open(t)
	shop, err := c.db.Merchant(t.Context(), "corner")
	c.must(err)
	shop.Connections = []merchant.Connection{{ID: "books", Target: "xero", Settings: map[string]string{"tenant": "t", "form": "invoice"}}}
	_, err = c.db.Apply(t.Context(), shop, time.Now())
	c.must(err)
	apply := func(settings map[string]string) int {
		t.Helper()
		now, err := c.db.Merchant(t.Context(), "corner")
		c.must(err)
		settings["tenant"] = "t"
		now.Connections = []merchant.Connection{{ID: "books", Target: "xero", Settings: settings}}
		text, err := merchant.Format(now)
		c.must(err)
		path := filepath.Join(t.TempDir(), "merchant.yaml")
		c.must(os.WriteFile(path, text, 0o600))
		return c.call(nil, "apply", "-f", path)
	}
	if code := apply(map[string]string{"form": "payments"}); code != 0 {
		t.Errorf("before anything is posted: exit %d", code)
	}
	c.sends("a1", c.taxed("1", "10.00", "2.00"))
	c.closes(previewMapping)
	for _, wrong := range []map[string]string{{"form": "journal"}, {}, {"form": "journal", "form_before": "invoice", "form_from": "2026-04-01"}, {"form": "journal", "form_from": "2026-04-01"}} {
		if code := apply(wrong); code != 2 {
			t.Errorf("%v: exit %d", wrong, code)
		}
	}
	for _, right := range []map[string]string{{"form": "payments", "contact": "Daily sales"}, {"form": "journal", "form_before": "payments", "form_from": "2026-04-01"}} {
		if code := apply(right); code != 0 {
			t.Errorf("%v: exit %d", right, code)
		}
	}
	if code := apply(map[string]string{"form": "journal"}); code != 2 {
		t.Errorf("the days before are forgotten: exit %d", code)
	}
}
