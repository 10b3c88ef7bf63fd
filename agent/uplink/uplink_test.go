package uplink_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

func TestAnAgentWithoutAnEpochTakesTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := uplinktest.NewOutbox()
		fill(disk, 3)
		c := start(t, disk, nil)
		s := <-c.calls
		if h := s.hear().GetHello(); h.Epoch != nil || h.Protocol != wire.Protocol || h.Agent != "a1" || len(h.Boot) != 16 {
			t.Errorf("heard %v", h)
		}
		s.say(&tillbookv1.Down{Message: &tillbookv1.Down_NewEpoch{NewEpoch: &tillbookv1.NewEpoch{Epoch: &tillbookv1.Epoch{Id: first}, Incarnation: database}}})
		if epoch, ack := kept(t, disk); string(epoch.Id) != string(first) || epoch.Base != 0 || string(ack.Incarnation) != string(database) {
			t.Errorf("kept %v, %v before it is used", epoch, ack)
		}
		if h := s.hear().GetHello(); string(h.GetEpoch().GetId()) != string(first) || h.Stored != 0 || h.Next != 4 || len(h.Digest) != 32 || string(h.Incarnation) != string(database) {
			t.Errorf("heard %v", h)
		}
		s.welcome(&tillbookv1.Welcome{Incarnation: database, Epoch: first, Digest: make([]byte, 32)})
		b := s.hearBatch()
		if b.First != 1 || b.Count != 3 || string(b.DigestAfter) != string(digest(t, disk, 3)) {
			t.Errorf("heard %v", b)
		}
		if status := c.up.Status(); !status.Connected || status.Unsent != 3 {
			t.Errorf("status %+v", status)
		}
		s.ack(&tillbookv1.Ack{Incarnation: database, Epoch: first, Stored: 3, Digest: digest(t, disk, 3)})
		if status := c.up.Status(); status.Unsent != 0 || status.Stored != 3 {
			t.Errorf("status %+v", status)
		}
		fill(disk, 1) // goes at once
		before := time.Now()
		if b := s.hearBatch(); b.First != 4 || b.Count != 1 || !time.Now().Equal(before) {
			t.Errorf("heard %v after %s", b, time.Since(before))
		}
	})
}

func TestWhatIsNotOursIsNotTakenAsAnAcknowledgement(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*tillbookv1.Ack){
		"another epoch":            func(a *tillbookv1.Ack) { a.Epoch = second },
		"another database":         func(a *tillbookv1.Ack) { a.Incarnation = restored },
		"another digest":           func(a *tillbookv1.Ack) { a.Digest = make([]byte, 32) },
		"no digest":                func(a *tillbookv1.Ack) { a.Digest = nil },
		"a number never given":     func(a *tillbookv1.Ack) { a.Stored = 11 },
		"a number that would wrap": func(a *tillbookv1.Ack) { a.Stored = 1<<64 - 5 },
		"less than it had":         func(a *tillbookv1.Ack) { a.Stored = 4 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := running(t, nil)
				s.welcome(ours(t, c, 5))
				if b := s.hearBatch(); b.First != 6 || b.Count != 5 {
					t.Errorf("heard %v", b)
				}
				a := theirs(t, c, 10)
				change(a)
				a.Safe = 10
				if name == "less than it had" {
					a.Digest = digest(t, c.disk, 14)
				}
				s.ack(a)
				s.hungUp()
				if status := c.up.Status(); status.Stored != 15 || status.LastError == "" {
					t.Errorf("status %+v, want 15 stored and the reason", status)
				}
				if first := c.disk.First(); first > 14 {
					t.Errorf("records up to %d were released", first-1)
				}
				next := <-c.calls
				h := next.hear().GetHello()
				if h.Stored != 5 {
					t.Errorf("heard %v", h)
				}
				if name == "another digest" && (h.Seen != 10 || string(h.SeenDigest) != string(digest(t, c.disk, 20))) {
					t.Errorf("heard %v, want our digest at 10", h)
				}
			})
		})
	}
}

func TestTheWelcomeSaysWhereToGoOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*tillbookv1.Welcome)
		first  uint64 // of the next batch
	}{
		"where the agent thought":             {func(w *tillbookv1.Welcome) {}, 6},
		"further, since an ack was lost":      {func(w *tillbookv1.Welcome) { w.Stored = 8 }, 9},
		"further back, in another database":   {func(w *tillbookv1.Welcome) { w.Stored, w.Incarnation = 2, restored }, 3},
		"at the start, in another database":   {func(w *tillbookv1.Welcome) { w.Stored, w.Incarnation = 0, restored }, 1},
		"further back, though it is the same": {func(w *tillbookv1.Welcome) { w.Stored = 2 }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				agent, s := running(t, nil)
				w := ours(t, agent, 5)
				c.change(w)
				w.Digest = digest(t, agent.disk, 10+w.Stored)
				s.welcome(w)
				b := s.hearBatch()
				if b.First != c.first || string(b.DigestBefore) != string(w.Digest) || b.Count != uint32(11-c.first) {
					t.Errorf("heard %v, want it from %d on", b, c.first)
				}
				if got := agent.up.Status().Stored; got != 10+w.Stored {
					t.Errorf("the mark is %d, want %d", got, 10+w.Stored)
				}
				s.hang()
				synctest.Wait()
				if _, ack := kept(t, agent.disk); ack.Stored != w.Stored || string(ack.Incarnation) != string(w.Incarnation) {
					t.Errorf("kept %v", ack)
				}
			})
		})
	}
}

func TestAWelcomeThatCannotBeComparedMovesNothingForward(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := running(t, nil)
		c.disk.Lose(17, 19)
		s.welcome(&tillbookv1.Welcome{Incarnation: database, Epoch: first, Stored: 8, Digest: make([]byte, 32)}) // within the gap
		if status := c.up.Status(); status.Stored != 15 {
			t.Errorf("the mark is %d, want 15", status.Stored)
		}
		if b := s.hearBatch(); b.First != 6 || b.Count != 1 {
			t.Errorf("heard %v, want what comes before the gap", b)
		}
		if g := s.hear().GetGap(); g.GetFirst() != 7 || g.GetLast() != 9 || g.Reason != "damaged" {
			t.Errorf("heard %v, want the gap", g)
		}
		if b := s.hearBatch(); b.First != 10 || b.Count != 1 || string(b.DigestBefore) != string(digest(t, c.disk, 19)) {
			t.Errorf("heard %v, want what comes after it", b)
		}
		s.ack(&tillbookv1.Ack{Incarnation: database, Epoch: first, Stored: 8, Digest: make([]byte, 32)}) // of the batch
		if status := c.up.Status(); status.Stored != 15 {
			t.Errorf("the mark is %d, want 15", status.Stored)
		}
		s.ack(theirs(t, c, 9))
		if status := c.up.Status(); status.Stored != 19 {
			t.Errorf("the mark is %d, want 19", status.Stored)
		}
	})
}

func TestAWelcomeWithAnotherDigestIsAnsweredWithOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := running(t, nil)
		w := ours(t, c, 8)
		w.Digest = make([]byte, 32)
		s.welcome(w)
		h := s.hear().GetHello()
		if h.GetStored() != 5 || h.GetSeen() != 8 || string(h.GetSeenDigest()) != string(digest(t, c.disk, 18)) {
			t.Fatalf("heard %v, want our digest at 8", h)
		}
		if status := c.up.Status(); status.Stored != 15 || status.Connected {
			t.Errorf("status %+v, want nothing acknowledged", status)
		}
		s.say(&tillbookv1.Down{Message: &tillbookv1.Down_NewEpoch{NewEpoch: &tillbookv1.NewEpoch{
			Epoch: &tillbookv1.Epoch{Id: second}, Agreed: 5, Incarnation: database}}})
		if h := s.hear().GetHello(); string(h.GetEpoch().GetId()) != string(second) || h.Epoch.Base != 15 || h.Next != 6 || h.Seen != 0 {
			t.Errorf("heard %v, want the new epoch from 15 on", h)
		}
	})
}

func TestANewEpochLeavesOutOnlyWhatIsAgreed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offer    *tillbookv1.NewEpoch
		released uint64
		base     uint64
		gap      uint64 // last wire number of the gap that is declared
	}{
		"agreed":                                                {&tillbookv1.NewEpoch{Agreed: 4, Incarnation: database}, 0, 14, 0},
		"agreed on more than was acknowledged":                  {&tillbookv1.NewEpoch{Agreed: 9, Incarnation: database}, 0, 15, 0},
		"no agreement: all that is kept":                        {&tillbookv1.NewEpoch{Incarnation: database}, 0, 0, 0},
		"no agreement, and some released":                       {&tillbookv1.NewEpoch{Incarnation: database}, 12, 12, 0},
		"no agreement, unacknowledged are gone":                 {&tillbookv1.NewEpoch{Incarnation: database}, 18, 15, 3},
		"another database that does not know the epoch":         {&tillbookv1.NewEpoch{Incarnation: restored}, 0, 0, 0},
		"another database, and some of the epoch were released": {&tillbookv1.NewEpoch{Incarnation: restored}, 13, 10, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				agent, s := running(t, nil)
				if err := agent.disk.Release(c.released); err != nil {
					t.Fatal(err)
				}
				offer := proto.CloneOf(c.offer)
				offer.Epoch = &tillbookv1.Epoch{Id: second, Base: 99}
				s.say(&tillbookv1.Down{Message: &tillbookv1.Down_NewEpoch{NewEpoch: offer}})
				h := s.hear().GetHello()
				if h.GetEpoch().GetBase() != c.base || h.Next != 21-c.base || h.Stored != 0 {
					t.Fatalf("heard %v, want base %d", h, c.base)
				}
				if epoch, ack := kept(t, agent.disk); epoch.Base != c.base || ack.Stored != 0 || ack.Safe != 0 || string(ack.Incarnation) != string(offer.Incarnation) {
					t.Errorf("kept %v, %v", epoch, ack)
				}
				s.welcome(&tillbookv1.Welcome{Incarnation: offer.Incarnation, Epoch: second, Digest: h.Digest})
				m := s.hear()
				for m.GetHeartbeat() != nil {
					m = s.hear()
				}
				if c.gap > 0 {
					if g := m.GetGap(); g.GetFirst() != 1 || g.GetLast() != c.gap || string(g.DigestAfter) != string(digest(t, agent.disk, c.base+c.gap)) {
						t.Fatalf("heard %v, want a gap up to %d", m, c.gap)
					}
					m = s.hear()
				}
				if b := m.GetBatch(); b.GetFirst() != c.gap+1 || c.base+c.gap+uint64(b.GetCount()) != 20 {
					t.Errorf("heard %v, want the rest in a batch", m)
				}
			})
		})
	}
}

func TestNoMoreIsOnItsWayThanTheCollectorHasRoomFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := running(t, nil)
		w := ours(t, c, 10)
		w.Credits = 2
		s.welcome(w)
		for range 5 {
			fill(c.disk, 1)
			synctest.Wait()
		}
		if b := s.hearBatch(); b.First != 11 || b.Count != 1 {
			t.Errorf("heard %v", b)
		}
		if b := s.hearBatch(); b.First != 12 || b.Count != 1 {
			t.Errorf("heard %v", b)
		}
		s.silent()
		s.ack(theirs(t, c, 11))
		if b := s.hearBatch(); b.First != 13 || b.Count != 3 {
			t.Errorf("heard %v, want all that came in meanwhile", b)
		}
		s.silent()
		s.ack(theirs(t, c, 15)) // answers both
		fill(c.disk, 1)
		if b := s.hearBatch(); b.First != 16 {
			t.Errorf("heard %v", b)
		}
	})
}

func TestHeartbeatsStateTheBacklogAndTheWatermark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(-time.Second)
		number := uint64(18)
		c, s := running(t, func(o *uplink.Options) {
			o.Beat = func() *tillbookv1.Heartbeat { return &tillbookv1.Heartbeat{Work: "degraded", Refused: 4} }
			o.Captured = func() (time.Time, uint64) { return at, number }
		})
		s.welcome(ours(t, c, 5))
		h := s.hear().GetHeartbeat()
		if h.GetUnsent() != 5 || h.Next != 11 || h.Work != "degraded" || h.Refused != 4 || h.Captured.GetNumber() != 8 || h.Captured.TimeUs != at.UnixMicro() {
			t.Errorf("heard %v", h)
		}
		if b := s.hearBatch(); b.Captured.GetNumber() != 8 {
			t.Errorf("heard %v", b)
		}
		number = 3 // below the epoch
		s.ack(theirs(t, c, 10))
		before := time.Now()
		if h := s.hear().GetHeartbeat(); h == nil || h.Captured.GetNumber() != 0 || h.Unsent != 0 || time.Since(before) != 20*time.Second {
			t.Errorf("heard %v after %s", h, time.Since(before))
		}
	})
}

func TestSilenceAndAMissingAcknowledgementEndTheSession(t *testing.T) {
	t.Parallel()
	beat := &tillbookv1.Down{Message: &tillbookv1.Down_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{}}}
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, s := running(t, nil)
			s.welcome(ours(t, c, 10))
			<-time.After(50 * time.Second)
			s.say(beat)
			heard := time.Now()
			<-s.ctx.Done()
			if took := time.Since(heard); took != time.Minute {
				t.Errorf("it ended after %s", took)
			}
			synctest.Wait()
			if status := c.up.Status(); status.Connected || !strings.Contains(status.LastError, "nothing heard") {
				t.Errorf("status %+v", status)
			}
		})
	})
	t.Run("no acknowledgement", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, s := running(t, nil)
			s.welcome(ours(t, c, 5))
			sent := time.Now()
			for s.ctx.Err() == nil {
				select {
				case s.answer <- beat:
					<-time.After(10 * time.Second)
				case <-s.ctx.Done():
				}
			}
			if took := time.Since(sent); took < 90*time.Second || took > 2*time.Minute {
				t.Errorf("it ended after %s", took)
			}
			next := <-c.calls
			next.hear()
			next.welcome(ours(t, c, 5))
			if b := next.hearBatch(); b.First != 6 {
				t.Errorf("heard %v, want it sent again", b)
			}
		})
	})
}

func TestAttemptsSpreadOutAndHeedRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := running(t, nil)
		refuse := func(r *tillbookv1.Refusal) time.Duration {
			at := time.Now()
			s.say(&tillbookv1.Down{Message: &tillbookv1.Down_Refusal{Refusal: r}})
			if status := c.up.Status(); status.Refusal != r.Code || status.Connected {
				t.Errorf("status %+v", status)
			}
			s = <-c.calls
			s.hear()
			return time.Since(at)
		}
		var waits []time.Duration
		for range 60 {
			waits = append(waits, refuse(&tillbookv1.Refusal{Code: "busy", Retry: true}))
		}
		if waits[0] > 300*time.Millisecond || waits[59] < 15*time.Second || waits[59] > 45*time.Second {
			t.Errorf("waits %v, want them to grow from 0.2 s to about 30 s", waits)
		}
		if slices.Max(waits[:8]) > 1100*time.Millisecond {
			t.Errorf("waits %v, want none over a second for the first seconds", waits[:8])
		}
		if wait := refuse(&tillbookv1.Refusal{Code: "full", Retry: true, AfterMs: 90_000}); wait < 90*time.Second {
			t.Errorf("tried again after %s, was asked to wait for 90 s", wait)
		}
		if wait := refuse(&tillbookv1.Refusal{Code: "revoked"}); wait < 5*time.Minute {
			t.Errorf("tried again after %s though it may not speak", wait)
		}
		s.welcome(ours(t, c, 5))
		s.ack(theirs(t, c, 10))
		if wait := refuse(&tillbookv1.Refusal{Code: "busy", Retry: true}); wait > 300*time.Millisecond {
			t.Errorf("tried again after %s though the session before got on", wait)
		}
	})
}

func TestARefusalIsHeardThoughTheLineTakesNothingMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := running(t, nil)
		s.welcome(ours(t, c, 5))
		s.hearBatch()
		close(s.deaf)
		fill(c.disk, 1)
		synctest.Wait() // it could not be sent
		at := time.Now()
		s.ack(theirs(t, c, 7))
		s.say(&tillbookv1.Down{Message: &tillbookv1.Down_Refusal{Refusal: &tillbookv1.Refusal{Code: "draining", Retry: true, AfterMs: 3000}}})
		if status := c.up.Status(); status.Refusal != "draining" || status.Stored != 17 {
			t.Errorf("status %+v, want the refusal and what was acknowledged before it", status)
		}
		<-c.calls
		if wait := time.Since(at); wait < 3*time.Second {
			t.Errorf("tried again after %s, was asked to wait for 3 s", wait)
		}
	})
}

func TestRejectedRecordsAreCountedAndNamedByLogNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var number uint64
		c, s := running(t, func(o *uplink.Options) { o.Rejected = func(n uint64, code, text string) { number = n } })
		s.welcome(ours(t, c, 5))
		a := theirs(t, c, 10)
		a.Rejected = []*tillbookv1.Rejected{{Number: 7, Code: "hash_mismatch"}}
		s.ack(a)
		if status := c.up.Status(); status.Rejected != 1 || status.Stored != 20 || number != 17 {
			t.Errorf("status %+v, rejected %d; want 17", status, number)
		}
	})
}

func TestOnlyWhatIsSafeIsReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := running(t, nil)
		w := ours(t, c, 5)
		w.Safe = 4
		s.welcome(w)
		synctest.Wait()
		if first := c.disk.First(); first != 15 {
			t.Errorf("the first kept is %d, want 15: up to 4 of the epoch is safe", first)
		}
		a := theirs(t, c, 8)
		a.Safe = 1 << 40 // cannot be
		s.ack(a)
		if first := c.disk.First(); first != 19 {
			t.Errorf("the first kept is %d, want 19: no more than is stored", first)
		}
		if _, ack := kept(t, c.disk); ack.Stored != 8 || ack.Safe != 8 {
			t.Errorf("kept %v: the mark is older than what was released", ack)
		}
	})
}

func TestAnAgentWithoutSalesAsksAgainWhatIsSafe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beat := &tillbookv1.Down{Message: &tillbookv1.Down_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{}}}
		c, s := running(t, nil)
		s.welcome(ours(t, c, 5))
		s.hearBatch()
		s.ack(theirs(t, c, 10))
		asked := time.Now()
		for h := (*tillbookv1.Hello)(nil); h == nil; {
			s.say(beat)
			h = s.hear().GetHello()
		}
		if took := time.Since(asked); took < time.Hour || took > 61*time.Minute {
			t.Errorf("asked again after %s", took)
		}
		w := ours(t, c, 10)
		w.Safe = 10
		s.welcome(w)
		if first := c.disk.First(); first != 21 {
			t.Errorf("the first kept is %d, want everything released", first)
		}
		fill(c.disk, 1)
		s.wants(c, s.hearBatch(), 11, 11)
		a := theirs(t, c, 11)
		a.Safe = 11
		s.ack(a)
		for range 400 { // nothing left to ask for
			s.say(beat)
			if h := s.hear().GetHello(); h != nil {
				t.Fatal("asked again though everything is safe")
			}
		}
	})
}

func TestStateThatCannotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"epoch", "ack"} {
		disk := uplinktest.NewOutbox()
		if _, err := disk.Append(t.Context(), outbox.Group{State: map[string][]byte{key: []byte("\xff\xff")}}); err != nil {
			t.Fatal(err)
		}
		if _, err := uplink.New(uplink.Options{Outbox: disk, Carrier: &collector{}, Logger: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("a damaged %s was taken", key)
		}
	}
}
