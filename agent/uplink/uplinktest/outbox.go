// Package uplinktest has an outbox in memory for tests of what sends from it.
// It can do what disks do to a real one: be copied, be cut short, and lose
// records.
//
// It keeps nothing on disk and forgets nothing, so that a test can compare what
// was ever added with what arrived.
package uplinktest

import (
	"context"
	"maps"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/outbox"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// Outbox is an uplink.Outbox in memory.
type Outbox struct {
	// Released, where set, is told of each Release.
	Released func(o *Outbox, safe uint64)

	mu      sync.Mutex
	records [][]byte // all, from number 1 on, also those released or lost
	digests [][32]byte
	first   uint64
	gaps    []outbox.Gap
	state   map[string][]byte
	changed chan struct{}
}

// NewOutbox returns an empty outbox.
func NewOutbox() *Outbox {
	return &Outbox{first: 1, digests: make([][32]byte, 1), state: map[string][]byte{}, changed: make(chan struct{})}
}

// Add appends records, gives them their capture numbers and returns the last.
func (o *Outbox) Add(records ...*tillbookv1.Record) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range records {
		r = proto.CloneOf(r)
		r.Capture = uint64(len(o.records) + 1)
		text, err := proto.Marshal(r)
		if err != nil {
			panic(err) // the test's own record
		}
		o.records = append(o.records, text)
		o.digests = append(o.digests, wire.Next(o.digests[len(o.digests)-1], text))
	}
	o.grown()
	return uint64(len(o.records))
}

func (o *Outbox) grown() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// Copy returns what a copy of the disk holds.
func (o *Outbox) Copy() *Outbox {
	o.mu.Lock()
	defer o.mu.Unlock()
	return &Outbox{
		Released: o.Released, records: slices.Clone(o.records), digests: slices.Clone(o.digests), first: o.first,
		gaps: slices.Clone(o.gaps), state: maps.Clone(o.state), changed: make(chan struct{}),
	}
}

// Cut loses the newest records, so that next is given again. What was released
// stays.
func (o *Outbox) Cut(next uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next = max(next, o.first)
	if next <= uint64(len(o.records)) {
		o.records, o.digests = o.records[:next-1], o.digests[:next]
	}
	o.gaps = slices.DeleteFunc(o.gaps, func(g outbox.Gap) bool { return g.Last >= next })
}

// Lose damages kept records.
func (o *Outbox) Lose(first, last uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	first, last = max(first, o.first), min(last, uint64(len(o.records)))
	if first > last || slices.ContainsFunc(o.gaps, func(g outbox.Gap) bool { return g.First <= last+1 && g.Last+1 >= first }) {
		return
	}
	o.gaps = append(o.gaps, outbox.Gap{First: first, Last: last, Reason: "damaged"})
	slices.SortFunc(o.gaps, func(a, b outbox.Gap) int { return int(int64(a.First) - int64(b.First)) })
	o.grown()
}

// All returns every record that was added and neither cut nor lost, released
// ones too, by number.
func (o *Outbox) All() map[uint64][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[uint64][]byte{}
	for i, r := range o.records {
		if n := uint64(i + 1); !o.lost(n) {
			all[n] = r
		}
	}
	return all
}

func (o *Outbox) lost(n uint64) bool {
	return slices.ContainsFunc(o.gaps, func(g outbox.Gap) bool { return g.First <= n && n <= g.Last })
}

// First implements uplink.Outbox.
func (o *Outbox) First() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.first
}

// Next implements uplink.Outbox.
func (o *Outbox) Next() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return uint64(len(o.records) + 1)
}

// Read implements uplink.Outbox.
func (o *Outbox) Read(from uint64, maxRecords, maxBytes int) ([]outbox.Stored, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if from < o.first {
		return nil, outbox.ErrReleased
	}
	var read []outbox.Stored
	size := 0
	for n := from; n <= uint64(len(o.records)) && len(read) < maxRecords; n++ {
		if o.lost(n) {
			continue
		}
		text := o.records[n-1]
		if size += len(text); size > maxBytes && len(read) > 0 {
			break
		}
		read = append(read, outbox.Stored{Number: n, Bytes: text, Digest: o.digests[n]})
	}
	return read, nil
}

// Digest implements uplink.Outbox.
func (o *Outbox) Digest(number uint64) ([32]byte, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if number+1 < o.first || number >= uint64(len(o.digests)) || o.lost(number) && o.lost(number+1) {
		return [32]byte{}, false, nil
	}
	return o.digests[number], true, nil
}

// Gaps implements uplink.Outbox.
func (o *Outbox) Gaps() []outbox.Gap {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.gaps)
}

// Changed implements uplink.Outbox.
func (o *Outbox) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}

// State implements uplink.Outbox.
func (o *Outbox) State(key string) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	value, ok := o.state[key]
	return value, ok
}

// Append implements uplink.Outbox; it takes only state.
func (o *Outbox) Append(ctx context.Context, g outbox.Group) (outbox.Appended, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.Copy(o.state, g.State)
	return outbox.Appended{}, ctx.Err()
}

// Release implements uplink.Outbox.
func (o *Outbox) Release(safe uint64) error {
	if o.Released != nil {
		o.Released(o, safe)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.first = max(o.first, min(safe, uint64(len(o.records)))+1)
	return nil
}
