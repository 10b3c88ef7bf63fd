package erasure_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/erasure"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/document/documenttest"
)

// left are the paths of a document's JSON form whose values are not in its
// canonical text; elements of lists have no number.
func left(t *rapid.T, d *document.Document) (paths []string) {
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	hashed := map[string]bool{}
	for _, line := range strings.Split(string(document.Canonical(d)), "\n") {
		path, _, _ := strings.Cut(line, "\t")
		hashed[regexp.MustCompile(`/\d+(/|$)`).ReplaceAllString(path, "$1")] = true
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, v := range v {
				walk(strings.TrimPrefix(path+"/"+name, "/"), v)
			}
		case []any:
			for _, v := range v {
				walk(path, v)
			}
		case string:
			if v != "" && !hashed[path] {
				paths = append(paths, path)
			}
		}
	}
	walk("", tree)
	return paths
}

func TestOfWhatLiesOutsideTheHashOnlyTheCaptureIsLeft(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		d := documenttest.Any().Draw(t, "document")
		before := left(t, d)
		hash := document.Hash(d)
		taken := erasure.Cut(d, true)
		for path := range taken {
			seen[path] = true
			if !slices.Contains(before, path) {
				t.Fatalf("%s was taken and was not there, or is hashed", path)
			}
		}
		if document.Hash(d) != hash {
			t.Fatal("it has another hash")
		}
		for _, path := range left(t, d) {
			if !strings.HasPrefix(path, "source/") && path != "content_hash" && !strings.HasSuffix(path, "key/merchant") && !strings.HasPrefix(path, "totals/") {
				t.Fatalf("%s is left", path)
			}
		}
		if again := erasure.Cut(d, true); len(again) > 0 {
			t.Fatalf("cut again: %v", again)
		}
	})
	if len(seen) != 7 {
		t.Errorf("only %v were ever taken", seen)
	}
}

func TestACustomersDocumentsKeepWhoStoodAtTheTill(t *testing.T) {
	t.Parallel()
	d := &document.Document{Place: document.Place{Operator: "7"}, Customer: &document.Customer{Key: "C-1", TaxClass: "B2B"}, Lines: []document.Line{{Text: "for Mr Doe"}}}
	if !erasure.Names(d, "C-1") || erasure.Names(d, "C-2") || erasure.Names(d, "B2B") {
		t.Error("it names C-1 and nobody else")
	}
	erasure.Cut(d, false)
	if d.Place.Operator != "7" || d.Customer == nil || d.Customer.TaxClass != "B2B" || d.Customer.Key != "" || d.Lines[0].Text != "" {
		t.Errorf("%+v", d)
	}
	d.Customer.TaxClass = ""
	d.Customer.AccountNo = "A-1"
	d.Movement = &document.Movement{Counterparty: "J. Doe"}
	if !erasure.Names(d, "A-1") || !erasure.Names(d, "J. Doe") {
		t.Error("account number and counterparty name too")
	}
	if erasure.Cut(d, false); d.Customer != nil || d.Movement.Counterparty != "" {
		t.Errorf("%+v", d)
	}
}
