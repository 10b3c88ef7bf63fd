package intake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/wire"
)

func TestAnAgentJoinsSendsAndIsAcknowledgedAfterTheCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, nil)
		committing, commit := make(chan bool), make(chan bool)
		p.store.Before = func(method string) error {
			if method == "Commit" {
				committing <- true
				<-commit
			}
			return nil
		}
		a := p.connect(leeds)
		w := a.join()
		if w.Stored != 0 || w.Credits != 8 || string(w.Epoch) != string(a.epoch) || w.MaxBatchBytes != wire.MaxBatchBytes {
			t.Errorf("welcome %v", w)
		}
		a.send(a.pack(sales(1, 3)...))
		<-committing
		synctest.Wait()
		if len(a.down) > 0 {
			t.Fatalf("heard %v before the commit", <-a.down)
		}
		commit <- true
		ack := a.hearAck()
		if ack.Stored != 3 || [32]byte(ack.Digest) != a.chain[3] || string(ack.Incarnation) != string(a.incarnation) || len(ack.Rejected) > 0 {
			t.Errorf("ack %v, want 3 stored with the digest there", ack)
		}
		if got := len(p.store.Current("acme")); got != 3 {
			t.Errorf("%d documents stored, want 3", got)
		}
	})
}

func TestTheNextBatchIsTakenApartWhileOneIsCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		days := make(chan string, 10)
		p := collector(t, func(o *intake.Options) {
			o.Day = func(_ context.Context, _ fleet.Identity, d *document.Document) (bizday.Day, error) {
				days <- d.Key.Number
				return "2026-03-02", nil
			}
		})
		commit := make(chan bool)
		p.store.Before = func(method string) error {
			if method == "Commit" {
				<-commit
			}
			return nil
		}
		a := p.connect(leeds)
		a.join()
		for i := range 4 {
			b := a.pack(sales(i, 1)...)
			go a.send(b)
			synctest.Wait()
		}
		if len(days) != 2 {
			t.Errorf("%d batches were taken apart while the first is committed, want it and the next", len(days))
		}
		for i := range 4 {
			commit <- true
			if ack := a.hearAck(); ack.Stored != uint64(i+1) {
				t.Errorf("ack %d says %d", i+1, ack.Stored)
			}
		}
	})
}

func TestARecordThatIsNoDocumentIsKeptAndNamed(t *testing.T) {
	t.Parallel()
	change := func(f func(*document.Document)) *tillbookv1.Record {
		d := intaketest.Document(leeds.Store, 1, 100)
		f(d)
		return intaketest.Pack(d)
	}
	mutate := func(f func(*tillbookv1.Record)) *tillbookv1.Record {
		r := intaketest.Sale(leeds.Store, 1, 100)
		f(r)
		return r
	}
	for name, c := range map[string]struct {
		record *tillbookv1.Record
		code   string
	}{
		"a sale":                     {intaketest.Sale(leeds.Store, 1, 100), ""},
		"an unknown kind":            {change(func(d *document.Document) { d.Kind = "LOTTERY" }), ""},
		"another store":              {intaketest.Sale("York", 1, 100), intake.CodeStore},
		"a changed document":         {mutate(func(r *tillbookv1.Record) { r.Hash[0] ^= 1 }), intake.CodeHash},
		"no hash":                    {mutate(func(r *tillbookv1.Record) { r.Hash = nil }), intake.CodeHash},
		"no currency":                {change(func(d *document.Document) { d.Currency = "" }), intake.CodeInvalid},
		"not a document":             {mutate(func(r *tillbookv1.Record) { r.Document = []byte("\xff\xffhello") }), intake.CodeUnreadable},
		"raw with a code":            {&tillbookv1.Record{Raw: true, Document: []byte("x;y"), Reason: "bad_amount: line 3"}, "bad_amount"},
		"raw without":                {&tillbookv1.Record{Raw: true, Document: []byte("x;y"), Reason: "Line 3 is odd"}, intake.CodeUnreadable},
		"no day":                     {change(func(d *document.Document) { d.Key.Number = "no day" }), intake.CodeNoDay},
		"a field of a newer version": {mutate(func(r *tillbookv1.Record) { r.Document = append(r.Document, 0xf8, 0x7f, 1) }), ""},
		"newer, and of another store": {func() *tillbookv1.Record {
			r := intaketest.Sale("York", 1, 1)
			r.Document = append(r.Document, 0xf8, 0x7f, 1)
			return r
		}(), intake.CodeStore},
		"another merchant in its key": {change(func(d *document.Document) { d.Key.Merchant = "other" }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := collector(t, func(o *intake.Options) {
					o.Day = func(_ context.Context, _ fleet.Identity, d *document.Document) (bizday.Day, error) {
						if d.Key.Number == "no day" {
							return "", fmt.Errorf("derive: %w", intake.ErrNoDay)
						}
						return "2026-03-02", nil
					}
				})
				a := p.connect(leeds)
				a.join()
				sent := proto.CloneOf(c.record)
				a.send(a.pack(sent, intaketest.Sale(leeds.Store, 2, 100)))
				ack := a.hearAck()
				if ack.Stored != 2 {
					t.Fatalf("acknowledged %d, want 2: nothing may block the lane", ack.Stored)
				}
				rejected := p.store.Rejected()
				if c.code == "" {
					if len(ack.Rejected) > 0 || len(rejected) > 0 || len(p.store.Current("acme")) != 2 {
						t.Errorf("rejected %v, stored %v; want it stored for its agent's merchant", ack.Rejected, p.store.Current("acme"))
					}
					return
				}
				if len(ack.Rejected) != 1 || ack.Rejected[0].Code != c.code || ack.Rejected[0].Number != 1 {
					t.Errorf("ack names %v, want number 1 with %s", ack.Rejected, c.code)
				}
				if len(rejected) != 1 || rejected[0].Code != c.code || string(rejected[0].Bytes) != string(c.record.Document) || rejected[0].Capture != 1 {
					t.Errorf("kept %v, want the document's bytes with %s", rejected, c.code)
				}
				if len(p.store.Current("acme")) != 1 {
					t.Errorf("stored %v, want only the other sale", p.store.Current("acme"))
				}
			})
		})
	}
}

func TestBytesThatAreNoRecordAreKeptWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, nil)
		a := p.connect(leeds)
		a.join()
		noise := []byte("\xff\xff\xffno record")
		after := wire.Next([32]byte{}, noise)
		b := &tillbookv1.Batch{Epoch: a.epoch, Lane: tillbookv1.Lane_LANE_DOCUMENTS, First: 1, DigestBefore: make([]byte, 32), DigestAfter: after[:]}
		if err := new(wire.Packer).Pack(b, [][]byte{noise}); err != nil {
			t.Fatal(err)
		}
		a.send(b)
		if ack := a.hearAck(); ack.Stored != 1 || len(ack.Rejected) != 1 || ack.Rejected[0].Code != intake.CodeUnreadable {
			t.Errorf("ack %v, want number 1 unreadable", ack)
		}
		if kept := p.store.Rejected(); len(kept) != 1 || string(kept[0].Bytes) != string(noise) {
			t.Errorf("kept %v", kept)
		}
	})
}

func TestAnErrorOfTheStoreAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Incarnation", "Position", "Issue", "DigestAt", "Commit", "DeclareGap", "Covered"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := collector(t, nil)
				p.store.Before = func(called string) error {
					if called == method {
						return errors.New("the disk is gone")
					}
					return nil
				}
				a := p.connect(leeds)
				a.epoch, a.incarnation = make([]byte, 16), make([]byte, 16)
				id, err := intaketest.NewStore().Incarnation(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				copy(a.incarnation, id[:])
				a.sayHello(&tillbookv1.Hello{Next: 1})
				if m := a.hear(); m.GetNewEpoch() != nil {
					a.epoch, a.incarnation = m.GetNewEpoch().Epoch.Id, m.GetNewEpoch().Incarnation
					a.sayHello(&tillbookv1.Hello{Epoch: &tillbookv1.Epoch{Id: a.epoch}, Incarnation: a.incarnation, Next: 9, Digest: make([]byte, 32)})
				} else {
					a.down <- m
				}
				synctest.Wait()
				if m := a.hear(); m.GetWelcome() == nil {
					a.down <- m
				} else {
					switch method {
					case "Commit":
						a.send(a.pack(sales(1, 1)...))
					case "DeclareGap":
						a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Gap{Gap: &tillbookv1.Gap{Epoch: a.epoch, First: 1, Last: 2, DigestAfter: make([]byte, 32)}}})
					case "Covered":
						a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{Captured: &tillbookv1.Watermark{TimeUs: 1, Number: 1}}}})
					}
				}
				refusal := a.refused(intake.RefusedBusy)
				if !refusal.Retry || strings.Contains(refusal.Text, "disk") {
					t.Errorf("refusal %v, want one to try again that does not tell the cause", refusal)
				}
			})
		})
	}
}

func TestWhatNoAgentSaysEndsTheSession(t *testing.T) {
	t.Parallel()
	up := func(m any) *tillbookv1.Up {
		switch m := m.(type) {
		case *tillbookv1.Hello:
			return &tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: m}}
		case *tillbookv1.Batch:
			return &tillbookv1.Up{Message: &tillbookv1.Up_Batch{Batch: m}}
		case *tillbookv1.Gap:
			return &tillbookv1.Up{Message: &tillbookv1.Up_Gap{Gap: m}}
		}
		return &tillbookv1.Up{}
	}
	id := make([]byte, 16)
	for name, c := range map[string]struct {
		message func(a *agent) *tillbookv1.Up
		joined  bool
		code    string
	}{
		"nothing":            {func(*agent) *tillbookv1.Up { return up(nil) }, false, intake.RefusedMessage},
		"a protocol too old": {func(*agent) *tillbookv1.Up { return up(&tillbookv1.Hello{Next: 1}) }, false, intake.RefusedProtocol},
		"another agent":      {func(*agent) *tillbookv1.Up { return up(&tillbookv1.Hello{Protocol: 1, Agent: "a2", Next: 1}) }, false, intake.RefusedMessage},
		"a short epoch": {func(*agent) *tillbookv1.Up {
			return up(&tillbookv1.Hello{Protocol: 1, Next: 1, Epoch: &tillbookv1.Epoch{Id: id[:3]}})
		}, false, intake.RefusedMessage},
		"stored beyond its next": {func(*agent) *tillbookv1.Up {
			return up(&tillbookv1.Hello{Protocol: 1, Next: 5, Stored: 5, Epoch: &tillbookv1.Epoch{Id: id}})
		}, false, intake.RefusedMessage},
		"a short digest": {func(*agent) *tillbookv1.Up {
			return up(&tillbookv1.Hello{Protocol: 1, Next: 1, Digest: id, Epoch: &tillbookv1.Epoch{Id: id}})
		}, false, intake.RefusedMessage},
		"a batch before hello":     {func(a *agent) *tillbookv1.Up { a.epoch = id; return up(a.pack(sales(1, 1)...)) }, false, intake.RefusedMessage},
		"a gap before hello":       {func(*agent) *tillbookv1.Up { return up(&tillbookv1.Gap{First: 1, Last: 1}) }, false, intake.RefusedMessage},
		"a batch of another agent": {func(a *agent) *tillbookv1.Up { b := a.pack(sales(1, 1)...); b.Agent = "a2"; return up(b) }, true, intake.RefusedMessage},
		"a batch of another epoch": {func(a *agent) *tillbookv1.Up { b := a.pack(sales(1, 1)...); b.Epoch = id; return up(b) }, true, intake.RefusedMessage},
		"a damaged batch":          {func(a *agent) *tillbookv1.Up { b := a.pack(sales(1, 1)...); b.Records[3] ^= 1; return up(b) }, true, intake.RefusedBatch},
		"a gap the wrong way": {func(a *agent) *tillbookv1.Up {
			return up(&tillbookv1.Gap{Epoch: a.epoch, First: 3, Last: 2, DigestAfter: make([]byte, 32)})
		}, true, intake.RefusedMessage},
		"a gap without a digest": {func(a *agent) *tillbookv1.Up { return up(&tillbookv1.Gap{Epoch: a.epoch, First: 1, Last: 2}) }, true, intake.RefusedMessage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := collector(t, func(o *intake.Options) { o.MaxBatches = 1 })
				for range 3 { // a batch in memory that was forgotten would block the third
					a := p.connect(leeds)
					if c.joined {
						a.join()
					}
					a.say(c.message(a))
					a.refused(c.code)
				}
				if stats := p.service.Stats(); stats.Sessions != 0 || stats.Refusals[c.code] != 3 {
					t.Errorf("stats %+v, want no sessions and 3 refusals", stats)
				}
			})
		})
	}
}

func TestARevokedAgentIsRefusedAtOnceAndWithinAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var verdict error
		p := collector(t, func(o *intake.Options) {
			o.Allowed = func(context.Context, fleet.Identity) error { return verdict }
		})
		a := p.connect(leeds)
		a.join()
		start := time.Now()
		verdict = fmt.Errorf("look up: %w", fleet.ErrRevoked)
		for {
			m := a.hear()
			if r := m.GetRefusal(); r != nil {
				if r.Code != intake.RefusedRevoked || r.Retry {
					t.Errorf("refusal %v, want revoked for good", r)
				}
				break
			}
			if m.GetHeartbeat() == nil {
				t.Fatalf("heard %v", m)
			}
			a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{}}})
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it could speak for another %s", took)
		}
		<-a.ended

		p.connect(leeds).refused(intake.RefusedRevoked)
		verdict = errors.New("the database is away")
		if r := p.connect(leeds).refused(intake.RefusedBusy); !r.Retry {
			t.Error("an agent that could not be looked up is refused for good")
		}
	})
}

func TestASessionIsLookedAtAgainAtOnceWhenToldAndOnlyTheAgents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		revoked := map[fleet.Identity]bool{}
		p := collector(t, func(o *intake.Options) {
			o.Allowed = func(_ context.Context, id fleet.Identity) error {
				if revoked[id] {
					return fleet.ErrRevoked
				}
				return nil
			}
		})
		other := leeds
		other.Agent = "another"
		a, twin, b := p.connect(leeds), p.connect(leeds), p.connect(other)
		for _, each := range []*agent{a, twin, b} {
			each.join()
		}
		p.service.Recheck(leeds) // may speak: nothing happens
		synctest.Wait()
		start := time.Now()
		revoked[leeds], revoked[other] = true, true
		p.service.Recheck(leeds)
		p.service.Recheck(leeds)
		for _, each := range []*agent{a, twin} {
			if r := each.hear().GetRefusal(); r.GetCode() != intake.RefusedRevoked {
				t.Errorf("heard %v, want revoked", r)
			}
			<-each.ended
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %s", took)
		}
		synctest.Wait()
		select {
		case err := <-b.ended:
			t.Errorf("the session of an agent that nobody named ended: %v", err)
		default:
		}
	})
}

func TestHeartbeatsGoBothWaysAndSilenceEndsTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, nil)
		a := p.connect(leeds)
		a.join()
		a.send(a.pack(sales(1, 2)...))
		a.hearAck()
		joined := time.Now()
		beat := &tillbookv1.Heartbeat{
			ClockUs: joined.Add(-3 * time.Second).UnixMicro(), Snapshot: []byte("figures"),
			Unsent: 7, OldestUnsentUs: joined.UnixMicro(), Refused: 1, Quarantined: 2, Work: "degraded",
			Captured: &tillbookv1.Watermark{TimeUs: joined.Add(time.Hour).UnixMicro(), Number: 2}, // its clock is ahead
		}
		for range 3 { // one would do
			a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: beat}})
		}
		synctest.Wait()
		beats := p.presence.Beats(leeds)
		if len(beats) != 1 {
			t.Fatalf("%d heartbeats noted of three in a moment, want 1", len(beats))
		}
		if b := beats[0]; b.Unsent != 7 || b.Work != "degraded" || !b.OldestUnsent.Equal(joined) || !b.CoveredTo.Equal(joined) {
			t.Errorf("noted %+v, want it covered to now, not to the agent's clock", b)
		}
		if b := beats[0]; b.Skew != -3*time.Second || string(b.Snapshot) != "figures" {
			t.Errorf("noted %+v, want what its clock is off and its snapshot", b)
		}
		if at := p.store.CoveredTo(leeds); !at.Equal(joined) {
			t.Errorf("covered to %s, want %s", at, joined)
		}
		for i := range 3 {
			if m := a.hear(); m.GetHeartbeat() == nil {
				t.Fatalf("heard %v", m)
			}
			if since := time.Since(joined); since != time.Duration(i+1)*20*time.Second {
				t.Errorf("heartbeat %d came after %s", i+1, since)
			}
		}
		if err := <-a.ended; err == nil || !strings.Contains(err.Error(), "nothing heard") {
			t.Errorf("the session ended with %v", err)
		}
		if since := time.Since(joined); since > 80*time.Second {
			t.Errorf("a dead session lived for %s", since)
		}
	})
}

func TestASnapshotBeyondTheLimitIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, nil)
		a := p.connect(leeds)
		a.join()
		a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{Unsent: 1, Snapshot: make([]byte, fleet.MaxSnapshot+1)}}})
		synctest.Wait()
		if beats := p.presence.Beats(leeds); len(beats) != 1 || beats[0].Unsent != 1 || beats[0].Snapshot != nil {
			t.Errorf("noted %d heartbeats, want one without its snapshot", len(beats))
		}
	})
}

func TestAnAgentIsToldOfItsDaysNowAndThenAndNeverLosesTheSessionOverThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		p := collector(t, func(o *intake.Options) {
			o.Days = func(_ context.Context, id fleet.Identity) ([]intake.DayState, error) {
				if asked++; id != leeds {
					t.Errorf("asked for the days of %v", id)
				}
				if asked == 2 {
					return nil, errors.New("the database is away")
				}
				return []intake.DayState{{Day: "2026-11-03", State: "held", Hold: "mapping", Due: 1}}, nil
			}
		})
		a := p.connect(leeds)
		a.join()
		var told []string
		for range 7 { // 20 s between heartbeats, a minute between looks
			beat := a.hear().GetHeartbeat()
			if beat == nil {
				t.Fatal("not a heartbeat")
			}
			for _, d := range beat.Days {
				told = append(told, fmt.Sprint(d.Day, d.State, d.Hold, d.Due))
			}
			a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{}}})
		}
		if want := fmt.Sprint("2026-11-03", "held", "mapping", 1); asked != 3 || len(told) != 2 || told[0] != want {
			t.Errorf("asked %d times, told %v; want 3 and twice %s", asked, told, want)
		}
	})
}

func TestAClaimIsNotCoveredBeforeWhatItCoversIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, nil)
		a := p.connect(leeds)
		a.join()
		claimed := time.Now()
		a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{Captured: &tillbookv1.Watermark{TimeUs: claimed.UnixMicro(), Number: 2}}}})
		synctest.Wait()
		if b := p.presence.Beats(leeds); len(b) != 1 || !b[0].CoveredTo.IsZero() {
			t.Errorf("covered before anything is stored: %+v", b)
		}
		a.send(a.pack(sales(1, 2)...))
		a.hearAck()
		pass(10 * time.Second)
		a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{}}})
		synctest.Wait()
		if b := p.presence.Beats(leeds); len(b) != 2 || !b[1].CoveredTo.Equal(claimed) {
			t.Errorf("noted %+v, want it covered to %s", b, claimed)
		}
	})
}

func TestAnAgentIsNotedAsSeenNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, nil)
		a := p.connect(leeds)
		a.join()
		for i := range 32 {
			a.send(a.pack(sales(i, 1)...))
			for a.hear().GetAck() == nil { // heartbeats
			}
			pass(time.Second)
		}
		if seen := p.presence.SeenAt(leeds); len(seen) != 3 {
			t.Errorf("seen at %v, want once at the start and every 15 s", seen)
		}
	})
}

func TestNoMoreSessionsThanThereMayBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, func(o *intake.Options) { o.MaxSessions = 1 })
		a := p.connect(leeds)
		a.join()
		if r := p.connect(fleet.Identity{Merchant: "acme", Store: "York", Agent: "a2"}).refused(intake.RefusedFull); !r.Retry || r.AfterMs == 0 {
			t.Errorf("refusal %v, want to try again later", r)
		}
		a.hang()
		<-a.ended
		p.connect(leeds).join()
	})
}
