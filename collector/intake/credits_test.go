package intake_test

import (
	"testing"
	"testing/synctest"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

func TestAgentsGetFewerCreditsWhereManySendAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, func(o *intake.Options) { o.MaxBatches, o.Credits = 4, 8 })
		commit := make(chan bool)
		p.store.Before = func(method string) error {
			if method == "Commit" {
				<-commit
			}
			return nil
		}
		credits := func(agent string, batches int) uint32 {
			a := p.connect(fleet.Identity{Merchant: "acme", Store: "Leeds", Agent: agent})
			a.join()
			w := a.greet(1, 0)
			for i := range batches {
				b := a.pack(sales(i, 1)...)
				go a.send(b)
				synctest.Wait()
			}
			return w.Credits
		}
		for i, want := range []uint32{8, 8, 1} {
			if got := credits(string(rune('a'+i)), []int{2, 2, 0}[i]); got != want {
				t.Errorf("with %d agents sending there are %d credits, want %d", i, got, want)
			}
		}
		close(commit)
		synctest.Wait()
	})
}

func TestANewerAgentIsWelcomedInTheVersionThatBothSpeak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, nil)
		a := p.connect(leeds)
		a.join()
		a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{
			Protocol: 7, Capabilities: []string{"what is not known here"}, Epoch: &tillbookv1.Epoch{Id: a.epoch}, Incarnation: a.incarnation, Next: 1,
		}}})
		if w := a.hear().GetWelcome(); w.GetProtocol() != 1 {
			t.Errorf("heard %v", w)
		}
	})
}
