package storagetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/wire"
)

const (
	store     = "leeds"
	today     = bizday.Day("2026-03-02")
	yesterday = bizday.Day("2026-03-01")
	xero      = "xero"
)

func backgroundOf(b *bundle) context.Context { return context.WithoutCancel(b.Context()) }

func hashOf(parts ...string) [32]byte { return sha256.Sum256([]byte(strings.Join(parts, "\x00"))) }

func configuration(id string) merchant.Merchant {
	return merchant.Merchant{
		ID: id, Name: "Shop of " + id, Country: "GB", Currency: "GBP",
		Stores:      []merchant.Store{{ID: store, Zone: "Europe/London", Terminals: []merchant.Terminal{{ID: "1", Closes: true}}}},
		Connections: []merchant.Connection{{ID: xero, Target: "text", Settings: map[string]string{"folder": "/books/" + id}}},
		Mappings:    []merchant.Mapping{{From: "2026-01-01", Mapping: mapping("4000")}},
	}
}

func mapping(sales string) books.Mapping {
	return books.Mapping{Currency: "GBP", Accounts: map[books.Role]string{books.Sales: sales}}
}

// sale is a receipt of till 1 today.
func sale(merchantID, number, amount string) *document.Document {
	gross := money.MustParse(amount)
	return &document.Document{
		Key:      document.Key{Merchant: merchantID, Store: store, Terminal: "1", Space: document.SpaceReceipt, Number: number},
		Kind:     document.Sale,
		State:    document.Completed,
		Time:     document.Time{AsGiven: "2026-03-02 10:00:00"},
		Numbers:  document.Numbers{Receipt: number},
		Currency: "GBP",
		Lines: []document.Line{{Kind: document.Item, Category: "Food", Extended: gross,
			Taxes: []document.Tax{{Code: "Z", Scheme: "VAT", Base: gross}}}},
		Tenders: []document.Tender{{Kind: document.Cash, Direction: document.Paid, Amount: gross}},
	}
}

// count is a till count.
func count(merchantID, number, left string) *document.Document {
	amount := money.MustParse(left)
	return &document.Document{
		Key:      document.Key{Merchant: merchantID, Store: store, Terminal: "1", Space: document.SpaceEvent, Number: number},
		Kind:     document.TillCount,
		State:    document.Completed,
		Time:     document.Time{AsGiven: "2026-03-01 20:00:00"},
		Currency: "GBP",
		Count:    &document.Count{Stage: "CLOSE", ByTender: []document.TenderAmount{{Kind: document.Cash, Amount: amount}}, Left: &amount},
	}
}

// lane is what one agent has captured in one epoch.
type lane struct {
	b       *bundle
	id      fleet.Identity
	epoch   intake.Epoch
	start   [32]byte
	records []intake.Record
	digests [][32]byte
	capture uint64 // of the next record
}

// lane issues an epoch whose id is made of its order, so that two merchants'
// agents have the same.
func (b *bundle) lane(merchantID, agent string, order uint64) *lane {
	b.Helper()
	l := &lane{b: b, id: fleet.Identity{Merchant: merchantID, Store: store, Agent: agent}, capture: 1}
	var id [16]byte
	copy(id[:], fmt.Sprintf("%s epoch %d", agent, order))
	var err error
	l.epoch, err = b.db.Issue(b.Context(), l.id, id, l.start, "test", noon)
	b.must(err)
	if l.epoch.Order != order {
		b.Fatalf("epoch of %s has order %d, not %d", agent, l.epoch.Order, order)
	}
	return l
}

// add captures documents of today.
func (l *lane) add(documents ...*document.Document) {
	for _, d := range documents {
		l.addOn(today, d)
	}
}

// addOn captures a document of a day and returns its record.
func (l *lane) addOn(on bizday.Day, d *document.Document) *intake.Record {
	l.b.Helper()
	plain := *d
	plain.Key.Merchant = "" // an agent does not state it
	body, err := document.Marshal(&plain)
	l.b.must(err)
	return l.append(intake.Record{Capture: l.capture, Bytes: body, Document: d, Key: d.Key.String(), Hash: document.Hash(d), Day: on, Recipe: 1})
}

// unreadable captures something that is not a document.
func (l *lane) unreadable() {
	l.append(intake.Record{Capture: l.capture, Bytes: []byte("?"), Code: "unreadable", Text: "not a document"})
}

// append captures a record, and may be used to send one again.
func (l *lane) append(r intake.Record) *intake.Record {
	before := l.start
	if n := len(l.digests); n > 0 {
		before = l.digests[n-1]
	}
	l.digests = append(l.digests, wire.Next(before, fmt.Appendf(nil, "%d %s", r.Capture, r.Bytes)))
	l.records = append(l.records, r)
	l.capture = max(l.capture, r.Capture) + 1
	return &l.records[len(l.records)-1]
}

// digest is the chained digest at a number.
func (l *lane) digest(number uint64) [32]byte {
	if number == 0 {
		return l.start
	}
	return l.digests[number-1]
}

// batch is the batch of the numbers first to last.
func (l *lane) batch(first, last uint64) intake.Batch {
	return intake.Batch{From: l.id, Epoch: l.epoch.ID, First: first, Before: l.digest(first - 1),
		Digests: l.digests[first-1 : last], Records: l.records[first-1 : last], At: noon}
}

// commit commits the numbers first to last.
func (b *bundle) commit(l *lane, first, last uint64) intake.Outcome {
	b.Helper()
	outcome, err := b.db.Commit(b.Context(), l.batch(first, last))
	b.must(err)
	return outcome
}

func entry(ref day.Ref, version int64) day.Entry {
	return day.Entry{Ref: ref, Version: version, Mapping: 1, Rules: 1, Body: fmt.Appendf(nil, `{"version":%d}`, version),
		Proof: []byte(`{}`), Reason: "close", At: noon}
}

// intent is a posting of a day at the connection.
func intent(ref day.Ref, revision int, version int64) posting.Posting {
	payload := target.Payload{Key: fmt.Sprintf("%s/%s", ref.Store, ref.Day), Reference: fmt.Sprintf("POS-LEED-%s-r%d", ref.Day, revision),
		Date: ref.Day, Currency: "GBP", Lines: []target.Line{{Account: "4000", Amount: -3000}, {Account: "1000", Amount: 3000}}}
	return posting.Posting{Ref: ref, Target: xero, Revision: revision, Entry: version, Reference: payload.Reference, Payload: payload,
		Hash: hashOf(payload.Reference, fmt.Sprint(version)), State: posting.Intended, At: noon}
}
