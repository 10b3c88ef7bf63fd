package storagetest

import (
	"slices"

	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/shared/bizday"
)

// oracle says what a database should hold of one merchant. It is written to be
// read, number by number and without regard for speed, and shares no code with
// what it judges.
type oracle struct {
	epochs   map[string][]*numbering // of each agent, the last one takes batches
	keys     map[string]*fact
	versions map[bizday.Day]int64
	rejected int
}

// numbering is one epoch.
type numbering struct {
	has    map[uint64]bool     // stored or declared lost
	digest map[uint64][32]byte // known after a number, from what was new of a batch or gap
	lost   int
}

// fact is one key: what was said of it, and which of that is current.
type fact struct {
	said      []statement // that took effect or dates or contradicts the current one
	current   statement
	disputed  [][32]byte // contents of other agents
	dated     place      // where the current content was last stated
	documents int        // revisions with a body
}

type statement struct {
	agent   string
	capture uint64
	hash    [32]byte
	lineage bool // of the agent that is believed, not a dispute
	day     bizday.Day
	amount  string
}

// place is where in its agent's order something was stated.
type place struct{ epoch, capture uint64 }

func (p place) before(q place) bool {
	return p.epoch < q.epoch || p.epoch == q.epoch && p.capture < q.capture
}

func newOracle() *oracle {
	return &oracle{epochs: map[string][]*numbering{}, keys: map[string]*fact{}, versions: map[bizday.Day]int64{}}
}

func (o *oracle) issue(l *lane) {
	o.epochs[l.id.Agent] = append(o.epochs[l.id.Agent], &numbering{has: map[uint64]bool{}, digest: map[uint64][32]byte{0: l.start}})
}

// position is how far an epoch is stored.
func (n *numbering) position(epoch intake.Epoch) intake.Position {
	p := intake.Position{Epoch: epoch}
	for n.has[p.Stored+1] {
		p.Stored++
	}
	p.Digest = n.digest[p.Stored]
	for number := p.Stored + 1; number < 100; number++ {
		switch last := len(p.Ranges) - 1; {
		case !n.has[number]:
		case last >= 0 && p.Ranges[last].Last == number-1:
			p.Ranges[last].Last = number
		default:
			p.Ranges = append(p.Ranges, intake.Range{First: number, Last: number})
		}
	}
	return p
}

// differs says whether a digest contradicts the one known at a number.
func (n *numbering) differs(number uint64, digest [32]byte) bool {
	known, is := n.digest[number]
	return is && known != digest
}

// commit returns what a batch should come to.
func (o *oracle) commit(l *lane, first, last uint64) ([]intake.Verdict, error) {
	epochs := o.epochs[l.id.Agent]
	if l.epoch.Order != uint64(len(epochs)) {
		return nil, intake.ErrEpoch
	}
	n := epochs[len(epochs)-1]
	for number := first - 1; number <= last; number++ {
		if n.differs(number, l.digest(number)) {
			return nil, intake.ErrFork
		}
	}
	verdicts := make([]intake.Verdict, 0, last-first+1)
	for number := first; number <= last; number++ {
		if n.has[number] {
			verdicts = append(verdicts, "")
			continue
		}
		n.has[number] = true
		n.digest[number-1], n.digest[number] = l.digest(number-1), l.digest(number)
		verdicts = append(verdicts, o.record(l, l.records[number-1]))
	}
	return verdicts, nil
}

// gap returns what a declared gap should come to.
func (o *oracle) gap(l *lane, gap intake.Range) error {
	epochs := o.epochs[l.id.Agent]
	if l.epoch.Order != uint64(len(epochs)) {
		return intake.ErrEpoch
	}
	n := epochs[len(epochs)-1]
	if n.differs(gap.Last, l.digest(gap.Last)) {
		return intake.ErrFork
	}
	if !n.has[gap.Last] { // within an older gap it is not kept
		n.digest[gap.Last] = l.digest(gap.Last)
	}
	for number := gap.First; number <= gap.Last; number++ {
		if !n.has[number] {
			n.has[number] = true
			n.lost++
		}
	}
	return nil
}

func (o *oracle) record(l *lane, r intake.Record) intake.Verdict {
	if r.Document == nil {
		o.rejected++
		return intake.Rejected
	}
	s := statement{agent: l.id.Agent, capture: r.Capture, hash: r.Hash, lineage: true, day: r.Day, amount: r.Document.Lines[0].Extended.String()}
	at := place{l.epoch.Order, r.Capture}
	f := o.keys[r.Key]
	if f == nil {
		o.keys[r.Key] = &fact{said: []statement{s}, current: s, dated: at, documents: 1}
		o.versions[r.Day]++
		return intake.New
	}
	again := slices.ContainsFunc(f.said, func(t statement) bool {
		return t.agent == s.agent && t.capture == s.capture && t.hash == s.hash
	})
	known := slices.ContainsFunc(f.said, func(t statement) bool { return t.lineage && t.hash == s.hash })
	switch {
	case s.hash == f.current.hash, again, known && !r.StatesOrder:
		if r.StatesOrder && !again {
			s.lineage = false
			f.said = append(f.said, s)
			if s.hash == f.current.hash && s.agent == f.current.agent && f.dated.before(at) {
				f.dated = at
			}
		}
		return intake.Duplicate
	case s.agent != f.current.agent:
		s.lineage = false
		f.said, f.disputed, f.documents = append(f.said, s), append(f.disputed, s.hash), f.documents+1
		o.versions[f.current.day]++
		return intake.Conflict
	case f.dated.before(at):
		o.versions[s.day]++
		if s.day != f.current.day {
			o.versions[f.current.day]++
		}
		f.said, f.current, f.dated, f.documents = append(f.said, s), s, at, f.documents+1
		return intake.Revision
	}
	f.said, f.documents = append(f.said, s), f.documents+1
	return intake.Older
}

// conflicts counts the keys on a day on which another agent says otherwise.
func (o *oracle) conflicts(on bizday.Day) int {
	n := 0
	for _, f := range o.keys {
		if f.current.day == on && slices.ContainsFunc(f.disputed, func(hash [32]byte) bool { return hash != f.current.hash }) {
			n++
		}
	}
	return n
}
