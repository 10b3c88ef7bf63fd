package storagetest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
)

// testModel compares a database with the oracle under batches in any order,
// repeated, overlapping and forked, gaps and new epochs of two agents that state
// the same few keys. Each run is a merchant of its own in one database.
func testModel(t *testing.T, fresh Fresh) {
	b := newBundle(t, fresh)
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt, b, fmt.Sprintf("m%d", runs.Add(1)))
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			m.step()
		}
		m.compare()
	})
}

// model is one run.
type model struct {
	*rapid.T
	b        *bundle
	merchant string
	oracle   *oracle
	agents   []*source
}

// source is one agent: its lane, one that shares only the beginning with it, as
// of a clone, and its lanes of older epochs.
type source struct {
	name        string
	ordered     bool
	lane, clone *lane
	old         []*lane
}

func newModel(rt *rapid.T, b *bundle, merchantID string) *model {
	m := &model{T: rt, b: b, merchant: merchantID, oracle: newOracle()}
	config := configuration(merchantID)
	b.apply(config)
	for _, name := range []string{"agent-1", "agent-2"} {
		s := &source{name: name, ordered: rapid.Bool().Draw(rt, name+" states order"), lane: b.lane(merchantID, name, 1)}
		m.capture(s, s.lane, rapid.IntRange(1, 10).Draw(rt, "captured"))
		m.cloned(s)
		m.oracle.issue(s.lane)
		m.agents = append(m.agents, s)
	}
	return m
}

// capture adds records of a few keys with a few contents.
func (m *model) capture(s *source, l *lane, n int) {
	for range n {
		if rapid.IntRange(0, 9).Draw(m.T, "kind of record") == 0 {
			l.unreadable()
			continue
		}
		number := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(m.T, "key")
		amount := rapid.SampledFrom([]string{"1.00", "2.00", "3.00"}).Draw(m.T, "amount")
		on := rapid.SampledFrom([]bizday.Day{today, yesterday}).Draw(m.T, "day")
		l.addOn(on, sale(m.merchant, number, amount)).StatesOrder = s.ordered
	}
}

// cloned makes the source's clone part from its lane somewhere.
func (m *model) cloned(s *source) {
	shared := rapid.IntRange(0, len(s.lane.records)).Draw(m.T, "shared by the clone")
	clone := *s.lane
	clone.records = append([]intake.Record(nil), s.lane.records[:shared]...)
	clone.digests = append([][32]byte(nil), s.lane.digests[:shared]...)
	clone.capture = uint64(100 + shared)
	m.capture(s, &clone, 1+len(s.lane.records)-shared)
	s.clone = &clone
}

func (m *model) step() {
	s := rapid.SampledFrom(m.agents).Draw(m.T, "agent")
	switch rapid.IntRange(0, 19).Draw(m.T, "step") {
	default:
		m.commit(s, s.lane)
	case 0, 1, 2:
		m.commit(s, s.clone)
	case 3:
		m.declare(s)
	case 4:
		m.renew(s)
	case 5:
		if len(s.old) > 0 {
			m.commit(s, rapid.SampledFrom(s.old).Draw(m.T, "old epoch"))
		}
	}
}

func (m *model) commit(s *source, l *lane) {
	first := rapid.Uint64Range(1, uint64(len(l.records))).Draw(m.T, "first")
	last := rapid.Uint64Range(first, min(first+4, uint64(len(l.records)))).Draw(m.T, "last")
	verdicts, wanted := m.oracle.commit(l, first, last)
	outcome, err := m.b.db.Commit(m.b.Context(), l.batch(first, last))
	if !errors.Is(err, wanted) {
		m.Fatalf("commit %d-%d of %s: %v, want %v", first, last, s.name, err, wanted)
	}
	if err != nil {
		return
	}
	m.same("verdicts of "+s.name, outcome.Verdicts, verdicts)
	m.position(s, outcome.Position)
}

func (m *model) declare(s *source) {
	first := rapid.Uint64Range(1, uint64(len(s.lane.records))).Draw(m.T, "first lost")
	gap := intake.Range{First: first, Last: rapid.Uint64Range(first, min(first+3, uint64(len(s.lane.records)))).Draw(m.T, "last lost")}
	wanted := m.oracle.gap(s.lane, gap)
	position, err := m.b.db.DeclareGap(m.b.Context(), s.lane.id, s.lane.epoch.ID, gap, s.lane.digest(gap.Last), "lost", noon)
	if !errors.Is(err, wanted) {
		m.Fatalf("gap %v of %s: %v, want %v", gap, s.name, err, wanted)
	}
	if err == nil {
		m.position(s, position)
	}
}

// renew gives an agent a new epoch, in which it sends again from somewhere on,
// then captures more.
func (m *model) renew(s *source) {
	if len(s.old) == 2 {
		return
	}
	again := s.lane.records[rapid.IntRange(0, len(s.lane.records)).Draw(m.T, "agreed"):]
	s.old = append(s.old, s.lane)
	next := m.b.lane(m.merchant, s.name, uint64(len(s.old)+1))
	next.capture = s.lane.capture
	for _, r := range again {
		next.append(r)
	}
	m.capture(s, next, rapid.IntRange(1, 4).Draw(m.T, "captured"))
	s.lane = next
	m.cloned(s)
	m.oracle.issue(next)
}

func (m *model) position(s *source, got intake.Position) {
	epochs := m.oracle.epochs[s.name]
	m.same("position of "+s.name, got, epochs[len(epochs)-1].position(s.lane.epoch))
	again, err := m.b.db.Position(m.b.Context(), s.lane.id, s.lane.epoch.ID)
	m.must(err)
	m.same("position of "+s.name+" when read", again, got)
}

// compare compares all rows with the oracle.
func (m *model) compare() {
	ctx := m.b.Context()
	current, documents, want := map[string]string{}, 0, map[string]string{}
	m.must(m.b.db.EachDocument(ctx, m.merchant, func(d audit.Document) error {
		if d.Standing != "copy" {
			documents++
		}
		if d.Standing == "current" {
			if current[d.Key] != "" {
				m.Fatalf("%s has two current documents", d.Key)
			}
			current[d.Key] = fmt.Sprintf("%x %s %s", d.Hash, d.Agent, d.Day)
		}
		return nil
	}))
	wantDocuments := 0
	for key, f := range m.oracle.keys {
		want[key] = fmt.Sprintf("%x %s %s", f.current.hash, f.current.agent, f.current.day)
		wantDocuments += f.documents
	}
	m.same("current documents", current, want)
	m.same("documents kept", documents, wantDocuments)

	versions := map[bizday.Day]int64{}
	days, err := m.b.db.Days(ctx, m.merchant)
	m.must(err)
	for _, d := range days {
		versions[d.Day] = d.Version
		f, err := m.b.db.Facts(ctx, d.Ref)
		m.must(err)
		m.same("conflicts of "+string(d.Day), f.Conflicts, m.oracle.conflicts(d.Day))
		m.amounts(f)
	}
	m.same("versions", versions, m.oracle.versions)

	rejected, lost, wantLost := 0, 0, 0
	m.must(m.b.db.EachRejected(ctx, m.merchant, func(storage.Rejected) error { rejected++; return nil }))
	m.same("rejected", rejected, m.oracle.rejected)
	m.must(m.b.db.EachRun(ctx, m.merchant, func(r audit.Run) error {
		if r.Lost != "" {
			lost += int(r.Last - r.First + 1)
		}
		return nil
	}))
	for _, epochs := range m.oracle.epochs {
		for _, n := range epochs {
			wantLost += n.lost
		}
	}
	m.same("numbers lost", lost, wantLost)
	m.digests()
}

// amounts compares what a close would see.
func (m *model) amounts(f day.Facts) {
	got, want := map[string]string{}, map[string]string{}
	for _, s := range f.Documents {
		got[s.Key] = s.Document.Lines[0].Extended.String()
	}
	for key, k := range m.oracle.keys {
		if k.current.day == f.Ref.Day {
			want[key] = k.current.amount
		}
	}
	m.same("amounts of "+string(f.Ref.Day), got, want)
}

// digests compares what is known at every number of the newest epochs.
func (m *model) digests() {
	for _, s := range m.agents {
		epochs := m.oracle.epochs[s.name]
		n := epochs[len(epochs)-1]
		for number := uint64(0); number <= uint64(len(s.lane.records))+1; number++ {
			at, known, err := m.b.db.DigestAt(m.b.Context(), s.lane.id, s.lane.epoch.ID, number)
			m.must(err)
			if want, is := n.digest[number]; known && (!is || at != want) {
				m.Fatalf("digest of %s at %d is not the one that was stated", s.name, number)
			} else if is && n.has[number] && !known && number == n.position(s.lane.epoch).Stored {
				m.Fatalf("digest of %s at its watermark %d is not known", s.name, number)
			}
		}
	}
}

func (m *model) must(err error) {
	if err != nil {
		m.Fatal(err)
	}
}

func (m *model) same(what string, got, want any) {
	if diff := cmp.Diff(want, got); diff != "" {
		m.Fatalf("%s (-want +got):\n%s", what, strings.TrimSpace(diff))
	}
}

// testOrder commits what one agent stated, record by record in any order and
// some of it twice: where the source states an order the last capture of each
// key is current, whenever it arrived.
func testOrder(t *testing.T, fresh Fresh) {
	b := newBundle(t, fresh)
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		merchantID := fmt.Sprintf("o%d", runs.Add(1))
		l := b.lane(merchantID, "agent-1", 1)
		want := map[string]string{}
		for range rapid.IntRange(1, 8).Draw(rt, "captured") {
			number := rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "key")
			amount := rapid.SampledFrom([]string{"1.00", "2.00", "3.00"}).Draw(rt, "amount")
			l.addOn(today, sale(merchantID, number, amount)).StatesOrder = true
			want["leeds|1|RECEIPT|"+number] = fmt.Sprintf("%x", l.records[len(l.records)-1].Hash)
		}
		numbers := make([]uint64, len(l.records))
		for i := range numbers {
			numbers[i] = uint64(i) + 1
		}
		for _, n := range rapid.Permutation(append(numbers, numbers[0])).Draw(rt, "order of arrival") {
			if _, err := b.db.Commit(b.Context(), l.batch(n, n)); err != nil {
				rt.Fatal(err)
			}
		}
		got := map[string]string{}
		if err := b.db.EachDocument(b.Context(), merchantID, func(d audit.Document) error {
			if d.Standing == "current" {
				got[d.Key] = fmt.Sprintf("%x", d.Hash)
			}
			return nil
		}); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("current (-want +got):\n%s", diff)
		}
	})
}
