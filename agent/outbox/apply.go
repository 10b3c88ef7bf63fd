package outbox

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"

	"tillbook.example/tillbook/agent/outbox/commitlog"
	"tillbook.example/tillbook/agent/outbox/index"
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
	Squeeze() error
	Bytes() int64
	Close() error
}

func openBadger(dir string, logger *slog.Logger) (indexer, string, error) {
	x, reason, err := index.Open(dir, logger)
	if err != nil {
		return nil, reason, err
	}
	return x, reason, nil
}

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

	work chan struct{} // wakes follow

	mu      sync.RWMutex
	index   indexer    // nil while there is none
	applied uint64     // every record up to it is in the index
	moved   *sync.Cond // applied has changed; for who waits for it
	recent  map[string]seen
	rebuilt int // times the index was set aside
	failure error
}

func newFollower(dir string, o Options, log *commitlog.Log, room *room) *follower {
	f := &follower{dir: dir, o: o, log: log, room: room, work: make(chan struct{}, 1), recent: map[string]seen{}}
	f.moved = sync.NewCond(f.mu.RLocker())
	return f
}

// open opens the index where there is room for it, and reads from the log which
// idempotency keys it lacks.
func (f *follower) open() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.openLocked()
}

func (f *follower) openLocked() error {
	if f.index == nil && f.room.forIndex() {
		x, reason, err := f.o.openIndex(f.dir, f.o.Logger)
		if reason != "" {
			f.rebuilt++
			f.o.Logger.Warn("outbox: index is built again from the log", "reason", reason)
		}
		if err == nil && !f.agrees(x) {
			f.rebuilt++
			f.o.Logger.Warn("outbox: index is built again from the log", "reason", "it holds other records than the log")
			x, err = f.renew(x)
		}
		f.failure = err // the log alone will do for now
		if err == nil {
			f.index = x
		}
	}
	return f.loadRecent()
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
	x, _, err := f.o.openIndex(f.dir, f.o.Logger)
	return x, err
}

// loadRecent reads the idempotency keys of the records that are not applied.
func (f *follower) loadRecent() error {
	f.applied = 0
	if f.index != nil {
		f.applied = f.index.Applied()
	}
	f.recent = map[string]seen{}
	for from := f.from(); ; {
		records, err := f.log.Read(from, readRecords, readBytes)
		if err != nil {
			return fmt.Errorf("read the log from %d: %w", from, err)
		}
		if len(records) == 0 {
			return nil
		}
		for _, r := range records {
			if r.IdempotencyKey != "" {
				f.recent[r.IdempotencyKey] = seen{r.Number, hashOf(r)}
			}
		}
		from = records[len(records)-1].Number + 1
	}
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
			f.recent[k] = s
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

// seen looks up an idempotency key among all records that are kept.
func (f *follower) seen(key string) (seen, bool, error) {
	f.mu.RLock()
	if s, ok := f.recent[key]; ok {
		f.mu.RUnlock()
		return s, true, nil
	}
	if f.index == nil {
		f.mu.RUnlock()
		return seen{}, false, nil
	}
	n, hash, ok, err := f.index.Seen(key)
	x := f.index
	f.mu.RUnlock()
	if err != nil {
		if err := f.replace(x, err); err != nil {
			return seen{}, false, err
		}
		return f.seen(key)
	}
	return seen{n, hash}, ok, nil
}

// replace sets a damaged index aside and begins an empty one, unless that was
// done meanwhile.
func (f *follower) replace(damaged indexer, why error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index != damaged || damaged == nil {
		return nil
	}
	f.rebuilt++
	f.o.Logger.Warn("outbox: index is built again from the log", "reason", why)
	f.index = nil
	x, err := f.renew(damaged)
	if err == nil {
		f.index = x
	}
	f.failure = err
	f.wake()
	return f.loadRecent()
}

// follow applies to the index what the log has, until stop.
func (f *follower) follow(stop <-chan struct{}) {
	for {
		again := f.catchUp(stop)
		var timer <-chan time.Time
		if again {
			timer = time.After(retryEvery)
		}
		select {
		case <-stop:
			return
		case <-f.work:
		case <-timer:
		}
	}
}

// catchUp applies and trims until there is nothing left to do. It reports
// whether something hinders it that may pass.
func (f *follower) catchUp(stop <-chan struct{}) (again bool) {
	for {
		select {
		case <-stop:
			return false
		default:
		}
		if !f.room.forIndex() {
			return true
		}
		f.mu.RLock()
		x := f.index
		f.mu.RUnlock()
		if x == nil {
			if err := f.open(); err != nil {
				f.o.Logger.Warn("outbox: log was not read for the index", "error", err)
				return true
			}
			f.mu.RLock()
			x = f.index
			f.mu.RUnlock()
			if x == nil {
				return true
			}
		}
		done, err := f.applySome(x)
		if errors.Is(err, errLog) {
			f.o.Logger.Warn("outbox: log was not read for the index", "error", err)
			return true
		}
		if err == nil && done {
			done, err = f.trimSome(x)
		}
		if err != nil {
			if err := f.replace(x, err); err != nil {
				f.o.Logger.Warn("outbox: log was not read for the index", "error", err)
				return true
			}
			continue
		}
		if done {
			return false
		}
	}
}

// errLog tells a failure of the log from one of the index.
var errLog = errors.New("log")

// applySome applies the next records; done if there are none.
func (f *follower) applySome(x indexer) (done bool, err error) {
	f.mu.RLock()
	from := f.from()
	f.mu.RUnlock()
	records, err := f.log.Read(from, readRecords, readBytes)
	if err != nil {
		if errors.Is(err, ErrReleased) {
			return false, nil // released while we looked
		}
		return false, fmt.Errorf("%w: %w", errLog, err)
	}
	if len(records) == 0 {
		return true, nil
	}
	rows := make([]index.Row, len(records))
	for i, r := range records {
		rows[i] = index.Row{Number: r.Number, Digest: r.Digest, Key: r.Key, IdempotencyKey: r.IdempotencyKey, Bytes: r.Bytes}
		if r.IdempotencyKey != "" {
			rows[i].Hash = hashOf(r)
		}
	}
	if err := x.Apply(rows); err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index != x {
		return false, nil
	}
	f.applied = rows[len(rows)-1].Number
	f.moved.Broadcast()
	for _, r := range rows {
		if s, ok := f.recent[r.IdempotencyKey]; ok && s.number <= f.applied {
			delete(f.recent, r.IdempotencyKey)
		}
	}
	return false, nil
}

// trimSome forgets released records; done if there are none left.
func (f *follower) trimSome(x indexer) (done bool, err error) {
	more, err := x.Trim(f.log.First())
	return !more, err
}

func (f *follower) bytes() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.index == nil {
		return 0
	}
	return f.index.Bytes()
}

func (f *follower) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index == nil {
		return nil
	}
	err := f.index.Close()
	f.index = nil
	return err
}
