package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sample = `package sample

import "fmt"

func Sum(limit int, ns ...int) (sum int, err error) {
	for _, n := range ns {
		if n < 0 {
			return 0, fmt.Errorf("negative at %d", 1+1)
		}
		sum += n
	}
	return min(sum, limit-1), nil
}
`

func TestEachThingThatCanBeWrongIsChangedOnceAndWhatErrorsSayIsNot(t *testing.T) {
	t.Parallel()
	changes, err := changesIn("sample.go", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		was, _, _ := strings.Cut(c.was, " in ")
		got = append(got, strings.TrimSpace(was)+" -> "+c.is)
		if string(c.text) == sample {
			t.Errorf("%s changes nothing", c)
		}
	}
	want := []string{"n < 0 -> !(n < 0)", "< -> <=", "0 -> 1", "+= -> -=", "sum += n -> {}", "- -> +", "1 -> 2"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestAChangeThatNoTestNoticesIsListedAndCounted(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":         "module sample\n\ngo 1.24\n",
		"sample.go":      "package sample\n\nfunc Sign(n int) int {\n\tif n < 0 {\n\t\treturn -1\n\t}\n\treturn 1\n}\n",
		"sample_test.go": "package sample\n\nimport \"testing\"\n\nfunc TestSign(t *testing.T) {\n\tif Sign(-5) != -1 || Sign(5) != 1 {\n\t\tt.Fail()\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(folder)
	t.Setenv("GOWORK", "off")
	// Nobody tests zero: of the six changes those of the comparison are not noticed.
	for least, code := range map[string]int{"50": 0, "90": 1} {
		if got, err := run(t.Context(), []string{"-least", least, "."}); err != nil || got != code {
			t.Errorf("at least %s %%: %d, %v; want %d", least, got, err, code)
		}
	}
	if err := os.WriteFile("sample.go", []byte("package sample\n\nfunc Sign(n int) int { return 0 }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), []string{"."}); err == nil || !strings.Contains(err.Error(), "fail without a change") {
		t.Errorf("tests that fail anyway: %v", err)
	}
}
