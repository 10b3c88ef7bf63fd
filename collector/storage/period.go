package storage

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

const (
	insertTie query = `INSERT INTO tie (merchant, store, terminal, period, at, key, own, unread, closes, since, until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	tiesOf     query = `SELECT store, terminal, period, at FROM tie WHERE merchant = $1 AND key = $2`
	deleteTies query = `DELETE FROM tie WHERE merchant = $1 AND key = $2`
	lockTies   query = `INSERT INTO tied (merchant, store, terminal, changes) VALUES ($1, $2, $3, 1)
		ON CONFLICT (merchant, store, terminal) DO UPDATE SET changes = tied.changes + 1`
	nearTies query = `SELECT t.key, t.at, t.own, t.unread, t.closes, t.since, t.until, d.day FROM tie t
		JOIN document d ON d.merchant = t.merchant AND d.key = t.key AND d.standing = 'current'
		WHERE t.merchant = $1 AND t.store = $2 AND t.terminal = $3 AND t.period = $4 AND t.at >= $5 AND t.at <= $6 ORDER BY t.key`
	moveDocument query = `UPDATE document SET day = $3 WHERE merchant = $1 AND key = $2 AND standing = 'current'`
)

// period is one that documents of a terminal name.
type period struct{ store, terminal, name string }

// move is a document that was moved from one day to another.
type move struct {
	key, terminal string
	from, to      bizday.Day
}

// placing gathers the periods whose documents a transaction changes, and when.
type placing struct {
	*tx
	merchant string
	touched  map[period][2]time.Time // first and last
}

func (p *placing) touch(in period, at time.Time) {
	span, known := p.touched[in]
	if !known {
		span = [2]time.Time{at, at}
	}
	if at.Before(span[0]) {
		span[0] = at
	}
	if at.After(span[1]) {
		span[1] = at
	}
	p.touched[in] = span
}

// untie forgets what tied a document.
func (p *placing) untie(key string) error {
	found := false
	err := p.each(func(scan func(...any) error) error {
		var in period
		var at int64
		if err := scan(&in.store, &in.terminal, &in.name, &at); err != nil {
			return err
		}
		found = true
		p.touch(in, time.UnixMicro(at).UTC())
		return nil
	}, tiesOf, p.merchant, key)
	if err == nil && found {
		_, err = p.exec(deleteTies, p.merchant, key)
	}
	return err
}

// tie stores what ties a document.
func (p *placing) tie(store, key string, own bizday.Day, t intake.Tie) error {
	for _, name := range t.Periods {
		p.touch(period{store, t.Terminal, name}, t.At)
		if _, err := p.exec(insertTie, p.merchant, store, t.Terminal, name, t.At.UnixMicro(), key, string(own), flag(t.Unread), flag(t.Close),
			micros(t.From), micros(t.Until)); err != nil {
			return err
		}
	}
	return nil
}

// place moves the documents of the touched periods to the days on which the room
// places them, and reports each.
func (p *placing) place(moved func(move)) error {
	order := slices.SortedFunc(maps.Keys(p.touched), func(x, y period) int {
		return cmp.Or(cmp.Compare(x.store, y.store), cmp.Compare(x.terminal, y.terminal), cmp.Compare(x.name, y.name))
	})
	for i, in := range order {
		if i == 0 || order[i-1].store != in.store || order[i-1].terminal != in.terminal {
			if _, err := p.exec(lockTies, p.merchant, in.store, in.terminal); err != nil {
				return err
			}
		}
		if err := p.placePeriod(in, p.touched[in], moved); err != nil {
			return err
		}
	}
	return nil
}

func (p *placing) placePeriod(in period, span [2]time.Time, moved func(move)) error {
	var keys []string
	var ties []day.Tie
	var are []bizday.Day
	err := p.each(func(scan func(...any) error) error {
		var key string
		var is bizday.Day
		var t day.Tie
		var at, since, until int64
		err := scan(&key, &at, &t.Own, &t.Unread, &t.Close, &since, &until, &is)
		t.At, t.From, t.Until = time.UnixMicro(at).UTC(), moment(since), moment(until)
		keys, ties, are = append(keys, key), append(ties, t), append(are, is)
		return err
	}, nearTies, p.merchant, in.store, in.terminal, in.name, span[0].Add(-day.Near).UnixMicro(), span[1].Add(day.Near).UnixMicro())
	if err != nil {
		return err
	}
	first, last := span[0].Add(-day.Changes), span[1].Add(day.Changes)
	for i, to := range day.Place(ties) {
		if to == are[i] || ties[i].Close || ties[i].At.Before(first) || ties[i].At.After(last) {
			continue
		}
		if _, err := p.exec(moveDocument, p.merchant, keys[i], string(to)); err != nil {
			return err
		}
		moved(move{keys[i], in.terminal, are[i], to})
	}
	return nil
}

// change is a document that a batch made current.
type change struct {
	record  int        // its newest record
	before  bizday.Day // where it was before the batch; empty: nowhere
	through bizday.Day // where it was moved to by its period; empty: it was not
}

// place ties the documents that the batch made current, and moves those whose
// period says so.
func (w *writing) place() error {
	p := &placing{tx: w.tx, merchant: w.batch.From.Merchant, touched: map[period][2]time.Time{}}
	for _, key := range slices.Sorted(maps.Keys(w.changed)) {
		c := w.changed[key]
		if c.before != "" {
			if err := p.untie(key); err != nil {
				return err
			}
		}
		r := &w.batch.Records[c.record]
		if err := p.tie(w.batch.From.Store, key, r.Day, r.Tie); err != nil {
			return err
		}
	}
	return p.place(func(m move) {
		c, changed := w.changed[m.key]
		if changed && c.before != m.from {
			w.raised[m.from]-- // it never was there
		} else {
			w.raised[m.from]++
		}
		w.raised[m.to]++
		if changed {
			c.through = m.to
			w.changed[m.key] = c
		}
		w.moved = append(w.moved, m)
	})
}

// changes returns what the batch changed.
func (w *writing) changes() *changes {
	all := newChanges(w.batch.From.Merchant, w.batch.From.Store)
	for key, c := range w.changed {
		r := &w.batch.Records[c.record]
		d := r.Document
		counts := d.Kind == document.TillCount || c.before != ""
		for _, on := range []bizday.Day{cmp.Or(c.through, r.Day), c.before} {
			all.document(key, d.Key.Terminal, d.Numbers.Receipt, counts, on)
		}
	}
	for _, m := range w.moved {
		all.document(m.key, m.terminal, "", true, m.from)
		all.document(m.key, m.terminal, "", true, m.to)
	}
	return all
}
