package line_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/wire"
)

// onEach runs a test over each carrier, with real parts on loopback.
func onEach(t *testing.T, test func(t *testing.T, s *site), change ...func(*intake.Options)) {
	t.Helper()
	t.Parallel()
	for _, over := range []string{overGRPC, overMQTT, overWSS} {
		t.Run(over, func(t *testing.T) {
			t.Parallel()
			test(t, newSite(t, over, change...))
		})
	}
}

// quick are options of an uplink that goes on soon after a session ended.
func quick(s *site, disk uplink.Outbox) uplink.Options {
	return uplink.Options{
		Outbox: disk, Carrier: s.dial(s.authority, leeds), Agent: leeds.Agent,
		MinWait: 20 * time.Millisecond, MaxWait: 500 * time.Millisecond,
	}
}

func sell(disk *uplinktest.Outbox, from, to int) {
	for i := from; i < to; i++ {
		disk.Add(intaketest.Sale(leeds.Store, i, 100+i))
	}
}

// once fails unless exactly n documents had one effect each.
func (s *site) once(t *testing.T, n int) {
	t.Helper()
	effects := s.store.Effects()
	for e, times := range effects {
		if times != 1 {
			t.Errorf("%s had %d effects", e.Key, times)
		}
	}
	if len(effects) != n {
		t.Errorf("%d documents are stored, want %d", len(effects), n)
	}
}

func TestSalesArriveOnceThoughTheCollectorRestarts(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		disk := uplinktest.NewOutbox()
		sell(disk, 0, 2500)
		u := run(t, quick(s, disk))
		u.until(t, 1000)
		s.halt()
		sell(disk, 2500, 5000)
		s.start()
		u.until(t, 5000)
		if status := u.Status(); status.Unsent != 0 || status.Stored != 5000 {
			t.Errorf("status %+v, want all 5000 stored", status)
		}
		s.once(t, 5000)
	})
}

func TestSalesArriveOnceThoughTheAgentRestarts(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		disk := uplinktest.NewOutbox()
		for at := range 3 {
			sell(disk, at*1000, at*1000+1000)
			u := run(t, quick(s, disk))
			u.until(t, uint64(at*1000+300))
			u.stop()
		}
		u := run(t, quick(s, disk))
		u.until(t, 3000)
		s.once(t, 3000)
	})
}

func TestAForkGetsANewEpochAndEachSaleHasOneEffect(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		disk := uplinktest.NewOutbox()
		sell(disk, 0, 100)
		old := disk.Copy()
		u := run(t, quick(s, disk))
		u.until(t, 100)
		u.stop()
		if s.store.Epochs(leeds) != 1 {
			t.Fatalf("%d epochs before the fork", s.store.Epochs(leeds))
		}
		sell(old, 100, 150) // a restored disk, without its epoch and mark
		u = run(t, quick(s, old))
		u.until(t, 150)
		if s.store.Epochs(leeds) != 2 {
			t.Errorf("%d epochs, want a second", s.store.Epochs(leeds))
		}
		s.once(t, 150)
	})
}

func TestARevokedAgentIsRefusedAtItsNextSessionAndInThePresentOne(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		disk := uplinktest.NewOutbox()
		sell(disk, 0, 10)
		u := run(t, quick(s, disk))
		u.until(t, 10)
		s.revoke(leeds)
		refused := func(session uplink.Session) *tillbookv1.Refusal {
			for {
				m, err := session.Recv()
				if err != nil {
					t.Fatalf("the session ended without a refusal: %v", err)
				}
				if r := m.GetRefusal(); r != nil {
					return r
				}
			}
		}
		session, err := s.dial(s.authority, leeds).Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		// The collector may have refused and ended it before it hears anything.
		_ = session.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{Protocol: wire.Protocol, Next: 1}}})
		if r := refused(session); r.Code != intake.RefusedRevoked || r.Retry {
			t.Errorf("refused %v, want revoked for good", r)
		}
		if _, err := session.Recv(); err == nil {
			t.Error("the session goes on after the refusal")
		}
		late := time.After(patience)
		for u.Status().Refusal != intake.RefusedRevoked {
			select {
			case <-late:
				t.Fatalf("the session that stood goes on: %+v", u.Status())
			case <-time.After(10 * time.Millisecond):
			}
		}
		sell(disk, 10, 11)
		s.once(t, 10)
	}, func(o *intake.Options) { o.Beat, o.Check = 50*time.Millisecond, 50*time.Millisecond })
}

func TestPoisonIsAcknowledgedAsRejectedAndTheLargestBatchPasses(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		disk := uplinktest.NewOutbox()
		noise := make([]byte, wire.MaxRecordBytes-100)
		_, _ = rand.Read(noise)
		disk.Add(&tillbookv1.Record{Raw: true, Document: noise, Reason: "noise: it is"})
		disk.Add(&tillbookv1.Record{Raw: true, Document: append(noise, noise...), Reason: "noise: too much"})
		disk.Add(intaketest.Sale(leeds.Store, 1, 1))
		poison := intaketest.Sale(leeds.Store, 2, 2)
		poison.Hash[0]++
		disk.Add(poison, intaketest.Sale(leeds.Store, 3, 3))
		var mu sync.Mutex
		var rejected []string
		o := quick(s, disk)
		o.Rejected = func(number uint64, code, text string) {
			mu.Lock()
			defer mu.Unlock()
			rejected = append(rejected, fmt.Sprint(number, " ", code))
		}
		u := run(t, o)
		u.until(t, 5)
		u.stop()
		slices.Sort(rejected)
		if got := strings.Join(slices.Compact(rejected), ", "); got != "1 noise, 4 hash_mismatch" {
			t.Errorf("rejected %q, want the noise and the poison", got)
		}
		if lost := s.store.Lost(leeds); len(lost) != 1 {
			t.Errorf("lost %v, want the record that no batch can hold, by name", lost)
		}
		s.once(t, 2)
	})
}

func TestAStrangersCertificateIsNotHeard(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		stranger, err := pki.NewAuthority(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for name, authority := range map[string]*pki.Authority{"a stranger's": stranger, "none": nil} {
			session, err := s.dial(authority, leeds).Dial(t.Context())
			if err != nil {
				continue
			}
			t.Cleanup(session.Close)
			_ = session.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{Protocol: wire.Protocol, Next: 1}}})
			if m, err := session.Recv(); err == nil {
				t.Errorf("%s: answered %v", name, m)
			}
		}
	})
}
