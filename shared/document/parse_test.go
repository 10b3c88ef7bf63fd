package document_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
)

// small is a document as JSON with a place for one field more.
const small = `{
	"key": {"store": "a", "terminal": "1", "space": "RECEIPT", "number": "7"},
	"kind": "SALE", "state": "COMPLETED", "time": {"as_given": "noon"}, "currency": "EUR"%
}`

func with(field string) string { return strings.Replace(small, "%", field, 1) }

func TestParseJSONSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	const line = `"kind": "ITEM", "extended": "1"`
	for name, c := range map[string]struct{ text, want string }{
		"misspelt":          {with(`, "lnies": []`), `lnies: unknown field (did you mean "lines"?)`},
		"other case":        {with(`, "Lines": []`), `Lines: unknown field (did you mean "lines"?)`},
		"camel case":        {with(`, "priceBasis": "TAX_INCLUDED"`), `priceBasis: unknown field (did you mean "price_basis"?)`},
		"deep":              {with(`, "lines": [{` + line + `}, {` + line + `, "taxes": [{"code": "S", "sheme": "VAT"}]}]`), `lines/2/taxes/1/sheme: unknown field (did you mean "scheme"?)`},
		"unheard of":        {with(`, "weather": "rain"`), "weather: unknown field"},
		"merchant's own":    {with(`, "lines": [{` + line + `, "": 1}]`), "lines/1/: unknown field"},
		"twice":             {with(`, "currency": "GBP"`), "currency: the field is there twice"},
		"missing":           {with(`, "lines": [{"kind": "ITEM"}]`), "lines/1/extended: the field is missing"},
		"missing at top":    {`{"kind": "SALE"}`, "key: the field is missing"},
		"null":              {with(`, "lines": null`), "lines: null: leave the field out where there is nothing to say"},
		"null element":      {with(`, "lines": [null]`), "lines/1: null: leave the field out where there is nothing to say"},
		"number for amount": {with(`, "lines": [{"kind": "ITEM", "extended": 12.5}]`), `lines/1/extended: an amount as text, such as "12.50", belongs here, not the number 12.5`},
		"exponent":          {with(`, "lines": [{"kind": "ITEM", "extended": "1e2"}]`), `lines/1/extended: "1e2" is not a decimal number`},
		"comma":             {with(`, "lines": [{"kind": "ITEM", "extended": "1,50"}]`), `lines/1/extended: "1,50" is not a decimal number`},
		"too large":         {with(`, "lines": [{"kind": "ITEM", "extended": "9000000000000.000001"}]`), `lines/1/extended: "9000000000000.000001": number out of range`},
		"seven places":      {with(`, "lines": [{"kind": "ITEM", "extended": "0.1234567"}]`), `lines/1/extended: "0.1234567" has more than 6 decimal places`},
		"text for number":   {with(`, "links": [{"relation": "VOIDS", "line": "1"}]`), `links/1/line: a whole number belongs here, not the text "1"`},
		"fraction":          {with(`, "links": [{"relation": "VOIDS", "line": 1.5}]`), "links/1/line: 1.5 is not a whole number in range"},
		"negative version":  {with(`, "source": {"version": -1}`), "source/version: -1 is not a whole number in range"},
		"number for text":   {with(`, "price_basis": 5`), "price_basis: text belongs here, not the number 5"},
		"flag for text":     {with(`, "price_basis": true`), "price_basis: text belongs here, not true"},
		"text for flag":     {with(`, "deleted": "yes"`), `deleted: true or false belongs here, not the text "yes"`},
		"object for list":   {with(`, "lines": {}`), "lines: a list belongs here, not {"},
		"list for object":   {with(`, "place": []`), "place: an object belongs here, not ["},
		"object for moment": {with(`, "source": {"captured_at": {}}`), `source/captured_at: a moment as text, such as "2026-03-01T09:30:00Z", belongs here, not {`},
		"not a moment":      {with(`, "source": {"captured_at": "yesterday"}`), `source/captured_at: "yesterday" is not a moment in RFC 3339, such as 2026-03-01T09:30:00Z`},
		"year 0":            {with(`, "source": {"captured_at": "0000-12-31T00:00:00Z"}`), "source/captured_at: the year 0 is out of range"},
		"cut short":         {`{"key": {"store": "a"`, "key: the text ends in the middle"},
		"empty":             {"", "the text ends in the middle"},
		"not JSON":          {"Dear till,", "not JSON at byte 0: invalid character 'D' looking for beginning of value"},
		"two documents":     {with("") + with(""), "something follows it at byte 167"},
		"list of documents": {"[" + with("") + "]", "an object belongs here, not ["},
		"another code":      {with(`, "price_basis": "` + "\xff" + `"`), "the text is not UTF-8"},
		"far too long":      {with(strings.Repeat(" ", document.MaxJSONBytes)), "4194470 bytes, more than 4194304"},
		"too many lines":    {with(`, "lines": [` + strings.Repeat(`{`+line+`},`, 10_000) + `{` + line + `}]`), "lines: more than 10000"},
		"too many flags":    {strings.Replace(with(""), `"as_given": "noon"`, `"as_given": "noon", "flags": [`+strings.Repeat(`"x",`, 50_000)+`"x"]`, 1), "time/flags: more than 50000"},
		"deep nest":         {with(`, "lines": ` + strings.Repeat("[", 100_000)), "lines/1: an object belongs here, not ["},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := document.ParseJSON([]byte(c.text))
			if err == nil || err.Error() != "parse document: "+c.want || d != nil {
				t.Errorf("got  %v, %v\nwant parse document: %s", d, err, c.want)
			}
		})
	}
}

func TestParseJSONBringsMomentsToOneForm(t *testing.T) {
	t.Parallel()
	d := parse(t, []byte(strings.Replace(with(""), `"as_given": "noon"`, `"as_given": "noon", "utc": "2026-03-01T12:00:00.1234567+02:00"`, 1)))
	if want := time.Date(2026, 3, 1, 10, 0, 0, 123_456_000, time.UTC); !reflect.DeepEqual(d.Time.UTC, want) {
		t.Errorf("%v, want %v", d.Time.UTC, want)
	}
}

func TestParseJSONKeepsWhatItDoesNotJudge(t *testing.T) {
	t.Parallel()
	d := parse(t, []byte(strings.Replace(with(""), `"SALE"`, `"HOLOGRAM"`, 1)))
	if d.Kind != "HOLOGRAM" {
		t.Errorf("the kind became %q", d.Kind)
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(with("")))
	f.Add(read(f, "testdata/bench.json"))
	f.Add(read(f, "testdata/canonical/sale-with-everything.json"))
	f.Add(read(f, "testdata/canonical/period-close.json"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := document.ParseJSON(text)
		if err != nil {
			return
		}
		clean, err := json.Marshal(d)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again := parse(t, clean)
		if !reflect.DeepEqual(d, again) || document.Hash(d) != document.Hash(again) {
			t.Fatal(cmp.Diff(d, again))
		}
		if d.Check() != nil {
			return
		}
		wire, err := document.Marshal(d)
		if err != nil {
			t.Fatalf("a document that passes Check cannot travel: %v", err)
		}
		if back, err := document.Unmarshal(wire); err != nil || document.Hash(d) != document.Hash(back) {
			t.Fatalf("%v: %s", err, cmp.Diff(d, back))
		}
	})
}

func BenchmarkParseJSON(b *testing.B) {
	text := read(b, "testdata/bench.json")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := document.ParseJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}
