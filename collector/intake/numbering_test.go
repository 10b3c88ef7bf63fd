package intake_test

import (
	"testing"
	"testing/synctest"

	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// joined returns a collector that has stored n sales of an agent, and the agent
// with its session ended.
func joined(t *testing.T, n int) (*place, *agent) {
	p := collector(t, nil)
	a := p.connect(leeds)
	a.join()
	a.send(a.pack(sales(1, n)...))
	a.hearAck()
	a.hang()
	<-a.ended
	return p, a
}

// again connects an agent with what it knows, in a new session.
func (p *place) again(a *agent) *agent {
	fresh := p.connect(leeds)
	fresh.epoch, fresh.incarnation, fresh.chain = a.epoch, a.incarnation, append([][32]byte(nil), a.chain...)
	return fresh
}

func TestASessionGoesOnWhereTheLastOneEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, a := joined(t, 5)
		b := p.again(a)
		if w := b.greet(6, 0); w.Stored != 5 || [32]byte(w.Digest) != a.chain[5] {
			t.Errorf("welcome %v, want 5 stored with the digest there", w)
		}
		b.chain = b.chain[:1]
		b.send(b.pack(sales(1, 5)...)) // again, since the ack was lost
		if ack := b.hearAck(); ack.Stored != 5 {
			t.Errorf("ack %v", ack)
		}
		for effect, times := range p.store.Effects() {
			if times != 1 {
				t.Errorf("%s had %d effects", effect.Key, times)
			}
		}
	})
}

func TestAForkIsSeenAndNothingOfItAcknowledged(t *testing.T) {
	t.Parallel()
	other := [32]byte{7}
	for name, c := range map[string]struct {
		hello  func(a *agent) *tillbookv1.Hello
		sparse bool
		agreed uint64
	}{
		"the agent knows fewer than are stored": {
			hello: func(a *agent) *tillbookv1.Hello { return &tillbookv1.Hello{Next: 4, Stored: 3, Digest: a.chain[3][:]} }, agreed: 3},
		"and the collector has no digest there": {
			hello: func(a *agent) *tillbookv1.Hello { return &tillbookv1.Hello{Next: 4, Stored: 3, Digest: a.chain[3][:]} }, sparse: true},
		"another digest at what it has": {
			hello: func(*agent) *tillbookv1.Hello { return &tillbookv1.Hello{Next: 9, Stored: 3, Digest: other[:]} }},
		"another digest at the watermark it was told": {
			hello: func(a *agent) *tillbookv1.Hello {
				return &tillbookv1.Hello{Next: 9, Stored: 2, Digest: a.chain[2][:], Seen: 5, SeenDigest: other[:]}
			}, agreed: 2},
		"and no digest of its own below": {
			hello: func(*agent) *tillbookv1.Hello {
				return &tillbookv1.Hello{Next: 9, Stored: 2, Seen: 5, SeenDigest: other[:]}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, a := joined(t, 5)
				p.store.Sparse = c.sparse
				b := p.again(a)
				h := c.hello(a)
				h.Epoch, h.Incarnation = &tillbookv1.Epoch{Id: a.epoch}, a.incarnation
				b.sayHello(h)
				offered := b.hear().GetNewEpoch()
				if offered == nil || offered.Agreed != c.agreed || string(offered.Epoch.Id) == string(a.epoch) {
					t.Fatalf("heard %v, want another epoch that agrees up to %d", offered, c.agreed)
				}
				// What is still on its way in the old epoch has no effect and no answer.
				b.send(b.pack(sales(70, 1)...))
				b.epoch, b.chain = offered.Epoch.Id, append([][32]byte(nil), a.chain[c.agreed])
				if w := b.greet(1, 0); w.Stored != 0 || [32]byte(w.Digest) != a.chain[c.agreed] {
					t.Errorf("welcome %v, want an epoch that begins with the agent's digest", w)
				}
				b.send(b.pack(sales(int(c.agreed)+1, 6)...))
				if ack := b.hearAck(); ack.Stored != 6 {
					t.Errorf("ack %v", ack)
				}
				if got := len(p.store.Effects()); got != int(c.agreed)+6 {
					t.Errorf("%d documents, want %d", got, c.agreed+6)
				}
			})
		})
	}
}

func TestACloneAndItsOriginalAreToldApartAtTheFirstBatch(t *testing.T) {
	t.Parallel()
	for _, newestOnly := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p, a := joined(t, 3)
			p.store.NewestOnly = newestOnly
			original, clone := p.again(a), p.again(a)
			original.greet(5, 3)
			clone.greet(5, 3)
			original.send(original.pack(sales(10, 2)...))
			if ack := original.hearAck(); ack.Stored != 5 {
				t.Fatalf("ack %v", ack)
			}
			clone.send(clone.pack(sales(20, 3)...))
			offered := clone.hear().GetNewEpoch()
			if offered == nil || offered.Agreed != 3 {
				t.Fatalf("the clone heard %v, want an epoch from 3 on", offered)
			}
			clone.epoch, clone.chain = offered.Epoch.Id, append([][32]byte(nil), a.chain[3])
			clone.greet(4, 0)
			clone.send(clone.pack(sales(20, 3)...))
			if ack := clone.hearAck(); ack.Stored != 3 {
				t.Errorf("ack %v", ack)
			}
			original.send(original.pack(sales(12, 1)...))
			m := original.hear()
			if newestOnly {
				if m.GetNewEpoch().GetAgreed() != 5 {
					t.Errorf("the original heard %v, want an epoch from 5 on", m)
				}
				return
			}
			if m.GetAck().GetStored() != 6 {
				t.Errorf("the original heard %v, want it to go on in its epoch", m)
			}
		})
	}
}

func TestAnAgentThatForksAgainAndAgainIsAskedToWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, nil)
		a := p.connect(leeds)
		for range 4 {
			a.sayHello(&tillbookv1.Hello{Next: 1})
			if m := a.hear(); m.GetNewEpoch() == nil {
				t.Fatalf("heard %v", m)
			}
		}
		a.sayHello(&tillbookv1.Hello{Next: 1})
		if r := a.refused(intake.RefusedForking); !r.Retry || r.AfterMs == 0 {
			t.Errorf("refusal %v", r)
		}
		if epochs := p.store.Epochs(leeds); epochs != 0 {
			t.Errorf("%d epochs were issued that nobody used", epochs)
		}
	})
}

func TestAnEpochOfALostDatabaseIsNotTakenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, a := joined(t, 3)
		p.store.Restore(intaketest.NewStore())
		b := p.again(a)
		b.sayHello(&tillbookv1.Hello{Epoch: &tillbookv1.Epoch{Id: a.epoch}, Incarnation: a.incarnation, Next: 1, Digest: make([]byte, 32)})
		offered := b.hear().GetNewEpoch()
		if offered == nil || string(offered.Incarnation) == string(a.incarnation) {
			t.Fatalf("heard %v, want a new epoch of another incarnation", offered)
		}
		// The one it offers now it takes up, also in a later session.
		c := p.again(a)
		c.epoch, c.incarnation = offered.Epoch.Id, offered.Incarnation
		c.greet(1, 0)
	})
}

func TestBatchesAreStoredInAnyOrderAndAGapIsPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, a := joined(t, 2)
		b := p.again(a)
		b.greet(13, 2)
		third, fourth := b.pack(sales(3, 2)...), b.pack(sales(5, 2)...) // 3-4, 5-6
		for range 2 {                                                   // 7-8 are lost
			b.chain = append(b.chain, [32]byte{8})
		}
		last := b.pack(sales(9, 4)...) // 9-12
		b.send(last)
		ack := b.hearAck()
		if ack.Stored != 2 || len(ack.Ranges) != 1 || ack.Ranges[0].First != 9 || ack.Ranges[0].Last != 12 {
			t.Fatalf("ack %v, want 2 and 9 to 12", ack)
		}
		b.send(fourth)
		if ack = b.hearAck(); ack.Stored != 2 || len(ack.Ranges) != 2 {
			t.Fatalf("ack %v, want 2, 5 to 6 and 9 to 12", ack)
		}
		b.send(third)
		if ack = b.hearAck(); ack.Stored != 6 || len(ack.Ranges) != 1 {
			t.Fatalf("ack %v, want 6 and 9 to 12", ack)
		}
		b.say(&tillbookv1.Up{Message: &tillbookv1.Up_Gap{Gap: &tillbookv1.Gap{Epoch: b.epoch, First: 7, Last: 8, Reason: "bad disk", DigestAfter: b.chain[8][:]}}})
		if ack = b.hearAck(); ack.Stored != 12 || len(ack.Ranges) != 0 || [32]byte(ack.Digest) != b.chain[12] {
			t.Fatalf("ack %v, want 12", ack)
		}
		if lost := p.store.Lost(leeds); lost["bad disk"] != 2 {
			t.Errorf("lost %v, want two to the bad disk", lost)
		}
	})
}

func TestAnAgentBelowWhatIsStoredOutOfOrderForked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, a := joined(t, 2)
		b := p.again(a)
		b.greet(7, 2)
		b.pack(sales(3, 2)...)         // 3-4 never arrive
		b.send(b.pack(sales(5, 2)...)) // 5-6
		b.hearAck()
		c := p.again(a)
		c.sayHello(&tillbookv1.Hello{Epoch: &tillbookv1.Epoch{Id: a.epoch}, Incarnation: a.incarnation, Next: 6, Stored: 2, Digest: a.chain[2][:]})
		if offered := c.hear().GetNewEpoch(); offered.GetAgreed() != 2 {
			t.Errorf("heard %v, want a new epoch: number 6 is stored, the agent is at 5", offered)
		}
	})
}
