package storage

import (
	"context"
	"fmt"
	"maps"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

const (
	shelvedRecords query = `SELECT store, agent, epoch, number, capture, recipe, code, text, received, body FROM rejected
		WHERE merchant = $1 AND replayed = 0 ORDER BY received, agent, epoch, number`
	unshelve query = `UPDATE rejected SET replayed = $5, dismissed_by = $6
		WHERE merchant = $1 AND agent = $2 AND epoch = $3 AND number = $4 AND replayed = 0`

	conflictingRevisions query = `SELECT d.key, d.revision, d.standing, d.agent, d.hash, d.store, d.day, d.received, b.body FROM document d` + withBody + `
		WHERE d.merchant = $1 AND d.standing IN ('current', 'conflict')
		AND EXISTS (SELECT 1 FROM document c WHERE c.merchant = d.merchant AND c.key = d.key AND c.standing = 'conflict')
		ORDER BY d.key, d.revision`
	setStanding      query = `UPDATE document SET standing = $4, conflict = 0 WHERE merchant = $1 AND key = $2 AND revision = $3`
	insertSettlement query = `INSERT INTO settlement (merchant, key, at, agent, settled_by) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (merchant, key, at) DO NOTHING`
)

// Shelved implements intake.Shelf.
func (db *DB) Shelved(ctx context.Context, merchant string) ([]intake.Shelved, error) {
	var out []intake.Shelved
	err := db.each(ctx, merchant, "read shelved records of merchant "+merchant, func(scan func(...any) error) error {
		s := intake.Shelved{}
		s.From.Merchant = merchant
		var received int64
		err := scan(&s.From.Store, &s.From.Agent, &s.Epoch, &s.Number, &s.Capture, &s.Recipe, &s.Code, &s.Text, &received, &s.Bytes)
		s.Received = moment(received)
		out = append(out, s)
		return err
	}, shelvedRecords, merchant)
	return out, err
}

// Replay implements intake.Shelf.
func (db *DB) Replay(ctx context.Context, s intake.Shelved, r intake.Record, at time.Time) (intake.Verdict, error) {
	var verdict intake.Verdict
	err := db.write(ctx, s.From.Merchant, "replay "+s.String(), func(tx *tx) error {
		b := intake.Batch{From: s.From, First: s.Number, Records: []intake.Record{r}, Digests: make([][32]byte, 1), At: at}
		if err := check(b); err != nil {
			return err
		}
		if err := tx.unshelve(s, "", at); err != nil {
			return err
		}
		e := &epoch{id: s.From}
		e.Epoch.Order = s.Epoch
		w := newWriting(tx, b, e)
		err := w.store(run{first: s.Number, last: s.Number})
		if verdict = w.verdicts[0]; err != nil {
			return err
		}
		return tx.note(act(s.From.Merchant, logbook.Replay, s.String(), string(verdict), "", at))
	})
	return verdict, err
}

// Dismiss implements intake.Shelf.
func (db *DB) Dismiss(ctx context.Context, s intake.Shelved, by string, at time.Time) error {
	return db.write(ctx, s.From.Merchant, "dismiss "+s.String(), func(tx *tx) error {
		if err := tx.unshelve(s, by, at); err != nil {
			return err
		}
		return tx.note(act(s.From.Merchant, logbook.Dismiss, s.String(), "", by, at))
	})
}

func (t *tx) unshelve(s intake.Shelved, by string, at time.Time) error {
	n, err := t.exec(unshelve, s.From.Merchant, s.From.Agent, s.Epoch, s.Number, micros(at), by)
	if err == nil && n == 0 {
		err = intake.ErrSettled
	}
	return err
}

// Contradiction is one of the versions of a document of which two agents say
// different things.
type Contradiction struct {
	day.Ref
	Key      string
	Revision int
	Counts   bool // it is what the day is made of now
	Agent    string
	Hash     [32]byte
	Received time.Time
	Body     []byte
}

// Contradictions returns a merchant's documents with a conflict, all versions of
// each that stand against each other, by key and revision.
func (db *DB) Contradictions(ctx context.Context, merchant string) ([]Contradiction, error) {
	var out []Contradiction
	err := db.read(ctx, merchant, "read conflicts of merchant "+merchant, func(tx *tx) (err error) {
		out, err = tx.contradictions(merchant)
		return err
	})
	return out, err
}

func (t *tx) contradictions(merchant string) ([]Contradiction, error) {
	var out []Contradiction
	err := t.each(func(scan func(...any) error) error {
		c := Contradiction{Ref: day.Ref{Merchant: merchant}}
		var standing string
		var received int64
		var hash []byte
		err := scan(&c.Key, &c.Revision, &standing, &c.Agent, &hash, &c.Store, &c.Day, &received, &c.Body)
		if err != nil {
			return err
		}
		c.Counts, c.Received = standing == current, moment(received)
		c.Hash, err = digest(hash)
		out = append(out, c)
		return err
	}, conflictingRevisions, merchant)
	return out, err
}

// Settle ends a conflict: the newest version of the named agent counts, the
// others become past revisions, and the days of both are closed anew. A key
// without a conflict, or of which the agent says nothing, is ErrNone.
func (db *DB) Settle(ctx context.Context, merchant, key, agent, by string, at time.Time) error {
	return db.write(ctx, merchant, "settle the conflict of document "+key, func(tx *tx) error {
		all, err := tx.contradictions(merchant)
		if err != nil {
			return err
		}
		var chosen *Contradiction
		var standing []Contradiction
		for i, c := range all {
			if c.Key != key {
				continue
			}
			standing = append(standing, c)
			if c.Agent == agent {
				chosen = &all[i] // the newest is the last
			}
		}
		if chosen == nil {
			return fmt.Errorf("agent %s has no version of it that stands against another: %w", agent, ErrNone)
		}
		days := map[day.Ref]bool{}
		for _, c := range standing {
			becomes := past
			if c.Revision == chosen.Revision {
				becomes = current
			}
			if _, err := tx.exec(setStanding, merchant, key, c.Revision, becomes); err != nil {
				return err
			}
			if c.Counts || becomes == current {
				days[c.Ref] = true
			}
		}
		if _, err := tx.exec(insertSettlement, merchant, key, micros(at), agent, by); err != nil {
			return err
		}
		if err := tx.note(act(merchant, logbook.Settle, key, "agent "+agent, by, at)); err != nil {
			return err
		}
		if !chosen.Counts {
			d, err := decode(chosen.Body, merchant, chosen.Store, chosen.Hash[:])
			if err != nil {
				return named(key, err)
			}
			all := newChanges(merchant, chosen.Store)
			for ref := range days {
				all.document(key, d.Key.Terminal, d.Numbers.Receipt, true, ref.Day)
			}
			if err := tx.retie(*chosen, d, days, all); err != nil {
				return err
			}
			dependents, err := tx.dependents(all)
			if err != nil {
				return err
			}
			maps.Copy(days, dependents)
		}
		for ref := range days {
			if err := tx.raise(ref, 1, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// retie ties a document whose content is another now, and adds the days of the
// documents that this moves.
func (t *tx) retie(c Contradiction, d *document.Document, days map[day.Ref]bool, all *changes) error {
	m, err := t.merchant(c.Merchant)
	if err != nil {
		return err
	}
	store, known := m.Store(c.Store)
	if !known {
		return fmt.Errorf("store %s is not in the configuration of merchant %s", c.Store, c.Merchant)
	}
	calendar, err := store.Calendar()
	if err != nil {
		return err
	}
	p := &placing{tx: t, merchant: c.Merchant, touched: map[period][2]time.Time{}}
	if err := p.untie(c.Key); err != nil {
		return err
	}
	tie := day.TieOf(d, calendar.Rule, c.Day)
	if err := p.tie(c.Store, c.Key, c.Day, intake.Tie{
		Terminal: tie.Terminal, Periods: tie.Periods, Close: tie.Close, At: tie.At, Unread: tie.Unread, From: tie.From, Until: tie.Until,
	}); err != nil {
		return err
	}
	return p.place(func(m move) {
		for _, on := range []bizday.Day{m.from, m.to} {
			days[day.Ref{Merchant: c.Merchant, Store: c.Store, Day: on}] = true
			all.document(m.key, m.terminal, "", true, on)
		}
	})
}
