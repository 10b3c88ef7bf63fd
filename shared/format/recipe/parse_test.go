package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillbook.example/tillbook/shared/format"
)

// minimal is a recipe that reads the columns no, at, sku, amount.
const minimal = `name: test
version: 3
format: csv
group: {by: [no]}
receipt:
  store: {value: s}
  terminal: {value: "1"}
  number: no
  time: at
  currency: {value: GBP}
rows:
  - line:
      sku: sku
      amount: amount
`

// parse parses a recipe that must be right.
func parse(t testing.TB, text string) *Recipe {
	t.Helper()
	r, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAMistakeInARecipeIsToldWithItsLineAndWhatWasMeant(t *testing.T) {
	t.Parallel()
	if _, err := Parse([]byte(minimal)); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ old, new, want string }{
		"an unknown key":               {"terminal:", "terminl:", `line 7: unknown key "terminl" (did you mean "terminal"?)`},
		"an unknown key of a line":     {"      sku: sku", "      item_no: sku", `line 13: unknown key "item_no"`},
		"an unknown key of a value":    {`{value: s}`, `{valu: s}`, `line 6: unknown key "valu" (did you mean "value"?)`},
		"a key twice":                  {"version: 3", "version: 3\nversion: 4", `line 3: the key "version" is there twice`},
		"no name":                      {"name: test\n", "", "name is missing"},
		"no version":                   {"version: 3\n", "", "version is missing"},
		"a format that is none":        {"format: csv", "format: xml", `format is "xml"`},
		"no time":                      {"  time: at\n", "", "time is missing"},
		"a list instead of a block":    {"group: {by: [no]}", "group: [no]", "line 4: a block of keys belongs here"},
		"text instead of a number":     {"version: 3", "version: three", "line 2: a whole number belongs here"},
		"a currency sign for a kind":   {"rows:", "kinds:\n  - {kind: SALES}\nrows:", `line 12: kind: "SALES" is not known (did you mean "SALE"?)`},
		"a tender that is none":        {"rows:", "tenders:\n  - {name: x, kind: CRAD_CREDIT}\nrows:", `line 12: kind: "CRAD_CREDIT" is not known (did you mean "CARD_CREDIT"?)`},
		"a word in a map":              {"      sku: sku", "      kind: {column: sku, map: {a: ITEMS}}", `line 13: line: kind: "ITEMS" is not known (did you mean "ITEM"?)`},
		"no amount":                    {"      amount: amount\n", "", "line 12: line: amount, or quantity and unit_price, belong here"},
		"a pattern that is none":       {"rows:", "items:\n  - {text: \"(\", kind: FEE}\nrows:", "line 12: items: text"},
		"a zone that is none":          {"rows:", "dates: {zone: Mars/Olympus}\nrows:", `line 11: dates: zone: "Mars/Olympus" is not a time zone`},
		"a notation that is none":      {"rows:", "dates: {formats: [yyyy-mm-dd]}\nrows:", "line 11: dates:"},
		"a role that is none":          {"  - line:", "  - from: paymnts\n    line:", `line 12: from: "paymnts" is not known; it is one of [main]`},
		"no header and no names":       {"format: csv", "format: csv\ncsv: {header: false}", "columns must be named"},
		"two delimiters":               {"format: csv", "format: csv\ncsv: {delimiter: \";;\"}", "delimiter"},
		"a sign that is none":          {"      sku: sku", "      sku: sku\n      sign: minus", `line: sign: "minus" is not known`},
		"files without a key":          {"format: csv", "format: csv\nfiles:\n  - {role: a, match: \"a*\"}\n  - {role: b, match: \"b*\"}", "line 5: key is missing"},
		"no YAML":                      {"name: test", "name: [", "line"},
		"a reference":                  {"  store: {value: s}", "  store: &x {value: s}\n  session: *x", "are not accepted"},
		"a value of two kinds":         {"{value: s}", "{value: s, column: t}", "line 6: one of column, join and value belongs here"},
		"a condition that is no block": {"  - line:", "  - when: x\n    line:", "line 12: a block of columns"},
		"a window out of range":        {"{by: [no]}", "{by: [no], order: window, window: -1}", "window is -1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(minimal, test.old, test.new, 1)
			if text == minimal {
				t.Fatal("the test changes nothing")
			}
			_, err := Parse([]byte(text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestAColumnThatIsNotThereIsToldBeforeTheFirstDocument(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"misspelt":            {"no,at,sku,Amounts\n", `recipe test (version 3): line 14 of the recipe: the column "amount" is not in t.csv (did you mean "Amounts"?)`},
		"missing":             {"no,at,amount\n", `line 13 of the recipe: the column "sku" is not in t.csv`},
		"the wrong delimiter": {"no;at;sku;amount\n", "is the delimiter right?"},
		"twice":               {"no,at,sku,amount,amount\n", `the column "amount" is twice in t.csv`},
		"a zip archive":       {"PK\x03\x04", "t.csv is not CSV: it is a zip archive"},
		"nothing":             {"", "t.csv has no header yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, minimal).Open([]format.Input{input("t.csv", test.file)}, format.Options{Final: true})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if refusal(err) == nil {
				t.Errorf("%v is no refusal", err)
			}
		})
	}
}

func TestTheShippedRecipesAreRight(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../recipes/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if want := strings.TrimSuffix(filepath.Base(file), ".yaml"); r.Name != want || r.About == "" {
			t.Errorf("%s: name %q, about %q", file, r.Name, r.About)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	files, err := filepath.Glob("../../../recipes/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text)
		if err == nil && (r.Name == "" || r.Version == 0) {
			t.Fatal("a recipe without a name or version")
		}
	})
}
