package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/shared/bizday"
)

// Limits of one batch.
const (
	maxRecords = 1000
	maxNumber  = 1 << 62 // of wire and capture numbers
)

const (
	insertRejected query = `INSERT INTO rejected (merchant, agent, epoch, number, capture, store, code, text, recipe, received, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	// A day that changes is not settled at its new version.
	raiseDay query = `INSERT INTO store_day (merchant, store, day, version, state, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (merchant, store, day) DO UPDATE SET version = store_day.version + $4, settled = 0, changed_at = $6`
)

// Commit stores a batch in one transaction: nothing of it, or all of it with the
// watermark moved. Records that are stored already are not stored again, their
// digests only have to agree (else intake.ErrFork). A batch that begins above
// the watermark is stored as a range; the watermark moves over it when what is
// below arrives and the digests meet. Only an agent's newest epoch takes
// batches, another is intake.ErrEpoch.
//
// Each new document, revision and conflict raises the version of its day by one,
// a revision that moves a document the old day's too, a conflict that of the day
// on which the current document stands. A document whose period close says that
// it is of another day is moved there, whichever of the two comes first, and both
// days' versions rise. So does that of each day whose entry looked at what changed.
func (db *DB) Commit(ctx context.Context, b intake.Batch) (intake.Outcome, error) {
	var outcome intake.Outcome
	what := fmt.Sprintf("commit batch %d of agent %s", b.First, b.From.Agent)
	if err := check(b); err != nil {
		return outcome, fmt.Errorf("%s: %w", what, err)
	}
	err := db.writeRows(ctx, b.From.Merchant, what, func(tx *tx) error {
		e, err := tx.open(b.From, b.Epoch)
		if err != nil {
			return err
		}
		fresh, err := tx.continues(e, b)
		if err != nil {
			return err
		}
		w := newWriting(tx, b, e)
		if err := w.store(fresh...); err != nil {
			return err
		}
		e.claim(b.Captured)
		if err := tx.ripen(e, b.At); err != nil {
			return err
		}
		if err := tx.save(e); err != nil {
			return err
		}
		position, err := tx.position(e)
		outcome = intake.Outcome{Position: position, Verdicts: w.verdicts}
		return err
	})
	if err != nil {
		return intake.Outcome{}, err
	}
	return outcome, nil
}

// check refuses batches that no caller should hand over.
func check(b intake.Batch) error {
	switch n := len(b.Records); {
	case n == 0 || n > maxRecords:
		return fmt.Errorf("%d records, not 1 to %d", n, maxRecords)
	case n != len(b.Digests):
		return fmt.Errorf("%d records with %d digests", n, len(b.Digests))
	case b.First == 0 || b.First > maxNumber:
		return errors.New("no such wire number")
	case b.From.Merchant == "" || b.From.Store == "" || b.From.Agent == "":
		return errors.New("the sender is not known in full")
	}
	for i, r := range b.Records {
		switch {
		case r.Capture > maxNumber:
			return fmt.Errorf("record %d: no such capture number", b.First+uint64(i))
		case r.Document == nil:
		case r.Key == "" || r.Day == "":
			return fmt.Errorf("record %d: a document without key or day", b.First+uint64(i))
		case r.Document.Key.Merchant != b.From.Merchant:
			return fmt.Errorf("record %d: the document is merchant %q's, its sender speaks for %q", b.First+uint64(i), r.Document.Key.Merchant, b.From.Merchant)
		}
	}
	return nil
}

// continues compares the batch with what is stored, stores the runs of it that
// are new, moves the watermark and returns those runs.
func (t *tx) continues(e *epoch, b intake.Batch) ([]run, error) {
	whole := run{first: b.First, last: b.Last()}
	if b.First == e.Stored+1 && e.top == e.Stored { // the usual case: next in order, nothing waits
		if b.Before != e.Digest {
			return nil, fork(e.Stored)
		}
		if err := t.insertBatch(e, b, whole); err != nil {
			return nil, err
		}
		e.Stored, e.Digest = whole.last, b.Digests[len(b.Digests)-1]
		e.settle()
		return []run{whole}, nil
	}
	fresh, err := t.fresh(e, chain{whole.first, whole.last, func(number uint64) ([32]byte, bool) { return digestIn(b, number), true }})
	if err != nil {
		return nil, err
	}
	for _, r := range fresh {
		if err := t.insertBatch(e, b, r); err != nil {
			return nil, err
		}
	}
	return fresh, t.advance(e)
}

// digestIn returns a batch's digest at a number from First-1 on.
func digestIn(b intake.Batch, number uint64) [32]byte {
	if number < b.First {
		return b.Before
	}
	return b.Digests[number-b.First]
}

func (t *tx) insertBatch(e *epoch, b intake.Batch, r run) error {
	before := digestIn(b, r.first-1)
	r.before = before[:]
	digests := make([]byte, 0, 32*(r.last-r.first+1))
	for _, d := range b.Digests[r.first-b.First : r.last-b.First+1] {
		digests = append(digests, d[:]...)
	}
	return t.insertRun(e, r, digests, b.At)
}

// writing is a batch while its records are stored.
type writing struct {
	*tx
	batch    intake.Batch
	epoch    *epoch
	verdicts []intake.Verdict
	raised   map[bizday.Day]int64 // by how many
	changed  map[string]change    // by key
	moved    []move
}

func newWriting(t *tx, b intake.Batch, e *epoch) *writing {
	return &writing{
		tx: t, batch: b, epoch: e, verdicts: make([]intake.Verdict, len(b.Records)), raised: map[bizday.Day]int64{}, changed: map[string]change{},
	}
}

// store stores runs of the batch with all that follows from them.
func (w *writing) store(runs ...run) error {
	for _, r := range runs {
		if err := w.records(r); err != nil {
			return err
		}
	}
	if err := w.place(); err != nil {
		return err
	}
	return w.raiseDays()
}

// first notes that a record is the first of its key.
func (w *writing) first(i int) {
	r := &w.batch.Records[i]
	w.raised[r.Day]++
	w.changed[r.Key] = change{record: i}
}

// records stores the records of one run, in order. Most are the first of their
// key: those are simply inserted, and the database says where there is one
// already. Where an agent sends again what is stored, after a fork, most are
// not: so after one that was known the key is looked up first.
func (w *writing) records(r run) error {
	stored, heads, err := w.bulk(r)
	if err != nil {
		return err
	}
	expected := stored != nil // that a key is known
	for i := int(r.first - w.batch.First); i <= int(r.last-w.batch.First); i++ {
		record := &w.batch.Records[i]
		w.verdicts[i] = intake.Decide(nil, *record, w.batch.From.Agent, w.epoch.Epoch.Order)
		if stored[i] {
			w.first(i)
			continue
		}
		if w.verdicts[i] == intake.Rejected {
			if err := w.reject(i); err != nil {
				return err
			}
			continue
		}
		h, err := heads[record.Key], error(nil)
		if h == nil && expected {
			h, err = w.head(record.Key)
		}
		if h == nil && err == nil {
			var isNew bool
			if isNew, err = w.insert(i, 1, current, false); isNew {
				w.first(i)
				expected = false
				continue
			}
			if err == nil {
				h, err = w.head(record.Key)
			}
		}
		switch {
		case err != nil:
			return err
		case h == nil:
			return fmt.Errorf("document %s is neither stored nor new", record.Key)
		}
		heads[record.Key], expected = h, true
		if err := w.revise(i, h); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) reject(i int) error {
	b, r := w.batch, w.batch.Records[i]
	_, err := w.exec(insertRejected, b.From.Merchant, b.From.Agent, w.epoch.Epoch.Order, b.First+uint64(i), r.Capture, b.From.Store,
		r.Code, r.Text, int64(r.Recipe), micros(b.At), blob(r.Bytes))
	return err
}

// raiseDays raises the version of each day that changed, and of each whose entry
// looked at what changed, in order, so that two writers never wait for each other.
func (w *writing) raiseDays() error {
	dependents, err := w.dependents(w.changes())
	if err != nil {
		return err
	}
	by := make(map[day.Ref]int64, len(w.raised)+len(dependents))
	for ref := range dependents {
		by[ref] = 1
	}
	for d, n := range w.raised {
		if n > 0 {
			by[day.Ref{Merchant: w.batch.From.Merchant, Store: w.batch.From.Store, Day: d}] = n
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(by), func(x, y day.Ref) int {
		return cmp.Or(cmp.Compare(x.Store, y.Store), cmp.Compare(x.Day, y.Day))
	}) {
		if err := w.raise(ref, by[ref], w.batch.At); err != nil {
			return err
		}
	}
	return nil
}

// raise raises the version of a day, which is made where it is not yet.
func (t *tx) raise(ref day.Ref, by int64, at time.Time) error {
	_, err := t.exec(raiseDay, ref.Merchant, ref.Store, string(ref.Day), by, day.Open, micros(at))
	return err
}

// blob keeps an empty blob from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
