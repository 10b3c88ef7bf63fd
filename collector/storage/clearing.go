package storage

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"tillbook.example/tillbook/collector/clearing"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
)

// maxPacked bounds what a packed value is unpacked to.
const maxPacked = 2 << 30

const (
	untendered query = `SELECT d.merchant, d.store, d.day FROM store_day d WHERE d.merchant = $1 AND d.day >= $2 AND d.entry > 0
		AND NOT EXISTS (SELECT 1 FROM day_tender t WHERE t.merchant = d.merchant AND t.store = d.store AND t.day = d.day AND t.version = d.entry)
		ORDER BY d.day, d.store`
	keepTenders query = `INSERT INTO day_tender (merchant, store, day, version, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (merchant, store, day, version) DO NOTHING`
	currentTenders query = `SELECT t.store, t.day, t.version, t.body FROM store_day d
		JOIN day_tender t ON t.merchant = d.merchant AND t.store = d.store AND t.day = d.day AND t.version = d.entry
		WHERE d.merchant = $1 AND d.day >= $2 ORDER BY t.store, t.day`
	tendersAt query = `SELECT store, day, version, body FROM day_tender WHERE merchant = $1 AND day >= $2 ORDER BY store, day, version`

	movementRevisions query = `SELECT '', key, revision, current, body FROM movement WHERE merchant = $1 AND provider = $2 AND account = $3 AND at >= $4 ORDER BY key, revision`
	payoutRevisions   query = `SELECT '', key, revision, current, body FROM payout WHERE merchant = $1 AND provider = $2 AND account = $3 AND (at >= $4 OR at = 0) ORDER BY key, revision`
	lineRevisions     query = `SELECT account, key, revision, current, body FROM bank_line WHERE merchant = $1 AND booked >= $2 ORDER BY account, key, revision`
	accountBalances   query = `SELECT body FROM provider_balance WHERE merchant = $1 AND provider = $2 AND account = $3 AND currency = $4 AND day >= $5 ORDER BY day`
	accountDecisions  query = `SELECT accepted, accepted_by, at, body FROM clearing_decision WHERE merchant = $1 AND account = $2 ORDER BY proposal, at`

	clearingColumns       = `SELECT number, at, first, last, rules, config, versions, result, hash FROM clearing_run WHERE merchant = $1 AND account = $2 `
	newestClearing  query = clearingColumns + `ORDER BY number DESC LIMIT 1`
	clearingNumber  query = clearingColumns + `AND number = $3`
	insertClearing  query = `INSERT INTO clearing_run (merchant, account, number, at, first, last, rules, config, versions, result, hash, open, held)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	newestClearings query = `SELECT r.merchant, r.account, r.at, r.last, r.open, r.held FROM clearing_run r
		WHERE r.number = (SELECT max(n.number) FROM clearing_run n WHERE n.merchant = r.merchant AND n.account = r.account) ORDER BY r.merchant, r.account`
	insertDecision query = `INSERT INTO clearing_decision (merchant, account, proposal, at, accepted, accepted_by, body) VALUES ($1, $2, $3, $4, $5, $6, $7)`
)

// Untendered implements clearing.Store.
func (db *DB) Untendered(ctx context.Context, merchantID string, from bizday.Day) ([]day.Ref, error) {
	var refs []day.Ref
	err := db.each(ctx, merchantID, "read days whose tenders are not kept", func(scan func(...any) error) error {
		var r day.Ref
		err := scan(&r.Merchant, &r.Store, &r.Day)
		refs = append(refs, r)
		return err
	}, untendered, merchantID, string(from))
	return refs, err
}

// tendered is the body of a day's tenders.
type tendered struct {
	Taken []settle.Taken       `json:"taken"`
	Wrong []settle.WrongTender `json:"wrong"`
}

// KeepTenders implements clearing.Store.
func (db *DB) KeepTenders(ctx context.Context, t clearing.Tenders) error {
	body, err := pack(tendered{t.Taken, t.Wrong})
	if err != nil {
		return fmt.Errorf("keep tenders of day %s %s: %w", t.Store, t.Day, err)
	}
	return db.writeRows(ctx, t.Merchant, fmt.Sprintf("keep tenders of day %s %s", t.Store, t.Day), func(tx *tx) error {
		_, err := tx.exec(keepTenders, t.Merchant, t.Store, string(t.Day), t.Version, body)
		return err
	})
}

// Clearing implements clearing.Store.
func (db *DB) Clearing(ctx context.Context, merchantID string, a settle.Account) (settle.Input, clearing.Versions, error) {
	var in settle.Input
	var versions clearing.Versions
	err := db.read(ctx, merchantID, "read what is known of "+a.Name(), func(tx *tx) (err error) {
		in, versions, err = tx.clearing(merchantID, a, nil)
		return err
	})
	return in, versions, err
}

// ClearingAt implements clearing.Store.
func (db *DB) ClearingAt(ctx context.Context, merchantID string, a settle.Account, at clearing.Versions) (settle.Input, error) {
	var in settle.Input
	err := db.read(ctx, merchantID, "read what was known of "+a.Name(), func(tx *tx) error {
		var found clearing.Versions
		var err error
		if in, found, err = tx.clearing(merchantID, a, &at); err != nil {
			return err
		}
		if len(found.Days) != len(at.Days) || len(found.Movements) != len(at.Movements) || len(found.Payouts) != len(at.Payouts) || len(found.Lines) != len(at.Lines) {
			return fmt.Errorf("some of it is not stored any more: %w", ErrNone)
		}
		in.Balances, in.Decisions = at.Balances, at.Decisions
		return nil
	})
	return in, err
}

// clearing reads the facts of an account: the current ones, or those of a run.
func (t *tx) clearing(merchantID string, a settle.Account, at *clearing.Versions) (in settle.Input, v clearing.Versions, err error) {
	if err := t.tenders(merchantID, a, at, &in, &v); err != nil {
		return in, v, err
	}
	// Instants of the first day lie at most a day from its midnight at UTC.
	begin, err := time.Parse(time.DateOnly, string(a.From))
	if err != nil {
		return in, v, err
	}
	since := micros(begin.AddDate(0, 0, -1))
	var was [3][]clearing.Revision
	if at != nil {
		was = [3][]clearing.Revision{at.Movements, at.Payouts, at.Lines}
	}
	var errs [3]error
	in.Movements, v.Movements, errs[0] = revised[settle.Movement](t, at != nil, was[0], movementRevisions, merchantID, a.Provider, a.Account, since)
	in.Payouts, v.Payouts, errs[1] = revised[settle.Payout](t, at != nil, was[1], payoutRevisions, merchantID, a.Provider, a.Account, since)
	in.Lines, v.Lines, errs[2] = revised[settle.BankLine](t, at != nil, was[2], lineRevisions, merchantID, string(a.From))
	if err := errors.Join(errs[:]...); err != nil || at != nil {
		return in, v, err
	}
	err = t.each(func(scan func(...any) error) error {
		var body string
		var b settle.Balance
		if err := scan(&body); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(body), &b)
		v.Balances = append(v.Balances, b)
		return err
	}, accountBalances, merchantID, a.Provider, a.Account, a.Currency, string(a.From))
	if err != nil {
		return in, v, err
	}
	err = t.each(func(scan func(...any) error) error {
		var d settle.Decision
		var at int64
		var body string
		if err := scan(&d.Accepted, &d.By, &at, &body); err != nil {
			return err
		}
		d.At = moment(at)
		err := json.Unmarshal([]byte(body), &d.Proposal)
		v.Decisions = append(v.Decisions, d)
		return err
	}, accountDecisions, merchantID, a.Name())
	in.Balances, in.Decisions = v.Balances, v.Decisions
	return in, v, err
}

// tenders reads the tenders of the days as they were closed last, or at a run.
func (t *tx) tenders(merchantID string, a settle.Account, at *clearing.Versions, in *settle.Input, v *clearing.Versions) error {
	q, wanted := currentTenders, map[clearing.Day]bool{}
	if at != nil {
		q = tendersAt
		for _, d := range at.Days {
			wanted[d] = true
		}
	}
	return t.each(func(scan func(...any) error) error {
		var d clearing.Day
		var packed []byte
		if err := scan(&d.Store, &d.Day, &d.Version, &packed); err != nil {
			return err
		}
		if at != nil && !wanted[d] {
			return nil
		}
		var body tendered
		if err := unpack(packed, &body); err != nil {
			return fmt.Errorf("tenders of day %s %s: %w", d.Store, d.Day, err)
		}
		v.Days = append(v.Days, d)
		in.Taken, in.Wrong = append(in.Taken, body.Taken...), append(in.Wrong, body.Wrong...)
		return nil
	}, q, merchantID, string(a.From))
}

// revised reads the current revisions of facts, or those that a run names.
func revised[T any](t *tx, then bool, was []clearing.Revision, q query, args ...any) (facts []T, versions []clearing.Revision, err error) {
	wanted := make(map[clearing.Revision]bool, len(was))
	for _, r := range was {
		wanted[r] = true
	}
	err = t.each(func(scan func(...any) error) error {
		var r clearing.Revision
		var current bool
		var body sql.RawBytes
		if err := scan(&r.Account, &r.Key, &r.Revision, &current, &body); err != nil {
			return err
		}
		if then && !wanted[r] || !then && !current {
			return nil
		}
		var one T
		if err := json.Unmarshal(body, &one); err != nil {
			return fmt.Errorf("fact %s: %w", r.Key, err)
		}
		facts, versions = append(facts, one), append(versions, r)
		return nil
	}, q, args...)
	return facts, versions, err
}

// KeepRun implements clearing.Store.
func (db *DB) KeepRun(ctx context.Context, r clearing.Run) (number int64, err error) {
	config, err := json.Marshal(r.Account)
	if err != nil {
		return 0, err
	}
	versions, err := pack(r.Versions)
	if err != nil {
		return 0, err
	}
	kept := r.Result
	kept.Pairs = nil
	result, err := pack(kept)
	if err != nil {
		return 0, err
	}
	name := r.Account.Name()
	err = db.write(ctx, r.Merchant, "keep a run of "+name, func(tx *tx) error {
		number = 1
		last, err := tx.run(newestClearing, r.Merchant, name)
		if err == nil {
			was, err := pack(last.Versions)
			if err != nil {
				return err
			}
			text, err := json.Marshal(last.Account)
			if err != nil {
				return err
			}
			number = last.Number
			if last.Hash == r.Hash && last.Rules == r.Rules && bytes.Equal(text, config) && bytes.Equal(was, versions) {
				return nil
			}
			number++
		} else if !errors.Is(err, clearing.ErrNone) {
			return err
		}
		_, err = tx.exec(insertClearing, r.Merchant, name, number, micros(r.At), string(r.From), string(r.To), r.Rules, string(config), versions, result, r.Hash[:],
			string(r.Open().Since), string(r.Held()))
		return err
	})
	return number, err
}

// Run implements clearing.Store.
func (db *DB) Run(ctx context.Context, merchantID, account string, number int64) (clearing.Run, error) {
	var r clearing.Run
	err := db.read(ctx, merchantID, "read a run of "+account, func(tx *tx) (err error) {
		if number == 0 {
			r, err = tx.run(newestClearing, merchantID, account)
		} else {
			r, err = tx.run(clearingNumber, merchantID, account, number)
		}
		return err
	})
	return r, err
}

func (t *tx) run(q query, merchantID, account string, more ...any) (clearing.Run, error) {
	r := clearing.Run{Merchant: merchantID}
	var at int64
	var config string
	var versions, result, hash []byte
	err := t.row(q, append([]any{merchantID, account}, more...)...)(&r.Number, &at, &r.From, &r.To, &r.Rules, &config, &versions, &result, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return r, clearing.ErrNone
	}
	if err != nil {
		return r, err
	}
	r.At = moment(at)
	r.Hash, err = digest(hash)
	return r, errors.Join(err, json.Unmarshal([]byte(config), &r.Account), unpack(versions, &r.Versions), unpack(result, &r.Result))
}

// Standing is how an account stood at its newest run.
type Standing struct {
	Merchant, Account string
	At                time.Time
	Last              bizday.Day // that was compared
	Open, Held        bizday.Day // since when; empty: nothing is
}

// Standings returns how every account of all merchants stood at its newest run.
func (db *DB) Standings(ctx context.Context) ([]Standing, error) {
	var all []Standing
	err := db.each(ctx, everyone, "read how accounts stand", func(scan func(...any) error) error {
		var s Standing
		var at int64
		err := scan(&s.Merchant, &s.Account, &at, &s.Last, &s.Open, &s.Held)
		s.At = moment(at)
		all = append(all, s)
		return err
	}, newestClearings)
	return all, err
}

// DecideProposal notes what a person said of a proposal. The next run goes by it.
func (db *DB) DecideProposal(ctx context.Context, merchantID string, a settle.Account, d settle.Decision) error {
	return db.write(ctx, merchantID, "decide proposal "+d.Proposal.ID, func(tx *tx) error {
		body, err := json.Marshal(d.Proposal)
		if err != nil {
			return err
		}
		if _, err := tx.exec(insertDecision, merchantID, a.Name(), d.Proposal.ID, micros(d.At), flag(d.Accepted), d.By, string(body)); err != nil {
			return err
		}
		what := "refused"
		if d.Accepted {
			what = "accepted"
		}
		return tx.note(act(merchantID, logbook.Match, a.Name(), d.Proposal.ID+" "+what, d.By, d.At))
	})
}

// pack makes JSON small.
func pack(v any) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if err := errors.Join(json.NewEncoder(w).Encode(v), w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func unpack(packed []byte, into any) error {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if err := json.NewDecoder(io.LimitReader(r, maxPacked)).Decode(into); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return r.Close()
}
