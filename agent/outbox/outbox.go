package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"

	"tillbook.example/tillbook/agent/outbox/commitlog"
	"tillbook.example/tillbook/agent/outbox/file"
	"tillbook.example/tillbook/agent/outbox/index"
)

var (
	// ErrFull means that there is no room for new records now: the disk or the
	// outbox is full. Try again later; nothing of the group was kept.
	ErrFull = errors.New("outbox is full")
	// ErrKeyReused means that an idempotency key came back with other content.
	// Trying again does not help; nothing of the group was kept.
	ErrKeyReused = errors.New("idempotency key was used for other content")
	// ErrTooLarge means that a record, a group or the state is beyond its
	// limit. Trying again does not help.
	ErrTooLarge = errors.New("too large for the outbox")
	// ErrReleased means that a record is no longer kept.
	ErrReleased = commitlog.ErrReleased
	// ErrClosed means that the outbox was closed.
	ErrClosed = errors.New("outbox is closed")
	// ErrLocked means that another process has the outbox open.
	ErrLocked = file.ErrLocked
)

// Options of an Outbox. The zero value of each means its default.
type Options struct {
	// SegmentBytes is the size of a log segment; default 16 MiB.
	SegmentBytes int64
	// MaxBytes bounds the folder; default 2 GiB, at least six segments.
	MaxBytes int64
	// SoftFree is the free space of the disk below which everything but sales
	// stops: Badger is not written to as long as the keys it lacks fit into
	// memory, and copies of what was damaged go. Stats says Soft. Default 1 GiB.
	// Negative: never.
	SoftFree int64
	// HardFree is the free space below which records are refused; default 256
	// MiB. Negative: never.
	HardFree int64
	// Ballast is the size of the file that is given up when the hard mark is
	// hit, so that state can be written and Badger has room to work; default
	// 64 MiB. Negative: none.
	Ballast int64
	// IndexReserve is the free space below which Badger is not written to, for
	// it ends the process when the disk is full; default 132 MiB. Negative: none.
	IndexReserve int64
	// Queue is how many appends may wait; more block. Default 256.
	Queue int
	// Free returns the free bytes of the disk of a folder. Default: file.Free.
	Free func(dir string) (uint64, error)
	// System is the disk of the log. Default: file.OS.
	System file.System
	// Logger is told what a person may have to act on. Default: none.
	Logger *slog.Logger

	// openIndex stands in for the index in tests.
	openIndex func(dir string, mode index.Mode, logger *slog.Logger) (indexer, string, error)
}

func (o Options) withDefaults() (Options, error) {
	size := func(v *int64, normal int64) {
		switch {
		case *v == 0:
			*v = normal
		case *v < 0:
			*v = 0
		}
	}
	size(&o.SegmentBytes, 16<<20)
	size(&o.MaxBytes, 2<<30)
	size(&o.SoftFree, 1<<30)
	size(&o.HardFree, 256<<20)
	size(&o.Ballast, 64<<20)
	size(&o.IndexReserve, 132<<20)
	if o.MaxBytes < 6*o.SegmentBytes {
		return o, fmt.Errorf("outbox may grow to %d bytes, that is less than six segments of %d", o.MaxBytes, o.SegmentBytes)
	}
	if o.Queue <= 0 {
		o.Queue = 256
	}
	if o.Free == nil {
		o.Free = file.Free
	}
	if o.System == nil {
		o.System = file.OS{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.openIndex == nil {
		o.openIndex = openBadger
	}
	return o, nil
}

// Item is one record to be appended.
type Item struct {
	Key            string             // of the document; "" for raw bytes
	IdempotencyKey string             // of a push; "" if it had none
	Record         *tillbookv1.Record // without Capture, which becomes the log number; it is not changed
}

// Group is appended in one piece: all of it or nothing, also after a crash.
type Group struct {
	Items []Item
	// State changes durable keys; a nil value deletes. Keys that begin with
	// "log/" are reserved.
	State map[string][]byte
}

// Appended says what became of a group.
type Appended struct {
	First, Last uint64   // numbers of the new records; 0 if there are none
	Numbers     []uint64 // per item; of a duplicate the number of the first one
	Duplicate   []bool   // per item: the idempotency key was there with the same content
}

// Stored is one record as it is kept.
type Stored struct {
	Number uint64
	Bytes  []byte   // a marshalled tillbookv1.Record
	Digest [32]byte // chained, after this record
}

// Gap is a run of numbers whose records are lost, both ends contained.
type Gap = commitlog.Gap

// Outbox is an open outbox. Its methods may be called from any goroutine.
type Outbox struct {
	dir    string
	o      Options
	lock   io.Closer
	log    *commitlog.Log
	queue  chan *request
	copies *follower
	room   *room

	sending sync.RWMutex // held to put into queue
	closed  bool         // under sending

	changing sync.Mutex
	changed  chan struct{} // under changing

	upkeep   chan struct{} // wakes the upkeep
	stop     chan struct{}
	wg       sync.WaitGroup
	closing  sync.Once
	closeErr error

	count counters
}

type counters struct {
	appends, records, duplicates, refused, commits atomic.Uint64
	syncNanos                                      atomic.Int64 // of the last commit
}

// Open opens or creates the outbox in dir. It fails if another process has it
// open (ErrLocked), if the folder cannot be used, or if a newer program wrote
// it; never because of damage, which Stats and Gaps tell.
func Open(dir string, o Options) (_ *Outbox, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := o.System.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make outbox %s: %w", dir, err)
	}
	lock, err := o.System.Lock(lockFile(dir))
	if err != nil {
		return nil, fmt.Errorf("open outbox %s: %w", dir, err)
	}
	b := &Outbox{
		dir: dir, o: o, lock: lock,
		queue:   make(chan *request, o.Queue),
		changed: make(chan struct{}),
		upkeep:  make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
	b.room = newRoom(dir, o)
	b.room.look()
	b.log, err = commitlog.Open(o.System, logFolder(dir), commitlog.Options{SegmentBytes: o.SegmentBytes, MayGrow: b.mayGrow, NoTails: b.room.isSoft()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox %s: %w", dir, err), lock.Close())
	}
	b.copies = newFollower(filepath.Join(dir, "index"), o, b.log, b.room)
	if err := b.copies.open(true); err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox %s: %w", dir, err), b.log.Close(), lock.Close())
	}
	b.wg.Go(b.write)
	b.wg.Go(b.keep)
	b.wg.Go(func() { b.copies.follow(b.stop) })
	return b, nil
}

func lockFile(dir string) string  { return filepath.Join(dir, "lock") }
func logFolder(dir string) string { return filepath.Join(dir, "log") }

// Close waits for appends under way, then closes everything. What was appended
// needs no flushing.
func (b *Outbox) Close() error {
	b.closing.Do(func() {
		b.sending.Lock()
		b.closed = true
		b.sending.Unlock()
		close(b.queue)
		close(b.stop)
		b.wg.Wait()
		b.closeErr = errors.Join(b.copies.close(), b.log.Close(), b.lock.Close())
	})
	return b.closeErr
}

// Next is the number the next new record gets; the first is 1.
func (b *Outbox) Next() uint64 { return b.log.Next() }

// First is the lowest number that is kept; Next if there is none.
func (b *Outbox) First() uint64 { return b.log.First() }

// Changed returns a channel that is closed when Next or Gaps has grown since
// the call.
func (b *Outbox) Changed() <-chan struct{} {
	b.changing.Lock()
	defer b.changing.Unlock()
	return b.changed
}

func (b *Outbox) grown() {
	b.changing.Lock()
	defer b.changing.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
}

// Release says that everything up to safe may go; whole segments do. It needs
// no free space, and may be called again after an error.
func (b *Outbox) Release(safe uint64) error {
	err := b.log.Release(safe)
	b.room.look()
	b.wake()
	b.copies.wake()
	if err != nil {
		return fmt.Errorf("release up to %d: %w", safe, err)
	}
	return nil
}

func (b *Outbox) wake() {
	select {
	case b.upkeep <- struct{}{}:
	default:
	}
}

// retryEvery is how long upkeep waits before it tries again what failed.
const retryEvery = 10 * time.Second

// keep does what need not be done while an append waits: it checks the older
// segments for damage, makes the next segment ready and keeps the ballast.
func (b *Outbox) keep() {
	b.check()
	for {
		again := false
		if !b.room.isHard() {
			again = b.prepare()
		}
		if b.room.isSoft() {
			if err := errors.Join(index.DropAside(b.copies.dir), b.log.DropTails()); err != nil {
				b.o.Logger.Warn("outbox: room was not made", "error", err)
			}
		}
		if err := b.room.restore(); err != nil {
			b.o.Logger.Warn("outbox: ballast file was not made", "error", err)
			again = true
		}
		var timer <-chan time.Time
		if again {
			timer = time.After(retryEvery)
		}
		select {
		case <-b.stop:
			return
		case <-b.upkeep:
		case <-timer:
		}
	}
}

func (b *Outbox) prepare() (again bool) {
	err := b.log.Prepare()
	switch {
	case err == nil:
		return false
	case errors.Is(err, commitlog.ErrFull):
		return true
	}
	b.o.Logger.Warn("outbox: next segment was not made", "error", err)
	return true
}

// check reads the segments that Open did not. What it finds lost becomes durable
// with the next commit, so it makes one.
func (b *Outbox) check() {
	known := len(b.log.Gaps())
	for more := true; more; {
		select {
		case <-b.stop:
			return
		default:
		}
		var err error
		if more, err = b.log.CheckNext(); err != nil {
			b.o.Logger.Warn("outbox: older segments were not checked", "error", err)
			return
		}
	}
	if tail := b.log.Stats().Tail; tail > 0 {
		b.o.Logger.Warn("outbox: a commit was cut off and is set aside", "bytes", tail)
	}
	for _, d := range b.log.Stats().Damage {
		b.o.Logger.Error("outbox: log is damaged", "segment", d.Segment, "offset", d.Offset, "bytes", d.Bytes, "first", d.First, "last", d.Last, "reason", d.Reason)
	}
	if len(b.log.Gaps()) > known {
		b.grown()
	}
	if len(b.log.Gaps()) > 0 {
		if _, err := b.Append(context.Background(), Group{}); err != nil && !errors.Is(err, ErrClosed) {
			b.o.Logger.Warn("outbox: gaps were not written down", "error", err)
		}
	}
}
