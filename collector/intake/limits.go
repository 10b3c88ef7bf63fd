package intake

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/fleet"
)

// burst is for how many seconds of its rate an agent may be ahead of it.
const burst = 10

// tooFast is what an agent is told whose messages come faster than they may. What
// gathers meanwhile it sends in fewer, larger batches.
func tooFast() *refusal {
	return &refusal{code: RefusedTooFast, text: "more messages came than an agent may send", retry: true, after: 5 * time.Second}
}

// refusals counts them by code.
type refusals map[string]*atomic.Uint64

func newRefusals() refusals {
	r := refusals{}
	for _, code := range Codes() {
		r[code] = new(atomic.Uint64)
	}
	return r
}

func (r refusals) stats() map[string]uint64 {
	counts := make(map[string]uint64, len(r))
	for code, n := range r {
		counts[code] = n.Load()
	}
	return counts
}

// enter lists a session, unless the limits refuse it, and returns what takes it
// off the list. Of an agent with as many sessions as it may have the oldest ends,
// since its line may be dead without anybody having noticed.
func (s *Service) enter(entered *session) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := entered.id
	switch {
	case s.draining:
		return nil, draining()
	case !s.bucket(id).Allow(): // it may connect again and again instead
		return nil, tooFast()
	case s.merchants[id.Merchant] >= s.o.MaxMerchant:
		return nil, &refusal{code: RefusedMerchantFull, text: fmt.Sprintf("the merchant has %d sessions here, as many as one may have", s.o.MaxMerchant), retry: true, after: 30 * time.Second}
	}
	entered.bucket = s.bucket(id)
	of := s.live[id]
	if len(of) >= s.o.MaxAgent {
		select {
		case of[0].replaced <- struct{}{}:
		default: // it is told already
		}
		of = of[1:]
	}
	s.live[id] = append(slices.Clone(of), entered)
	s.merchants[id.Merchant]++
	s.in++
	return func() { s.left(entered) }, nil
}

// left takes a session off the list.
func (s *Service) left(gone *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := gone.id
	if s.live[id] = slices.DeleteFunc(s.live[id], func(other *session) bool { return other == gone }); len(s.live[id]) == 0 {
		delete(s.live, id)
		if s.buckets[id].Tokens() >= float64(s.buckets[id].Burst()) {
			delete(s.buckets, id) // a new one is as full
		}
	}
	if s.merchants[id.Merchant]--; s.merchants[id.Merchant] == 0 {
		delete(s.merchants, id.Merchant)
	}
	if s.in--; s.draining && s.in == 0 {
		close(s.empty)
	}
}

// bucket is what an agent's sessions share of messages that they may send; mu is
// held. There are no more than agents.
func (s *Service) bucket(id fleet.Identity) *rate.Limiter {
	b := s.buckets[id]
	if b == nil {
		b = rate.NewLimiter(rate.Limit(s.o.Rate), burst*s.o.Rate)
		s.buckets[id] = b
	}
	return b
}
