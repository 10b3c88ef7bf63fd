package outbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/agent/outbox/commitlog"
	"tillbook.example/tillbook/agent/outbox/index"
	"tillbook.example/tillbook/shared/wire"
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
func (f *follower) read(from uint64, maxRecords, maxBytes int) (rows []index.Row) {
	err := f.call(func(x indexer) (err error) {
		f.mu.RLock()
		applied := f.applied
		f.mu.RUnlock()
		if from > applied {
			return nil
		}
		rows, err = x.Read(from, applied, maxRecords, maxBytes)
		if err != nil {
			return err
		}
		want := from
		for _, r := range rows {
			if r.Number != want && !f.lost(want, r.Number-1) {
				return fmt.Errorf("record %d: %w", want, index.ErrDamaged)
			}
			want = r.Number + 1
		}
		if len(rows) == 0 && !f.lost(from, applied) {
			return fmt.Errorf("record %d: %w", from, index.ErrDamaged)
		}
		if x.Touched() >= restTouched {
			f.wake()
		}
		return nil
	})
	if err != nil {
		if !errors.Is(err, errNone) && !errors.Is(err, errReplaced) {
			f.o.Logger.Warn("outbox: index was not replaced", "error", err)
		}
		return nil
	}
	return rows
}

// holds reports whether the index has every record of a gap in the log.
func (f *follower) holds(g Gap) bool {
	before, ok, err := f.log.Digest(g.First - 1)
	if err != nil || !ok {
		return false
	}
	after, ok, err := f.log.Digest(g.Last)
	if err != nil || !ok {
		return false
	}
	for next := g.First; next <= g.Last; {
		rows := f.read(next, readRecords, readBytes)
		for _, r := range rows {
			if r.Number != next || wire.Next(before, r.Bytes) != r.Digest {
				return false
			}
			before = r.Digest
			if next++; next > g.Last {
				break
			}
		}
		if len(rows) == 0 {
			return false
		}
	}
	return before == after
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
	if key == "" {
		return 0, false, nil
	}
	var n uint64
	var ok bool
	err := b.copies.call(func(x indexer) (err error) {
		n, ok, err = x.Last(key)
		return err
	})
	if err != nil && !errors.Is(err, errNone) && !errors.Is(err, errReplaced) {
		return 0, false, fmt.Errorf("last record of %s: %w", key, err)
	}
	return n, err == nil && ok && n >= b.First(), nil
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

// Gaps returns the numbers whose records are lost, in order: neither the log
// nor the index has them. Those released are left out. Damage in older segments
// is looked for in the background after Open, so a gap may come up later:
// Changed tells.
func (b *Outbox) Gaps() []Gap {
	return slices.DeleteFunc(b.log.Gaps(), b.copies.holds)
}

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
