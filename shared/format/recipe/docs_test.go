package recipe

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/totals"
)

// block is a fenced block of a page: what stands behind its fence, and its text.
type block struct{ info, text string }

func page(t *testing.T) (string, []block) {
	t.Helper()
	data, err := os.ReadFile("../../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(string(data), -1) {
		blocks = append(blocks, block{m[1], m[2]})
	}
	return string(data), blocks
}

// Each example of the page is a recipe, its files and the totals it gives.
func TestTheExamplesOfTheDocumentationGiveTheirTotals(t *testing.T) {
	t.Parallel()
	_, blocks := page(t)
	var recipe *Recipe
	var inputs []format.Input
	examples := 0
	for _, b := range blocks {
		language, name, _ := strings.Cut(b.info, " ")
		switch {
		case b.info == "yaml recipe":
			recipe, inputs = parse(t, b.text), nil
		case b.info == "json totals":
			reader, err := recipe.Open(inputs, format.Options{Final: true})
			if err != nil {
				t.Fatalf("%s: %v", recipe, err)
			}
			sums := totals.New(nil)
			for {
				result, err := reader.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil || result.Refused != nil {
					t.Fatalf("%s: %v, %+v", recipe, err, result.Refused)
				}
				if err := sums.Add(result.Document); err != nil {
					t.Fatal(err)
				}
			}
			got, err := sums.Result()
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(b.text), string(text)); diff != "" {
				t.Errorf("%s (-page +got):\n%s", recipe, diff)
			}
			examples++
		case language == "csv" || language == "json":
			inputs = append(inputs, input(name, b.text))
		}
	}
	if examples < 4 {
		t.Errorf("%d examples were run", examples)
	}
}

// keysOf gathers the keys of a type and those below it.
func keysOf(typ reflect.Type, seen map[reflect.Type]bool, keys map[string]bool) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || seen[typ] {
		return
	}
	seen[typ] = true
	for i := range typ.NumField() {
		if tag := typ.Field(i).Tag.Get("yaml"); tag != "" {
			keys[tag] = true
			keysOf(typ.Field(i).Type, seen, keys)
		}
	}
}

func TestEveryKeyAndWordIsInTheDocumentation(t *testing.T) {
	t.Parallel()
	text, _ := page(t)
	keys := map[string]bool{}
	for _, typ := range []reflect.Type{reflect.TypeFor[Recipe](), reflect.TypeFor[valueKeys](), reflect.TypeFor[testKeys]()} {
		keysOf(typ, map[reflect.Type]bool{}, keys)
	}
	for _, words := range [][]string{
		texts(document.Kinds), texts(document.States), texts(document.LineKinds), texts(document.TenderKinds), texts(document.Directions),
		texts(document.AdjustmentKinds), texts(document.Relations), texts(document.MoneyPlaces), document.TaxSchemes, document.CountStages,
		document.Consumptions, lineSigns, tenderSigns, discountSigns,
	} {
		for _, w := range words {
			keys[w] = true
		}
	}
	for key := range keys {
		if !regexp.MustCompile("`[^`\n]*\\b" + regexp.QuoteMeta(key) + "\\b[^`\n]*`").MatchString(text) {
			t.Errorf("%q is not in docs/recipes.md", key)
		}
	}
}
