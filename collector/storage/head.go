package storage

import (
	"errors"
	"fmt"

	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/shared/bizday"
)

// Standings of a stored document.
const (
	current  = "current"
	past     = "past"
	conflict = "conflict" // another agent says so
	copied   = "copy"     // states again what was stated; without a body
)

const (
	insertDocument query = `INSERT INTO document (merchant, key, revision, standing, conflict, hash, agent, epoch, number, capture,
		store, day, kind, receipt, recipe, reason, received)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (merchant, key, revision) DO NOTHING`
	insertBody      query = `INSERT INTO document_body (merchant, agent, epoch, number, received, body) VALUES ($1, $2, $3, $4, $5, $6)`
	selectRevisions query = `SELECT key, revision, standing, hash, agent, epoch, capture, day FROM document
		WHERE merchant = $1 AND key = $2 ORDER BY revision`
	makePast     query = `UPDATE document SET standing = 'past', conflict = 0 WHERE merchant = $1 AND key = $2 AND revision = $3`
	makeConflict query = `UPDATE document SET conflict = 1 WHERE merchant = $1 AND key = $2 AND revision = $3`
)

// head is what is stored of a key.
type head struct {
	intake.Head
	last      int // highest revision
	conflicts map[[32]byte]bool
}

// head returns what is stored of a key, nil where nothing is.
func (w *writing) head(key string) (*head, error) {
	found, err := w.heads(selectRevisions, key)
	return found[key], err
}

// heads returns what a query finds stored, by key.
func (w *writing) heads(q query, keys any) (map[string]*head, error) {
	heads := map[string]*head{}
	dated := map[string][]intake.Head{} // captures that state a content in its source's order
	err := w.each(func(scan func(...any) error) error {
		var r intake.Head
		var key, standing, day string
		var hash []byte
		err := scan(&key, &r.Revision, &standing, &hash, &r.Agent, &r.EpochOrder, &r.Capture, &day)
		if err != nil {
			return err
		}
		if r.Hash, err = digest(hash); err != nil {
			return err
		}
		h := heads[key]
		if h == nil {
			h = &head{conflicts: map[[32]byte]bool{}}
			h.Hashes, h.Copies = map[[32]byte]bool{}, map[intake.Copy]bool{}
			heads[key] = h
		}
		r.Day = bizday.Day(day)
		h.last = r.Revision
		h.Copies[intake.Copy{Agent: r.Agent, Capture: r.Capture, Hash: r.Hash}] = true
		switch standing {
		case conflict:
			h.conflicts[r.Hash] = true
		case copied:
			dated[key] = append(dated[key], r)
		case current:
			r.Hashes, r.Copies = h.Hashes, h.Copies
			h.Head = r
			fallthrough
		default:
			h.Hashes[r.Hash] = true
		}
		return nil
	}, q, w.batch.From.Merchant, keys)
	if err != nil {
		return nil, err
	}
	for key, h := range heads {
		if h.Revision == 0 {
			return nil, fmt.Errorf("document %s has revisions but none that is current", key)
		}
		for _, r := range dated[key] {
			h.date(r.Hash, r.Agent, r.EpochOrder, r.Capture)
		}
	}
	return heads, nil
}

// date moves the head's place in its source's order up to a capture that states
// the same again: what was captured before it is older.
func (h *head) date(hash [32]byte, agent string, epochOrder, capture uint64) {
	later := epochOrder > h.EpochOrder || epochOrder == h.EpochOrder && capture > h.Capture
	if hash == h.Hash && agent == h.Agent && later {
		h.EpochOrder, h.Capture = epochOrder, capture
	}
}

// contradicted says whether another agent says otherwise than a content.
func (h *head) contradicted(hash [32]byte) bool {
	for other := range h.conflicts {
		if other != hash {
			return true
		}
	}
	return false
}

// insert stores a record as a revision of its key and reports whether it did:
// false, where the key has that revision already.
func (w *writing) insert(i, revision int, standing string, contradicted bool) (bool, error) {
	b, r := &w.batch, &w.batch.Records[i]
	n, err := w.exec(insertDocument, b.From.Merchant, r.Key, revision, standing, flag(contradicted), r.Hash[:], b.From.Agent,
		w.epoch.Epoch.Order, b.First+uint64(i), r.Capture, b.From.Store, string(r.Day), string(r.Document.Kind), r.Document.Numbers.Receipt,
		int64(r.Recipe), r.Reason, micros(b.At))
	if err != nil || n != 1 || standing == copied {
		return n == 1, err
	}
	_, err = w.exec(insertBody, b.From.Merchant, b.From.Agent, w.epoch.Epoch.Order, b.First+uint64(i), micros(b.At), blob(r.Bytes))
	return err == nil, err
}

// revise stores a record whose key is known, as the room decides.
func (w *writing) revise(i int, h *head) error {
	r, agent, order := &w.batch.Records[i], w.batch.From.Agent, w.epoch.Epoch.Order
	w.verdicts[i] = intake.Decide(&h.Head, *r, agent, order)
	switch w.verdicts[i] {
	case intake.Duplicate:
		// Where the source states an order, the copy is remembered: it may date the
		// current content, and sent again in a newer epoch it must not look new.
		if !r.StatesOrder || h.Copies[intake.Copy{Agent: agent, Capture: r.Capture, Hash: r.Hash}] {
			return nil
		}
		if err := w.add(i, h, copied, false); err != nil {
			return err
		}
		h.date(r.Hash, agent, order, r.Capture)
		return nil
	case intake.Older:
		if err := w.add(i, h, past, false); err != nil {
			return err
		}
		h.Hashes[r.Hash] = true
		return nil
	case intake.Conflict:
		if err := w.add(i, h, conflict, false); err != nil {
			return err
		}
		h.conflicts[r.Hash] = true
		w.raised[h.Day]++
		return w.one(makeConflict, r.Key, h.Revision)
	case intake.Revision:
		if err := w.one(makePast, r.Key, h.Revision); err != nil {
			return err
		}
		if err := w.add(i, h, current, h.contradicted(r.Hash)); err != nil {
			return err
		}
		w.raised[r.Day]++
		if h.Day != r.Day {
			w.raised[h.Day]++
		}
		c, known := w.changed[r.Key]
		if !known {
			c.before = h.Day
		}
		c.record = i
		w.changed[r.Key] = c
		h.Hashes[r.Hash] = true
		h.Revision, h.Hash, h.Agent, h.EpochOrder, h.Capture, h.Day = h.last, r.Hash, agent, order, r.Capture, r.Day
		return nil
	}
	return fmt.Errorf("document %s: %q is no verdict on a key that is known", r.Key, w.verdicts[i])
}

// add stores a record as the next revision of its key.
func (w *writing) add(i int, h *head, standing string, contradicted bool) error {
	h.last++
	stored, err := w.insert(i, h.last, standing, contradicted)
	if err == nil && !stored {
		err = errors.New("the revision is taken")
	}
	if err != nil {
		return fmt.Errorf("store revision %d of document %s: %w", h.last, w.batch.Records[i].Key, err)
	}
	r := &w.batch.Records[i]
	h.Copies[intake.Copy{Agent: w.batch.From.Agent, Capture: r.Capture, Hash: r.Hash}] = true
	return nil
}

// one runs an update of one revision, which must be there.
func (w *writing) one(q query, key string, revision int) error {
	n, err := w.exec(q, w.batch.From.Merchant, key, revision)
	if err == nil && n != 1 {
		err = fmt.Errorf("revision %d of document %s: %d rows", revision, key, n)
	}
	return err
}
