package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/shared/buildinfo"
	"tillbook.example/tillbook/shared/wire"
)

const (
	selectFeeds query = `SELECT merchant, feed, cursor, pulled_at, covered_to, not_before, failures, code, error FROM feed WHERE merchant <> $1 ORDER BY merchant, feed`
	makeFeed    query = `INSERT INTO feed (merchant, feed, cursor, pulled_at, covered_to, not_before, failures, code, error) VALUES ($1, $2, '', 0, 0, 0, 0, '', '')
		ON CONFLICT (merchant, feed) DO NOTHING`
	selectCursor query = `SELECT cursor FROM feed WHERE merchant = $1 AND feed = $2`
	updateFeed   query = `UPDATE feed SET cursor = $3, pulled_at = $4, covered_to = CASE WHEN covered_to > $5 THEN covered_to ELSE $5 END, not_before = $6,
		failures = 0, code = '', error = '' WHERE merchant = $1 AND feed = $2`
	failFeed query = `UPDATE feed SET cursor = CASE WHEN $3 = 1 THEN '' ELSE cursor END, not_before = $4, failures = failures + 1, code = $5, error = $6
		WHERE merchant = $1 AND feed = $2`
	wakeFeed query = `UPDATE feed SET not_before = 0 WHERE merchant = $1 AND feed = $2`
	// A source that failed may want to be left alone.
	nudgeFeed query = `UPDATE feed SET not_before = 0 WHERE merchant = $1 AND feed = $2 AND failures = 0`

	agentOfFeed query = `INSERT INTO agent (merchant, agent, store, host, version, enrolled_at) VALUES ($1, $2, $3, 'feed', $4, $5)
		ON CONFLICT (merchant, agent) DO NOTHING`
	newestID query = `SELECT id FROM epoch WHERE merchant = $1 AND agent = $2 ORDER BY epoch DESC LIMIT 1`
	// A capture that is stored already, with the same content.
	knownCopy query = `SELECT count(*) FROM document WHERE merchant = $1 AND key = $2 AND agent = $3 AND capture = $4 AND hash = $5`
)

// Feeds implements feed.Store.
func (db *DB) Feeds(ctx context.Context) ([]feed.State, error) {
	var all []feed.State
	err := db.each(ctx, everyone, "read feeds", func(scan func(...any) error) error {
		var s feed.State
		var pulled, covered, notBefore int64
		err := scan(&s.Merchant, &s.Feed, &s.Cursor, &pulled, &covered, &notBefore, &s.Failures, &s.Code, &s.Error)
		s.PulledAt, s.CoveredTo, s.NotBefore = moment(pulled), moment(covered), moment(notBefore)
		all = append(all, s)
		return err
	}, selectFeeds, "")
	return all, err
}

// Take implements feed.Store: the page's facts and documents, the days they raise
// and the cursor that follows, or nothing of it.
func (db *DB) Take(ctx context.Context, id feed.ID, t feed.Taken) (kept feed.Kept, err error) {
	err = db.write(ctx, id.Merchant, "keep a page of feed "+id.String(), func(tx *tx) error {
		kept = feed.Kept{}
		if _, err := tx.exec(makeFeed, id.Merchant, id.Feed); err != nil {
			return err
		}
		var cursor string
		if err := tx.row(tx.locked(selectCursor), id.Merchant, id.Feed)(&cursor); err != nil {
			return err
		}
		if cursor != t.Before {
			return feed.ErrStale
		}
		if kept, err = tx.facts(id, t.Page, t.At); err != nil {
			return err
		}
		batches := map[string]feed.Batch{}
		for _, b := range t.Batches {
			batches[b.Store] = b
		}
		for _, store := range t.Stores {
			n, err := tx.speak(id, store, batches[store], t.Covered, t.At)
			if err != nil {
				return err
			}
			kept.Documents += n
			delete(batches, store)
		}
		for store := range batches {
			return fmt.Errorf("it has documents of store %s, for which the feed does not speak", store)
		}
		_, err := tx.exec(updateFeed, id.Merchant, id.Feed, t.Next, micros(t.At), micros(t.Covered), micros(t.NotBefore))
		return err
	})
	if err != nil {
		return feed.Kept{}, err
	}
	return kept, nil
}

// speak stores a feed's documents of one store as its agent's next batch, and what
// the feed has handed over as that agent's claim.
func (t *tx) speak(id feed.ID, store string, b feed.Batch, covered, at time.Time) (int, error) {
	who := fleet.Identity{Merchant: id.Merchant, Store: store, Agent: id.Agent(store)}
	e, err := t.epochOfFeed(who, at)
	if err != nil {
		return 0, err
	}
	batch := intake.Batch{From: who, Epoch: e.Epoch.ID, First: e.Stored + 1, Before: e.Digest, At: at}
	digest := e.Digest
	for i, r := range b.Records {
		known := 0
		if r.Document != nil {
			if err := t.row(knownCopy, id.Merchant, r.Key, who.Agent, r.Capture, r.Hash[:])(&known); err != nil {
				return 0, err
			}
		}
		if known > 0 {
			continue
		}
		digest = wire.Next(digest, b.Raw[i])
		batch.Records, batch.Digests = append(batch.Records, r), append(batch.Digests, digest)
	}
	changed := 0
	if len(batch.Records) > 0 {
		if err := check(batch); err != nil {
			return 0, err
		}
		fresh, err := t.continues(e, batch)
		if err != nil {
			return 0, err
		}
		w := newWriting(t, batch, e)
		if err := w.store(fresh...); err != nil {
			return 0, err
		}
		for _, v := range w.verdicts {
			if v == intake.New || v == intake.Revision {
				changed++
			}
		}
	}
	e.claim(intake.Watermark{Time: covered, Number: e.Stored})
	if err := t.ripen(e, at); err != nil {
		return 0, err
	}
	if err := t.save(e); err != nil {
		return 0, err
	}
	_, err = t.exec(seenAgent, who.Merchant, who.Agent, buildinfo.Version, micros(at))
	return changed, err
}

// epochOfFeed returns the numbering of a feed's agent, which it makes at first.
func (t *tx) epochOfFeed(who fleet.Identity, at time.Time) (*epoch, error) {
	if _, err := t.exec(agentOfFeed, who.Merchant, who.Agent, who.Store, buildinfo.Version, micros(at)); err != nil {
		return nil, err
	}
	var id []byte
	err := t.row(newestID, who.Merchant, who.Agent)(&id)
	if errors.Is(err, sql.ErrNoRows) {
		id = make([]byte, 16)
		if _, err := rand.Read(id); err != nil {
			return nil, fmt.Errorf("make an epoch: %w", err)
		}
		_, err = t.exec(insertEpoch, who.Merchant, who.Agent, 1, id, make([]byte, 32), "feed", micros(at))
	}
	if err != nil {
		return nil, err
	}
	if len(id) != 16 {
		return nil, fmt.Errorf("the epoch of agent %s has an id of %d bytes", who.Agent, len(id))
	}
	return t.open(who, [16]byte(id))
}

// Fail implements feed.Store.
func (db *DB) Fail(ctx context.Context, id feed.ID, f feed.Failure) error {
	return db.changeFeed(ctx, id, "note that feed "+id.String()+" failed", failFeed, flag(f.Restart), micros(f.NotBefore), f.Code, f.Error)
}

// Wake implements feed.Store.
func (db *DB) Wake(ctx context.Context, id feed.ID) error {
	return db.changeFeed(ctx, id, "wake feed "+id.String(), wakeFeed)
}

// Nudge has a feed asked at once, unless it failed when it was asked last.
func (db *DB) Nudge(ctx context.Context, id feed.ID) error {
	return db.changeFeed(ctx, id, "wake feed "+id.String(), nudgeFeed)
}

func (db *DB) changeFeed(ctx context.Context, id feed.ID, what string, q query, args ...any) error {
	return db.writeRows(ctx, id.Merchant, what, func(tx *tx) error {
		if _, err := tx.exec(makeFeed, id.Merchant, id.Feed); err != nil {
			return err
		}
		_, err := tx.exec(q, append([]any{id.Merchant, id.Feed}, args...)...)
		return err
	})
}
