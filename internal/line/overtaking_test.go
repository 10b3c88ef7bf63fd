package line_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/intake/intaketest"
)

// rush is a backlog over a database that takes its time, with sales beside it and
// something that happens in the middle.
func rush(t *rapid.T) []step {
	n := func(from, to int) int { return rapid.IntRange(from, to).Draw(t, "n") }
	plan := []step{{"wait", 40}, {"slow database", n(100, 900)}, {"sell much", n(0, 1000)}}
	happens := rapid.SampledFrom(slices.Concat(ordinary, []string{"restore collector", "lose records", "cut the tail", "restore agent", "clone"}))
	for range n(2, 8) {
		plan = append(plan, step{"wait a moment", n(50, 800)}, step{"sell", n(0, 30)})
		if n(0, 2) == 0 {
			plan = append(plan, step{happens.Draw(t, "what"), n(0, 1000)})
		}
	}
	return plan
}

func TestEachSaleArrivesOnceThoughSalesOvertakeABacklog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		prepare := func(s *intaketest.Store) {}
		if rapid.Bool().Draw(rt, "sparse") {
			prepare = func(s *intaketest.Store) { s.NewestOnly, s.Sparse = true, true }
		}
		plan := rapid.Custom(rush).Draw(rt, "rush")
		if found := simulate(t, seed, plan, prepare); len(found) > 0 {
			rt.Fatalf("%d problems, the first: %s", len(found), strings.Join(found[:min(5, len(found))], "\n"))
		}
	})
}
