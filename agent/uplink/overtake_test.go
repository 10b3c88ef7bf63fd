package uplink_test

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// behind is an agent as running gives it, with so many more records waiting, and
// the collector having room for so many batches.
func behind(t *testing.T, waiting int, credits uint32, ranges []*tillbookv1.Range, change func(*uplink.Options)) (*collector, *call) {
	t.Helper()
	c, s := running(t, change)
	fill(c.disk, waiting)
	w := ours(t, c, 5)
	w.Credits, w.Ranges = credits, ranges
	s.welcome(w)
	return c, s
}

// wants fails unless a batch is of the given wire numbers and of our chain.
func (s *call) wants(c *collector, b *tillbookv1.Batch, first, last uint64) {
	s.t.Helper()
	if b.First != first || b.First+uint64(b.Count)-1 != last {
		s.t.Fatalf("heard numbers %d to %d, want %d to %d", b.First, b.First+uint64(b.Count)-1, first, last)
	}
	if string(b.DigestBefore) != string(digest(s.t, c.disk, 10+first-1)) || string(b.DigestAfter) != string(digest(s.t, c.disk, 10+last)) {
		s.t.Errorf("numbers %d to %d with digests that are not ours", first, last)
	}
}

// above is an acknowledgement with ranges above the watermark, given as pairs.
func above(t *testing.T, c *collector, stored uint64, ends ...uint64) *tillbookv1.Ack {
	a := theirs(t, c, stored)
	for i := 0; i < len(ends); i += 2 {
		a.Ranges = append(a.Ranges, &tillbookv1.Range{First: ends[i], Last: ends[i+1]})
	}
	return a
}

func TestASaleOvertakesABacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := behind(t, 2990, 3, nil, nil)  // up to wire number 3000
		s.wants(c, s.hearBatch(), 2873, 3000) // the newest batch
		s.wants(c, s.hearBatch(), 6, 1005)    // and beside it the oldest
		s.silent()                            // the third credit is for sales
		fill(c.disk, 2)                       // which wait
		s.silent()                            // for the answer to the one before
		s.ack(above(t, c, 5, 2873, 3000))     // of the newest
		s.wants(c, s.hearBatch(), 3001, 3002) // now they go
		s.silent()                            // and their credit is not the backlog's
		fill(c.disk, 1)                       //
		s.ack(above(t, c, 1005, 2873, 3000))  // of the oldest
		s.wants(c, s.hearBatch(), 1006, 2005) //
		if status := c.up.Status(); status.Stored != 1015 || status.Ahead != 128 || status.Unsent != 1870 {
			t.Errorf("status %+v, want what overtook not to count as unsent", status)
		}
		s.ack(above(t, c, 1005, 2873, 3002))
		s.wants(c, s.hearBatch(), 3003, 3003)
		s.ack(above(t, c, 2005, 2873, 3002))
		s.wants(c, s.hearBatch(), 2006, 2872) // not what went already
		s.ack(above(t, c, 2005, 2873, 3003))
		fill(c.disk, 1)
		s.wants(c, s.hearBatch(), 3004, 3004)
		s.ack(theirs(t, c, 3003)) // the hole is closed
		s.ack(theirs(t, c, 3004))
		if status := c.up.Status(); status.Unsent != 0 || status.Ahead != 0 {
			t.Errorf("status %+v", status)
		}
		fill(c.disk, 1)
		s.wants(c, s.hearBatch(), 3005, 3005)
	})
}

func TestFourBatchesOfSalesGoToOneOfTheBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := behind(t, 20_000, 3, nil, nil)
		s.wants(c, s.hearBatch(), 19_883, 20_010)
		s.wants(c, s.hearBatch(), 6, 1005)
		s.ack(above(t, c, 5, 19_883, 20_010))
		s.wants(c, s.hearBatch(), 1006, 2005)
		s.silent()
		fill(c.disk, 8100)
		var order strings.Builder
		for range 10 {
			b := s.hearBatch()
			if b.First > 20_010 {
				order.WriteByte('s')
			} else {
				order.WriteByte('b')
			}
			s.ack(theirs(t, c, 5)) // an answer that says no more than that there is one
		}
		if got := order.String(); got != "ssssbssssb" {
			t.Errorf("sales and backlog went as %s", got)
		}
	})
}

func TestWhatWasStoredOutOfOrderIsNotSentAgain(t *testing.T) {
	t.Parallel()
	t.Run("after a reconnect", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, s := behind(t, 90, 8, []*tillbookv1.Range{{First: 20, Last: 30}, {First: 50, Last: 60}}, nil)
			var heard [][2]uint64
			for range 3 {
				b := s.hearBatch()
				s.wants(c, b, b.First, b.First+uint64(b.Count)-1)
				heard = append(heard, [2]uint64{b.First, b.First + uint64(b.Count) - 1})
				s.ack(theirs(t, c, 5))
			}
			if heard[0] != [2]uint64{61, 100} || heard[1] != [2]uint64{6, 19} || heard[2] != [2]uint64{31, 49} {
				t.Errorf("heard %v", heard)
			}
			s.silent()
		})
	})
	for name, ranges := range map[string][]*tillbookv1.Range{
		"beyond what was given": {{First: 50, Last: 101}},
		"backwards":             {{First: 60, Last: 50}},
		"overlapping":           {{First: 20, Last: 30}, {First: 30, Last: 40}},
		"at the watermark":      {{First: 6, Last: 10}},
	} {
		t.Run("but ranges that are "+name+" are", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := behind(t, 90, 8, ranges, nil)
				s.wants(c, s.hearBatch(), 6, 100)
			})
		})
	}
}

func TestAGapBesideWhatOvertookIsDeclared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := running(t, nil)
		fill(c.disk, 90)
		c.disk.Lose(10+15, 10+24) // reaches into what the collector has
		w := ours(t, c, 5)
		w.Ranges = []*tillbookv1.Range{{First: 20, Last: 30}}
		s.welcome(w)
		s.wants(c, s.hearBatch(), 31, 100)
		s.wants(c, s.hearBatch(), 6, 14)
		if g := s.hear().GetGap(); g.GetFirst() != 15 || g.GetLast() != 24 {
			t.Errorf("heard %v", g)
		}
		s.silent()
	})
}

func TestACollectorWithoutRoomForWhatOvertakesIsSentEverythingInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := behind(t, 2990, 2, nil, nil)
		s.wants(c, s.hearBatch(), 2873, 3000)
		s.say(&tillbookv1.Down{Message: &tillbookv1.Down_Refusal{Refusal: &tillbookv1.Refusal{Code: "busy", Retry: true}}})
		s = <-c.calls
		s.hear()
		w := ours(t, c, 5)
		w.Credits = 2
		s.welcome(w)
		s.wants(c, s.hearBatch(), 6, 1005)
		fill(c.disk, 1)
		s.wants(c, s.hearBatch(), 1006, 2005)
	})
}

// TestTheLimitHoldsBackTheBacklogAndNotASale measures what goes over the line.
func TestTheLimitHoldsBackTheBacklogAndNotASale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rate = 8 << 10
		var limit atomic.Int64
		limit.Store(rate)
		c, s := behind(t, 0, 8, nil, func(o *uplink.Options) { o.Limit = func(time.Time) int { return int(limit.Load()) } })
		s.hearBatch()
		s.ack(theirs(t, c, 10))
		noise(c.disk, 200)                  // a kilobyte each that does not compress
		s.wants(c, s.hearBatch(), 203, 210) // the newest
		s.ack(above(t, c, 10, 203, 210))
		begin, bytes := time.Now(), 0
		for range 20 {
			b := s.hearBatch()
			bytes += len(b.Records)
			s.ack(above(t, c, b.First+uint64(b.Count)-1, 203, 210))
		}
		if took := time.Since(begin).Seconds(); float64(bytes) > (took+1.5)*rate || float64(bytes) < (took-1.5)*rate {
			t.Errorf("%d bytes in %.1f s, want %d a second", bytes, took, rate)
		}
		s.silent()
		before := time.Now()
		noise(c.disk, 1)
		if b := s.hearBatch(); b.Count != 1 || !time.Now().Equal(before) {
			t.Errorf("a sale went after %s, in a batch of %d", time.Since(before), b.Count)
		}
		limit.Store(0) // closing time
		if b := s.hearBatch(); b.Count < 5 {
			t.Errorf("heard %d records", b.Count)
		}
	})
}

// noise adds records that do not compress.
func noise(disk *uplinktest.Outbox, n int) {
	rng := rand.New(rand.NewPCG(uint64(disk.Next()), 1))
	records := make([]*tillbookv1.Record, n)
	for i := range records {
		text := make([]byte, 1000)
		for i := range text {
			text[i] = byte(rng.Uint32())
		}
		records[i] = &tillbookv1.Record{Raw: true, Document: text}
	}
	disk.Add(records...)
}
