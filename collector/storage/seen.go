package storage

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

const (
	sqliteSeen   query = `SELECT store, day, what, since FROM seen WHERE merchant = $1 AND what IN (SELECT value FROM json_each($2))`
	postgresSeen query = `SELECT store, day, what, since FROM seen WHERE merchant = $1 AND what = ANY($2)`

	insertSeen query = `INSERT INTO seen (merchant, store, day, what, since) VALUES ($1, $2, $3, $4, $5)`
	deleteSeen query = `DELETE FROM seen WHERE merchant = $1 AND store = $2 AND day = $3`

	hashOfKey       query = `SELECT key, hash FROM document WHERE merchant = $1 AND key = $2 AND standing = 'current'`
	hashesOfReceipt query = `SELECT key, hash FROM document
		WHERE merchant = $1 AND store = $2 AND receipt = $3 AND standing = 'current' AND receipt <> '' AND day <= $4
		ORDER BY day DESC, key LIMIT 50`
	hashesOfCounts query = `SELECT key, hash FROM document
		WHERE merchant = $1 AND store = $2 AND day = $3 AND kind = 'TILL_COUNT' AND standing = 'current' ORDER BY key`
	hashesOfDays query = `SELECT key, hash FROM document
		WHERE merchant = $1 AND store = $2 AND day >= $3 AND day < $4 AND standing = 'current' ORDER BY key`
)

// What a day looked at, as it is stored.
func ofKey(key string) string                        { return "key " + key }
func ofNumber(store, receipt string) string          { return "number " + store + " " + receipt }
func ofTerminal(store, terminal string) string       { return "terminal " + store + " " + terminal }
func ofCounts(store string) string                   { return "counts " + store }
func after(what, kind string) (rest string, is bool) { return strings.CutPrefix(what, kind+" ") }

// seen notes what of other days the facts of a day were made with. previous is
// the day whose counts they have, terminals those of which documents of earlier
// days were looked for, since when.
func (t *tx) seen(f *day.Facts, previous bizday.Day, terminals map[string]bizday.Day) error {
	wanted := map[string]bizday.Day{ofCounts(f.Ref.Store): previous}
	for _, s := range f.Documents {
		for _, link := range s.Document.Links {
			switch {
			case link.Key != nil:
				wanted[ofKey(linked(*link.Key, f.Ref.Store))] = ""
			case link.Number != "":
				wanted[ofNumber(f.Ref.Store, link.Number)] = ""
			}
		}
	}
	for key := range f.Originals {
		wanted[ofKey(key)] = ""
	}
	for terminal, since := range terminals {
		wanted[ofTerminal(f.Ref.Store, terminal)] = since
	}
	for _, s := range f.Earlier {
		wanted[ofKey(s.Key)] = ""
	}
	for _, what := range slices.Sorted(maps.Keys(wanted)) {
		seen := day.Seen{What: what, Since: wanted[what]}
		var err error
		if seen.Found, err = t.found(f.Ref, seen); err != nil {
			return err
		}
		f.Seen = append(f.Seen, seen)
	}
	return nil
}

// found says what is there of what a day looks at.
func (t *tx) found(ref day.Ref, seen day.Seen) (string, error) {
	var q query
	args := []any{ref.Merchant}
	if key, is := after(seen.What, "key"); is {
		q, args = hashOfKey, append(args, key)
	} else if receipt, is := after(seen.What, "number "+ref.Store); is {
		q, args = hashesOfReceipt, append(args, ref.Store, receipt, string(ref.Day))
	} else if _, is := after(seen.What, "terminal"); is {
		q, args = hashesOfDays, append(args, ref.Store, string(seen.Since), string(ref.Day))
	} else {
		var previous string
		err := t.row(previousDay, ref.Merchant, ref.Store, string(ref.Day))(&previous)
		if errors.Is(err, sql.ErrNoRows) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if previous != string(seen.Since) {
			return "another day", nil
		}
		q, args = hashesOfCounts, append(args, ref.Store, previous)
	}
	var b strings.Builder
	err := t.each(func(scan func(...any) error) error {
		var key string
		var hash []byte
		err := scan(&key, &hash)
		b.WriteString(key + " " + hex.EncodeToString(hash) + "\n")
		return err
	}, q, args...)
	return b.String(), err
}

// keepSeen stores what an entry looked at, if that still is what it found, else
// it fails with day.ErrMoved: from now on whoever changes it raises the day.
func (t *tx) keepSeen(e day.Entry) error {
	if _, err := t.exec(deleteSeen, e.Merchant, e.Store, string(e.Day)); err != nil {
		return err
	}
	for _, seen := range e.Seen {
		found, err := t.found(e.Ref, seen)
		if err != nil {
			return err
		}
		if found != seen.Found {
			return day.ErrMoved
		}
		if _, err := t.exec(insertSeen, e.Merchant, e.Store, string(e.Day), seen.What, string(seen.Since)); err != nil {
			return err
		}
	}
	return nil
}

func linked(key document.Key, store string) string {
	if key.Store == "" {
		key.Store = store
	}
	return key.String()
}

// changes are what a transaction changed, as other days may have looked at it.
type changes struct {
	merchant, store string
	days            map[string][]bizday.Day // by what may be looked at: on which days
	counts          map[bizday.Day]bool     // days whose counts may be others now
}

func newChanges(merchant, store string) *changes {
	return &changes{merchant: merchant, store: store, days: map[string][]bizday.Day{}, counts: map[bizday.Day]bool{}}
}

// document notes that a document came to, changed on or left a day.
func (c *changes) document(key, terminal, receipt string, counts bool, on bizday.Day) {
	if on == "" {
		return
	}
	whats := []string{ofKey(key), ofTerminal(c.store, terminal), ofCounts(c.store)}
	if receipt != "" {
		whats = append(whats, ofNumber(c.store, receipt))
	}
	for _, what := range whats {
		if !slices.Contains(c.days[what], on) {
			c.days[what] = append(c.days[what], on)
		}
	}
	c.counts[on] = c.counts[on] || counts
}

// dependents returns the other days whose entries looked at what changed.
func (t *tx) dependents(c *changes) (map[day.Ref]bool, error) {
	found := map[day.Ref]bool{}
	if len(c.days) == 0 {
		return found, nil
	}
	var list any = slices.Sorted(maps.Keys(c.days))
	if t.dialect.embedded {
		text, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		list = string(text)
	}
	err := t.each(func(scan func(...any) error) error {
		ref := day.Ref{Merchant: c.merchant}
		var what string
		var since bizday.Day
		if err := scan(&ref.Store, &ref.Day, &what, &since); err != nil {
			return err
		}
		for _, on := range c.days[what] {
			kind, _, _ := strings.Cut(what, " ")
			switch {
			case ref.Store == c.store && ref.Day == on: // rises by itself
			case kind == "key",
				kind == "number" && on < ref.Day,
				kind == "terminal" && since <= on && on < ref.Day,
				kind == "counts" && on < ref.Day && (since < on || since == on && c.counts[on]):
				found[ref] = true
			}
		}
		return nil
	}, t.dialect.seen, c.merchant, list)
	return found, err
}
