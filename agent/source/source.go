// Package source is what the ways in have in common: each folder below is one
// way in which a till lets its sales out (a folder of files, a push over HTTP).
//
// A source hands captures to the Desk, which stamps them with what only the
// agent knows (its store, the moment, the source) and puts them into the
// outbox as one atomic group together with the source's own marks. When Take
// has returned the group is durable; a source may then answer the till or move
// its mark. A source never blocks or changes the till's own files.
package source

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/agent/outbox"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/document"
)

// Capture is one fact as a source took it: a document, or raw bytes that could
// not be read, with the reason.
type Capture struct {
	Document       *document.Document
	Raw            []byte // masked; only without a document
	Reason         string // why it is raw, or why a revision is made on purpose
	IdempotencyKey string
	// StatesOrder: the source's present statement is newer than all it said
	// before, also where it returns to an older content.
	StatesOrder bool
}

// Outbox is what the desk needs of the durable buffer.
type Outbox interface {
	Append(ctx context.Context, g outbox.Group) (outbox.Appended, error)
	State(key string) ([]byte, bool)
	States(prefix string) map[string][]byte
}

// Desk stamps captures and makes them durable. It may be used by several
// goroutines.
type Desk struct {
	outbox Outbox
	store  string
	now    func() time.Time

	mu       sync.Mutex
	progress map[string]time.Time
}

// NewDesk returns the desk of an agent that belongs to the given store.
func NewDesk(o Outbox, store string, now func() time.Time) *Desk {
	return &Desk{outbox: o, store: store, now: now, progress: map[string]time.Time{}}
}

// Take makes the captures and the source's marks durable, all or nothing. It
// returns outbox.ErrFull when there is no room: nothing was taken, try later.
func (d *Desk) Take(ctx context.Context, adapter string, captures []Capture, marks map[string][]byte) (outbox.Appended, error) {
	group := outbox.Group{State: marks, Items: make([]outbox.Item, 0, len(captures))}
	for i, c := range captures {
		item, err := d.stamp(adapter, c)
		if err != nil {
			return outbox.Appended{}, fmt.Errorf("document %d: %w", i+1, err)
		}
		group.Items = append(group.Items, item)
	}
	return d.outbox.Append(ctx, group)
}

// Mark returns a mark that a source left with Take.
func (d *Desk) Mark(key string) ([]byte, bool) { return d.outbox.State(key) }

// Marks returns the marks whose keys begin with prefix.
func (d *Desk) Marks(prefix string) map[string][]byte { return d.outbox.States(prefix) }

// Progress notes that a source has taken everything the till let out before at.
func (d *Desk) Progress(source string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at.After(d.progress[source]) {
		d.progress[source] = at
	}
}

// Expect makes CapturedTo wait for a source that has not reported yet.
func (d *Desk) Expect(source string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.progress[source]; !ok {
		d.progress[source] = time.Time{}
	}
}

// CapturedTo returns the moment up to which every source has taken what there
// was; zero while one has not reported. Without sources that report, it is now.
func (d *Desk) CapturedTo() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	oldest := d.now()
	for _, at := range d.progress {
		if at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

func (d *Desk) stamp(adapter string, c Capture) (outbox.Item, error) {
	record := &tillbookv1.Record{Reason: c.Reason, StatesOrder: c.StatesOrder}
	if c.Document == nil {
		record.Raw, record.Document = true, c.Raw
		return outbox.Item{Record: record, IdempotencyKey: c.IdempotencyKey}, nil
	}
	doc := *c.Document
	if doc.Place.Store == "" {
		doc.Place.Store = doc.Key.Store
	}
	if doc.Place.Store == d.store {
		doc.Place.Store = ""
	}
	doc.Links = slices.Clone(doc.Links)
	for i, link := range doc.Links {
		if link.Key != nil && link.Key.Store == doc.Key.Store { // the till's own name of this store
			key := *link.Key
			key.Store, key.Merchant = d.store, ""
			doc.Links[i].Key = &key
		}
	}
	doc.Key.Store, doc.Key.Merchant = d.store, ""
	doc.Source.Adapter, doc.Source.CapturedAt = adapter, d.now().UTC().Truncate(time.Microsecond)
	if c.Reason != "" {
		doc.Source.Reason = c.Reason
	}
	if err := doc.Settle(); err != nil {
		return outbox.Item{}, err
	}
	if err := doc.Check(); err != nil {
		return outbox.Item{}, err
	}
	hash := document.Hash(&doc)
	doc.ContentHash = hex.EncodeToString(hash[:])
	body, err := document.Marshal(&doc)
	if err != nil {
		return outbox.Item{}, err
	}
	record.Document, record.Hash, record.RecipeVersion = body, hash[:], doc.Source.Version
	return outbox.Item{Key: doc.Key.String(), IdempotencyKey: c.IdempotencyKey, Record: record}, nil
}
