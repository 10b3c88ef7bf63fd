package formats

import (
	"strings"
	"testing"

	"tillbook.example/tillbook/shared/format"
)

func TestFormatsAreKnownByNameAndRecipesByTheirText(t *testing.T) {
	t.Parallel()
	for _, name := range Names {
		f, err := Named(name)
		if err != nil || f.Files() != 1 || f.Version() != 0 {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.Open(make([]Input, 2), format.Options{}); err == nil {
			t.Errorf("%s reads two files", name)
		}
		in := Input{Name: "empty", Reader: strings.NewReader(""), Size: 0}
		if r, err := f.Open([]Input{in}, format.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if result, err := r.Next(); err != nil || result.Refused == nil || result.Refused.Code != format.Incomplete {
			t.Errorf("%s: an empty file gives %+v, %v", name, result, err)
		}
	}
	for name, want := range map[string]string{"csv": "needs a recipe", "dbf": "one of poslog, document"} {
		if _, err := Named(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	text := "name: t\nversion: 5\nformat: csv\nreceipt: {time: at}\nrows: [{line: {amount: a}}]\n"
	f, err := FromRecipe([]byte(text))
	if err != nil || f.Version() != 5 || f.Files() != 1 {
		t.Errorf("%v", err)
	}
	if _, err := FromRecipe([]byte("name: t\n")); err == nil {
		t.Error("a recipe without rows is taken")
	}
}
