package outbox

import (
	"errors"
	"runtime/debug"
	"time"

	"tillbook.example/tillbook/agent/outbox/index"
)

// Badger writes what it is given several times over as it merges its files, on
// the same disk that appends wait for. So while many press the index waits, but
// does not fall behind without bound.
const (
	pressing    = 4 // appends in one commit
	quietAfter  = 100 * time.Millisecond
	maxBehind   = 200_000 // records
	maxRemember = 20_000  // idempotency keys in memory
)

// press tells that a commit took so many appends.
func (f *follower) press(appends int) {
	if appends >= pressing {
		f.pressed.Store(time.Now().Add(quietAfter).UnixNano())
	}
}

// pause is how long the index should wait for appends.
func (f *follower) pause() time.Duration {
	wait := time.Until(time.Unix(0, f.pressed.Load()))
	if wait <= 0 {
		return 0
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.log.Next()-f.from() > maxBehind || len(f.recent) > maxRemember {
		return 0
	}
	return wait
}

// crowded reports whether the keys that the index lacks take too much memory:
// then it has to follow, for a key that comes again must be known.
func (f *follower) crowded() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.recent) > maxRemember
}

// follow applies to the index what the log has, until stop.
func (f *follower) follow(stop <-chan struct{}) {
	for {
		var timer, rest <-chan time.Time
		if again := f.catchUp(stop); again > 0 {
			timer = time.After(again)
		} else if mode, touched, _ := f.mode(); mode == index.AtWork || touched >= restTouched {
			rest = time.After(restAfter)
		}
		select {
		case <-stop:
			return
		case <-f.work:
		case <-timer:
		case <-rest:
			if !f.roomy() {
				continue
			}
			if err := f.reopen(index.AtRest); err != nil {
				f.o.Logger.Warn("outbox: log was not read for the index", "error", err)
			}
			debug.FreeOSMemory() // what the work took is not needed at rest
		}
	}
}

// roomy reports whether the disk has room for what Badger writes as it closes.
func (f *follower) roomy() bool { return f.room.forIndex() && !f.room.isSoft() }

// catchUp applies and trims until there is nothing left to do, or something
// hinders it that may pass: then it returns when to try again.
func (f *follower) catchUp(stop <-chan struct{}) (again time.Duration) {
	for {
		select {
		case <-stop:
			return 0
		default:
		}
		if wait := f.pause(); wait > 0 {
			return wait
		}
		if !f.room.forIndex() || f.room.isSoft() && !f.crowded() {
			return retryEvery
		}
		if mode, _, stacked := f.mode(); mode == index.AtRest && stacked {
			if err := f.reopen(index.AtWork); err != nil {
				f.o.Logger.Warn("outbox: log was not read for the index", "error", err)
				return retryEvery
			}
		}
		done := false
		err := f.call(func(x indexer) (err error) {
			done, err = f.applySome(x)
			if done && err == nil {
				done, err = f.trimSome(x)
			}
			return err
		})
		switch {
		case errors.Is(err, errNone):
			if err := f.open(false); err != nil {
				f.o.Logger.Warn("outbox: index was not opened", "error", err)
				return retryEvery
			}
			if f.failed() {
				return retryEvery
			}
		case errors.Is(err, errOutgrown):
			if err := index.DropAside(f.dir); err != nil {
				f.o.Logger.Warn("outbox: room was not made", "error", err)
			}
		case errors.Is(err, errReplaced):
		case err != nil:
			f.o.Logger.Warn("outbox: index does not follow the log", "error", err)
			return retryEvery
		case done:
			mode, touched, _ := f.mode()
			if touched < maxTouched || !f.roomy() {
				return 0
			}
			if err := f.reopen(mode); err != nil {
				f.o.Logger.Warn("outbox: log was not read for the index", "error", err)
				return retryEvery
			}
			return 0
		}
	}
}

func (f *follower) failed() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.index == nil
}

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
		f.o.Logger.Warn("outbox: log was not read for the index", "error", err)
		return true, nil // the index is not to blame; the next append tries again
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
	f.applied = rows[len(rows)-1].Number
	f.moved.Broadcast()
	for _, r := range rows {
		if s, ok := f.recent[r.IdempotencyKey]; ok && s.number <= f.applied {
			delete(f.recent, r.IdempotencyKey)
		}
	}
	return false, nil
}

// trimSome forgets released records; done if there are none left. Badger does
// not give their space back, so an index much larger than the log is built
// again, which costs less than what was trimmed since the last time.
func (f *follower) trimSome(x indexer) (done bool, err error) {
	more, err := x.Trim(f.log.First())
	if err != nil || more {
		return false, err
	}
	if x.Bytes() > 2*f.log.Stats().Bytes+indexOverhead {
		return false, errOutgrown
	}
	return true, nil
}

// indexOverhead is what an empty index may take.
const indexOverhead = 64 << 20

var errOutgrown = errors.New("it has outgrown the log")
