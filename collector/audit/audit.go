// Package audit recomputes the collector's promises from what is stored and from
// what the accounting systems hold, apart from the code that keeps them: it adds
// up entries and postings by its own arithmetic, follows the numbering of every
// agent, reads postings back, and makes entries again. It counts violations,
// which must stay 0, and changes nothing.
//
// The promises are those of the product's design, P1 to P12. What a promise says
// of the store PC (P1, most of P9 and P12) cannot be seen from here and is not
// counted. A gap that was declared, a conflict that holds its day and a day that
// waits are states, not violations; they are counted beside.
//
// While the audit reads, the collector goes on. So a violation counts only if it
// is found again, in the same words, by a second reading.
package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/target"
)

// MaxViolations bounds how many violations of one promise are listed; all are
// counted.
const MaxViolations = 100

// Document is one stored revision of a document.
type Document struct {
	day.Ref
	Key      string
	Revision int
	Standing string // current, past, conflict, copy
	Conflict bool   // current, and contradicted by another agent
	Hash     [32]byte
	Agent    string
	Epoch    uint64 // order
	Number   uint64 // wire number
	Capture  uint64
	Kind     string
	Received time.Time
	Body     []byte // as received; empty for a copy, nil where its month was taken out of the database
}

// Epoch is one numbering of an agent, as it is stored.
type Epoch struct {
	Agent     string
	Order     uint64
	ID, Start []byte // Start: digest before number 1
	Reason    string
	IssuedAt  time.Time
	Stored    uint64 // contiguous watermark
	Digest    []byte // at Stored
	Safe      uint64
	CoveredTo time.Time
}

// Run is a batch, the part of one that was new, or a declared gap.
type Run struct {
	Agent       string
	Epoch       uint64
	First, Last uint64
	Received    time.Time
	Lost        string // reason of a gap; empty for records
	Before      []byte // digest before First; empty: not known
	Digests     []byte // 32 bytes after each record; of a gap the one at Last, or none
}

// Source is what the audit reads. Each method reads one snapshot.
type Source interface {
	Merchants(ctx context.Context) ([]merchant.Merchant, error)
	Mapping(ctx context.Context, merchantID string, version int) (merchant.Mapping, error)
	Agents(ctx context.Context) ([]fleet.Agent, error)
	Days(ctx context.Context, merchantID string) ([]day.StoreDay, error)
	Facts(ctx context.Context, ref day.Ref) (day.Facts, error)
	Due(ctx context.Context, merchantID string) ([]posting.Due, error)
	EachDocument(ctx context.Context, merchantID string, f func(Document) error) error
	EachEntry(ctx context.Context, merchantID string, f func(day.Entry) error) error
	EachPosting(ctx context.Context, merchantID string, f func(posting.Posting) error) error
	EachWithdrawn(ctx context.Context, merchantID string, f func(ref day.Ref, target string) error) error
	// EachDecided calls f for each reference of which a person knows that the books
	// hold something else.
	EachDecided(ctx context.Context, merchantID string, f func(target, reference string) error) error
	EachEpoch(ctx context.Context, merchantID string, f func(Epoch) error) error
	EachRun(ctx context.Context, merchantID string, f func(Run) error) error
	EachAct(ctx context.Context, merchantID string, f func(logbook.Act) error) error
}

// Options say what to audit and how.
type Options struct {
	Source Source
	// Target opens the books of a connection; nil: what the accounting systems
	// hold is not looked at.
	Target func(m merchant.Merchant, c merchant.Connection) (target.Target, error)
	Now    time.Time
	// MaxLag is how long a day may be in nobody's hands, and an entry unposted
	// without being refused or parked; default 24 h.
	MaxLag time.Duration
	// Merchant limits the audit to one; empty: all.
	Merchant string
}

// Violation is one broken promise.
type Violation struct {
	Promise string `json:"promise"` // P2
	Where   string `json:"where"`   // merchant and what of it
	Text    string `json:"text"`
}

// Result is what became of one promise.
type Result struct {
	Promise string `json:"promise"`
	Says    string `json:"says"`
	Checked int    `json:"checked"` // how many things were looked at
	// States counts what is allowed and worth knowing: conflicts that hold their
	// day, declared gaps, days that wait.
	States     int         `json:"states"`
	Count      int         `json:"count"`             // violations
	Violations []Violation `json:"violations"`        // at most MaxViolations of them
	Skipped    []string    `json:"skipped,omitempty"` // what could not be checked, and why
}

// Report is what an audit found.
type Report struct {
	At      time.Time `json:"at"`
	Results []Result  `json:"results"` // P1 to P12
}

// Summary is how an audit came out.
type Summary struct {
	At     time.Time      `json:"at"`
	Counts map[string]int `json:"counts"` // violations by promise, P1 to P12
}

// Summary returns it of a report.
func (r Report) Summary() Summary { return Summary{At: r.At, Counts: r.Counts()} }

// OK reports whether no promise is broken.
func (r Report) OK() bool { return r.Count() == 0 }

// Count returns how many violations there are.
func (r Report) Count() int {
	n := 0
	for _, result := range r.Results {
		n += result.Count
	}
	return n
}

// Counts returns the violations by promise, P1 to P12.
func (r Report) Counts() map[string]int {
	counts := map[string]int{}
	for _, result := range r.Results {
		counts[result.Promise] = result.Count
	}
	return counts
}

// says has each promise in a few words.
var says = [12]string{
	"what is acknowledged is kept (seen on the store PC, not here)",
	"one document has one effect",
	"other content under the same key is a revision or holds its day",
	"entries balance",
	"what is posted is the day's documents, each of them",
	"postings add up to one entry, one at a time",
	"the books hold what we believe they hold",
	"a closed day changes only by a new entry with a reason",
	"gaps are known",
	"nobody sees or speaks for another",
	"entries can be made again, byte for byte",
	"nothing waits unseen",
}

// Verify audits. It fails only if the source cannot be read; an accounting system
// that cannot be reached is skipped and named.
func Verify(ctx context.Context, o Options) (Report, error) {
	if o.MaxLag == 0 {
		o.MaxLag = 24 * time.Hour
	}
	first, err := read(ctx, o)
	if err != nil || first.ok() {
		return first.report(o.Now, nil), err
	}
	again, err := read(ctx, o)
	return again.report(o.Now, first), err
}

// reading is one reading of everything.
type reading struct {
	Options
	results [12]Result
	found   map[Violation]bool
}

// numbers of promises.
const (
	p2 = iota + 2
	p3
	p4
	p5
	p6
	p7
	p8
	p9
	p10
	p11
	p12
)

func (r *reading) checked(promise int) { r.results[promise-1].Checked++ }
func (r *reading) state(promise int)   { r.results[promise-1].States++ }
func (r *reading) skip(promise int, why string, arguments ...any) {
	result := &r.results[promise-1]
	if text := fmt.Sprintf(why, arguments...); len(result.Skipped) < MaxViolations && !slices.Contains(result.Skipped, text) {
		result.Skipped = append(result.Skipped, text)
	}
}

// broken notes a violation.
func (r *reading) broken(promise int, where, text string, arguments ...any) {
	v := Violation{fmt.Sprintf("P%d", promise), where, fmt.Sprintf(text, arguments...)}
	if !r.found[v] {
		r.found[v] = true
		r.results[promise-1].Violations = append(r.results[promise-1].Violations, v)
	}
}

func (r *reading) ok() bool { return r != nil && len(r.found) == 0 }

// report leaves out what an earlier reading, if there was one, did not find.
func (r *reading) report(at time.Time, earlier *reading) Report {
	if r == nil {
		return Report{At: at}
	}
	report := Report{At: at}
	for _, result := range r.results {
		if earlier != nil {
			result.Violations = slices.DeleteFunc(result.Violations, func(v Violation) bool { return !earlier.found[v] })
		}
		slices.SortFunc(result.Violations, func(a, b Violation) int { return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Text, b.Text)) })
		result.Count = len(result.Violations)
		result.Violations = result.Violations[:min(result.Count, MaxViolations)]
		if result.Violations == nil {
			result.Violations = []Violation{}
		}
		report.Results = append(report.Results, result)
	}
	return report
}

func read(ctx context.Context, o Options) (*reading, error) {
	r := &reading{Options: o, found: map[Violation]bool{}}
	for i := range r.results {
		r.results[i].Promise, r.results[i].Says = fmt.Sprintf("P%d", i+1), says[i]
	}
	merchants, err := o.Source.Merchants(ctx)
	if err != nil {
		return r, fmt.Errorf("audit: %w", err)
	}
	agents, err := o.Source.Agents(ctx)
	if err != nil {
		return r, fmt.Errorf("audit: %w", err)
	}
	if o.Merchant == "" {
		if err := r.log(ctx, logbook.Collector); err != nil {
			return r, fmt.Errorf("audit: %w", err)
		}
	}
	for _, m := range merchants {
		if o.Merchant != "" && m.ID != o.Merchant {
			continue
		}
		if err := r.merchant(ctx, m, agents); err != nil {
			return r, fmt.Errorf("audit merchant %s: %w", m.ID, err)
		}
	}
	return r, nil
}

// ledger is what is stored of one merchant, as far as it fits into memory:
// everything but the documents and the batches.
type ledger struct {
	merchant  merchant.Merchant
	agents    map[string]fleet.Agent
	chains    map[numbering]*chain
	entries   map[day.Ref][]day.Entry
	postings  map[subject][]posting.Posting
	due       map[subject]posting.Due
	withdrawn map[subject]bool   // nothing of it shall stand: a person said so
	decided   map[[2]string]bool // target and reference: a person knows of what the books hold
	days      map[day.Ref]day.StoreDay
	documents map[day.Ref]contents // current ones
}

// contents counts a day's current documents.
type contents struct{ documents, conflicts int }

type subject struct {
	day.Ref
	target string
}

// merchant audits one merchant. What is read later was stored before what is
// read earlier refers to it: postings, entries, documents, days; numberings
// before their batches.
func (r *reading) merchant(ctx context.Context, m merchant.Merchant, agents []fleet.Agent) error {
	l := &ledger{
		merchant: m, agents: map[string]fleet.Agent{}, chains: map[numbering]*chain{}, entries: map[day.Ref][]day.Entry{},
		postings: map[subject][]posting.Posting{}, due: map[subject]posting.Due{}, withdrawn: map[subject]bool{}, decided: map[[2]string]bool{}, days: map[day.Ref]day.StoreDay{}, documents: map[day.Ref]contents{},
	}
	for _, a := range agents {
		if a.Merchant == m.ID {
			l.agents[a.Identity.Agent] = a
		}
	}
	for _, step := range []func() error{
		func() error { return r.Source.EachPosting(ctx, m.ID, l.posting) },
		func() error { return r.Source.EachEntry(ctx, m.ID, l.entry) },
		func() error { return r.Source.EachEpoch(ctx, m.ID, func(e Epoch) error { return r.epoch(l, e) }) },
		func() error { return r.Source.EachRun(ctx, m.ID, func(run Run) error { return r.run(l, run) }) },
		func() error { return r.streams(l) },
		func() error { return r.documents(ctx, l) },
		func() error { return r.days(ctx, l) },
		func() error { return r.log(ctx, m.ID) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	r.entries(l)
	r.postings(l)
	r.readBack(ctx, l)
	r.lag(l)
	return r.settled(ctx, l)
}

// log follows what people did.
func (r *reading) log(ctx context.Context, merchantID string) error {
	var chain logbook.Chain
	return r.Source.EachAct(ctx, merchantID, func(a logbook.Act) error {
		r.checked(p8)
		for _, text := range chain.Follow(a) {
			r.broken(p8, "log of merchant "+merchantID, "%s", text)
		}
		return nil
	})
}

func (l *ledger) posting(p posting.Posting) error {
	id := subject{p.Ref, p.Target}
	l.postings[id] = append(l.postings[id], p)
	return nil
}

func (l *ledger) entry(e day.Entry) error {
	l.entries[e.Ref] = append(l.entries[e.Ref], e)
	return nil
}

// days reads the days and what is due, and finds documents without a day.
func (r *reading) days(ctx context.Context, l *ledger) error {
	days, err := r.Source.Days(ctx, l.merchant.ID)
	if err != nil {
		return err
	}
	for _, d := range days {
		l.days[d.Ref] = d
	}
	for _, ref := range ordered(l.documents) {
		r.checked(p5)
		if _, known := l.days[ref]; !known {
			r.broken(p5, where(ref), "%d documents are of a day that is not kept, so nothing posts them", l.documents[ref].documents)
		}
	}
	if err := r.Source.EachWithdrawn(ctx, l.merchant.ID, func(ref day.Ref, target string) error {
		l.withdrawn[subject{ref, target}] = true
		return nil
	}); err != nil {
		return err
	}
	if err := r.Source.EachDecided(ctx, l.merchant.ID, func(target, reference string) error {
		l.decided[[2]string{target, reference}] = true
		return nil
	}); err != nil {
		return err
	}
	due, err := r.Source.Due(ctx, l.merchant.ID)
	if err != nil {
		return err
	}
	for _, d := range due {
		l.due[subject{d.Ref, d.Target}] = d
	}
	return nil
}

// ordered returns the days of a map, sorted.
func ordered[V any](m map[day.Ref]V) []day.Ref {
	return slices.SortedFunc(maps.Keys(m), func(a, b day.Ref) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Store, b.Store), cmp.Compare(a.Day, b.Day))
	})
}

func where(ref day.Ref) string {
	return fmt.Sprintf("merchant %s, store %s, day %s", ref.Merchant, ref.Store, ref.Day)
}
