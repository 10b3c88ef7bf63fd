package problem_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/problem"
)

var update = flag.Bool("update", false, "write docs/errors.md")

const page = "../../docs/errors.md"

func TestEveryCodeSaysItsCauseItsOwnerAndItsFix(t *testing.T) {
	t.Parallel()
	owners := []string{problem.Merchant, problem.Accountant, problem.Installer, problem.Support, problem.Platform, problem.Nobody}
	seen := map[string]bool{}
	for _, k := range problem.Table() {
		if !regexp.MustCompile(`^[a-z][a-z_]+$`).MatchString(k.Code) || seen[k.Code] {
			t.Errorf("code %q is not one word of its own", k.Code)
		}
		seen[k.Code] = true
		for name, text := range map[string]string{"title": k.Title, "cause": k.Cause, "fix": k.Fix} {
			if text == "" {
				t.Errorf("%s has no %s", k.Code, name)
			}
		}
		if !strings.Contains(strings.Join(owners, " "), k.Acts) || k.Acts == "" {
			t.Errorf("%s: nobody called %q can act", k.Code, k.Acts)
		}
		if k.Retry != (k.Class == problem.Transient) && k.Code != "internal" {
			t.Errorf("%s: retry is %t for class %s", k.Code, k.Retry, k.Class)
		}
	}
}

func TestACodeOutsideTheTableIsShownAsInternal(t *testing.T) {
	t.Parallel()
	p := problem.New("no_such_code", "somewhere")
	if p.Code != "internal" || !strings.Contains(p.Detail, "no_such_code") {
		t.Errorf("%+v", p)
	}
}

func TestTheErrorsPageIsTheTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Errors\n\nEvery code that Tillbook shows, with its cause, who can act on it, and what to do.\n`retry` means that the same request may simply be made again.\n")
	for _, k := range problem.Table() {
		fmt.Fprintf(&b, "\n## %s\n\n**%s.** %s\n\n", k.Code, k.Title, k.Cause)
		fmt.Fprintf(&b, "Do: %s\n\nWho: %s · class: %s · retry: %t %s\n", k.Fix, k.Acts, k.Class, k.Retry, over(k.Status))
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("docs/errors.md is not the table; run go test ./shared/problem -update\n%s", diff)
	}
}

// over says the status of a code that is answered over HTTP.
func over(status int) string {
	if status == 0 {
		return ""
	}
	return fmt.Sprintf(" · HTTP: %d", status)
}
