package app_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"tillbook.example/tillbook/collector/app"
)

func TestOfManyCollectorsOneAuditsAndNobodyBeforeItIsDue(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.sell(1200)
	for round := range 3 {
		audits := make([]bool, 6)
		var auditing sync.WaitGroup
		for i := range audits {
			collector := []*app.App{p.a, p.b}[i%2]
			auditing.Go(func() {
				var err error
				if audits[i], err = collector.AuditOnce(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		auditing.Wait()
		if n := strings.Count(fmt.Sprint(audits), "true"); n != 1 {
			t.Errorf("round %d: %d collectors audited, want 1", round, n)
		}
		p.later()
	}
}

func TestAnAuditIsLeftToItsHolderUntilThatOneIsGone(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	if err := server.Exec(t.Context(), p.dsn, `INSERT INTO lease (merchant, subject, holder, fence, until) VALUES ('', 'audit', 'another', 1, 9000000000000000)`); err != nil {
		t.Fatal(err)
	}
	if did, err := p.a.AuditOnce(t.Context()); did || err != nil {
		t.Errorf("it audits while another does: %t, %v", did, err)
	}
	p.expire()
	if did, err := p.a.AuditOnce(t.Context()); !did || err != nil {
		t.Errorf("it does not take the audit over: %t, %v", did, err)
	}
}

func TestEveryCollectorTellsWhatTheLastAuditFoundWhoeverMadeIt(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.sell(1200, 600)
	p.work(p.a)
	p.postedOnce()
	reader, _ := inRole(t, p.dsn, "intake")
	if _, text := get(t, reader, "/metrics"); !strings.Contains(text, "\ntillbook_collector_audit_timestamp_seconds 0\n") {
		t.Error("there was no audit, but the metrics tell one")
	}
	for _, c := range []struct{ plant, want string }{
		{`SELECT 1`, `tillbook_collector_promise_violations{promise="P6"} 0`},
		{`UPDATE posting SET hash = sha256('another')`, `tillbook_collector_promise_violations{promise="P6"} 1`},
	} {
		if err := server.Exec(t.Context(), server.AsAdmin(p.dsn), c.plant); err != nil {
			t.Fatal(err)
		}
		if did, err := p.b.AuditOnce(t.Context()); !did || err != nil {
			t.Fatalf("not audited: %v", err)
		}
		_, text := get(t, reader, "/metrics")
		at := fmt.Sprintf("tillbook_collector_audit_timestamp_seconds %g\n", float64(p.now.Load().Unix()))
		if !strings.Contains(text, "\n"+c.want+"\n") || !strings.Contains(text, "\n"+at) {
			t.Errorf("%s: the metrics do not have %q and %q: %s", c.plant, c.want, at, text)
		}
		p.later()
	}
}
