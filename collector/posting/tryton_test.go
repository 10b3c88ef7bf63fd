package posting_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/oauth/oauthtest"
	"tillbook.example/tillbook/collector/target/text"
	"tillbook.example/tillbook/collector/target/tryton"
	trytontest "tillbook.example/tillbook/internal/tryton"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// deadly kills the process that calls, before a call of a method leaves or after it
// was carried out.
type deadly struct{ before, after string }

func (d *deadly) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var call struct{ Method string }
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if d.before == call.Method {
		panic(killed{})
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if d.after == call.Method && err == nil {
		_ = answer.Body.Close()
		panic(killed{})
	}
	return answer, err
}

// trytonDays is how many days go to the real Tryton: some by default, since it is
// slow, and as many as TILLBOOK_TRYTON_DAYS says.
func trytonDays() int {
	if n, err := strconv.Atoi(os.Getenv("TILLBOOK_TRYTON_DAYS")); err == nil && n > 0 {
		return min(n, 365)
	}
	return 22
}

// TestEachDayStandsOnceAtTrytonWhoeverDiesWhen posts days to a real Tryton with a
// process that is killed between the draft, its posting and the record of it, and
// everywhere else. Tryton, the entries and hledger come to the same balances.
func TestEachDayStandsOnceAtTrytonWhoeverDiesWhen(t *testing.T) {
	t.Parallel()
	s := trytontest.Start(t)
	b := s.Books(t)
	c := newCloud()
	wire := &deadly{}
	client := &http.Client{Transport: wire, Timeout: time.Minute}
	access := tryton.AccessOptions{URL: s.URL, Database: trytontest.Database, User: b.User, HTTP: client, Connection: tokens, Tokens: oauthtest.New()}
	if err := tryton.NewAccess(access).Connect(t.Context(), trytontest.Password); err != nil {
		t.Fatal(err)
	}
	c.open = func() (target.Target, error) {
		return tryton.Open(tryton.Options{URL: s.URL, Database: trytontest.Database, Company: b.Company, HTTP: client, Access: tryton.NewAccess(access), Currency: "GBP", Now: c.clock})
	}
	c.cash, c.sales, c.tax, c.rounding = trytontest.Cash, trytontest.Sales, trytontest.VAT, trytontest.Rounding
	c.balances = func() map[string]money.Minor { return pence(t, b.Balances(t)) }
	c.documents = func(string) map[string]int {
		all := map[string]int{}
		for _, m := range b.Find(t, "account.move", []any{[]any{"company.party.name", "=", b.Company}}, "description", "state") {
			reference, _, _ := strings.Cut(m["description"].(string), ": ")
			if all[reference]++; m["state"] != "posted" {
				t.Errorf("%s is left behind as %s", reference, m["state"])
			}
		}
		return all
	}
	c.start(trytontest.V20)

	first, days := bizday.Day("2026-01-01"), trytonDays()
	random := rand.New(rand.NewPCG(11, 12))
	kills := map[string]int{}
	c.dieEverywhere(t, wire, kills, days, func(n int) {
		amount := int64(100 + random.IntN(90_000))
		c.store.Put("high", first.Add(n), postingtest.Sale(fmt.Sprint("1-", n), amount), c.clock())
		if random.IntN(8) == 0 { // more goes back than comes in
			c.store.Put("high", first.Add(n), postingtest.Sale(fmt.Sprint("2-", n), -amount-500), c.clock())
		}
	})
	late := 0
	c.dieEverywhere(t, wire, kills, days, func(n int) {
		if random.IntN(5) == 0 {
			late++
			c.store.Put("high", first.Add(n), postingtest.Sale(fmt.Sprint("3-", n), int64(random.IntN(2000)-1000)), c.clock())
		}
	})
	c.check(t, first, days)
	c.agreesWithHledger(t, first, days)
	total := 0
	for _, n := range kills {
		total += n
	}
	t.Logf("%d days and %d late changes; killed %d times: %v; looked up and sent again %d", days, late, total, kills, c.store.steps["sent to sent"])
	if len(kills) < len(deaths()) {
		t.Errorf("not killed everywhere: %v", kills)
	}
}

// death is where a process dies: at a point of a delivery, or at a call.
type death struct {
	name, at string
	wire     deadly
}

func deaths() []death {
	const create, post = "model.account.move.create", "model.account.move.post"
	all := []death{
		{name: "before the draft", wire: deadly{before: create}}, {name: "after the draft", wire: deadly{after: create}},
		{name: "before it is posted", wire: deadly{before: post}}, {name: "after it is posted", wire: deadly{after: post}},
	}
	for _, point := range points[5:] {
		all = append(all, death{name: point, at: point})
	}
	return all
}

// dieEverywhere has days come two by two and works until nothing is due, in a
// process that is killed in one way after another while days come.
func (c *cloud) dieEverywhere(t *testing.T, wire *deadly, kills map[string]int, days int, comes func(n int)) {
	t.Helper()
	ways, come := deaths(), 0
	for pass := 0; ; pass++ {
		*wire, c.poster.At = deadly{}, nil
		if come < days {
			for last := min(come+2, days); come < last; come++ {
				comes(come)
			}
			way := ways[pass%len(ways)]
			*wire = way.wire
			c.poster.At = func(at string) {
				if at == way.at {
					panic(killed{})
				}
			}
			before := c.poster
			c.work(t)
			if c.poster != before { // it was started again
				kills[way.name]++
			}
		} else {
			c.work(t)
		}
		due, err := c.store.Due(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(due) == 0 && come >= days {
			return
		}
		if pass > days+100 {
			t.Fatalf("%d still due, the first: %+v", len(due), due[0].Postings)
		}
		c.pass(3 * time.Minute)
	}
}

// agreesWithHledger writes what was posted as plain text and has hledger add it up.
func (c *cloud) agreesWithHledger(t *testing.T, first bizday.Day, days int) {
	t.Helper()
	if _, err := exec.LookPath("hledger"); err != nil {
		t.Skip("tool missing: hledger")
	}
	folder := t.TempDir()
	journal, err := text.Open(text.Options{Folder: folder, Format: text.Hledger, Currency: "GBP"})
	if err != nil {
		t.Fatal(err)
	}
	for n := range days {
		postings, err := c.store.Postings(t.Context(), day.Ref{Merchant: "m", Store: "high", Day: first.Add(n)})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range postings {
			if _, err := journal.Post(t.Context(), p.Payload); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := exec.CommandContext(t.Context(), "hledger", "-f", filepath.Join(folder, "main.journal"), "balance", "--flat", "--no-total", "-O", "csv").Output()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, row := range rows[1:] {
		amount, _, _ := strings.Cut(row[1], " ")
		sums[row[0]] = amount
	}
	got, want := pence(t, sums), c.balances()
	maps.DeleteFunc(want, func(_ string, sum money.Minor) bool { return sum == 0 })
	if len(got) == 0 || !maps.Equal(got, want) {
		t.Errorf("hledger comes to %v, Tryton to %v", got, want)
	}
}

// pence reads balances in minor units.
func pence(t *testing.T, sums map[string]string) map[string]money.Minor {
	t.Helper()
	minor := map[string]money.Minor{}
	for account, sum := range sums {
		m, err := target.Amount(json.Number(strings.ReplaceAll(sum, ",", "")), 2)
		if err != nil {
			t.Fatalf("account %s: %v", account, err)
		}
		if m != 0 {
			minor[account] = m
		}
	}
	return minor
}
