package storage

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

const (
	// The bytes of document d, as b; none where its month is not in the database.
	withBody = ` LEFT JOIN document_body b ON b.merchant = d.merchant AND b.agent = d.agent AND b.epoch = d.epoch AND b.number = d.number
		AND b.received = d.received`
	dayDocuments query = `SELECT d.key, d.revision, d.agent, d.conflict, d.hash, b.body FROM document d` + withBody + `
		WHERE d.merchant = $1 AND d.store = $2 AND d.day = $3 AND d.standing = 'current'`
	dayCounts query = `SELECT d.key, d.hash, b.body FROM document d` + withBody + `
		WHERE d.merchant = $1 AND d.store = $2 AND d.day = $3 AND d.kind = 'TILL_COUNT' AND d.standing = 'current' ORDER BY d.key`
	dayCloses query = `SELECT d.key, d.hash, b.body FROM document d` + withBody + `
		WHERE d.merchant = $1 AND d.store = $2 AND d.day = $3 AND d.kind = 'PERIOD_CLOSE' AND d.standing = 'current' ORDER BY d.key`
	// What a close counts by its number and is of other days.
	namedBefore query = `SELECT d.key, d.revision, d.agent, d.hash, b.body FROM tie z
		JOIN tie t ON t.merchant = z.merchant AND t.store = z.store AND t.terminal = z.terminal AND t.period = z.period AND t.closes = 0
		JOIN document d ON d.merchant = t.merchant AND d.key = t.key AND d.standing = 'current'` + withBody + `
		WHERE z.merchant = $1 AND z.key = $2 AND z.closes = 1 AND z.period LIKE 'z %' AND d.day < $3 AND d.day >= $4 ORDER BY d.key`
	previousDay query = `SELECT d.day FROM store_day d WHERE d.merchant = $1 AND d.store = $2 AND d.day < $3
		AND EXISTS (SELECT 1 FROM document x WHERE x.merchant = d.merchant AND x.store = d.store AND x.day = d.day AND x.standing = 'current')
		ORDER BY d.day DESC LIMIT 1`
	originalByKey query = `SELECT d.key, d.store, d.day, d.hash, b.body FROM document d` + withBody + `
		WHERE d.merchant = $1 AND d.key = $2 AND d.standing = 'current'`
	originalByReceipt query = `SELECT d.key, d.store, d.day, d.hash, b.body FROM document d` + withBody + `
		WHERE d.merchant = $1 AND d.store = $2 AND d.receipt = $3 AND d.standing = 'current' AND d.receipt <> '' AND d.day <= $4
		ORDER BY d.day DESC, d.key LIMIT 50`
	rejectedSince query = `SELECT count(*) FROM rejected WHERE merchant = $1 AND store = $2 AND received >= $3 AND replayed = 0`
	dayAccepted   query = `SELECT difference FROM accepted WHERE merchant = $1 AND store = $2 AND day = $3 ORDER BY difference`
)

// Facts returns all that a close looks at, from one snapshot. Documents are
// sorted by key. Previous are the counts of the newest earlier day that has
// documents. Originals are what the day's links name and is not of this day: by
// key, or by receipt number within the store, then of the same terminal where
// there is one, and of the newest day up to this one. A day without documents
// has version 0.
//
// A document written by a newer version fails with document.ErrNewer: what it
// holds beyond what is known here must not be left out of an entry.
func (db *DB) Facts(ctx context.Context, ref day.Ref) (day.Facts, error) {
	var f day.Facts
	err := db.read(ctx, ref.Merchant, fmt.Sprintf("read day %s %s", ref.Store, ref.Day), func(tx *tx) (err error) {
		f = day.Facts{StoreDay: day.StoreDay{Ref: ref, State: day.Open}, Originals: map[string]*document.Document{}}
		if f.Merchant, err = tx.merchant(ref.Merchant); err != nil {
			return err
		}
		known := false
		if f.Store, known = f.Merchant.Store(ref.Store); !known {
			return fmt.Errorf("store %s is not in the configuration of merchant %s", ref.Store, ref.Merchant)
		}
		d, err := scanDay(tx.row(selectDay, ref.Merchant, ref.Store, string(ref.Day)))
		if err == nil {
			f.StoreDay = d
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if f.Stop, err = tx.stopped(ref.Merchant); err != nil {
			return err
		}
		var entered int
		if err := tx.row(enteredDay, ref.Merchant, ref.Store, string(ref.Day))(&entered); err != nil {
			return err
		}
		f.Entered = entered > 0
		if err := tx.documents(&f); err != nil {
			return err
		}
		if err := tx.originals(&f); err != nil {
			return err
		}
		previous, err := tx.previous(&f)
		if err != nil {
			return err
		}
		if err := tx.later(&f); err != nil {
			return err
		}
		terminals, err := tx.earlier(&f)
		if err != nil {
			return err
		}
		if err := tx.seen(&f, previous, terminals); err != nil {
			return err
		}
		if err := tx.each(func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			f.Accepted = append(f.Accepted, id)
			return err
		}, dayAccepted, ref.Merchant, ref.Store, string(ref.Day)); err != nil {
			return err
		}
		if f.Agents, err = tx.dayAgents(ref.Merchant, ref.Store); err != nil {
			return err
		}
		calendar, err := f.Store.Calendar()
		if err != nil {
			return err
		}
		return tx.row(rejectedSince, ref.Merchant, ref.Store, micros(calendar.Rule.Start(ref.Day)))(&f.Rejected)
	})
	if err != nil {
		return day.Facts{}, err
	}
	return f, nil
}

func (t *tx) documents(f *day.Facts) error {
	err := t.each(func(scan func(...any) error) error {
		var s day.Stored
		var contradicted int
		var hash, body sql.RawBytes
		if err := scan(&s.Key, &s.Revision, &s.Agent, &contradicted, &hash, &body); err != nil {
			return err
		}
		f.Conflicts += contradicted
		var err error
		s.Document, err = decode(body, f.Ref.Merchant, f.Ref.Store, hash)
		f.Documents = append(f.Documents, s)
		return named(s.Key, err)
	}, dayDocuments, f.Ref.Merchant, f.Ref.Store, string(f.Ref.Day))
	slices.SortFunc(f.Documents, func(a, b day.Stored) int { return cmp.Compare(a.Key, b.Key) })
	return err
}

func (t *tx) originals(f *day.Facts) error {
	wanted := map[string]bool{} // links that were looked up
	for _, s := range f.Documents {
		for _, link := range s.Document.Links {
			what, q, args := "", query(""), []any(nil)
			switch {
			case link.Key != nil:
				key := linked(*link.Key, f.Ref.Store)
				what, q, args = ofKey(key), originalByKey, []any{f.Ref.Merchant, key}
			case link.Number != "":
				what = "number " + s.Document.Key.Terminal + "\x00" + link.Number
				q, args = originalByReceipt, []any{f.Ref.Merchant, f.Ref.Store, link.Number, string(f.Ref.Day)}
			}
			if what == "" || wanted[what] {
				continue
			}
			wanted[what] = true
			if err := t.original(f, s, q, args); err != nil {
				return err
			}
		}
	}
	return nil
}

// original adds the first document that a query finds for a link of s, one of
// the same terminal before others, unless it is of the day itself.
func (t *tx) original(f *day.Facts, s day.Stored, q query, args []any) error {
	var best *document.Document
	var key string
	var bestDay bizday.Day
	var store string
	err := t.each(func(scan func(...any) error) error {
		var foundKey, foundStore string
		var foundDay bizday.Day
		var hash, body sql.RawBytes
		if err := scan(&foundKey, &foundStore, &foundDay, &hash, &body); err != nil || foundKey == s.Key {
			return err
		}
		d, err := decode(body, f.Ref.Merchant, foundStore, hash)
		if err != nil {
			return named(foundKey, err)
		}
		if best == nil || best.Key.Terminal != s.Document.Key.Terminal && d.Key.Terminal == s.Document.Key.Terminal {
			best, key, bestDay, store = d, foundKey, foundDay, foundStore
		}
		return nil
	}, q, args...)
	if best != nil && (bestDay != f.Ref.Day || store != f.Ref.Store) {
		f.Originals[key] = best
	}
	return err
}

func (t *tx) previous(f *day.Facts) (previous bizday.Day, err error) {
	err = t.row(previousDay, f.Ref.Merchant, f.Ref.Store, string(f.Ref.Day))(&previous)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return previous, t.each(func(scan func(...any) error) error {
		var key string
		var hash, body sql.RawBytes
		if err := scan(&key, &hash, &body); err != nil {
			return err
		}
		d, err := decode(body, f.Ref.Merchant, f.Ref.Store, hash)
		f.Previous = append(f.Previous, d)
		return named(key, err)
	}, dayCounts, f.Ref.Merchant, f.Ref.Store, string(previous))
}

// closesOf returns the period closes of a store on a day.
func (t *tx) closesOf(ref day.Ref) (closes []*document.Document, err error) {
	err = t.each(func(scan func(...any) error) error {
		var key string
		var hash, body sql.RawBytes
		if err := scan(&key, &hash, &body); err != nil {
			return err
		}
		d, err := decode(body, ref.Merchant, ref.Store, hash)
		closes = append(closes, d)
		return named(key, err)
	}, dayCloses, ref.Merchant, ref.Store, string(ref.Day))
	return closes, err
}

func (t *tx) later(f *day.Facts) error {
	closed := map[string]bool{}
	for ref := f.Ref; ref.Day < f.Ref.Day.Add(day.SpanDays); {
		ref.Day = ref.Day.Add(1)
		closes, err := t.closesOf(ref)
		if err != nil {
			return err
		}
		var now []string
		for _, z := range closes {
			if !closed[z.Key.Terminal] {
				f.Later, now = append(f.Later, z), append(now, z.Key.Terminal)
			}
		}
		for _, terminal := range now {
			closed[terminal] = true
		}
	}
	return nil
}

// earlier adds the documents of the days before of each terminal that closed on
// the day, back to the day on which it closed before, and what states one of the
// closes' numbers. It returns from which day on it looked at a terminal's.
func (t *tx) earlier(f *day.Facts) (map[string]bizday.Day, error) {
	since := map[string]bizday.Day{}
	open, known := map[string]bool{}, map[string]bool{}
	for _, s := range f.Documents {
		if s.Document.Kind != document.PeriodClose || s.Document.Deleted {
			continue
		}
		open[s.Document.Key.Terminal] = true
		if err := t.each(func(scan func(...any) error) error {
			var n day.Stored
			var hash, body sql.RawBytes
			err := scan(&n.Key, &n.Revision, &n.Agent, &hash, &body)
			if err != nil || known[n.Key] {
				return err
			}
			known[n.Key] = true
			n.Document, err = decode(body, f.Ref.Merchant, f.Ref.Store, hash)
			f.Earlier = append(f.Earlier, n)
			return named(n.Key, err)
		}, namedBefore, f.Ref.Merchant, s.Key, string(f.Ref.Day), string(f.Ref.Day.Add(-day.SpanDays))); err != nil {
			return nil, err
		}
	}
	for ref := f.Ref; len(open) > 0 && ref.Day > f.Ref.Day.Add(-day.SpanDays); {
		ref.Day = ref.Day.Add(-1)
		closes, err := t.closesOf(ref)
		if err != nil {
			return nil, err
		}
		for _, z := range closes {
			delete(open, z.Key.Terminal)
		}
		if len(open) == 0 {
			break
		}
		for terminal := range open {
			since[terminal] = ref.Day
		}
		before := day.Facts{StoreDay: day.StoreDay{Ref: ref}}
		if err := t.documents(&before); err != nil {
			return nil, err
		}
		for _, s := range before.Documents {
			if open[s.Document.Key.Terminal] && !known[s.Key] {
				known[s.Key] = true
				f.Earlier = append(f.Earlier, s)
			}
		}
	}
	slices.SortFunc(f.Earlier, func(a, b day.Stored) int { return cmp.Compare(a.Key, b.Key) })
	return since, nil
}

// errAway: the bytes of a document are not in the database.
var errAway = errors.New("the month in which it was received was taken out of the database; attach it again (docs/operations.md, old months)")

// decode reads a stored document. Its bytes are as the agent sent them: for whom
// it is stands in the columns.
func decode(body []byte, merchant, store string, hash []byte) (*document.Document, error) {
	if body == nil {
		return nil, errAway
	}
	d, err := document.Unmarshal(body)
	if err != nil {
		return nil, err
	}
	d.Key.Merchant, d.Key.Store = merchant, store
	d.ContentHash = hex.EncodeToString(hash)
	return d, nil
}

func named(key string, err error) error {
	if err != nil {
		return fmt.Errorf("document %s: %w", key, err)
	}
	return nil
}
