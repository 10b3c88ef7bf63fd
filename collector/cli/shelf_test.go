package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/cli"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/wire"
)

// counter is a collector's data folder at work with a shop of two agents.
type counter struct {
	*testing.T
	data string
	db   *storage.DB
}

func open(t *testing.T) *counter {
	t.Helper()
	c := &counter{T: t, data: t.TempDir()}
	var err error
	c.db, err = app.OpenDatabase(t.Context(), app.Config{Data: c.data})
	c.must(err)
	t.Cleanup(func() { c.must(c.db.Close()) })
	_, err = c.db.Apply(t.Context(), merchant.Merchant{ID: "corner", Name: "Corner", Country: "GB", Currency: "GBP", Stores: []merchant.Store{{ID: "S1", Zone: "Europe/London"}}}, time.Now())
	c.must(err)
	return c
}

func (c *counter) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// sends stores records of an agent, as intake would.
func (c *counter) sends(agent string, records ...intake.Record) {
	c.Helper()
	id := fleet.Identity{Merchant: "corner", Store: "S1", Agent: agent}
	var hash, start [32]byte
	copy(hash[:], agent)
	c.must(c.db.AddCode(c.Context(), fleet.Code{Hash: hash, Merchant: "corner", Store: "S1", ExpiresAt: time.Now().Add(time.Hour)}))
	_, err := c.db.Redeem(c.Context(), hash, agent, "pc", "1", time.Now())
	c.must(err)
	var epoch [16]byte
	copy(epoch[:], agent)
	_, err = c.db.Issue(c.Context(), id, epoch, start, "test", time.Now())
	c.must(err)
	b := intake.Batch{From: id, Epoch: epoch, First: 1, Before: start, At: time.Now()}
	at := start
	for i, r := range records {
		r.Capture = uint64(i + 1)
		at = wire.Next(at, r.Bytes)
		b.Digests, b.Records = append(b.Digests, at), append(b.Records, r)
	}
	_, err = c.db.Commit(c.Context(), b)
	c.must(err)
}

func (c *counter) sale(number, amount string) intake.Record {
	c.Helper()
	gross := money.MustParse(amount)
	d := &document.Document{
		Key:  document.Key{Store: "S1", Terminal: "1", Space: document.SpaceReceipt, Number: number},
		Kind: document.Sale, State: document.Completed, Currency: "GBP", Time: document.Time{AsGiven: "2026-03-02T10:00:00"}, PriceBasis: document.TaxIncluded,
		Numbers: document.Numbers{Receipt: number},
		Lines:   []document.Line{{Kind: document.Item, Quantity: money.MustParse("1"), UnitPrice: gross, Extended: gross}},
		Tenders: []document.Tender{{Kind: document.Cash, Direction: document.Paid, Amount: gross}},
	}
	d.Settle()
	body, err := document.Marshal(d)
	c.must(err)
	d.Key.Merchant = "corner"
	return intake.Record{Bytes: body, Document: d, Key: d.Key.String(), Hash: document.Hash(d), Day: "2026-03-02"}
}

// call runs a command and decodes what it prints.
func (c *counter) call(into any, args ...string) int {
	c.Helper()
	var out, problems bytes.Buffer
	code := cli.Main(c.Context(), append([]string{"--json", "--data", c.data}, args...), &out, &problems)
	if into == nil {
		return code
	}
	text := out.Bytes()
	if code > 1 {
		text = problems.Bytes()
	}
	if err := json.Unmarshal(text, into); err != nil {
		c.Fatalf("%v: exit %d, %v: %s%s", args, code, err, out.String(), problems.String())
	}
	return code
}

type shelfRow struct{ Agent, Code, Verdict, Why string }

func TestARejectedRecordIsListedReplayedOrDismissed(t *testing.T) {
	t.Parallel()
	c := open(t)
	readable := c.sale("7", "12.00")
	c.sends("a1",
		intake.Record{Bytes: []byte("Total;1,0,0"), Code: "field", Text: "line 3"},             // the agent could not read it
		intake.Record{Bytes: readable.Bytes, Code: intake.CodeNoDay, Text: "no such calendar"}, // we could not, and can now
	)
	var rows []shelfRow
	if code := c.call(&rows, "rejected", "list", "corner"); code != 1 || len(rows) != 2 {
		t.Fatalf("exit %d, %+v; want 1 and two records", code, rows)
	}
	if code := c.call(&rows, "rejected", "replay", "corner"); code != 1 || len(rows) != 2 || rows[0].Verdict != "" || rows[0].Why == "" || rows[1].Verdict != "new" {
		t.Fatalf("exit %d, %+v; want the second read, the first with a reason", code, rows)
	}
	var said struct{ Code, Detail string }
	if code := c.call(&said, "rejected", "dismiss", "corner", "a1", "1", "2"); code != 2 || said.Code != "not_stored" {
		t.Errorf("dismissed what was replayed: exit %d, %+v", code, said)
	}
	if code := c.call(nil, "rejected", "dismiss", "corner", "a1", "1", "1", "--by", "olga"); code != 0 {
		t.Errorf("dismiss: exit %d", code)
	}
	if code := c.call(&rows, "rejected", "list", "corner"); code != 0 || len(rows) != 0 {
		t.Errorf("exit %d, %+v; want nothing left", code, rows)
	}
	var days []struct{ Version int64 }
	c.call(&days, "days")
	if len(days) != 1 || days[0].Version != 1 {
		t.Errorf("days %+v; want the replayed sale's at version 1", days)
	}
}

func TestAConflictIsShownWithEachVersionAndSettledForOneAgent(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.sends("a1", c.sale("7", "12.00"))
	c.sends("a2", c.sale("7", "13.00"))
	var rows []struct {
		Key, Agent, Gross string
		Counts            bool
	}
	if code := c.call(&rows, "conflicts", "corner"); code != 1 || len(rows) != 2 || fmt.Sprintf("%+v", rows) != "[{Key:S1|1|RECEIPT|7 Agent:a1 Gross:12.00 Counts:true} {Key:S1|1|RECEIPT|7 Agent:a2 Gross:13.00 Counts:false}]" {
		t.Fatalf("exit %d, %+v", code, rows)
	}
	var said struct{ Code, Detail string }
	if code := c.call(&said, "settle", "corner", rows[0].Key, "--agent", "a3"); code != 2 || said.Code != "not_stored" {
		t.Errorf("settled for a stranger: exit %d, %+v", code, said)
	}
	if code := c.call(nil, "settle", "corner", rows[0].Key, "--agent", "a2", "--by", "olga"); code != 0 {
		t.Errorf("settle: exit %d", code)
	}
	if code := c.call(&rows, "conflicts", "corner"); code != 0 || len(rows) != 0 {
		t.Errorf("exit %d, %+v; want none left", code, rows)
	}
}
