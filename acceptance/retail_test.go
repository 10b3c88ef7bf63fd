package acceptance

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tillbook.example/tillbook/internal/installation"
)

// reference returns the folder of the reference data or skips.
func reference(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("TILLBOOK_REFERENCE")
	if folder == "" {
		t.Skip("reference data: TILLBOOK_REFERENCE is not set")
	}
	return filepath.Join(folder, "samples")
}

// tool returns a program's path or skips.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("tool missing: " + name)
	}
	return path
}

// retailDays are the three days of the reference data with their net takings in
// pence, as they were worked out independently.
var retailDays = map[string]int64{"2010-12-01": 5863556, "2010-12-02": 4620728, "2010-12-03": 4562046}

// retailReceipts are the sales and returns of the three days together.
const retailReceipts = 137 + 6 + 144 + 23 + 101 + 7

func TestThreeRealDaysEndInBooksThatTwoBookKeepersAccept(t *testing.T) {
	t.Parallel()
	samples := reference(t)
	hledger, beancheck := tool(t, "hledger"), tool(t, "bean-check")
	recipe, err := filepath.Abs("../recipes/online-retail.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, "500ms")
	s.must(s.Write("merchant.yaml", merchantYAML(s.Path("books"), ", terminals: [{id: web, gaps: true}]")))
	s.call(installation.Collector, "collector", "apply", "-f", s.Path("merchant.yaml"))
	s.must(os.MkdirAll(s.Path("till"), 0o700))
	s.join("agent", fmt.Sprintf("sources:\n- {name: shop, kind: filedrop, folder: %q, patterns: [\"*.csv\"], recipe: %q, settle: 100ms, quiet: 1s}\n", s.Path("till"), recipe))
	for name := range retailDays {
		text, err := os.ReadFile(filepath.Join(samples, "online-retail", name+".csv"))
		s.must(err)
		s.must(s.Drop("till/"+name+".csv", string(text)))
	}
	s.holds(retailReceipts)
	s.posted(len(retailDays))

	want := map[string]int64{}
	for name, net := range retailDays {
		sums := s.balances(name)
		if got := sums["Assets:CardClearing"]; got != net {
			t.Errorf("%s: card clearing holds %s, the day's takings were %s", name, pounds(got), pounds(net))
		}
		for account, sum := range sums {
			want[account] += sum
		}
	}
	s.must(run1(hledger, "-f", s.Path("books", "main.journal"), "check"))
	s.must(run1(beancheck, s.Path("books-beancount", "main.beancount")))
	out, err := exec.Command(hledger, "-f", s.Path("books", "main.journal"), "bal", "--flat", "--no-total", "-E", "-O", "csv").Output()
	s.must(err)
	rows, err := csv.NewReader(strings.NewReader(string(out))).ReadAll()
	s.must(err)
	got := map[string]int64{}
	for _, row := range rows[1:] {
		if sum := minor(t, row[1]); sum != 0 {
			got[row[0]] = sum
		}
	}
	if len(got) != len(want) {
		t.Errorf("hledger has %v, the collector %v", got, want)
	}
	for account, sum := range want {
		if got[account] != sum {
			t.Errorf("%s: hledger has %s, the collector %s", account, pounds(got[account]), pounds(sum))
		}
	}
	s.verify()
}

func run1(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// minor reads an amount such as "GBP -1,234.50" or "-1234.50 GBP" in pence.
func minor(t *testing.T, text string) int64 {
	t.Helper()
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return -1
	}, text)
	whole, cents, _ := strings.Cut(digits, ".")
	var n int64
	if _, err := fmt.Sscan(whole+(cents + "00")[:2], &n); err != nil {
		t.Fatalf("amount %q: %v", text, err)
	}
	if len(strings.TrimRight(cents, "0")) > 2 {
		t.Fatalf("amount %q has more than two places", text)
	}
	if strings.Contains(text, "-") {
		return -n
	}
	return n
}
