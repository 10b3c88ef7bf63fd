//go:build soak

package line_test

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/internal/line"
)

// TestSoakALineOfEveryKind has sales flow for TILLBOOK_SOAK at the intervals of a
// store, over lines that are good, far away, slow, half-open or broken in turn.
func TestSoakALineOfEveryKind(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("TILLBOOK_SOAK"))
	if err != nil {
		t.Fatalf("TILLBOOK_SOAK: %v", err)
	}
	onEach(t, func(t *testing.T, s *site) {
		wire, err := line.NewWire(s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(wire.Close)
		disk := uplinktest.NewOutbox()
		o := quick(s, disk)
		o.Carrier = s.dialAt(wire.Addr(), nil, s.authority, leeds)
		o.MinWait, o.MaxWait = 0, 0
		u := run(t, o)
		kinds := []line.Quality{{}, {Delay: 3 * time.Second}, {Rate: 64_000 / 8}, {HalfOpen: true}, {CutAfter: 100_000}, {Delay: time.Second, Rate: 32_000 / 8}}
		sold := 0
		for end := time.Now().Add(long); time.Now().Before(end); {
			wire.Set(kinds[rand.IntN(len(kinds))])
			if rand.IntN(2) == 0 {
				wire.Cut()
			}
			for change := time.After(time.Duration(10+rand.IntN(80)) * time.Second); change != nil; {
				select {
				case <-change:
					change = nil
				case <-time.After(time.Second):
					n := rand.IntN(20)
					sell(disk, sold, sold+n)
					sold += n
				}
			}
		}
		wire.Set(line.Quality{})
		wire.Cut()
		u.until(t, uint64(sold))
		s.once(t, sold)
	}, func(*intake.Options) {})
}
