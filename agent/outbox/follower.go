package outbox

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/outbox/commitlog"
	"tillbook.example/tillbook/agent/outbox/file"
	"tillbook.example/tillbook/agent/outbox/index"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// indexer is what the outbox needs of package index.
type indexer interface {
	Applied() uint64
	Apply(rows []index.Row) error
	Read(from, to uint64, maxRecords, maxBytes int) ([]index.Row, error)
	Digest(n uint64) ([32]byte, bool, error)
	Seen(idempotency string) (n uint64, hash [32]byte, ok bool, err error)
	Last(key string) (uint64, bool, error)
	Trim(first uint64) (more bool, err error)
	Bytes() int64
	Touched() int64
	Mode() index.Mode
	Stacked() bool
	Close() error
}

func openBadger(dir string, mode index.Mode, logger *slog.Logger) (indexer, string, error) {
	x, reason, err := index.Open(dir, mode, logger)
	if err != nil {
		return nil, reason, err
	}
	return x, reason, nil
}

// The index is opened anew when it has touched maxTouched of its files, for those
// stay in memory until then; and after restAfter without work, so that it no
// longer merges, or when it has touched restTouched.
const (
	maxTouched  = 24 << 20
	restTouched = 4 << 20
	restAfter   = 30 * time.Second
)

// seen is the record that came with an idempotency key.
type seen struct {
	number uint64
	hash   [32]byte
}

// follower brings the index after the log, and knows the idempotency keys that
// the index does not have yet.
type follower struct {
	dir  string
	o    Options
	log  *commitlog.Log
	room *room

	work    chan struct{} // wakes follow
	pressed atomic.Int64  // Unix nanoseconds up to which appends come first

	using sync.RWMutex // held to call into the index, and to replace it; before mu

	mu       sync.RWMutex
	index    indexer    // nil while there is none
	applied  uint64     // every record up to it is in the index
	moved    *sync.Cond // applied has changed; for who waits for it
	recent   map[string]seen
	rebuilt  int // times the index was set aside
	salvaged int // records
	failure  error
}

func newFollower(dir string, o Options, log *commitlog.Log, room *room) *follower {
	f := &follower{dir: dir, o: o, log: log, room: room, work: make(chan struct{}, 1), recent: map[string]seen{}}
	f.moved = sync.NewCond(f.mu.RLocker())
	return f
}

// open opens the index where there is room for it, and reads from the log which
// idempotency keys it lacks. While opening the outbox the log may be added to.
func (f *follower) open(opening bool) error {
	f.using.Lock()
	defer f.using.Unlock()
	if f.room.forIndex() {
		x, reason, err := f.o.openIndex(f.dir, index.AtRest, f.o.Logger)
		if reason != "" {
			f.report(errors.New(reason))
			f.tidy()
		}
		if err == nil && opening {
			if err := f.salvage(x); err != nil {
				return errors.Join(err, x.Close())
			}
		}
		if err == nil && !f.agrees(x) {
			f.report(errors.New("it holds other records than the log"))
			x, err = f.renew(x)
		}
		f.set(x, err)
	}
	return f.loadRecent()
}

// set puts an index in place, or says why there is none: the log alone will do.
func (f *follower) set(x indexer, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index, f.failure = x, err
	if err != nil {
		f.index = nil
	}
}

func (f *follower) report(why error) {
	f.mu.Lock()
	f.rebuilt++
	f.mu.Unlock()
	f.o.Logger.Warn("outbox: index is built again from the log", "reason", why)
}

// salvage takes records that the log has lost at its end back from the index,
// which only ever gets what was synced: then the last frames of the log have
// rotted, or the disk did not keep what it said it had synced.
func (f *follower) salvage(x indexer) error {
	for f.log.Next() <= x.Applied() {
		next := f.log.Next()
		before, _, err := f.log.Digest(next - 1)
		if err != nil {
			return fmt.Errorf("digest of record %d: %w", next-1, err)
		}
		rows, err := x.Read(next, x.Applied(), readRecords, f.log.MaxBytes()/2)
		if err != nil || len(rows) == 0 {
			return nil // then the index does not agree, and is replaced
		}
		g := f.log.Begin()
		for i, r := range rows {
			if r.Number != next+uint64(i) || wire.Next(before, r.Bytes) != r.Digest {
				return nil
			}
			before = r.Digest
			if g.Bytes()+commitlog.RecordBytes(len(r.Key), len(r.IdempotencyKey), len(r.Bytes)) > f.log.MaxBytes() {
				break
			}
			g.Add(r.Key, r.IdempotencyKey, r.Bytes)
		}
		n := g.Records()
		if err := f.log.Commit(g); err != nil {
			return fmt.Errorf("write records from %d, which only the index has, to the log: %w", next, outside(err))
		}
		f.salvaged += n
		f.o.Logger.Error("outbox: log had lost its last records; the index had them", "first", next, "count", n)
	}
	return nil
}

// agrees reports whether the index is a copy of this log.
func (f *follower) agrees(x indexer) bool {
	n := x.Applied()
	if n == 0 {
		return true
	}
	if n >= f.log.Next() {
		return false
	}
	ours, ok, err := f.log.Digest(n)
	if err != nil || !ok {
		return true // released or lost; nothing to compare
	}
	theirs, ok, err := x.Digest(n)
	return err == nil && ok && ours == theirs
}

// renew sets an open index aside and opens an empty one.
func (f *follower) renew(x indexer) (indexer, error) {
	if err := x.Close(); err != nil {
		f.o.Logger.Warn("outbox: damaged index did not close", "error", err)
	}
	if err := index.SetAside(f.dir); err != nil {
		return nil, err
	}
	f.tidy()
	x, _, err := f.o.openIndex(f.dir, index.AtRest, f.o.Logger)
	return x, err
}

// reopen closes the index and opens it again. It takes some tens of milliseconds,
// in which no key can be looked up.
func (f *follower) reopen(mode index.Mode) error {
	f.using.Lock()
	defer f.using.Unlock()
	f.mu.RLock()
	x := f.index
	f.mu.RUnlock()
	if x == nil {
		return nil // it could not be replaced meanwhile
	}
	if err := x.Close(); err != nil {
		f.o.Logger.Warn("outbox: index did not close", "error", err)
	}
	x, reason, err := f.o.openIndex(f.dir, mode, f.o.Logger)
	if reason != "" {
		f.report(errors.New(reason))
	}
	f.set(x, err)
	return f.loadRecent()
}

// mode is how the index is open, how much of its files it has touched, and
// whether it must merge; there is none: at rest, nothing.
func (f *follower) mode() (mode index.Mode, touched int64, stacked bool) {
	f.using.RLock()
	defer f.using.RUnlock()
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.index == nil {
		return index.AtRest, 0, false
	}
	return f.index.Mode(), f.index.Touched(), f.index.Stacked()
}

// tidy removes what was set aside where the disk is for sales only.
func (f *follower) tidy() {
	if !f.room.isSoft() {
		return
	}
	if err := index.DropAside(f.dir); err != nil {
		f.o.Logger.Warn("outbox: room was not made", "error", err)
	}
}

// loadRecent reads the idempotency keys of the records that are not applied.
// Appends without a key go on meanwhile; who looks one up waits for f.using.
func (f *follower) loadRecent() error {
	f.mu.Lock()
	f.applied = 0
	if f.index != nil {
		f.applied = f.index.Applied()
	}
	from := f.from()
	f.mu.Unlock()
	found := map[string]seen{}
	for {
		records, err := f.log.Read(from, readRecords, readBytes)
		if errors.Is(err, ErrReleased) {
			from = f.log.First() // released while we read
			continue
		}
		if err != nil {
			return fmt.Errorf("read the log from %d: %w", from, err)
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			if r.IdempotencyKey != "" {
				found[r.IdempotencyKey] = seen{r.Number, hashOf(r)}
			}
		}
		from = records[len(records)-1].Number + 1
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, s := range f.recent { // appended meanwhile
		if s.number > f.applied {
			found[k] = s
		}
	}
	f.recent = found
	return nil
}

// from is the number of the first record to apply.
func (f *follower) from() uint64 { return max(f.applied+1, f.log.First()) }

// How much is read from the log and applied at once.
const (
	readRecords = 512
	readBytes   = 512 << 10
)

func hashOf(r commitlog.Record) [32]byte {
	var rec tillbookv1.Record
	if err := proto.Unmarshal(r.Bytes, &rec); err != nil {
		// Not what Append writes. Its digest is a hash that no content has.
		return r.Digest
	}
	return contentHash(&rec)
}

// appended notes the idempotency keys of a commit and wakes follow.
func (f *follower) appended(keys map[string]seen) {
	if len(keys) > 0 {
		f.mu.Lock()
		for k, s := range keys {
			if s.number > f.applied { // it may have been quicker
				f.recent[k] = s
			}
		}
		f.mu.Unlock()
	}
	f.wake()
}

func (f *follower) wake() {
	select {
	case f.work <- struct{}{}:
	default:
	}
}

// call calls into the index; there is none: errNone. An index that fails, other
// than for want of space, is replaced: errReplaced.
func (f *follower) call(use func(x indexer) error) error {
	f.using.RLock()
	f.mu.RLock()
	x := f.index
	f.mu.RUnlock()
	err := errNone
	if x != nil {
		err = use(x)
	}
	f.using.RUnlock()
	if x == nil || err == nil || file.IsFull(err) {
		return err
	}
	if failed := f.replace(x, err); failed != nil {
		return failed
	}
	return fmt.Errorf("%w: %w", errReplaced, err)
}

var (
	errNone     = errors.New("there is no index")
	errReplaced = errors.New("index was replaced")
)

// seen looks up an idempotency key among all records that are kept. A key is in
// recent until the index has it, and the index is not replaced in between.
func (f *follower) seen(key string) (s seen, ok bool, err error) {
	for {
		f.using.RLock()
		f.mu.RLock()
		x := f.index
		s, ok = f.recent[key]
		f.mu.RUnlock()
		if !ok && x != nil {
			s.number, s.hash, ok, err = x.Seen(key)
		}
		f.using.RUnlock()
		if err == nil || file.IsFull(err) {
			return s, ok, err
		}
		if err = f.replace(x, err); err != nil {
			return seen{}, false, err
		}
	}
}

// replace sets a damaged index aside and begins an empty one, unless that was
// done meanwhile.
func (f *follower) replace(damaged indexer, why error) error {
	f.using.Lock()
	defer f.using.Unlock()
	f.mu.Lock()
	same := f.index == damaged
	f.mu.Unlock()
	if !same {
		return nil
	}
	f.report(why)
	f.set(f.renew(damaged))
	f.wake()
	return f.loadRecent()
}

func (f *follower) bytes() (n int64) {
	f.using.RLock()
	defer f.using.RUnlock()
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.index != nil {
		n = f.index.Bytes()
	}
	return n
}

func (f *follower) close() error {
	f.using.Lock()
	defer f.using.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index == nil {
		return nil
	}
	err := f.index.Close()
	f.index = nil
	return err
}
