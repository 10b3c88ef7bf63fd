package fleet_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/fleet"
)

// certificate is one of a key, signed so many days after the start.
func certificate(key byte, days int) fleet.Certificate {
	at := start.AddDate(0, 0, days)
	return fleet.Certificate{Key: [32]byte{key}, Issuer: "pin", IssuedAt: at, ExpiresAt: at.AddDate(0, 0, 30)}
}

func TestWhatBecomesOfARequestForACertificate(t *testing.T) {
	t.Parallel()
	first, second := certificate(1, 0), certificate(2, 10)
	known := fleet.Agent{Newest: second, Before: first}
	revoked := known
	revoked.RevokedAt = start
	for name, c := range map[string]struct {
		agent fleet.Agent
		by    fleet.Certificate
		next  fleet.Certificate
		want  fleet.Verdict
	}{
		"the first":                                {fleet.Agent{}, fleet.Certificate{}, first, fleet.Granted},
		"of an agent that joined before":           {fleet.Agent{}, first, second, fleet.Granted},
		"by the newest":                            {known, second, certificate(3, 20), fleet.Granted},
		"by the newest after its end":              {known, second, certificate(3, 70), fleet.Recovered},
		"the same again":                           {known, first, certificate(2, 11), fleet.Repeated},
		"the same again after the end":             {known, first, certificate(2, 60), fleet.Repeated},
		"another by an older one":                  {known, first, certificate(9, 20), fleet.CopyGiven},
		"another by an older one after its end":    {known, first, certificate(9, 31), fleet.CopyDenied},
		"by one that nobody here knows, older":     {known, certificate(8, 5), certificate(9, 12), fleet.CopyGiven},
		"by one from before the database was back": {known, certificate(8, 20), certificate(9, 30), fleet.Granted},
		"the same, recovered":                      {known, certificate(8, 20), certificate(9, 80), fleet.Recovered},
		"of a revoked agent":                       {revoked, second, certificate(3, 20), fleet.Denied},
	} {
		after, got := fleet.Judge(c.agent, fleet.Ask{By: c.by, Next: c.next, At: c.next.IssuedAt})
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		given := got != fleet.Denied && got != fleet.CopyDenied
		if (after.Newest == c.next) != given {
			t.Errorf("%s: %s, and the newest is %v", name, got, after.Newest)
		}
		if copied := got == fleet.CopyGiven || got == fleet.CopyDenied; after.CopiedAt.IsZero() == copied {
			t.Errorf("%s: %s, copied at %s", name, got, after.CopiedAt)
		}
	}
}

// TestOfCopiesOneRecoversAndNoAgentWithoutACopyIsEverRefused lets one agent, or
// two copies of its folder, ask again and again, with answers that are lost.
func TestOfCopiesOneRecoversAndNoAgentWithoutACopyIsEverRefused(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		type folder struct{ have, next fleet.Certificate } // next: whose key is made and asked for
		agent, now, key := fleet.Agent{}, start, byte(1)
		first := certificate(key, 0)
		agent, _ = fleet.Judge(agent, fleet.Ask{Next: first, At: now})
		folders := []*folder{{have: first}}
		recovered := map[[32]byte]map[[32]byte]bool{} // keys given, by the expired key that asked
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 50*24).Draw(rt, "hours")) * time.Hour)
			if len(folders) == 1 && rapid.IntRange(0, 20).Draw(rt, "copy") == 0 {
				copied := *folders[0]
				folders = append(folders, &copied)
			}
			f := rapid.SampledFrom(folders).Draw(rt, "folder")
			if f.next.Key == [32]byte{} {
				key++
				f.next.Key = [32]byte{key}
			}
			f.next.IssuedAt, f.next.ExpiresAt = now, now.AddDate(0, 0, 30)
			ask := fleet.Ask{By: f.have, Next: f.next, At: now}
			var verdict fleet.Verdict
			before := agent
			agent, verdict = fleet.Judge(agent, ask)
			given := verdict != fleet.CopyDenied && verdict != fleet.Denied
			if len(folders) == 1 && (!given || !agent.CopiedAt.IsZero()) {
				rt.Fatalf("the only agent got %s (%+v)", verdict, agent)
			}
			if ask.Recovery() && given {
				if recovered[f.have.Key] == nil {
					recovered[f.have.Key] = map[[32]byte]bool{}
				}
				if recovered[f.have.Key][f.next.Key] = true; len(recovered[f.have.Key]) > 1 {
					rt.Fatalf("one expired certificate was recovered for two keys; before %+v", before)
				}
			}
			if given && rapid.IntRange(0, 3).Draw(rt, "lost") > 0 {
				f.have, f.next = f.next, fleet.Certificate{}
			}
		}
	})
}

func TestWhichAgentsStillRestOnAnAuthority(t *testing.T) {
	t.Parallel()
	now := start.AddDate(0, 0, 40)
	of := func(issuer string, days int) fleet.Certificate {
		c := certificate(1, days)
		c.Issuer = issuer
		return c
	}
	for name, c := range map[string]struct {
		agent fleet.Agent
		want  bool
	}{
		"its certificate is of it":               {fleet.Agent{Newest: of("old", 20)}, true},
		"expired, may be recovered":              {fleet.Agent{Newest: of("old", 0)}, true},
		"expired too long ago":                   {fleet.Agent{Newest: of("old", -90)}, false},
		"revoked":                                {fleet.Agent{Newest: of("old", 20), RevokedAt: start}, false},
		"of the next, and heard since":           {fleet.Agent{Newest: of("new", 30), Before: of("old", 20), SeenAt: start.AddDate(0, 0, 31)}, false},
		"of the next, maybe not received":        {fleet.Agent{Newest: of("new", 30), Before: of("old", 20), SeenAt: start.AddDate(0, 0, 30)}, true},
		"joined with the next":                   {fleet.Agent{Newest: of("new", 40)}, false},
		"joined when nothing was kept of it yet": {fleet.Agent{}, true},
	} {
		if got := c.agent.Rests("old", 90*24*time.Hour, now); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if diff := cmp.Diff(fleet.Ask{By: certificate(1, 0), At: start.AddDate(0, 0, 30)}.Recovery(), false); diff != "" {
		t.Error("a certificate that ends this moment has expired")
	}
}
