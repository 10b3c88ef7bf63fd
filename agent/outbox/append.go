package outbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"

	"tillbook.example/tillbook/agent/outbox/commitlog"
)

// Limits on what is appended.
const (
	// MaxRecordBytes bounds a marshalled record: one that fits into a batch.
	MaxRecordBytes = wire.MaxRecordBytes
	// MaxKeyBytes bounds a document key, an idempotency key and a state key.
	MaxKeyBytes = 1024
	// MaxStateBytes bounds one value of the state.
	MaxStateBytes = 64 << 10
)

// captureRoom is the most that the field Capture takes: a tag and ten bytes.
const captureRoom = 11

// commitBytes is about how much one commit takes of what waits. More would not
// be faster, and a damaged frame would cost more records.
const commitBytes = 256 << 10

// request is one Append on its way through the queue.
type request struct {
	items  []item
	state  map[string][]byte
	bytes  int // at most, in the log
	result Appended
	err    error
	done   chan struct{}
}

// item is an Item made ready by its producer.
type item struct {
	key, idempotency string
	hash             [32]byte // of the content; with an idempotency key only
	rest             []byte   // the record without its field Capture, which comes first
}

// Append appends a group and returns when it is on stable storage. The errors
// ErrFull and those of a failing disk may pass, ErrKeyReused and ErrTooLarge
// will not; after any of them nothing of the group is there, save that a crash
// may leave it there, whole. A context that ends while the group waits leaves
// open whether it was appended: with an idempotency key it may be sent again.
func (b *Outbox) Append(ctx context.Context, g Group) (Appended, error) {
	r, err := b.ready(g)
	if err != nil {
		return Appended{}, err
	}
	if err := ctx.Err(); err != nil {
		return Appended{}, fmt.Errorf("append: %w", err)
	}
	b.sending.RLock()
	if b.closed {
		b.sending.RUnlock()
		return Appended{}, fmt.Errorf("append: %w", ErrClosed)
	}
	select {
	case b.queue <- r:
		b.sending.RUnlock()
	case <-ctx.Done():
		b.sending.RUnlock()
		return Appended{}, fmt.Errorf("append: %w", ctx.Err())
	}
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return Appended{}, fmt.Errorf("append: %w", ctx.Err())
	}
}

// ready checks a group and marshals its records.
func (b *Outbox) ready(g Group) (*request, error) {
	r := &request{state: g.State, done: make(chan struct{}), items: make([]item, len(g.Items))}
	for i, it := range g.Items {
		if err := r.items[i].from(it); err != nil {
			return nil, fmt.Errorf("append item %d: %w", i, err)
		}
		r.bytes += commitlog.RecordBytes(len(it.Key), len(it.IdempotencyKey), len(r.items[i].rest)+captureRoom)
	}
	for k, v := range g.State {
		switch {
		case k == "" || strings.HasPrefix(k, commitlog.Reserved):
			return nil, fmt.Errorf("append: state key %q is reserved", k)
		case len(k) > MaxKeyBytes || len(v) > MaxStateBytes:
			return nil, fmt.Errorf("append: state key of %d bytes with %d: %w", len(k), len(v), ErrTooLarge)
		}
		r.bytes += commitlog.StateBytes(len(k), len(v))
	}
	if limit := b.log.MaxBytes(); r.bytes > limit {
		return nil, fmt.Errorf("append: group of %d items takes %d bytes, at most %d: %w", len(g.Items), r.bytes, limit, ErrTooLarge)
	}
	return r, nil
}

func (it *item) from(i Item) error {
	if i.Record == nil || i.Record.Capture != 0 {
		return errors.New("record is missing or has a capture number already")
	}
	if len(i.Key) > MaxKeyBytes || len(i.IdempotencyKey) > MaxKeyBytes {
		return fmt.Errorf("keys of %d and %d bytes: %w", len(i.Key), len(i.IdempotencyKey), ErrTooLarge)
	}
	rest, err := proto.MarshalOptions{Deterministic: true}.Marshal(i.Record)
	if err != nil {
		return fmt.Errorf("marshal record: %w", err)
	}
	if len(rest)+captureRoom > MaxRecordBytes {
		return fmt.Errorf("record of %d bytes, at most %d: %w", len(rest), MaxRecordBytes-captureRoom, ErrTooLarge)
	}
	it.key, it.idempotency, it.rest = i.Key, i.IdempotencyKey, rest
	if it.idempotency != "" {
		it.hash = contentHash(i.Record)
	}
	return nil
}

// contentHash says whether two records with one idempotency key are the same:
// by the document's content hash, or by the bytes of what could not be read.
func contentHash(r *tillbookv1.Record) [32]byte {
	if len(r.Hash) == 32 {
		return [32]byte(r.Hash)
	}
	return sha256.Sum256(r.Document)
}

// write is the one goroutine that commits. It takes what waits, without waiting
// for more.
func (b *Outbox) write() {
	var held *request
	for {
		first := held
		held = nil
		if first == nil {
			var ok bool
			if first, ok = <-b.queue; !ok {
				return
			}
		}
		batch, bytes := []*request{first}, first.bytes
	take:
		for len(batch) < cap(b.queue) {
			select {
			case r, ok := <-b.queue:
				if !ok {
					break take
				}
				if bytes+r.bytes > commitBytes || bytes+r.bytes > b.log.MaxBytes() {
					held = r
					break take
				}
				batch, bytes = append(batch, r), bytes+r.bytes
			default:
				break take
			}
		}
		b.commit(batch)
	}
}

// commit appends what it can of a batch in one piece, and answers all.
func (b *Outbox) commit(batch []*request) {
	marked := b.room.look()
	b.copies.press(len(batch))
	g := b.log.Begin()
	fresh := map[string]seen{}
	for _, r := range batch {
		r.err = b.add(g, r, fresh)
	}
	records := g.Records()
	begin := time.Now()
	if err := b.log.Commit(g); err != nil {
		err = fmt.Errorf("append: %w", outside(err))
		for _, r := range batch {
			if r.err == nil {
				r.result, r.err = Appended{}, err
			}
		}
	} else {
		b.count.syncNanos.Store(int64(time.Since(begin)))
		b.count.commits.Add(1)
		if records > 0 {
			b.count.records.Add(uint64(records))
			b.copies.appended(fresh)
			b.grown()
		}
	}
	for _, r := range batch {
		if errors.Is(r.err, ErrFull) {
			b.count.refused.Add(1)
		} else if r.err == nil {
			b.count.appends.Add(1)
		}
		close(r.done)
	}
	if !b.log.Ready() || marked || b.room.isHard() {
		b.wake()
	}
}

// outside turns an error of the log into one of this package.
func outside(err error) error {
	switch {
	case errors.Is(err, commitlog.ErrFull):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, commitlog.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return err
}

// add puts one request into the group, or nothing of it.
func (b *Outbox) add(g *commitlog.Group, r *request, fresh map[string]seen) error {
	result := Appended{Numbers: make([]uint64, len(r.items)), Duplicate: make([]bool, len(r.items))}
	number, added := g.Next(), map[string]seen{}
	for i, it := range r.items {
		known, ok, err := b.seen(it.idempotency, added, fresh)
		switch {
		case err != nil:
			return fmt.Errorf("append item %d: %w", i, err)
		case ok && known.hash != it.hash:
			return fmt.Errorf("append item %d: key %q of record %d: %w", i, it.idempotency, known.number, ErrKeyReused)
		case ok:
			result.Numbers[i], result.Duplicate[i] = known.number, true
			continue
		}
		if it.idempotency != "" {
			added[it.idempotency] = seen{number, it.hash}
		}
		result.Numbers[i] = number
		number++
	}
	if number > g.Next() {
		if err := b.mayTake(g, r); err != nil {
			return fmt.Errorf("append: %w", err)
		}
		result.First, result.Last = g.Next(), number-1
	}
	if err := g.Set(r.state); err != nil {
		return fmt.Errorf("append: %w", outside(err))
	}
	for i, it := range r.items {
		if result.Duplicate[i] {
			b.count.duplicates.Add(1)
			continue
		}
		capture := protowire.AppendTag(make([]byte, 0, captureRoom), 1, protowire.VarintType)
		capture = protowire.AppendVarint(capture, g.Next())
		g.Add(it.key, it.idempotency, capture, it.rest)
	}
	for k, v := range added {
		fresh[k] = v
	}
	r.result = result
	return nil
}

// seen looks an idempotency key up: in this group, in this batch, in what was
// committed.
func (b *Outbox) seen(key string, maps ...map[string]seen) (seen, bool, error) {
	if key == "" {
		return seen{}, false, nil
	}
	for _, m := range maps {
		if s, ok := m[key]; ok {
			return s, true, nil
		}
	}
	return b.copies.seen(key)
}
