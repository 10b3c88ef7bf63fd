package storage

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"tillbook.example/tillbook/collector/export"
)

const (
	everyConfig   query = `SELECT version, body, applied_at FROM merchant_config WHERE merchant = $1 ORDER BY version`
	everyMapping  query = `SELECT version, effective_from, body, applied_at FROM mapping WHERE merchant = $1 ORDER BY version`
	everyAgent    query = `SELECT agent, store, host, version, enrolled_at, revoked_at FROM agent WHERE merchant = $1 ORDER BY agent`
	everyDocument query = `SELECT d.key, d.revision, d.standing, d.conflict, d.store, d.day, d.hash, d.agent, d.epoch, d.number, d.received, d.reason, b.body
		FROM document d` + withBody + ` WHERE d.merchant = $1 ORDER BY d.key, d.revision`
	everyDay     query = `SELECT store, day, version, state, hold, entry, closed_at, changed_at FROM store_day WHERE merchant = $1 ORDER BY store, day`
	everyEntry   query = `SELECT store, day, version, mapping, rules, reason, at, body, proof FROM entry WHERE merchant = $1 ORDER BY store, day, version`
	everyPosting query = `SELECT store, day, target, revision, entry, reference, state, attempts, error, code, undo, remote_id, at, settled_at, hash, payload
		FROM posting WHERE merchant = $1 ORDER BY store, day, target, revision`
	everyMovement query = `SELECT provider, account, key, revision, current, feed, received, body FROM movement WHERE merchant = $1 ORDER BY provider, account, key, revision`
	everyPayout   query = `SELECT provider, account, key, revision, current, feed, received, body FROM payout WHERE merchant = $1 ORDER BY provider, account, key, revision`
	everyLine     query = `SELECT '', account, key, revision, current, feed, received, body FROM bank_line WHERE merchant = $1 ORDER BY account, key, revision`
	everyBalance  query = `SELECT provider, account, currency || ' ' || day, 1, 1, feed, at, body FROM provider_balance WHERE merchant = $1 ORDER BY provider, account, currency, day`
	everyAccepted query = `SELECT store || '/' || day, accepted_by, at, difference FROM accepted WHERE merchant = $1 ORDER BY store, day, difference`
	everySettled  query = `SELECT key, settled_by, at, agent FROM settlement WHERE merchant = $1 ORDER BY key, at`
	everyStop     query = `SELECT at, stopped_by, reason, resumed_at, resumed_by FROM stopped WHERE merchant = $1 ORDER BY at`
	everyMatch    query = `SELECT account || ' ' || proposal, accepted_by, at, CASE WHEN accepted = 1 THEN 'accepted' ELSE 'refused' END
		FROM clearing_decision WHERE merchant = $1 ORDER BY account, proposal, at`
	everyEntered query = `SELECT store || '/' || first || ' to ' || last, entered_by, at, '' FROM entered WHERE merchant = $1 ORDER BY store, first, last`
)

// giving hands out a merchant's rows.
type giving struct {
	*tx
	merchant string
	f        func(kind string, row any) error
}

// Everything implements export.Source.
func (db *DB) Everything(ctx context.Context, merchantID string, f func(kind string, row any) error) error {
	return db.read(ctx, merchantID, "read everything of merchant "+merchantID, func(tx *tx) error {
		if _, err := tx.merchant(merchantID); err != nil {
			return err
		}
		g := giving{tx, merchantID, f}
		for _, step := range []func() error{g.configurations, g.agents, g.documents, g.rejected, g.days, g.entries, g.postings, g.settlements, g.decisions, g.log} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// every hands out the rows of a query.
func (g giving) every(kind string, q query, row func(scan func(into ...any) error) (any, error)) error {
	return g.each(func(scan func(...any) error) error {
		r, err := row(scan)
		if err != nil {
			return err
		}
		return g.f(kind, r)
	}, q, g.merchant)
}

func (g giving) configurations() error {
	if err := g.every(export.Configurations, everyConfig, func(scan func(...any) error) (any, error) {
		var c export.Configuration
		var body string
		var at int64
		err := scan(&c.Version, &body, &at)
		c.Configuration, c.AppliedAt = json.RawMessage(body), moment(at)
		return c, err
	}); err != nil {
		return err
	}
	return g.every(export.Mappings, everyMapping, func(scan func(...any) error) (any, error) {
		var m export.Mapping
		var body string
		var at int64
		err := scan(&m.Version, &m.From, &body, &at)
		m.Mapping, m.AppliedAt = json.RawMessage(body), moment(at)
		return m, err
	})
}

func (g giving) agents() error {
	return g.every(export.Agents, everyAgent, func(scan func(...any) error) (any, error) {
		var a export.Agent
		var enrolled, revoked int64
		err := scan(&a.Agent, &a.Store, &a.Host, &a.Version, &enrolled, &revoked)
		a.EnrolledAt, a.RevokedAt = moment(enrolled), moment(revoked)
		return a, err
	})
}

func (g giving) documents() error {
	return g.every(export.Documents, everyDocument, func(scan func(...any) error) (any, error) {
		var d export.Document
		var hash []byte
		var received int64
		if err := scan(&d.Key, &d.Revision, &d.Standing, &d.Conflict, &d.Store, &d.Day, &hash, &d.Agent, &d.Epoch, &d.Number, &received, &d.Reason, &d.Body); err != nil {
			return nil, err
		}
		d.Hash, d.ReceivedAt = hex.EncodeToString(hash), moment(received)
		if len(d.Body) > 0 {
			// What cannot be read is given as it is.
			if read, err := decode(d.Body, g.merchant, d.Store, hash); err == nil {
				d.Document = read
			}
		}
		return d, nil
	})
}

func (g giving) rejected() error {
	return g.every(export.Rejected, auditRejected, func(scan func(...any) error) (any, error) {
		var r export.Record
		var capture uint64
		var received, settled int64
		err := scan(&r.Store, &r.Agent, &r.Epoch, &r.Number, &capture, &r.Code, &r.Text, &received, &settled, &r.DismissedBy, &r.Body)
		r.ReceivedAt, r.SettledAt = moment(received), moment(settled)
		return r, err
	})
}

func (g giving) days() error {
	return g.every(export.Days, everyDay, func(scan func(...any) error) (any, error) {
		var d export.Day
		var hold string
		var closed, changed int64
		err := scan(&d.Store, &d.Day, &d.Version, &d.State, &hold, &d.Entry, &closed, &changed)
		d.Hold, d.ClosedAt, d.ChangedAt = json.RawMessage(hold), moment(closed), moment(changed)
		return d, err
	})
}

func (g giving) entries() error {
	return g.every(export.Entries, everyEntry, func(scan func(...any) error) (any, error) {
		var e export.Entry
		var at int64
		var body, proof []byte
		err := scan(&e.Store, &e.Day, &e.Version, &e.Mapping, &e.Rules, &e.Reason, &at, &body, &proof)
		e.At, e.Entry, e.Proof = moment(at), body, proof
		return e, err
	})
}

func (g giving) postings() error {
	return g.every(export.Postings, everyPosting, func(scan func(...any) error) (any, error) {
		var p export.Posting
		var at, settled int64
		var hash, payload []byte
		err := scan(&p.Store, &p.Day, &p.Connection, &p.Revision, &p.Entry, &p.Reference, &p.State, &p.Attempts, &p.Error, &p.Code, &p.Undo, &p.RemoteID, &at, &settled, &hash, &payload)
		p.At, p.SettledAt, p.Hash, p.Payload = moment(at), moment(settled), hex.EncodeToString(hash), payload
		return p, err
	})
}

func (g giving) settlements() error {
	for _, of := range []struct {
		what string
		q    query
	}{{"movement", everyMovement}, {"payout", everyPayout}, {"bank line", everyLine}, {"balance", everyBalance}} {
		if err := g.every(export.Settlements, of.q, func(scan func(...any) error) (any, error) {
			s := export.Settlement{What: of.what}
			var body string
			var received int64
			err := scan(&s.Provider, &s.Account, &s.Key, &s.Revision, &s.Current, &s.Feed, &received, &body)
			s.ReceivedAt, s.Fact = moment(received), json.RawMessage(body)
			return s, err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (g giving) decisions() error {
	for _, of := range []struct {
		what string
		q    query
	}{{"accept", everyAccepted}, {"settle", everySettled}, {"match", everyMatch}, {"entered", everyEntered}} {
		if err := g.every(export.Decisions, of.q, func(scan func(...any) error) (any, error) {
			d := export.Decision{What: of.what}
			var at int64
			err := scan(&d.On, &d.By, &at, &d.Why)
			d.At = moment(at)
			return d, err
		}); err != nil {
			return err
		}
	}
	return g.each(func(scan func(...any) error) error {
		stop, resume := export.Decision{What: "pause"}, export.Decision{What: "resume"}
		var at, resumed int64
		if err := scan(&at, &stop.By, &stop.Why, &resumed, &resume.By); err != nil {
			return err
		}
		stop.At, resume.At = moment(at), moment(resumed)
		if err := g.f(export.Decisions, stop); err != nil || resumed == 0 {
			return err
		}
		return g.f(export.Decisions, resume)
	}, everyStop, g.merchant)
}

func (g giving) log() error {
	return g.every(export.Log, allActs, func(scan func(...any) error) (any, error) {
		a, err := scanAct(scan)
		return export.Act{
			Merchant: a.Merchant, Number: a.Number, At: a.At, By: a.By, What: a.What, On: a.On, Detail: a.Detail,
			Before: hex.EncodeToString(a.Before[:]), Hash: hex.EncodeToString(a.Hash[:]),
		}, err
	})
}
