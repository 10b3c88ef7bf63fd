package acceptance

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// kills is how often each program is killed, and sales how many documents flow
// meanwhile: few in the ordinary run, more where TILLBOOK_KILLS is set.
func kills(t *testing.T) (kills, sales int) {
	t.Helper()
	text := os.Getenv("TILLBOOK_KILLS")
	if text == "" {
		return 4, 1600
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("TILLBOOK_KILLS: %v", err)
	}
	return n, 400 * n
}

func TestNothingIsLostOrDoubledWhileBothProgramsAreKilled(t *testing.T) {
	kills, sales := kills(t)
	s := open(t, "2s")
	s.join("agent", "")

	// Four tills push; each goes on only when its sale was answered 201, and
	// rings it up again with the same key until then.
	const tills = 4
	var inFlight, answered atomic.Int64
	var pushing sync.WaitGroup
	pace := make(chan struct{}) // closed: push what is left without waiting
	permits := make(chan struct{}, sales)
	for till := range tills {
		pushing.Go(func() {
			for n := till + 1; n <= sales; n += tills {
				select {
				case <-permits:
				case <-pace:
				}
				inFlight.Add(1)
				for s.push("agent", fmt.Sprintf("k%d", n), sale("1", n, int64(100+n%977))) != 201 {
					if s.ctx.Err() != nil {
						return
					}
					pause(s.ctx, 20*time.Millisecond)
				}
				inFlight.Add(-1)
				answered.Add(1)
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	unacknowledged := 0
	var acknowledged uint64
	for round := range 2 * kills {
		share := sales / (2 * kills)
		for range share / 2 {
			permits <- struct{}{}
		}
		// Each round gets on before it is cut short: acknowledgements arrived since
		// the last kill, and more sales are under way.
		s.must(installation.Wait(s.ctx, "an acknowledgement since the last kill", func() (bool, error) {
			st, err := s.status("agent")
			now := st.Outbox.Taken - st.Outbox.Unsent
			if err != nil || now <= acknowledged {
				return false, err
			}
			acknowledged = now
			return true, nil
		}))
		for range share - share/2 {
			permits <- struct{}{}
		}
		pause(s.ctx, time.Duration(random.IntN(60))*time.Millisecond)
		victim := "agent"
		if round%2 == 1 {
			victim = "collector"
		}
		st, err := s.status("agent")
		if inFlight.Load() > 0 || err != nil || st.Outbox.Unsent > 0 {
			unacknowledged++
		}
		t.Logf("kill %d: %s; in flight %d, answered %d, taken %d, unsent %d", round+1, victim, inFlight.Load(), answered.Load(), st.Outbox.Taken, st.Outbox.Unsent)
		s.must(s.Kill(victim))
		pause(s.ctx, time.Duration(random.IntN(150))*time.Millisecond)
		if victim == "agent" {
			s.agent("agent")
		} else {
			s.collector()
		}
	}
	close(pace)
	pushing.Wait()
	t.Logf("%d of %d kills hit while something was unacknowledged", unacknowledged, 2*kills)
	s.must(installation.Wait(s.ctx, "everything sent", func() (bool, error) {
		st, err := s.status("agent")
		return st.Outbox.Unsent == 0 && err == nil, err
	}))
	s.posted(1)

	stored := s.stored()
	if len(stored) != sales {
		t.Errorf("%d documents are stored, %d were rung up", len(stored), sales)
	}
	var gross, tax int64
	for n := 1; n <= sales; n++ {
		pence := int64(100 + n%977)
		gross, tax = gross+pence, tax+(pence*20+60)/120
		key := fmt.Sprintf("S1|1|RECEIPT|%d", n)
		if revision, ok := stored[key]; !ok || revision != 1 {
			t.Errorf("%s: stored %t, revision %d", key, ok, revision)
		}
	}
	got := s.balances(day)
	for account, want := range map[string]int64{"Assets:CardClearing": gross, "Income:Sales": -(gross - tax), "Liabilities:VAT": -tax} {
		if got[account] != want {
			t.Errorf("%s holds %s, rung up were %s", account, pounds(got[account]), pounds(want))
		}
	}
	s.verify()
}
