package outbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/agent/outbox/commitlog"
	"tillbook.example/tillbook/agent/outbox/index"
)

// Read returns records in order from the number from on: at most maxRecords of
// them with at most maxBytes of record bytes, but at least one if there is one.
// It may return fewer than there are; none means that there are none yet.
// Numbers missing between them lie in Gaps. ErrReleased if from is no longer
// kept.
func (b *Outbox) Read(from uint64, maxRecords, maxBytes int) ([]Stored, error) {
	if first := b.First(); from < first {
		return nil, fmt.Errorf("read record %d, the first kept is %d: %w", from, first, ErrReleased)
	}
	if rows := b.copies.read(from, maxRecords, maxBytes); len(rows) > 0 {
		out := make([]Stored, len(rows))
		for i, r := range rows {
			out[i] = Stored{Number: r.Number, Bytes: r.Bytes, Digest: r.Digest}
		}
		return out, nil
	}
	known := len(b.log.Gaps())
	records, err := b.log.Read(from, maxRecords, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read from record %d: %w", from, err)
	}
	if len(b.log.Gaps()) > known {
		b.grown()
	}
	out := make([]Stored, len(records))
	for i, r := range records {
		out[i] = Stored{Number: r.Number, Bytes: r.Bytes, Digest: r.Digest}
	}
	return out, nil
}

// read reads applied records from the index; none where the log has to serve.
// An index that lacks a record it should have is damaged, and replaced.
func (f *follower) read(from uint64, maxRecords, maxBytes int) []index.Row {
	f.mu.RLock()
	x, applied := f.index, f.applied
	if x == nil || from > applied {
		f.mu.RUnlock()
		return nil
	}
	rows, err := x.Read(from, applied, maxRecords, maxBytes)
	f.mu.RUnlock()
	want := from
	for i, r := range rows {
		if r.Number != want && !f.lost(want, r.Number-1) {
			rows = rows[:i]
			err = fmt.Errorf("record %d: %w", want, index.ErrDamaged)
			break
		}
		want = r.Number + 1
	}
	if len(rows) == 0 && err == nil && f.log.First() <= from && !f.lost(from, applied) {
		err = fmt.Errorf("record %d: %w", from, index.ErrDamaged)
	}
	if err != nil {
		rows = nil
		if err := f.replace(x, err); err != nil {
			f.o.Logger.Warn("outbox: log was not read for the index", "error", err)
		}
	}
	return rows
}

// lost reports whether all of first to last lies in gaps or was released.
func (f *follower) lost(first, last uint64) bool {
	first = max(first, f.log.First())
	for _, g := range f.log.Gaps() {
		if g.First <= first && first <= g.Last {
			first = g.Last + 1
		}
	}
	return first > last
}

// Digest returns the chained digest after record n, or after the last lost
// number of a gap; Digest(0) is 32 zero bytes. It is not known (false) within a
// gap, below First-1 and from Next on.
func (b *Outbox) Digest(n uint64) ([32]byte, bool, error) {
	digest, ok, err := b.log.Digest(n)
	if err != nil {
		return digest, false, fmt.Errorf("digest of record %d: %w", n, err)
	}
	return digest, ok, nil
}

// Last returns the number of the last record with a document key. It is looked
// up in the index and may be a moment behind; false while there is no index.
func (b *Outbox) Last(key string) (uint64, bool, error) {
	b.copies.mu.RLock()
	x := b.copies.index
	b.copies.mu.RUnlock()
	if x == nil || key == "" {
		return 0, false, nil
	}
	n, ok, err := x.Last(key)
	if err != nil {
		return 0, false, fmt.Errorf("last record of %s: %w", key, err)
	}
	return n, ok && n >= b.First(), nil
}

// State returns the value of a durable key.
func (b *Outbox) State(key string) ([]byte, bool) {
	if strings.HasPrefix(key, commitlog.Reserved) {
		return nil, false
	}
	return b.log.State(key)
}

// States returns the durable keys that begin with prefix, with their values.
func (b *Outbox) States(prefix string) map[string][]byte {
	found := map[string][]byte{}
	b.log.States(func(key string, value []byte) {
		if strings.HasPrefix(key, prefix) && !strings.HasPrefix(key, commitlog.Reserved) {
			found[key] = slices.Clone(value)
		}
	})
	return found
}

// Gaps returns the numbers known to be lost, in order; those released are left
// out. Damage in older segments is looked for in the background after Open, so
// a gap may come up later: Changed tells.
func (b *Outbox) Gaps() []Gap { return b.log.Gaps() }

// Report is what Verify found.
type Report = commitlog.Report

// Verify reads a whole outbox that no process has open, checks every checksum
// and the chain of digests, and changes nothing.
func Verify(dir string) (Report, error) {
	return verify(dir, Options{})
}

func verify(dir string, o Options) (_ Report, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return Report{}, err
	}
	lock, err := o.System.Lock(lockFile(dir))
	if err != nil {
		return Report{}, fmt.Errorf("verify outbox %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	report, err := commitlog.Verify(o.System, logFolder(dir))
	if err != nil {
		return Report{}, fmt.Errorf("verify outbox %s: %w", dir, err)
	}
	return report, nil
}
