package document_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func TestTheGoldenDocumentsHoldTogether(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if filepath.Base(name) == "awkward-text.json" {
			continue // control characters in its key
		}
		if err := parse(t, read(t, name)).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckNamesWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(d *document.Document)
		want  string // the whole error
	}{
		"no store":         {func(d *document.Document) { d.Key.Store = "" }, "key/store: the field is empty"},
		"no terminal":      {func(d *document.Document) { d.Key.Terminal = "" }, "key/terminal: the field is empty"},
		"no number":        {func(d *document.Document) { d.Key.Number = "" }, "key/number: the field is empty"},
		"unknown space":    {func(d *document.Document) { d.Key.Space = "SHELF" }, `key/space: "SHELF" is not one of [RECEIPT EVENT Z PUSH FILE]`},
		"long key":         {func(d *document.Document) { d.Key.Scope = strings.Repeat("x", 201) }, "key/scope: 201 bytes of text, more than 200"},
		"line feed in key": {func(d *document.Document) { d.Key.Number = "1\n2" }, "key/number: the text has the control character U+000A"},
		"line feed in link": {func(d *document.Document) {
			d.Links = []document.Link{{Relation: "VOIDS", Key: &document.Key{Number: "1\n2"}}}
		}, "links/1/key/number: the text has the control character U+000A"},
		"no kind":                    {func(d *document.Document) { d.Kind = "" }, "kind: the field is empty"},
		"unknown state":              {func(d *document.Document) { d.State = "DONE" }, `state: "DONE" is not one of [OPEN SUSPENDED COMPLETED VOIDED]`},
		"unknown price basis":        {func(d *document.Document) { d.PriceBasis = "NET" }, `price_basis: "NET" is not one of [TAX_INCLUDED TAX_EXCLUDED]`},
		"no currency":                {func(d *document.Document) { d.Currency = "" }, `currency: "" is not an ISO 4217 currency code`},
		"lower-case currency":        {func(d *document.Document) { d.Currency = "eur" }, `currency: "eur" is not an ISO 4217 currency code`},
		"rate without one":           {func(d *document.Document) { d.Rate = &document.Rate{Value: 1} }, `rate/to: "" is not an ISO 4217 currency code`},
		"foreign without one":        {func(d *document.Document) { d.Tenders[1].Foreign = &document.Foreign{} }, `tenders/2/foreign/currency: "" is not an ISO 4217 currency code`},
		"cost without one":           {func(d *document.Document) { d.Lines[2].Cost = &document.Money{} }, `lines/3/cost/currency: "" is not an ISO 4217 currency code`},
		"unknown direction":          {func(d *document.Document) { d.Tenders[1].Direction = "IN" }, `tenders/2/direction: "IN" is not one of [PAID CHANGE CASHBACK REFUND]`},
		"no line kind":               {func(d *document.Document) { d.Lines[1].Kind = "" }, "lines/2/kind: the field is empty"},
		"no tender kind":             {func(d *document.Document) { d.Tenders[0].Kind = "" }, "tenders/1/kind: the field is empty"},
		"no tax scheme":              {func(d *document.Document) { d.Lines[0].Taxes[0].Scheme = "" }, "lines/1/taxes/1/scheme: the field is empty"},
		"no adjustment kind":         {func(d *document.Document) { d.Lines[0].Adjustments = []document.Adjustment{{Level: "LINE"}} }, "lines/1/adjustments/1/kind: the field is empty"},
		"no relation":                {func(d *document.Document) { d.Links = []document.Link{{Number: "1"}} }, "links/1/relation: the field is empty"},
		"line below zero":            {func(d *document.Document) { d.Links = []document.Link{{Relation: "VOIDS", Line: -1}} }, "links/1/line: -1 is not the number of a line"},
		"no fiscal scheme":           {func(d *document.Document) { d.Fiscal = []document.Fiscal{{ID: "1"}} }, "fiscal/1/scheme: the field is empty"},
		"offset of a day":            {func(d *document.Document) { n := -1440; d.Time.Offset = &n }, "time/offset: -1440 minutes, more than 18 hours"},
		"year 10000":                 {func(d *document.Document) { d.Time.UTC = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "time/utc: the year 10000 is out of range"},
		"impossible date":            {func(d *document.Document) { d.StatedDay.Date = "2026-02-29" }, `stated_day/date: "2026-02-29" is not a date (YYYY-MM-DD)`},
		"long text":                  {func(d *document.Document) { d.Lines[2].Text = strings.Repeat("é", 513) }, "lines/3/text: 1026 bytes of text, more than 1024"},
		"bell":                       {func(d *document.Document) { d.Lines[2].Text = "ding\a" }, "lines/3/text: the text has the control character U+0007"},
		"text in another code":       {func(d *document.Document) { d.Lines[2].Text = "caf\xe9" }, "lines/3/text: the text is not UTF-8"},
		"amount out of range":        {func(d *document.Document) { d.Lines[2].Taxes[0].Amount = money.Max + 1 }, "lines/3/taxes/1/amount: number out of range"},
		"whole card number":          {func(d *document.Document) { d.Tenders[0].Masked = "4111111111111111" }, "tenders/1/masked: a card number shows more than its last four digits"},
		"not a hash":                 {func(d *document.Document) { d.ContentHash = "AB" }, `content_hash: "AB" is not a SHA-256 in lower-case hex`},
		"drop without amount":        {func(d *document.Document) { d.Kind = document.SafeDrop }, "movement: missing from a completed SAFE_DROP"},
		"negative movement":          {func(d *document.Document) { d.Movement = &document.Movement{Amount: -1} }, "movement/amount: -0.000001 is negative; from and to say which way the money went"},
		"movement line without kind": {func(d *document.Document) { d.Movement = &document.Movement{Lines: make([]document.Line, 1)} }, "movement/lines/1/kind: the field is empty"},
		"count without a kind": {func(d *document.Document) {
			d.Count = &document.Count{Stage: "OPEN", ByTender: make([]document.TenderAmount, 1)}
		}, "count/by_tender/1/kind: the field is empty"},
		"close without a kind": {func(d *document.Document) { d.Close = &document.Close{ByTender: make([]document.TenderAmount, 1)} }, "close/by_tender/1/kind: the field is empty"},
		"count of nothing":     {func(d *document.Document) { d.Kind = document.TillCount }, "count: missing from a completed TILL_COUNT"},
		"count without stage":  {func(d *document.Document) { d.Count = &document.Count{} }, "count/stage: the field is empty"},
		"minus two notes": {func(d *document.Document) {
			d.Count = &document.Count{Stage: "OPEN", Denominations: []document.Denomination{{Quantity: -2}}}
		}, "count/denominations/1/quantity: -2 is negative"},
		"batch of nothing": {func(d *document.Document) { d.Kind = document.Batch }, "tender_batch: missing from a completed TENDER_BATCH"},
		"too many lines":   {func(d *document.Document) { d.Lines = make([]document.Line, document.MaxLines+1) }, "lines: 10001, more than 10000"},
		"too many parts":   {func(d *document.Document) { d.Lines[0].Taxes = manyTaxes(document.MaxParts) }, "lines/1/taxes: more than 50000 parts in all"},
		"two at once":      {func(d *document.Document) { d.Key.Store, d.Kind = "", "" }, "key/store: the field is empty; kind: the field is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := benchDocument(t)
			if err := d.Check(); err != nil {
				t.Fatalf("before: %v", err)
			}
			c.spoil(d)
			err := d.Check()
			var problem *document.CheckError
			if !errors.As(err, &problem) || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func manyTaxes(n int) []document.Tax {
	taxes := make([]document.Tax, n)
	for i := range taxes {
		taxes[i].Scheme = "VAT"
	}
	return taxes
}

func TestCheckListsAFewProblemsOnly(t *testing.T) {
	t.Parallel()
	d := benchDocument(t)
	d.Tenders = make([]document.Tender, 500)
	var problem *document.CheckError
	if err := d.Check(); !errors.As(err, &problem) || len(problem.Problems) != 10 {
		t.Errorf("%d problems: %v", len(problem.Problems), err)
	}
}

func TestATombstoneNeedsOnlyItsKey(t *testing.T) {
	t.Parallel()
	d := &document.Document{Key: document.Key{Store: "a", Terminal: "1", Space: "RECEIPT", Number: "1"}, Deleted: true}
	if err := d.Check(); err != nil {
		t.Error(err)
	}
	d.State, d.Currency = "GONE", "x"
	if d.Check() == nil {
		t.Error("a tombstone may leave words out, not make them up")
	}
}

func TestTextMayHaveSeveralLines(t *testing.T) {
	t.Parallel()
	d := benchDocument(t)
	d.Lines[0].Text = "Steak pie\r\n\twith peas"
	if err := d.Check(); err != nil {
		t.Error(err)
	}
}

func TestUnknownWordsAreListedAndNotRefused(t *testing.T) {
	t.Parallel()
	d := benchDocument(t)
	if words := d.Unknown(); words != nil {
		t.Fatalf("known words are listed: %q", words)
	}
	d.Kind = "HOLOGRAM"
	d.Lines[0].Kind, d.Lines[2].Kind = "AIR", "AIR"
	d.Lines[1].Taxes[0].Scheme = "CARBON"
	d.Lines[1].Adjustments = []document.Adjustment{{Kind: "KARMA", Level: "PLANET"}}
	d.Lines[1].Consumption = "DRIVE_IN"
	d.Lines[1].Voucher = &document.Voucher{Purpose: "TRIPLE", Funding: "LOST"}
	d.Lines[1].Agency = &document.Agency{Principal: "p", Part: "LOAN"}
	d.Tenders[1].Kind = "SHELLS"
	d.Links = []document.Link{{Relation: "REMEMBERS"}}
	d.Movement = &document.Movement{From: "MATTRESS", To: "SAFE", Lines: []document.Line{{Kind: "WATER"}}}
	d.Close = &document.Close{ByTender: []document.TenderAmount{{Kind: "SHELLS"}}, ByTax: []document.Tax{{Scheme: "VAT", Liable: "NOBODY"}}}
	d.Count = &document.Count{Stage: "NOON"}
	d.TenderBatch = &document.TenderBatch{ByBrand: []document.BatchAmount{{Kind: "RUNES"}, {}}}
	if err := d.Check(); err != nil {
		t.Errorf("a document that is newer is refused: %v", err)
	}
	want := []string{
		"kind HOLOGRAM", "links/relation REMEMBERS",
		"lines/kind AIR", "lines/consumption DRIVE_IN", "lines/adjustments/kind KARMA", "lines/adjustments/level PLANET",
		"lines/taxes/scheme CARBON", "lines/voucher/purpose TRIPLE", "lines/voucher/funding LOST", "lines/agency/part LOAN",
		"tenders/kind SHELLS", "movement/from MATTRESS", "movement/lines/kind WATER", "count/stage NOON",
		"tender_batch/by_brand/kind RUNES", "close/by_tax/liable NOBODY", "close/by_tender/kind SHELLS",
	}
	if diff := cmp.Diff(want, d.Unknown()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnknownListsTheWordsThatCheckRefusesToo(t *testing.T) {
	t.Parallel()
	d := benchDocument(t)
	d.State, d.PriceBasis, d.Tenders[0].Direction = "DONE", "NET", "SIDEWAYS"
	if diff := cmp.Diff([]string{"state DONE", "price_basis NET", "tenders/direction SIDEWAYS"}, d.Unknown()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnknownListsAFewWordsOnly(t *testing.T) {
	t.Parallel()
	d := &document.Document{}
	for i := range 500 {
		d.Lines = append(d.Lines, document.Line{Kind: document.LineKind(fmt.Sprint("K", i))})
	}
	if words := d.Unknown(); len(words) != 20 {
		t.Errorf("%d words", len(words))
	}
}

func BenchmarkCheck(b *testing.B) {
	d := benchDocument(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Check(); err != nil {
			b.Fatal(err)
		}
	}
}
