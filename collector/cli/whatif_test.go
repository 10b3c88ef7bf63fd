package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/cli"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// taxed is a sale with tax of 20 % in it, paid in cash.
func (c *counter) taxed(number, net, tax string) intake.Record {
	c.Helper()
	r := c.sale(number, (money.MustParse(net) + money.MustParse(tax)).String())
	r.Document.Key.Merchant = ""
	r.Document.Lines[0].Taxes = []document.Tax{{Code: "A", Scheme: "VAT", Rate: money.MustParse("20"), Base: money.MustParse(net), Amount: money.MustParse(tax)}}
	r.Document.Settle()
	body, err := document.Marshal(r.Document)
	c.must(err)
	r.Bytes, r.Hash = body, document.Hash(r.Document)
	r.Document.Key.Merchant = "corner"
	return r
}

// closes stores a mapping for the shop and closes its days.
func (c *counter) closes(mapping string) {
	c.Helper()
	m, err := books.ParseMapping([]byte(mapping), nil)
	c.must(err)
	shop, err := c.db.Merchant(c.Context(), "corner")
	c.must(err)
	shop.Mappings = []merchant.Mapping{{From: "2026-01-01", Mapping: m}}
	_, err = c.db.Apply(c.Context(), shop, time.Now())
	c.must(err)
	_, err = (&day.Closer{Store: c.db, Now: time.Now}).Sweep(c.Context())
	c.must(err)
}

func TestWhatIfShowsWhatAnotherMappingWouldChangeAndChangesNothing(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.sends("a1", c.taxed("1", "10.00", "2.00"), c.taxed("2", "5.00", "1.00"))
	c.closes(previewMapping)
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		c.must(os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	same, other, none := file("same.yaml", previewMapping), file("other.yaml", strings.Replace(previewMapping, "sales: Sales", "sales: Turnover", 1)),
		file("none.yaml", strings.Replace(previewMapping, "cash: Cash, ", "", 1))
	type change struct {
		Account    string
		TaxCode    string `json:"tax_code"`
		Had, Would money.Minor
	}
	ask := func(mapping string, from, to string) (changes []change, waits, code int) {
		t.Helper()
		var days []struct {
			Day      string
			Changes  []change
			Problems []any
		}
		code = c.call(&days, "what-if", "corner", "--mapping", mapping, "--from", from, "--to", to)
		for _, d := range days {
			changes, waits = append(changes, d.Changes...), waits+len(d.Problems)
		}
		return changes, waits, code
	}
	if changes, _, code := ask(same, "2026-03-01", "2026-03-31"); code != 0 || len(changes) != 0 {
		t.Errorf("with the mapping that it has: exit %d, %+v", code, changes)
	}
	changes, _, code := ask(other, "2026-03-01", "2026-03-31")
	if code != 0 || len(changes) != 2 || changes[0] != (change{"Sales", "STD", -1500, 0}) || changes[1] != (change{"Turnover", "STD", 0, -1500}) {
		t.Errorf("with another account: exit %d, %+v", code, changes)
	}
	if changes, _, code := ask(other, "2026-04-01", "2026-04-30"); code != 0 || len(changes) != 0 {
		t.Errorf("of other days: exit %d, %+v", code, changes)
	}
	if _, waits, code := ask(none, "2026-03-02", "2026-03-02"); code != 1 || waits != 1 {
		t.Errorf("without an account: exit %d, %d questions", code, waits)
	}
	if code := c.call(nil, "what-if", "corner", "--mapping", same, "--from", "2026-03-02", "--to", "2026-03-01"); code != 2 {
		t.Errorf("days that end before they begin: exit %d", code)
	}
	var days []struct{ Version, Entry int64 }
	if c.call(&days, "days"); len(days) != 1 || days[0].Version != 2 || days[0].Entry != 2 { // one for each sale
		t.Errorf("days became %+v", days)
	}
}

func TestTaxesAreReportedByCodeFromTheBooksAndByAuthorityFromTheTills(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.sends("a1", c.taxed("1", "10.00", "2.00"), c.taxed("2", "5.00", "1.00"))
	type report struct {
		Codes []struct {
			Code, Direction string
			Base, Tax       money.Minor
		}
		Jurisdictions []books.Jurisdiction
		Open          []any
	}
	var r report
	if code := c.call(&r, "taxes", "corner", "--from", "2026-03-01", "--to", "2026-03-31"); code != 1 || len(r.Open) != 1 || len(r.Codes) != 0 || len(r.Jurisdictions) != 1 {
		t.Errorf("before the day is closed: exit %d, %+v", code, r)
	}
	c.closes(previewMapping)
	r = report{}
	if code := c.call(&r, "taxes", "corner", "--from", "2026-03-01", "--to", "2026-03-31", "--store", "S1"); code != 0 || len(r.Open) != 0 || len(r.Codes) != 1 || len(r.Jurisdictions) != 1 {
		t.Fatalf("exit %d, %+v", code, r)
	}
	if got := r.Codes[0]; got.Code != "STD" || got.Direction != books.DirectionSale || got.Base != 1500 || got.Tax != 300 {
		t.Errorf("by code: %+v", got)
	}
	if got := r.Jurisdictions[0]; got.Taxable != money.MustParse("15") || got.Tax != money.MustParse("3") || got.Gross != got.Taxable {
		t.Errorf("by authority: %+v", got)
	}
}

func TestAPreviewExplainsEachLine(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	mapping, documents := filepath.Join(folder, "m.yaml"), filepath.Join(folder, "d.jsonl")
	text := "profile: GB\naccounts: {cash: Cash, sales: Sales, tax: VAT}\n"
	for path, text := range map[string]string{mapping: text, documents: soldAt("1", "2026-11-03T12:00:00", "") + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := cli.Preview()
	cmd.SetArgs([]string{"--mapping", mapping, "--explain", documents})
	var out bytes.Buffer
	cmd.SetOut(&out)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"store-day/S1/2026-11-03, in GBP", "debit         12.00  Cash", "tax code GB-20: 2.00 on 10.00, sale (standard rate: Value Added Tax Act 1994, section 2(1))", "12.00  S1|1|RECEIPT|1",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}
