// Package acceptance meets both programs as a user does: the real binaries as
// processes, files in folders, pushes over HTTP, commands, and the text ledger
// they leave behind. What is compared with is each test's own list of what it
// rang up, never something the programs said.
//
// Other packages test rooms; a failure that appears only here is a wrong wire
// between them.
package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/internal/installation"
)

// binaries is where TestMain built both programs.
var binaries string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "tillbook-acceptance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	if err := installation.Build(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binaries = folder
	return m.Run()
}

// limit bounds one test's waiting; the long kill loop has more.
func limit() time.Duration {
	if os.Getenv("TILLBOOK_KILLS") != "" {
		return time.Hour
	}
	return 4 * time.Minute
}

// shop is one installation under test.
type shop struct {
	*installation.Installation
	t   testing.TB
	ctx context.Context
	dsn string // of the collector's database; empty: it is a file
}

// day is the business day that tests trade on; it is over.
var day = time.Now().UTC().AddDate(0, 0, -2).Format(time.DateOnly)

// bare makes a shop in which nothing runs yet.
func bare(t *testing.T) *shop {
	t.Helper()
	inst, err := installation.New(binaries, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit())
	t.Cleanup(cancel)
	s := &shop{Installation: inst, t: t, ctx: ctx}
	t.Cleanup(func() {
		if err := s.StopAll(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			s.logs()
		}
	})
	return s
}

// open makes a shop with one store S1, whose agents are made by join.
func open(t *testing.T, every string) *shop {
	t.Helper()
	s := bare(t)
	port, err := installation.FreePort()
	s.must(err)
	s.must(s.Write("collector/collector.yaml", fmt.Sprintf("agents: {listen: \"127.0.0.1:%d\", hosts: [localhost]}\nops: {listen: \"127.0.0.1:0\"}\nwork: {every: %s, audit: 1h}\n", port, every)))
	s.must(s.Write("merchant.yaml", merchantYAML(s.Path("books"), "")))
	s.collector()
	s.call(installation.Collector, "collector", "apply", "-f", s.Path("merchant.yaml"))
	return s
}

// merchantYAML is the shop's configuration; more is added to its store.
func merchantYAML(books, more string) string {
	return fmt.Sprintf(`merchants:
  - id: corner
    name: Corner Shop
    country: GB
    currency: GBP
    stores:
      - {id: S1, name: High Street, zone: Europe/London, settle: 1s%s}
    connections:
      - {id: books, target: text, settings: {folder: %q, format: hledger}}
      - {id: beans, target: text, settings: {folder: %q, format: beancount}}
    mappings:
      - from: "2010-01-01"
        mapping:
          currency: GBP
          accounts:
            sales: Income:Sales
            returns: Income:Returns
            tax: Liabilities:VAT
            cash: Assets:Cash
            card_clearing: Assets:CardClearing
            fees: Income:Fees
            delivery: Income:Delivery
            discounts: Income:Discounts
            over_short: Expenses:OverShort
            cash_rounding: Income:CashRounding
            tax_rounding: Income:TaxRounding
            conversion_rounding: Income:ConversionRounding
          categories: {bad-debt: Expenses:BadDebt}
          taxes:
            - {till: V20, rate: 20, code: STD-20}
            - {till: NONE, code: NONE}
`, more, books, books+"-beancount")
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) call(program, data string, args ...string) string {
	s.t.Helper()
	out, _, err := s.Call(s.ctx, program, data, args...)
	s.must(err)
	return out
}

func (s *shop) collector() {
	s.t.Helper()
	s.must(s.Start(s.ctx, installation.Collector, "collector", "serve"))
}

// join enrols an agent with the given sources and starts it.
func (s *shop) join(agent, sources string) {
	s.t.Helper()
	s.enrol(s.Installation, agent, sources)
	s.agent(agent)
}

// enrol enrols an agent with the programs of an installation.
func (s *shop) enrol(with *installation.Installation, agent, sources string) {
	s.t.Helper()
	s.must(s.Write(agent+"/agent.yaml", "listen: \"127.0.0.1:0\"\noutbox: {max_mib: 256, soft_free_mib: 16, hard_free_mib: 8}\n"+sources))
	_, err := with.Join(s.ctx, "collector", "corner", "S1", agent)
	s.must(err)
}

func (s *shop) agent(agent string) {
	s.t.Helper()
	s.must(s.Start(s.ctx, installation.Agent, agent, "run"))
}

// status is what tests read of an agent.
type status struct {
	Outbox struct {
		Taken  uint64 `json:"taken"`
		Unsent uint64 `json:"unsent"`
	} `json:"outbox"`
	Folders []struct {
		Files   int    `json:"files"`
		Waiting int    `json:"waiting"`
		Refused int    `json:"refused"`
		Error   string `json:"error"`
	} `json:"folders"`
}

func (s *shop) status(agent string) (status, error) {
	var st status
	return st, s.Ask(s.ctx, &st, installation.Agent, agent, "status")
}

// push posts documents to an agent that may be down and returns the HTTP status,
// 0 if it did not answer.
func (s *shop) push(agent, key, body string) int {
	address, err := os.ReadFile(s.Path(agent, "listen.addr"))
	if err != nil {
		return 0
	}
	token, err := os.ReadFile(s.Path(agent, "push.token"))
	if err != nil {
		return 0
	}
	c := client{ctx: s.ctx, base: "http://" + string(address), token: strings.TrimSpace(string(token)), http: http.Client{Timeout: 10 * time.Second}}
	return c.push(key, body)
}

// dayRow is what tests read of `days`.
type dayRow struct {
	Day      string      `json:"day"`
	State    string      `json:"state"`
	Version  int64       `json:"version"`
	Entry    int64       `json:"entry"`
	Hold     any         `json:"hold"`
	Postings []postedRow `json:"postings"`
	Due      []string    `json:"due"`
}

type postedRow struct {
	Target    string `json:"target"`
	Reference string `json:"reference"`
	Entry     int64  `json:"entry"`
	State     string `json:"state"`
	Reason    string `json:"reason"`
}

// to returns the postings to one connection.
func (d dayRow) to(connection string) []postedRow {
	var out []postedRow
	for _, p := range d.Postings {
		if p.Target == connection {
			out = append(out, p)
		}
	}
	return out
}

func (s *shop) days() []dayRow {
	s.t.Helper()
	var rows []dayRow
	s.must(s.Ask(s.ctx, &rows, installation.Collector, "collector", "days"))
	return rows
}

// posted waits until so many days are closed and posted at their last version.
// Days without trade, of which nothing is posted, are left out.
func (s *shop) posted(days int) []dayRow {
	s.t.Helper()
	var rows []dayRow
	err := installation.Wait(s.ctx, "all days posted", func() (bool, error) {
		rows = slices.DeleteFunc(s.days(), func(r dayRow) bool {
			return r.State == "ready" && r.Entry == r.Version && len(r.Due) == 0 && len(r.Postings) == 0
		})
		for _, r := range rows {
			if r.State != "ready" || r.Entry != r.Version || len(r.Due) > 0 || len(r.to("books")) == 0 || len(r.to("beans")) == 0 {
				return false, nil
			}
			for _, p := range r.Postings {
				if p.State != "posted" {
					return false, nil
				}
			}
		}
		return len(rows) == days, nil
	})
	if err != nil {
		s.t.Fatalf("%v: %+v", err, rows)
	}
	return rows
}

// balances adds up what stands in the books of one day, by account, in minor
// units, from the postings as they were sent.
func (s *shop) balances(day string) map[string]int64 {
	s.t.Helper()
	var report struct {
		Postings []struct {
			Target  string `json:"target"`
			Payload struct {
				Lines []struct {
					Account string `json:"account"`
					Amount  int64  `json:"amount"`
				} `json:"lines"`
			} `json:"payload"`
		} `json:"postings"`
	}
	s.must(s.Ask(s.ctx, &report, installation.Collector, "collector", "entry", "corner", "S1", day))
	sums := map[string]int64{}
	for _, p := range report.Postings {
		if p.Target != "books" {
			continue
		}
		for _, l := range p.Payload.Lines {
			sums[l.Account] += l.Amount
		}
	}
	for account, sum := range sums {
		if sum == 0 {
			delete(sums, account)
		}
	}
	return sums
}

// verify demands that no promise is broken.
func (s *shop) verify() {
	s.t.Helper()
	out, code, err := s.Call(s.ctx, installation.Collector, "collector", "verify")
	if err != nil || code != 0 {
		s.t.Errorf("verify: exit %d, %v\n%s", code, err, out)
	}
}

// holds waits until so many documents are stored.
func (s *shop) holds(documents int) {
	s.t.Helper()
	s.must(installation.Wait(s.ctx, fmt.Sprintf("%d documents are stored", documents), func() (bool, error) {
		return len(s.stored()) == documents, nil
	}))
}

// stored returns the current documents by key with their revision, from the
// database itself.
func (s *shop) stored() map[string]int {
	s.t.Helper()
	where := storage.Options{DSN: s.dsn}
	if s.dsn == "" {
		where.Path = s.Path("collector", "collector.db")
	}
	db, err := storage.Open(s.ctx, where)
	s.must(err)
	revisions := map[string]int{}
	s.must(db.EachDocument(s.ctx, "corner", func(d audit.Document) error {
		if d.Standing == "current" {
			if _, twice := revisions[d.Key]; twice {
				s.t.Errorf("%s is current twice", d.Key)
			}
			revisions[d.Key] = d.Revision
		}
		return nil
	}))
	s.must(db.Close())
	return revisions
}

// logs shows the last of what the programs said.
func (s *shop) logs() {
	names, err := filepath.Glob(s.Path("*.log"))
	if err != nil {
		return
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		s.t.Logf("%s:\n%s", filepath.Base(name), strings.Join(lines[max(0, len(lines)-12):], "\n"))
	}
}

// sale is a receipt as a till pushes it: pence with 20 % tax inside, by card.
func sale(terminal string, number int, pence int64) string {
	tax := (pence*20 + 60) / 120
	doc := map[string]any{
		"key":  map[string]string{"store": "S1", "terminal": terminal, "space": "RECEIPT", "number": fmt.Sprint(number)},
		"kind": "SALE", "state": "COMPLETED", "currency": "GBP", "price_basis": "TAX_INCLUDED",
		"time": map[string]string{"as_given": day + "T12:00:00"}, "stated_day": map[string]string{"date": day},
		"lines": []any{map[string]any{
			"kind": "ITEM", "quantity": "1.00", "extended": pounds(pence),
			"taxes": []any{map[string]string{"code": "V20", "scheme": "VAT", "rate": "20.00", "base": pounds(pence - tax), "amount": pounds(tax)}},
		}},
		"tenders": []any{map[string]string{"kind": "CARD_DEBIT", "direction": "PAID", "amount": pounds(pence)}},
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func pounds(pence int64) string {
	sign := ""
	if pence < 0 {
		sign, pence = "-", -pence
	}
	return fmt.Sprintf("%s%d.%02d", sign, pence/100, pence%100)
}
