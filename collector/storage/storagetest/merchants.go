package storagetest

import (
	"errors"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
)

func databaseTests() []test {
	return []test{
		{"migrating again changes nothing and the incarnation stays", func(b *bundle) {
			before, err := b.db.Incarnation(b.Context())
			b.must(err)
			if before == [16]byte{} {
				b.Error("the incarnation is zero")
			}
			other := b.open()
			b.must(other.Migrate(b.Context()))
			after, err := other.Incarnation(b.Context())
			b.must(err)
			equal(b, "incarnation", after, before)
			have, want, err := other.Versions(b.Context())
			b.must(err)
			equal(b, "version", have, want)
		}},
	}
}

func merchantTests() []test {
	return []test{
		{"a configuration is read as it was applied, with its mappings' versions", func(b *bundle) {
			m := configuration(mine)
			equal(b, "changed", b.apply(m), true)
			m.Mappings[0].Version = 1
			got, err := b.db.Merchant(b.Context(), mine)
			b.must(err)
			equal(b, "configuration", got, m)
			all, err := b.db.Merchants(b.Context())
			b.must(err)
			equal(b, "merchants", []string{all[0].ID, all[1].ID}, []string{mine, theirs})
		}},
		{"applying what is there already changes nothing", func(b *bundle) {
			m := configuration(mine)
			b.apply(m)
			equal(b, "changed", b.apply(m), false)
			exported, err := b.db.Merchant(b.Context(), mine)
			b.must(err)
			equal(b, "changed by its own export", b.apply(exported), false)
		}},
		{"a mapping that differs gets the next version and the old one stays", func(b *bundle) {
			m := configuration(mine)
			b.apply(m)
			m.Mappings = append(m.Mappings, merchant.Mapping{From: "2026-02-01", Mapping: mapping("4100")})
			b.apply(m)
			m.Mappings[0] = merchant.Mapping{From: "2026-01-01", Version: 1, Mapping: mapping("4200")}
			b.apply(m)
			m.Mappings[0] = merchant.Mapping{From: "2026-01-01", Mapping: mapping("4000")} // as at first
			equal(b, "changed", b.apply(m), true)
			got, err := b.db.Merchant(b.Context(), mine)
			b.must(err)
			equal(b, "versions", []int{got.Mappings[0].Version, got.Mappings[1].Version}, []int{1, 2})
			for version, want := range map[int]string{1: "4000", 2: "4100", 3: "4200"} {
				m, err := b.db.Mapping(b.Context(), mine, version)
				b.must(err)
				equal(b, "mapping", m.Mapping, mapping(want))
			}
			if _, err := b.db.Mapping(b.Context(), mine, 4); !errors.Is(err, storage.ErrNone) {
				b.Errorf("a mapping that is not there: %v", err)
			}
		}},
		{"an unknown merchant is said to be unknown", func(b *bundle) {
			if _, err := b.db.Merchant(b.Context(), mine); !errors.Is(err, storage.ErrNone) {
				b.Error(err)
			}
		}},
		{"a new configuration has external days looked at again", func(b *bundle) {
			m := configuration(mine)
			b.apply(m)
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"))
			b.commit(l, 1, 1)
			b.must(b.db.Set(b.Context(), b.ref(), 1, day.External, nil, noon))
			equal(b, "unsettled", b.unsettled(), nil)
			m.Stores[0].Start = "2026-03-01"
			b.apply(m)
			equal(b, "unsettled", b.unsettled(), []day.Ref{b.ref()})
		}},
		{"a new connection has every entry to come, one that is gone has none", func(b *bundle) {
			m := configuration(mine)
			m.Connections = nil
			b.apply(m)
			b.closed(1)
			equal(b, "due", len(b.due()), 0)
			b.apply(configuration(mine))
			equal(b, "due", b.due()[0].Target, xero)
			b.apply(m)
			equal(b, "due", len(b.due()), 0)
			b.apply(configuration(mine))
			equal(b, "due", len(b.due()), 1)
		}},
	}
}

func fleetTests() []test {
	code := func(b *bundle) fleet.Code {
		return fleet.Code{Hash: hashOf("code"), Merchant: mine, Store: store, ExpiresAt: noon.Add(time.Hour)}
	}
	return []test{
		{"a join code makes one agent", func(b *bundle) {
			b.must(b.db.AddCode(b.Context(), code(b)))
			id, err := b.db.Redeem(b.Context(), hashOf("code"), "agent-1", "till-pc", "1.0.0", noon)
			b.must(err)
			equal(b, "identity", id, fleet.Identity{Merchant: mine, Store: store, Agent: "agent-1"})
			a, err := b.db.Agent(b.Context(), mine, "agent-1")
			b.must(err)
			equal(b, "agent", a, fleet.Agent{Identity: id, Host: "till-pc", Version: "1.0.0", EnrolledAt: noon})
			if _, err := b.db.Redeem(b.Context(), hashOf("code"), "agent-2", "", "", noon); !errors.Is(err, fleet.ErrCode) {
				b.Errorf("redeemed twice: %v", err)
			}
			if _, err := b.db.Agent(b.Context(), mine, "agent-2"); !errors.Is(err, fleet.ErrUnknown) {
				b.Errorf("an agent of a used code: %v", err)
			}
		}},
		{"a join code that is unknown or expired makes none", func(b *bundle) {
			b.must(b.db.AddCode(b.Context(), code(b)))
			if _, err := b.db.Redeem(b.Context(), hashOf("code"), "agent-1", "", "", noon.Add(time.Hour)); !errors.Is(err, fleet.ErrCode) {
				b.Errorf("expired: %v", err)
			}
			if _, err := b.db.Redeem(b.Context(), hashOf("guess"), "agent-1", "", "", noon); !errors.Is(err, fleet.ErrCode) {
				b.Errorf("unknown: %v", err)
			}
		}},
		{"a join code that many redeem at once makes one agent", func(b *bundle) {
			b.must(b.db.AddCode(b.Context(), code(b)))
			var group sync.WaitGroup
			won := make(chan string, 4)
			for _, agent := range []string{"a", "b", "c", "d"} {
				db := b.open()
				group.Go(func() {
					_, err := db.Redeem(b.Context(), hashOf("code"), agent, "", "", noon)
					if err == nil {
						won <- agent
					} else if !errors.Is(err, fleet.ErrCode) {
						b.Error(err)
					}
				})
			}
			group.Wait()
			equal(b, "winners", len(won), 1)
		}},
		{"an agent is revoked once and for all", func(b *bundle) {
			b.enrol(mine, "agent-1")
			b.must(b.db.Revoke(b.Context(), mine, "agent-1", noon))
			b.must(b.db.Revoke(b.Context(), mine, "agent-1", noon.Add(time.Hour)))
			a, err := b.db.Agent(b.Context(), mine, "agent-1")
			b.must(err)
			equal(b, "revoked", a.RevokedAt, noon)
			equal(b, "revoked on the day", b.facts(today).Agents, []day.Agent{{ID: "agent-1", Revoked: true}})
		}},
		{"revocations since a moment are found with one question", func(b *bundle) {
			ids := []fleet.Identity{b.enrol(mine, "agent-1"), b.enrol(mine, "agent-2"), b.enrol(mine, "agent-3")}
			b.must(b.db.Revoke(b.Context(), mine, "agent-1", noon.Add(-time.Second)))
			b.must(b.db.Revoke(b.Context(), mine, "agent-2", noon))
			revoked, err := b.db.Revoked(b.Context(), noon)
			b.must(err)
			equal(b, "revoked", revoked, ids[1:2])
		}},
		{"certificates are given as the fleet decides", func(b *bundle) {
			id := b.enrol(mine, "agent-1")
			certificate := func(key byte, days int) fleet.Certificate {
				at := noon.AddDate(0, 0, days)
				return fleet.Certificate{Key: [32]byte{key}, Issuer: "pin", IssuedAt: at, ExpiresAt: at.AddDate(0, 0, 30)}
			}
			first, second, third := certificate(1, 0), certificate(2, 10), certificate(3, 70)
			want := fleet.Agent{Identity: id, Host: "till-pc", Version: "1.0.0", EnrolledAt: noon}
			for _, step := range []struct {
				ask  fleet.Ask
				want fleet.Verdict
			}{
				{fleet.Ask{Next: first, At: noon}, fleet.Granted},
				{fleet.Ask{By: first, Next: second, At: second.IssuedAt}, fleet.Granted},
				{fleet.Ask{By: second, Next: third, At: third.IssuedAt}, fleet.Recovered},
				{fleet.Ask{By: second, Next: third, At: third.IssuedAt}, fleet.Repeated},
				{fleet.Ask{By: second, Next: certificate(4, 71), At: noon.AddDate(0, 0, 71)}, fleet.CopyDenied},
			} {
				want, _ = fleet.Judge(want, step.ask)
				verdict, err := b.db.Certify(b.Context(), id, step.ask)
				b.must(err)
				equal(b, "verdict", verdict, step.want)
				a, err := b.db.Agent(b.Context(), mine, "agent-1")
				b.must(err)
				equal(b, "agent", a, want)
			}
			b.must(b.db.Revoke(b.Context(), mine, "agent-1", noon))
			verdict, err := b.db.Certify(b.Context(), id, fleet.Ask{By: third, Next: certificate(5, 80), At: noon.AddDate(0, 0, 80)})
			b.must(err)
			equal(b, "verdict on a revoked agent", verdict, fleet.Denied)
			for _, stranger := range []fleet.Identity{{Merchant: mine, Store: store, Agent: "nobody"}, {Merchant: mine, Store: "another", Agent: "agent-1"}} {
				if _, err := b.db.Certify(b.Context(), stranger, fleet.Ask{Next: first, At: noon}); !errors.Is(err, fleet.ErrUnknown) {
					b.Errorf("certified %v: %v", stranger, err)
				}
			}
		}},
		{"of many that ask with one expired certificate one gets the next", func(b *bundle) {
			id := b.enrol(mine, "agent-1")
			old := fleet.Certificate{Key: [32]byte{1}, IssuedAt: noon, ExpiresAt: noon.AddDate(0, 0, 30)}
			_, err := b.db.Certify(b.Context(), id, fleet.Ask{Next: old, At: noon})
			b.must(err)
			var group sync.WaitGroup
			won := make(chan byte, 4)
			for key := range byte(4) {
				db := b.open()
				group.Go(func() {
					at := noon.AddDate(0, 0, 60)
					verdict, err := db.Certify(b.Context(), id, fleet.Ask{By: old, Next: fleet.Certificate{Key: [32]byte{key + 2}, IssuedAt: at, ExpiresAt: at.AddDate(0, 0, 30)}, At: at})
					switch {
					case err != nil:
						b.Error(err)
					case verdict == fleet.Recovered:
						won <- key
					case verdict != fleet.CopyDenied:
						b.Errorf("verdict %s", verdict)
					}
				})
			}
			group.Wait()
			equal(b, "winners", len(won), 1)
		}},
		{"codes that can still be redeemed are counted by the authority they pin", func(b *bundle) {
			for i, c := range []fleet.Code{
				{Authority: "old", ExpiresAt: noon.Add(time.Hour)}, {Authority: "old", ExpiresAt: noon}, {Authority: "new", ExpiresAt: noon.Add(time.Hour)},
				{Authority: "old", ExpiresAt: noon.Add(time.Hour)},
			} {
				c.Hash, c.Merchant, c.Store = hashOf("counted", string(rune('0'+i))), mine, store
				b.must(b.db.AddCode(b.Context(), c))
			}
			count := func(authority string) int {
				n, err := b.db.OpenCodes(b.Context(), authority, noon)
				b.must(err)
				return n
			}
			equal(b, "of the old", count("old"), 2)
			equal(b, "of the new", count("new"), 1)
			_, err := b.db.Redeem(b.Context(), hashOf("counted", "0"), "agent-1", "", "", noon)
			b.must(err)
			equal(b, "of the old after one was redeemed", count("old"), 1)
		}},
		{"what an agent says of itself is kept, the newest", func(b *bundle) {
			id := b.enrol(mine, "agent-1")
			beat := fleet.Beat{Unsent: 7, OldestUnsent: noon, Refused: 1<<64 - 1, Quarantined: 2, Work: "degraded", Skew: -3 * time.Second, Snapshot: []byte("figures")}
			b.must(b.db.Beat(b.Context(), id, beat, noon.Add(2*time.Minute)))
			b.must(b.db.Beat(b.Context(), id, fleet.Beat{Work: "ok"}, noon.Add(time.Minute)))
			b.must(b.db.Seen(b.Context(), id, "1.1.0", noon))
			a, err := b.db.Agent(b.Context(), mine, "agent-1")
			b.must(err)
			beat.Refused = 1<<63 - 1
			equal(b, "agent", a, fleet.Agent{Identity: id, Host: "till-pc", Version: "1.1.0", EnrolledAt: noon, SeenAt: noon.Add(2 * time.Minute), Beat: beat})
			b.must(b.db.Beat(b.Context(), id, fleet.Beat{Work: "ok"}, noon.Add(3*time.Minute)))
			a, err = b.db.Agent(b.Context(), mine, "agent-1")
			b.must(err)
			equal(b, "beat without a snapshot", a.Beat, fleet.Beat{Work: "ok", Snapshot: []byte("figures")})
		}},
		{"an agent is told its store's last days, the newest first, with what is due", func(b *bundle) {
			id := b.enrol(mine, "agent-2")
			b.apply(configuration(mine))
			b.closed(1)
			l := b.lane(mine, "agent-2", 1)
			l.addOn(yesterday, sale(mine, "y", "1.00"))
			l.addOn("2026-02-27", sale(mine, "z", "1.00"))
			b.commit(l, 1, 2)
			b.must(b.db.Set(b.Context(), day.Ref{Merchant: mine, Store: store, Day: yesterday}, 1, day.Held, &day.Hold{Reason: day.HoldMapping}, noon))
			days, err := b.db.LastDays(b.Context(), id, 2)
			b.must(err)
			equal(b, "days", days, []intake.DayState{{Day: today, State: day.Ready, Due: 1}, {Day: yesterday, State: day.Held, Hold: day.HoldMapping}})
			id.Store = "another"
			days, err = b.db.LastDays(b.Context(), id, 2)
			b.must(err)
			equal(b, "days of another store", len(days), 0)
		}},
		{"an unknown agent is not made by speaking", func(b *bundle) {
			id := fleet.Identity{Merchant: mine, Store: store, Agent: "agent-1"} // the other merchant has one
			for _, err := range []error{
				b.db.Seen(b.Context(), id, "1", noon), b.db.Beat(b.Context(), id, fleet.Beat{}, noon), b.db.Revoke(b.Context(), mine, "agent-1", noon),
			} {
				if !errors.Is(err, fleet.ErrUnknown) {
					b.Error(err)
				}
			}
		}},
	}
}

func (b *bundle) ref() day.Ref { return day.Ref{Merchant: mine, Store: store, Day: today} }

// closed makes a day with documents and an entry at that version.
func (b *bundle) closed(version int) {
	b.Helper()
	l := b.lane(mine, "agent-1", 1)
	for i := range version {
		l.add(sale(mine, string(rune('A'+i)), "1.00"))
	}
	b.commit(l, 1, uint64(version))
	b.must(b.db.Save(b.Context(), entry(b.ref(), int64(version))))
}

// unsettled returns the merchant's unsettled days.
func (b *bundle) unsettled() []day.Ref {
	b.Helper()
	refs, err := b.db.Unsettled(b.Context())
	b.must(err)
	var of []day.Ref
	for _, r := range refs {
		if r.Merchant == mine {
			of = append(of, r)
		}
	}
	return of
}

// due returns what is due of the merchant.
func (b *bundle) due() []posting.Due {
	b.Helper()
	due, err := b.db.Due(b.Context(), "")
	b.must(err)
	var of []posting.Due
	for _, d := range due {
		if d.Merchant == mine {
			of = append(of, d)
		}
	}
	return of
}
