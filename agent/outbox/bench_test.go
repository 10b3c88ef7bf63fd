package outbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"

	"tillbook.example/tillbook/agent/outbox/file"
)

// benchRecord marshals to about 1 KiB.
func benchRecord() *tillbookv1.Record {
	return &tillbookv1.Record{Document: []byte(strings.Repeat("coffee 3.20 ", 82)), Hash: make([]byte, 32)}
}

// BenchmarkAppend compares Append with what the disk gives at all: records/s of
// 1 KiB with 1 and 32 producers. The raw loops write to a preallocated file and
// sync as the log does; "grouped" takes what waits, as the outbox does.
func BenchmarkAppend(b *testing.B) {
	for _, producers := range []int{1, 32} {
		b.Run(fmt.Sprintf("outbox/%d", producers), func(b *testing.B) {
			o, err := Open(b.TempDir(), Options{SoftFree: -1, HardFree: -1, Ballast: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer o.Close()
			spread(b, producers, func() error {
				_, err := o.Append(context.Background(), Group{Items: []Item{{Key: "S1/T1/RECEIPT/1", Record: benchRecord()}}})
				return err
			})
		})
		b.Run(fmt.Sprintf("raw grouped/%d", producers), func(b *testing.B) {
			raw := newRaw(b)
			spread(b, producers, raw.grouped)
		})
	}
	b.Run("raw append and sync/1", func(b *testing.B) {
		raw := newRaw(b)
		spread(b, 1, raw.alone)
	})
}

// spread runs f b.N times from as many goroutines as producers.
func spread(b *testing.B, producers int, f func() error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(0, "ns/op")
}

const rawBytes = 256 << 20

// raw is a file that is written round and round.
type raw struct {
	f     file.File
	off   int64
	queue chan chan error
	one   []byte
	all   []byte
}

func newRaw(b *testing.B) *raw {
	name := filepath.Join(b.TempDir(), "raw")
	f, err := file.Zeros(file.OS{}, name, rawBytes)
	if err != nil {
		b.Fatal(err)
	}
	r := &raw{f: f, queue: make(chan chan error, 256), one: make([]byte, 1<<10)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.write()
	}()
	b.Cleanup(func() {
		close(r.queue)
		<-done
		f.Close()
		os.Remove(name)
	})
	return r
}

func (r *raw) put(b []byte) error {
	if r.off+int64(len(b)) > rawBytes {
		r.off = 0
	}
	if _, err := r.f.WriteAt(b, r.off); err != nil {
		return err
	}
	r.off += int64(len(b))
	return r.f.Sync()
}

func (r *raw) alone() error { return r.put(r.one) }

func (r *raw) grouped() error {
	done := make(chan error, 1)
	r.queue <- done
	return <-done
}

func (r *raw) write() {
	for first := range r.queue {
		waiting := []chan error{first}
		r.all = append(r.all[:0], r.one...)
	take:
		for {
			select {
			case w, ok := <-r.queue:
				if !ok {
					break take
				}
				waiting = append(waiting, w)
				r.all = append(r.all, r.one...)
			default:
				break take
			}
		}
		err := r.put(r.all)
		for _, w := range waiting {
			w <- err
		}
	}
}

// BenchmarkRead reads a backlog in batches of 500, as the uplink does, from the
// index and from the log.
func BenchmarkRead(b *testing.B) {
	for _, from := range []string{"index", "log"} {
		b.Run(from, func(b *testing.B) {
			o := Options{SoftFree: -1, HardFree: -1, Ballast: -1, IndexReserve: -1}
			if from == "log" {
				o.IndexReserve = 1 << 60
			}
			box, err := Open(b.TempDir(), o)
			if err != nil {
				b.Fatal(err)
			}
			defer box.Close()
			const backlog = 20_000
			for range backlog / 100 {
				var g Group
				for range 100 {
					g.Items = append(g.Items, Item{Key: "S1/T1/RECEIPT/1", Record: benchRecord()})
				}
				if _, err := box.Append(context.Background(), g); err != nil {
					b.Fatal(err)
				}
			}
			if from == "index" {
				box.copies.mu.RLock()
				for box.copies.applied < backlog {
					box.copies.moved.Wait()
				}
				box.copies.mu.RUnlock()
			}
			b.ResetTimer()
			records, next := 0, uint64(1)
			for range b.N {
				got, err := box.Read(next, 500, 1<<20)
				if err != nil {
					b.Fatal(err)
				}
				records += len(got)
				if next = got[len(got)-1].Number + 1; next > backlog {
					next = 1
				}
			}
			b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
