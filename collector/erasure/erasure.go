package erasure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// page is how many documents are read, and cut in one transaction.
const page = 500

// maxNamed bounds how many documents that were left alone are named.
const maxNamed = 20

// Place is a revision of a document, in the order in which they are read.
type Place struct {
	Key      string
	Revision int
}

// Stored is a revision of a document that has a body.
type Stored struct {
	Place
	Day  bizday.Day
	Hash [32]byte
	Body []byte
}

// Record is one that could not be read and has a body.
type Record struct {
	Agent    string
	Epoch    uint64 // order
	Number   uint64
	Received time.Time
	Settled  bool // read after all, or dismissed
	Body     []byte
}

// Store keeps documents and records.
type Store interface {
	// Bodies returns at most so many revisions after a place, by place.
	Bodies(ctx context.Context, merchantID string, after Place, most int) ([]Stored, error)
	// Records returns the records of a merchant.
	Records(ctx context.Context, merchantID string) ([]Record, error)
	// Cut puts bodies in the place of those that revisions have, takes those of
	// records away, and notes an act if there is one, together.
	Cut(ctx context.Context, merchantID string, documents []Stored, records []Record, act *logbook.Act) error
	// Scrub leaves nothing of what was cut in the database's own files, as far as
	// it can.
	Scrub(ctx context.Context) error
}

// What says what of a merchant is cut: what names a customer, or all that is of
// days before one.
type What struct {
	Store    Store
	Merchant string
	Customer string     // else Before
	Before   bizday.Day // first day that is left alone
	Do       bool       // else it is only counted
	Now      time.Time
}

// Report is what was cut, or would be.
type Report struct {
	Done      bool           `json:"done"`
	Before    bizday.Day     `json:"before,omitempty"`
	Documents int            `json:"documents"` // revisions with something to cut
	Fields    map[string]int `json:"fields"`    // by path
	Records   int            `json:"records"`   // that could not be read and are settled: their bytes
	// Waiting records could not be read, hold what is to be cut, and are not settled:
	// dismiss or replay them first.
	Waiting int `json:"waiting"`
	// Left alone are documents of a newer version, or that cannot be cut without
	// another hash; the first few.
	Left []string `json:"left"`
}

// Run cuts, or counts what it would. What it did is in the log, without whom.
// Where it fails half-way it may be run again.
func Run(ctx context.Context, w What) (Report, error) {
	if (w.Customer == "") == (w.Before == "") {
		return Report{}, errors.New("erase: a customer or a day is needed, and not both")
	}
	counted, err := w.pass(ctx, nil)
	if err != nil || !w.Do || counted.Documents+counted.Records == 0 {
		return counted, err
	}
	of := "of one customer"
	if w.Before != "" {
		of = "before " + string(w.Before)
	}
	done, err := w.pass(ctx, &logbook.Act{
		Merchant: w.Merchant, At: w.Now, What: logbook.Erase, On: of, Detail: fmt.Sprintf("%d documents, %d records", counted.Documents, counted.Records),
	})
	if err == nil {
		err = w.Store.Scrub(ctx)
	}
	done.Done = err == nil
	return done, err
}

// pass goes over everything; it cuts where there is an act to note with the first.
func (w What) pass(ctx context.Context, act *logbook.Act) (Report, error) {
	r := Report{Before: w.Before, Fields: map[string]int{}, Left: []string{}}
	do := act != nil
	cut := func(documents []Stored, records []Record) error {
		if !do || len(documents)+len(records) == 0 {
			return nil
		}
		err := w.Store.Cut(ctx, w.Merchant, documents, records, act)
		act = nil
		return err
	}
	var at Place
	for {
		stored, err := w.Store.Bodies(ctx, w.Merchant, at, page)
		if err != nil {
			return r, fmt.Errorf("erase: %w", err)
		}
		if len(stored) == 0 {
			break
		}
		at = stored[len(stored)-1].Place
		var changed []Stored
		for _, s := range stored {
			if w.document(&s, &r) {
				changed = append(changed, s)
			}
		}
		if err := cut(changed, nil); err != nil {
			return r, fmt.Errorf("erase: %w", err)
		}
	}
	records, err := w.Store.Records(ctx, w.Merchant)
	if err != nil {
		return r, fmt.Errorf("erase: %w", err)
	}
	var settled []Record
	for _, record := range records {
		switch {
		case !w.concerns(record):
		case record.Settled:
			settled = append(settled, record)
		default:
			r.Waiting++
		}
	}
	r.Records = len(settled)
	if err := cut(nil, settled); err != nil {
		return r, fmt.Errorf("erase: %w", err)
	}
	return r, nil
}

// concerns reports whether a record that could not be read may hold what is cut.
func (w What) concerns(r Record) bool {
	if w.Customer != "" {
		return bytes.Contains(r.Body, []byte(w.Customer))
	}
	return bizday.Day(r.Received.UTC().Format(time.DateOnly)) < w.Before
}

// document cuts one, and says whether it is another now.
func (w What) document(s *Stored, r *Report) bool {
	if w.Before != "" && s.Day >= w.Before {
		return false
	}
	d, err := document.Unmarshal(s.Body)
	if d != nil && w.Customer != "" && !Names(d, w.Customer) {
		return false
	}
	if err == nil {
		taken := Cut(d, w.Before != "")
		if len(taken) == 0 {
			return false
		}
		var body []byte
		if body, err = document.Marshal(d); err == nil {
			if again, unread := document.Unmarshal(body); unread != nil || document.Hash(again) != s.Hash {
				err = errors.Join(unread, errors.New("it would have another content hash"))
			}
		}
		if err == nil {
			s.Body = body
			r.Documents++
			for path, n := range taken {
				r.Fields[path] += n
			}
			return true
		}
	}
	if len(r.Left) < maxNamed {
		r.Left = append(r.Left, fmt.Sprintf("%s, revision %d: %v", s.Key, s.Revision, err))
	}
	return false
}
