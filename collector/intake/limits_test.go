package intake_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/problem"
)

func TestAMerchantHasSoManySessionsAndNoneOfAnothers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, func(o *intake.Options) { o.MaxMerchant = 2 })
		of := func(merchant string, n int) fleet.Identity {
			return fleet.Identity{Merchant: merchant, Store: "S", Agent: fmt.Sprint(merchant, n)}
		}
		first := p.connect(of("acme", 1))
		first.join()
		p.connect(of("acme", 2)).join()
		if r := p.connect(of("acme", 3)).refused(intake.RefusedMerchantFull); !r.Retry || r.AfterMs == 0 {
			t.Errorf("refusal %v, want to try again later", r)
		}
		p.connect(of("other", 1)).join()
		first.hang()
		<-first.ended
		p.connect(of("acme", 3)).join()
	})
}

func TestANewSessionOfAnAgentEndsItsOldest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, func(o *intake.Options) { o.MaxAgent = 2 })
		var sessions []*agent
		for range 4 {
			a := p.connect(leeds)
			a.join()
			synctest.Wait()
			sessions = append(sessions, a)
		}
		for _, a := range sessions[:2] {
			a.refused(intake.RefusedReplaced)
		}
		for i, a := range sessions[2:] {
			if a.ctx.Err() != nil {
				t.Errorf("session %d of 4 ended", i+3)
			}
		}
		if n := p.service.Stats().Sessions; n != 2 {
			t.Errorf("%d sessions, want 2", n)
		}
	})
}

func TestAnAgentMayNotSendFasterThanItsRateOverAnyNumberOfSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, func(o *intake.Options) { o.Rate = 10 }) // 100 at once
		a := p.connect(leeds)
		a.join() // and two more
		beat := &tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{}}}
		for range 97 {
			a.say(beat)
		}
		synctest.Wait()
		if a.ctx.Err() != nil {
			t.Fatal("refused within its rate")
		}
		a.say(beat)
		if r := a.refused(intake.RefusedTooFast); !r.Retry || r.AfterMs == 0 {
			t.Errorf("refusal %v, want to come back later", r)
		}
		p.connect(leeds).refused(intake.RefusedTooFast) // without a look into the database
		p.connect(fleet.Identity{Merchant: "acme", Store: "York", Agent: "a2"}).join()
		pass(5 * time.Second)
		p.connect(leeds).greetAgain(a)
		if n := p.service.Stats().Refusals[intake.RefusedTooFast]; n != 2 {
			t.Errorf("%d refusals counted, want 2", n)
		}
	})
}

// deaf is a stream whose agent takes no answers after so many.
type deaf struct {
	collectorEnd
	takes *int
}

func (d deaf) Send(m *tillbookv1.Down) error {
	if *d.takes--; *d.takes < 0 {
		<-d.a.ctx.Done()
		return io.EOF
	}
	return d.collectorEnd.Send(m)
}

func TestAnAgentThatTakesNoAnswersKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, func(o *intake.Options) { o.MaxBatches = 1 })
		a := p.agent(leeds)
		takes := 2 // an epoch and a welcome
		begun := time.Now()
		go func() {
			a.ended <- p.service.Serve(a.ctx, leeds, deaf{collectorEnd{a}, &takes})
			a.hang()
		}()
		a.join()
		go func() {
			for n := 1; a.ctx.Err() == nil; n++ {
				select {
				case a.up <- &tillbookv1.Up{Message: &tillbookv1.Up_Batch{Batch: a.pack(sales(n, 1)...)}}:
				case <-a.ctx.Done():
				}
			}
		}()
		synctest.Wait() // nothing more goes
		other := p.connect(fleet.Identity{Merchant: "acme", Store: leeds.Store, Agent: "a2"})
		other.join()
		other.send(other.pack(sales(1, 1)...))
		if ack := other.hearAck(); ack.Stored != 1 {
			t.Errorf("acknowledged %v", ack)
		}
		if err := <-a.ended; err == nil || !strings.Contains(err.Error(), "takes no answers") {
			t.Errorf("the session ended with %v", err)
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("it was borne for %s", took)
		}
	})
}

// greetAgain says Hello with another session's epoch.
func (a *agent) greetAgain(before *agent) {
	a.t.Helper()
	a.epoch, a.incarnation, a.chain = before.epoch, before.incarnation, before.chain
	a.greet(1, 0)
}

func TestEachCodeOfARefusalIsExplained(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("service.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := intake.Codes()
	if n := strings.Count(string(source), "= \""); n != len(codes) {
		t.Errorf("%d codes are declared, %d listed", n, len(codes))
	}
	for _, code := range codes {
		if _, ok := problem.Find(code); !ok {
			t.Errorf("%s is not in the table of errors", code)
		}
	}
}
