package uplink

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestEveryNumberGoesOutOnceWhateverOvertakes sends runs in order and from the
// head at random, with overtaking in between, and keeps book of what went.
func TestEveryNumberGoesOutOnceWhateverOvertakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		last := rapid.Uint64Range(0, 20).Draw(t, "last")
		o := order{sent: rapid.Uint64Range(0, last).Draw(t, "stored")}
		went := map[uint64]bool{}
		stored := o.sent
		send := func(first, last uint64) {
			for n := first; n <= last; n++ {
				if went[n] || n <= stored {
					t.Fatalf("number %d goes twice", n)
				}
				went[n] = true
			}
			o.went(first, last, []byte{byte(last)})
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			head, _ := o.head()
			size := rapid.Uint64Range(1, 9).Draw(t, "size")
			switch rapid.SampledFrom([]string{"sell", "in order", "live", "overtake", "stored"}).Draw(t, "what") {
			case "sell":
				last += size
			case "in order":
				limit, bounded := o.hole()
				if !bounded {
					limit = last
				}
				if o.sent < limit {
					send(o.sent+1, min(limit, o.sent+size))
				}
			case "live":
				if _, ok := o.hole(); ok && head < last {
					send(head+1, min(last, head+size))
				}
			case "overtake":
				if head < last {
					o.overtake(last, nil)
				}
			case "stored":
				o.reached(o.sent, nil)
			}
			at := o.sent
			for i, s := range o.ahead {
				if s.first <= at+1 || s.last+1 < s.first {
					t.Fatalf("span %d of %+v above %d", i, o.ahead, o.sent)
				}
				at = max(at, s.last)
			}
		}
		for o.sent < last { // and the rest
			limit, ok := o.hole()
			if !ok {
				limit = last
			}
			send(o.sent+1, limit)
		}
		if uint64(len(went)) != last-stored {
			t.Fatalf("%d of %d numbers went", len(went), last-stored)
		}
	})
}

func TestAGapThatReachesIntoWhatIsAheadLeadsBeyondIt(t *testing.T) {
	t.Parallel()
	o := order{sent: 4, ahead: []span{{first: 10, last: 15}, {first: 20, last: 30, digest: []byte("30")}, {first: 40, last: 40}}}
	o.went(5, 24, []byte("24"))
	if o.sent != 30 || string(o.before) != "30" || len(o.ahead) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestTheWindowFollowsTheLine(t *testing.T) {
	t.Parallel()
	// A line that carries so many bytes a second after a way of so long, and
	// nothing else under way but one window: how much that is after a while.
	settle := func(rate int, way time.Duration) (windows []int) {
		p := newPace()
		p.credits(8)
		now := time.Unix(0, 0)
		type batch struct {
			sent  time.Time
			bytes int
		}
		var under []batch
		total, free := 0, now
		for range 3000 {
			for total < p.room() {
				under = append(under, batch{now, p.read()})
				total += p.read()
			}
			b := under[0]
			under = under[1:]
			total -= b.bytes
			if begin := b.sent.Add(way); free.Before(begin) {
				free = begin
			}
			free = free.Add(time.Duration(b.bytes) * time.Second / time.Duration(rate))
			now = free
			p.answered(b.sent, now, b.bytes)
			windows = append(windows, p.room())
		}
		return windows[1000:]
	}
	for _, line := range []struct {
		rate     int
		way      time.Duration
		min, max int
	}{
		{32 << 10, 0, minWindow, 64 << 10},                        // 64 kbit/s, compressed four to one
		{1 << 20, 50 * time.Millisecond, 400 << 10, 2 << 20},      // what goes in a second or so
		{1 << 20, 3 * time.Second, 768 << 10, 8 << 20},            // a long way is not slow
		{100 << 20, 5 * time.Millisecond, 8 << 20, 8*maxRead + 1}, // all that the credits allow
	} {
		for i, w := range settle(line.rate, line.way) {
			if w < line.min || w > line.max {
				t.Errorf("%d bytes a second, %s: window %d after %d answers, want %d to %d", line.rate, line.way, w, 1000+i, line.min, line.max)
				break
			}
		}
	}
}
