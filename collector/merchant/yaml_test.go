package merchant

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

const example = `id: corner
name: Corner Shop Ltd
country: NO
currency: NOK
unproven: post
stores:
  - id: high-street
    short: HS
    zone: Europe/Oslo
    cutoff: 04:00
    settle: 45m
    deadline: 48h
    start: 2026-11-01
    terminals:
      - id: 01
        closes: true
      - id: "2"
connections:
  - id: books
    target: text
    settings:
      folder: /srv/books/corner
      format: hledger
mappings:
  - from: 2026-01-01
    mapping:
      currency: NOK
      accounts:
        sales: Income:Sales
      taxes:
        - till: A
          rate: 25
          code: "3"
`

func TestParseReadsAMerchantAsItIsWritten(t *testing.T) {
	t.Parallel()
	rate := money.MustParse("25")
	want := Merchant{
		ID: "corner", Name: "Corner Shop Ltd", Country: "NO", Currency: "NOK", Unproven: "post",
		Stores: []Store{{
			ID: "high-street", Short: "HS", Zone: "Europe/Oslo", Cutoff: "04:00", Settle: "45m", Deadline: "48h", Start: "2026-11-01",
			Terminals: []Terminal{{ID: "01", Closes: true}, {ID: "2"}},
		}},
		Connections: []Connection{{ID: "books", Target: "text", Settings: map[string]string{"folder": "/srv/books/corner", "format": "hledger"}}},
		Mappings: []Mapping{{From: "2026-01-01", Mapping: books.Mapping{
			Currency: "NOK", Accounts: map[books.Role]string{books.Sales: "Income:Sales"},
			Taxes: []books.TaxRule{{Till: "A", Rate: &rate, Code: "3"}},
		}}},
	}
	for name, text := range map[string]string{
		"one":  example,
		"list": "merchants:\n- " + strings.ReplaceAll(strings.TrimSpace(example), "\n", "\n  "),
	} {
		got, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]Merchant{want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAMappingThatNamesAProfileSaysAllOfItOnceItIsRead(t *testing.T) {
	t.Parallel()
	a, b, found := strings.Cut(example, "      currency: NOK\n")
	if !found {
		t.Fatal("the example has changed")
	}
	merchants, err := Parse([]byte(a + "      profile: NO\n      codes: {NO-15: \"31\"}\n" + b))
	if err != nil {
		t.Fatal(err)
	}
	m := merchants[0].Mappings[0].Mapping
	codes := map[string]string{}
	for _, r := range m.Taxes[1:] {
		codes[r.Code] = r.Why
	}
	if m.Currency != "NOK" || m.Taxes[0].Code != "3" || codes["31"] == "" || codes["NO-15"] != "" || m.Rounding == nil {
		t.Errorf("the mapping is %+v", m)
	}
	text, err := Format(merchants[0])
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(text)
	if diff := cmp.Diff(merchants, again); err != nil || diff != "" {
		t.Errorf("exported and read again, %v:\n%s", err, diff)
	}
	_, err = Parse([]byte(a + "      profile: ON\n" + b))
	if want := `mappings[0].mapping.profile: no profile for country "ON"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %s", err, want)
	}
}

func TestEachMistakeIsNamedWithItsLineAndPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, replacement, want string }{
		{"currency: NOK\nunp", "curency: NOK\nunp", `line 4: curency: is not known here; there is id, name, country, currency, unproven, unproven_limit, keep_personal, stores, connections, feeds, settlements, mappings (did you mean "currency"?)`},
		{"    zone:", "    zones:", `line 9: stores[0].zones: is not known here`},
		{"Europe/Oslo", "Europe/Olso", `line 9: stores[0].zone: "Europe/Olso" is not a time zone`},
		{"04:00", "4 o'clock", `line 10: stores[0].cutoff: cut-off "4 o'clock" is not a time of day`},
		{"45m", "45", `line 11: stores[0].settle: "45" must be a duration from 0s to 24h0m0s, such as 30m0s`},
		{"48h", "10m", `line 12: stores[0].deadline: 10m0s is before the settle time of 45m0s`},
		{"2026-11-01", "1.11.2026", `line 13: stores[0].start: "1.11.2026" is not a date`},
		{"closes: true", "closes: ja", `line 16: stores[0].terminals[0].closes: "ja" must be true or false`},
		{`id: "2"`, `id: "01"`, `line 17: stores[0].terminals[1].id: "01" is used by another terminal`},
		{"target: text", "target: txt", `line 20: connections[0].target: "txt" is not known; there is quickbooks, text, tryton, xero (did you mean "text"?)`},
		{"folder: /srv/books/corner", "folder: books", `line 22: connections[0].settings.folder: "books" must be an absolute path`},
		{"format: hledger", "format: hleger", `line 23: connections[0].settings.format: "hleger" must be hledger or beancount (did you mean "hledger"?)`},
		{"format: hledger", "format: hledger\n      fodler: /x", `line 24: connections[0].settings.fodler: is not a setting of target text; it has closed, filed, folder, format, tax_filed_to (did you mean "folder"?)`},
		{"sales: Income", "slaes: Income", `line 28: mappings[0].mapping.accounts: "slaes" is not one of`},
		{"rate: 25", "rate: 2500", `line 32: mappings[0].mapping.taxes[0].rate: 2500.00 is not a percentage`},
		{"rate: 25", "rate: lots", `line 32: mappings[0].mapping.taxes[0].rate: "lots" is not a decimal number`},
		{"      currency: NOK", "      currency: SEK", `line 27: mappings[0].mapping.currency: "SEK" is not the currency of the merchant's books, "NOK"`},
		{"name: Corner", "id: again\nname: Corner", `line 1: id: stands here twice, also on line 2`},
		{"country: NO", "country: Norway", `line 3: country: "Norway" is not a country code`},
		{"unproven: post", "unproven: post\nunproven_limit: lots", `line 6: unproven_limit: "lots" must be an amount such as 50.00, beside unproven: post`},
		{"unproven: post", "unproven: posted", `line 5: unproven: "posted" must be hold, post or z (did you mean "post"?)`},
		{"stores:", "stores: &a", `line 6: stores: anchors and aliases are not read`},
		{"    terminals:\n      - id: 01\n        closes: true\n      - id: \"2\"\n", "    terminals: 2\n", `line 14: stores[0].terminals: must be a list`},
		{"short: HS", "short: HIGHST", `line 8: stores[0].short: "HIGHST" must be 1 to 4 letters and digits`},
	} {
		text := strings.Replace(example, test.old, test.replacement, 1)
		if text == example {
			t.Fatalf("%q does not stand in the example", test.old)
		}
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q for %q:\n got %v\nwant %s", test.replacement, test.old, err, test.want)
		}
	}
}

func TestAllMistakesAreReturnedTogether(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("04:00", "four", "2026-11-01", "today", "format: hledger", "format: x").Replace(example)
	_, err := Parse([]byte(text))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three problems, got:\n%v", err)
	}
}

func TestFilesThatAreNotAConfigurationAreErrors(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":         "",
		"null":          "null",
		"a list":        "- id: x",
		"a text":        "corner",
		"two documents": example + "---\n" + example,
		"twice":         "merchants:\n- " + strings.ReplaceAll(example, "\n", "\n  ") + "\n- " + strings.ReplaceAll(example, "\n", "\n  "),
		"not YAML":      "\t{",
		"too large":     strings.Repeat("#", maxFile+1),
		"deep":          strings.Repeat("{a: ", 200) + strings.Repeat("}", 200),
	} {
		if got, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func TestAnExportedMerchantParsesBackEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := merchants().Draw(t, "merchant")
		if err := m.Validate(); err != nil {
			t.Fatalf("the generator made an invalid merchant: %v", err)
		}
		text, err := Format(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff([]Merchant{m}, got); diff != "" {
			t.Fatalf("(-exported +parsed):\n%s\n%s", diff, text)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("merchants:\n- {id: a, name: b}\n"))
	f.Add([]byte("stores: [{terminals: [1]}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		merchants, err := Parse(text)
		if err != nil {
			return
		}
		for _, m := range merchants {
			if err := m.Validate(); err != nil {
				t.Fatalf("parsed, but not valid: %v", err)
			}
			written, err := Format(m)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(written)
			if err != nil {
				t.Fatalf("%v\n%s", err, written)
			}
			if diff := cmp.Diff([]Merchant{m}, again); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// words are texts that YAML would like to read as something else.
var words = []string{"", "no", "NO", "true", "null", "~", "01", "1e3", "0x1f", "04:00", "2026-01-01", "- a", "a: b", "#x", "'", `"`, "é 東京", "x  y ", "*", "&a", "!t", "{}", "%"}

// merchants draws valid merchants.
func merchants() *rapid.Generator[Merchant] {
	return rapid.Custom(func(t *rapid.T) Merchant {
		id := rapid.StringMatching(`[a-z0-9_-]{1,40}`)
		text := rapid.OneOf(rapid.SampledFrom(words), rapid.StringMatching(`[ -~]{0,20}`))
		filled := text.Filter(func(s string) bool { return strings.TrimSpace(s) != "" })
		currency := rapid.SampledFrom([]string{"EUR", "JPY", "NOK"}).Draw(t, "currency")
		m := Merchant{
			ID: id.Draw(t, "id"), Name: filled.Draw(t, "name"), Country: rapid.SampledFrom([]string{"NO", "GB", "DE"}).Draw(t, "country"),
			Currency: currency, Unproven: rapid.SampledFrom([]string{"", "hold", "post", "z"}).Draw(t, "unproven"),
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "stores") {
			s := Store{
				ID: fmt.Sprintf("s%d-%s", i, rapid.StringMatching(`[a-z]{0,5}`).Draw(t, "store")), Short: fmt.Sprintf("%d%s", i, rapid.StringMatching(`[A-Z]{0,3}`).Draw(t, "short")),
				Name: text.Draw(t, "name"), Zone: rapid.SampledFrom([]string{"Europe/Oslo", "America/New_York", "UTC"}).Draw(t, "zone"),
				Cutoff:   rapid.SampledFrom([]string{"", "00:00", "04:30"}).Draw(t, "cutoff"),
				Settle:   rapid.SampledFrom([]string{"", "0s", "90m"}).Draw(t, "settle"),
				Deadline: rapid.SampledFrom([]string{"", "24h", "72h"}).Draw(t, "deadline"),
				Start:    rapid.SampledFrom([]string{"", "2026-02-28"}).Draw(t, "start"),
			}
			for j := range rapid.IntRange(0, 2).Draw(t, "terminals") {
				s.Terminals = append(s.Terminals, Terminal{ID: fmt.Sprintf("%d%s", j, text.Draw(t, "terminal")), Closes: rapid.Bool().Draw(t, "closes")})
			}
			m.Stores = append(m.Stores, s)
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "connections") {
			m.Connections = append(m.Connections, Connection{ID: fmt.Sprintf("c%d", i), Target: "text", Settings: map[string]string{
				"folder": fmt.Sprintf("/books/%d", i), "format": rapid.SampledFrom([]string{"hledger", "beancount"}).Draw(t, "format"),
			}})
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "mappings") {
			mapping := books.Mapping{Currency: currency, Suspense: text.Draw(t, "suspense"), PostBanking: rapid.Bool().Draw(t, "banking")}
			mapping.Accounts = drawn(t, "accounts", rapid.SampledFrom(books.AllRoles()), filled)
			mapping.Tenders = drawn(t, "tenders", rapid.SampledFrom(document.TenderKinds), filled)
			mapping.Categories = drawn(t, "categories", filled, filled)
			for j := range rapid.IntRange(0, 2).Draw(t, "taxes") {
				tax := books.TaxRule{Till: fmt.Sprintf("%d%s", j, text.Draw(t, "till")), Code: filled.Draw(t, "code"), Account: text.Draw(t, "account")}
				if rapid.Bool().Draw(t, "has rate") {
					rate := money.Decimal(rapid.Int64Range(0, 100_000_000).Draw(t, "rate"))
					tax.Rate = &rate
				}
				mapping.Taxes = append(mapping.Taxes, tax)
			}
			m.Mappings = append(m.Mappings, Mapping{From: bizday.Day("2026-01-01").Add(i), Version: rapid.IntRange(0, 9).Draw(t, "version"), Mapping: mapping})
		}
		return m
	})
}

func drawn[K ~string](t *rapid.T, label string, keys *rapid.Generator[K], values *rapid.Generator[string]) map[K]string {
	m := rapid.MapOfN(keys, values, 0, 3).Draw(t, label)
	if len(m) == 0 {
		return nil
	}
	return m
}
