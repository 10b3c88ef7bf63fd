// Package index keeps the records of the outbox in Badger, by number, by
// document key and by idempotency key: what the uplink reads and people query.
//
// It is a copy. The commit log is the truth, and whatever is lost or damaged
// here is applied again from there, so nothing is synced and an index that
// cannot be opened is set aside. Reading checks the digest chain from record to
// record, so a damaged record is never returned as a good one; it may be
// missing, which the caller sees by its number.
//
// It does not look at free space (Badger ends the process on a full disk, so
// the caller keeps a reserve) and one goroutine applies and trims.
package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"tillbook.example/tillbook/agent/outbox/file"
	"tillbook.example/tillbook/shared/wire"
)

// ErrDamaged means that what Badger holds is not what was applied.
var ErrDamaged = errors.New("index is damaged")

// Row is one record as the index keeps it.
type Row struct {
	Number         uint64
	Digest         [32]byte // chained, after the record
	Key            string
	IdempotencyKey string
	Hash           [32]byte // of the content; only kept, and only returned by Seen, with an idempotency key
	Bytes          []byte
}

// Keys in Badger. Numbers are big-endian, so that they sort.
//
//	d/ number           digest ‖ key ‖ idempotency key ‖ record, keys with their length before them
//	i/ idempotency key  number ‖ content hash
//	k/ document key     number of the last record with it
//	a                   number of the last record applied
//	w                   number that trimming goes on from
//	v                   version of this layout
const layout = 1

var (
	appliedKey   = []byte("a")
	watermarkKey = []byte("w")
	layoutKey    = []byte("v")
)

func numberKey(n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("d/"), n)
}

func textKey(prefix, s string) []byte { return append([]byte(prefix), s...) }

// Index is an open index.
type Index struct {
	db        *badger.DB
	applied   atomic.Uint64
	touched   atomic.Int64
	opened    uint64 // number of the newest table when it was opened
	mode      Mode
	watermark uint64

	sizing sync.Mutex
	sized  time.Time
	bytes  int64
}

// Mode says whether an index merges its files while it is open. Badger looks for
// what it could merge forty times a second, which is most of what an agent
// without work would take of a processor.
type Mode bool

// Modes of an index.
const (
	AtRest Mode = false // takes little; must be opened AtWork once it is Stacked
	AtWork Mode = true  // takes any amount
)

// stackedAt is how many tables that nothing has merged an index at rest may
// have: so far from the stall that what one Apply adds cannot reach it.
const (
	stackedAt = 3
	stallAt   = 6
)

func settings(dir string, mode Mode, logger *slog.Logger) badger.Options {
	o := badger.DefaultOptions(dir)
	o.Logger = badgerLogger{logger}
	o.SyncWrites = false // the commit log is what is synced
	o.DetectConflicts = false
	o.NumVersionsToKeep = 1
	o.Compression = options.None
	o.ChecksumVerificationMode = options.OnBlockRead
	o.VerifyValueChecksum = true
	o.MetricsEnabled = false
	// Small: an idle agent has some 45 MB in all.
	o.MemTableSize = 4 << 20
	o.NumMemtables = 2
	o.BlockCacheSize = 1 << 20
	o.IndexCacheSize = 1 << 20
	o.BaseTableSize = 1 << 20
	o.BaseLevelSize = 4 << 20
	o.NumLevelZeroTables = 2
	o.NumLevelZeroTablesStall = stallAt
	o.ValueThreshold = 256 << 10 // at most 15 % of MemTableSize
	o.ValueLogFileSize = 8 << 20
	o.NumCompactors = 0
	if mode == AtWork {
		o.NumCompactors = 2 // the least that there may be
	}
	o.NumGoroutines = 1
	o.CompactL0OnClose = false
	return o
}

// open opens what is in dir, or an empty index.
func open(dir string, mode Mode, logger *slog.Logger) (x *Index, err error) {
	defer func() {
		if p := recover(); p != nil {
			x, err = nil, fmt.Errorf("open index %s: badger panicked: %v: %w", dir, p, ErrDamaged)
		}
	}()
	db, err := badger.Open(settings(dir, mode, logger))
	if err != nil {
		return nil, fmt.Errorf("open index %s: %w", dir, err)
	}
	x = &Index{db: db, mode: mode}
	for _, table := range db.Tables() {
		x.opened = max(x.opened, table.ID)
	}
	if err := x.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open index %s: %w", dir, err), db.Close())
	}
	return x, nil
}

func (x *Index) load() error {
	return x.db.View(func(txn *badger.Txn) error {
		version, err := number(txn, layoutKey)
		if err != nil {
			return err
		}
		applied, err := number(txn, appliedKey)
		if err != nil {
			return err
		}
		x.watermark, err = number(txn, watermarkKey)
		if err != nil {
			return err
		}
		if version != layout && applied > 0 {
			return fmt.Errorf("layout %d, this program keeps %d: %w", version, layout, ErrDamaged)
		}
		x.applied.Store(applied)
		return nil
	})
}

// number reads a key that holds a number; 0 if it is not there.
func number(txn *badger.Txn, key []byte) (uint64, error) {
	v, err := value(txn, key)
	if err != nil || v == nil {
		return 0, err
	}
	if len(v) < 8 {
		return 0, fmt.Errorf("key %q: %w", key, ErrDamaged)
	}
	return binary.BigEndian.Uint64(v), nil
}

// value returns a copy of a key's value; nil if it is not there.
func value(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	v, err := item.ValueCopy(nil)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	return v, nil
}

// Close closes the index.
func (x *Index) Close() error {
	if err := x.db.Close(); err != nil {
		return fmt.Errorf("close index: %w", err)
	}
	return nil
}

// Applied is the number of the last record applied; 0 if none.
func (x *Index) Applied() uint64 { return x.applied.Load() }

// Mode is how it was opened.
func (x *Index) Mode() Mode { return x.mode }

// Stacked reports whether it has so many files that nothing has merged that
// before it takes more it must be opened AtWork.
func (x *Index) Stacked() bool { return x.db.Levels()[0].NumTables >= stackedAt }

// Touched is how many bytes were applied, read, and merged by Badger itself since
// it was opened. Badger maps its files, and what was touched of them counts as the
// agent's memory until they are closed.
func (x *Index) Touched() int64 {
	n := x.touched.Load()
	for _, table := range x.db.Tables() {
		if table.ID > x.opened { // written since
			n += int64(table.OnDiskSize)
		}
	}
	return n
}

// sizeEvery is how old the answer of Bytes may be: counting asks for every file.
const sizeEvery = time.Second

// Bytes is what the files of the index hold, as of the last second. Files that
// are made longer than they are filled count whole.
func (x *Index) Bytes() int64 {
	x.sizing.Lock()
	defer x.sizing.Unlock()
	if now := time.Now(); now.Sub(x.sized) >= sizeEvery {
		if n, err := file.Bytes(x.db.Opts().Dir); err == nil {
			x.bytes, x.sized = n, now
		}
	}
	return x.bytes
}

// Apply adds rows, whose numbers rise. After an error some of the first may
// have been added; applying them again does no harm.
func (x *Index) Apply(rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	txn := x.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	var last uint64 // in txn, complete
	set := func(key, v []byte) error {
		err := txn.Set(key, v)
		if !errors.Is(err, badger.ErrTxnTooBig) {
			return err
		}
		if err := x.commit(txn, last); err != nil {
			return err
		}
		txn = x.db.NewTransaction(true)
		return txn.Set(key, v)
	}
	if x.watermark == 0 {
		x.watermark = rows[0].Number
		if err := errors.Join(set(watermarkKey, be(x.watermark)), set(layoutKey, be(layout))); err != nil {
			return fmt.Errorf("apply to index: %w", err)
		}
	}
	for _, r := range rows {
		x.touched.Add(int64(len(r.Bytes)))
		err := set(numberKey(r.Number), r.encode())
		if err == nil && r.Key != "" {
			err = set(textKey("k/", r.Key), be(r.Number))
		}
		if err == nil && r.IdempotencyKey != "" {
			err = set(textKey("i/", r.IdempotencyKey), append(be(r.Number), r.Hash[:]...))
		}
		if err != nil {
			return fmt.Errorf("apply record %d to index: %w", r.Number, err)
		}
		last = r.Number
	}
	if err := x.commit(txn, last); err != nil {
		return fmt.Errorf("apply to index: %w", err)
	}
	return nil
}

// commit ends a transaction that has everything up to number applied.
func (x *Index) commit(txn *badger.Txn, applied uint64) error {
	if applied <= x.applied.Load() {
		return txn.Commit()
	}
	err := txn.Set(appliedKey, be(applied))
	if err == nil {
		err = txn.Commit()
	} else if errors.Is(err, badger.ErrTxnTooBig) {
		if err = txn.Commit(); err == nil {
			err = x.db.Update(func(txn *badger.Txn) error { return txn.Set(appliedKey, be(applied)) })
		}
	}
	if err != nil {
		return err
	}
	x.applied.Store(applied)
	return nil
}

func be(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func (r Row) encode() []byte {
	b := make([]byte, 0, 32+10+len(r.Key)+len(r.IdempotencyKey)+len(r.Bytes))
	b = append(b, r.Digest[:]...)
	for _, s := range []string{r.Key, r.IdempotencyKey} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return append(b, r.Bytes...)
}

func decode(n uint64, b []byte) (Row, error) {
	r := Row{Number: n}
	damaged := fmt.Errorf("record %d: %w", n, ErrDamaged)
	if len(b) < 32 {
		return r, damaged
	}
	copy(r.Digest[:], b)
	b = b[32:]
	for _, s := range []*string{&r.Key, &r.IdempotencyKey} {
		size, k := binary.Uvarint(b)
		if k <= 0 || size > uint64(len(b)-k) {
			return r, damaged
		}
		*s = string(b[k:][:size])
		b = b[k+int(size):]
	}
	r.Bytes = b
	return r, nil
}

// Read returns rows in order from the number from on, not beyond to: at most
// maxRecords with at most maxBytes of record bytes, at least one if there is
// one. ErrDamaged if a digest does not follow from the one before.
func (x *Index) Read(from, to uint64, maxRecords, maxBytes int) ([]Row, error) {
	var rows []Row
	err := x.db.View(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.Prefix = []byte("d/")
		o.PrefetchSize = max(min(maxRecords+1, 64), 1)
		it := txn.NewIterator(o)
		defer it.Close()
		var before Row
		for it.Seek(numberKey(max(from, 1) - 1)); it.ValidForPrefix(o.Prefix); it.Next() {
			item := it.Item()
			if len(item.Key()) != 10 {
				return ErrDamaged
			}
			n := binary.BigEndian.Uint64(item.Key()[2:])
			if n > to {
				return nil
			}
			b, err := item.ValueCopy(nil)
			if err != nil {
				return fmt.Errorf("record %d: %w: %w", n, ErrDamaged, err)
			}
			r, err := decode(n, b)
			if err != nil {
				return err
			}
			if before.Number == n-1 && n > 1 && wire.Next(before.Digest, r.Bytes) != r.Digest {
				return fmt.Errorf("record %d does not follow: %w", n, ErrDamaged)
			}
			before = r
			x.touched.Add(int64(len(r.Bytes)))
			if n < from {
				continue
			}
			maxRecords--
			maxBytes -= len(r.Bytes)
			if len(rows) > 0 && (maxRecords < 0 || maxBytes < 0) {
				return nil
			}
			rows = append(rows, r)
			if maxRecords <= 0 || maxBytes <= 0 {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read index from %d: %w", from, err)
	}
	return rows, nil
}

// Digest returns the chained digest after a record.
func (x *Index) Digest(n uint64) (digest [32]byte, ok bool, err error) {
	err = x.db.View(func(txn *badger.Txn) error {
		b, err := value(txn, numberKey(n))
		if err != nil || b == nil {
			return err
		}
		if len(b) < 32 {
			return fmt.Errorf("record %d: %w", n, ErrDamaged)
		}
		copy(digest[:], b)
		ok = true
		return nil
	})
	return digest, ok, err
}

// Seen returns which record came with an idempotency key, and its content hash.
func (x *Index) Seen(idempotency string) (n uint64, hash [32]byte, ok bool, err error) {
	err = x.db.View(func(txn *badger.Txn) error {
		b, err := value(txn, textKey("i/", idempotency))
		if err != nil || b == nil {
			return err
		}
		if len(b) != 40 {
			return fmt.Errorf("idempotency key: %w", ErrDamaged)
		}
		n, ok = binary.BigEndian.Uint64(b), true
		copy(hash[:], b[8:])
		return nil
	})
	return n, hash, ok, err
}

// Last returns the number of the last record with a document key.
func (x *Index) Last(key string) (n uint64, ok bool, err error) {
	err = x.db.View(func(txn *badger.Txn) error {
		var err error
		n, err = number(txn, textKey("k/", key))
		return err
	})
	return n, n > 0, err
}

// trimBatch bounds one transaction of Trim: three keys a record.
const trimBatch = 256

// Trim forgets a number of records below first, and their keys where no later
// record took them over. It reports whether there are more. It goes on from
// where it was, so that it never walks over what is deleted already. The files
// hardly shrink: Badger keeps what was deleted in its lowest level, so an index
// that has outgrown the log is best built again.
func (x *Index) Trim(first uint64) (more bool, err error) {
	if x.watermark == 0 || x.watermark >= first {
		return false, nil
	}
	rows, err := x.Read(x.watermark, first-1, trimBatch, 1<<20)
	if err != nil {
		return false, err
	}
	next := first
	if len(rows) > 0 {
		next = rows[len(rows)-1].Number + 1
	}
	err = x.db.Update(func(txn *badger.Txn) error {
		for _, r := range rows {
			if err := txn.Delete(numberKey(r.Number)); err != nil {
				return err
			}
			for _, key := range [][]byte{textKey("k/", r.Key), textKey("i/", r.IdempotencyKey)} {
				if len(key) == 2 {
					continue
				}
				last, err := number(txn, key)
				if err != nil {
					return err
				}
				if last == r.Number {
					if err := txn.Delete(key); err != nil {
						return err
					}
				}
			}
		}
		return txn.Set(watermarkKey, be(next))
	})
	if err != nil {
		return false, fmt.Errorf("trim index below %d: %w", first, err)
	}
	x.watermark = next
	return next < first, nil
}

// badgerLogger passes on what a person may act on.
type badgerLogger struct{ l *slog.Logger }

func (b badgerLogger) Errorf(f string, v ...any) { b.l.Error("badger: " + fmt.Sprintf(f, v...)) }
func (b badgerLogger) Warningf(f string, v ...any) {
	if strings.Contains(f, "might be too small") || strings.Contains(f, "life expectancy") {
		return // the caches are small on purpose
	}
	b.l.Warn("badger: " + fmt.Sprintf(f, v...))
}
func (b badgerLogger) Infof(string, ...any)  {}
func (b badgerLogger) Debugf(string, ...any) {}
