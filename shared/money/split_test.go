package money_test

import (
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/money"
)

func parsed(texts ...string) []money.Decimal {
	out := make([]money.Decimal, len(texts))
	for i, s := range texts {
		out[i] = money.MustParse(s)
	}
	return out
}

func TestSplitByLargestRemainder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		total   string
		weights []money.Decimal
		places  int
		want    []money.Decimal
	}{
		"evenly":               {"9", parsed("1", "1", "1"), 2, parsed("3", "3", "3")},
		"ties to the earlier":  {"10", parsed("1", "1", "1"), 2, parsed("3.34", "3.33", "3.33")},
		"negative as positive": {"-10", parsed("1", "1", "1"), 2, parsed("-3.34", "-3.33", "-3.33")},
		"two ties of three":    {"0.02", parsed("5", "5", "5"), 2, parsed("0.01", "0.01", "0")},
		"largest rest first":   {"1", parsed("0.10", "0.35", "0.55"), 0, parsed("0", "0", "1")},
		"a weight of zero":     {"0.01", parsed("0", "1", "0"), 2, parsed("0", "0.01", "0")},
		"nothing":              {"0", parsed("1", "2"), 2, parsed("0", "0")},
		"whole yen":            {"100", parsed("1", "2", "4"), 0, parsed("14", "29", "57")},
		"the largest total":    {"9000000000000", parsed("1", "2"), 6, parsed("3000000000000", "6000000000000")},
		"the largest weight":   {"-9000000000000", parsed("9000000000000"), 0, parsed("-9000000000000")},
		"three places":         {"0.001", parsed("1", "1"), 3, parsed("0.001", "0")},
		"one part gets it all": {"7.77", parsed("0.000001"), 2, parsed("7.77")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := money.Split(money.MustParse(c.total), c.weights, c.places)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestSplitRefusesWhatHasNoAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		total   string
		weights []money.Decimal
		places  int
	}{
		"more places than asked for":  {"0.001", parsed("1"), 2},
		"a negative weight":           {"1", parsed("2", "-1"), 2},
		"no weights":                  {"1", nil, 2},
		"weights of zero":             {"1", parsed("0", "0"), 2},
		"weights beyond the range":    {"1", parsed("9000000000000", "0.000001"), 2},
		"nothing over no part at all": {"0", nil, 2},
	} {
		if parts, err := money.Split(money.MustParse(c.total), c.weights, c.places); err == nil {
			t.Errorf("%s gives %v", name, parts)
		}
	}
}

func TestPartsOfASplitAddUpAndAreEachWithinAUnit(t *testing.T) {
	t.Parallel()
	weight := rapid.OneOf(
		rapid.Just(money.Decimal(0)), rapid.Just(money.One),
		rapid.Map(rapid.Int64Range(0, int64(money.Max)/20), func(n int64) money.Decimal { return money.Decimal(n) }),
		rapid.Map(rapid.Int64Range(0, 100), func(n int64) money.Decimal { return money.Decimal(n) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.SampledFrom([]int{0, 2, 3, 6}).Draw(t, "places")
		unit := money.One
		for range places {
			unit /= 10
		}
		total := decimals().Draw(t, "total") / unit * unit
		weights := rapid.SliceOfN(weight, 1, 20).Draw(t, "weights")
		whole := new(big.Rat)
		for _, w := range weights {
			whole.Add(whole, exact(w))
		}
		if whole.Sign() == 0 {
			t.Skip("no weight")
		}
		before := slices.Clone(weights)
		parts, err := money.Split(total, weights, places)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(before, weights) {
			t.Fatalf("the weights became %v", weights)
		}
		var sum money.Sum
		rests := make([]*big.Rat, len(parts)) // share − part, in the direction of total
		for i, part := range parts {
			sum.Add(part)
			share := new(big.Rat).Quo(new(big.Rat).Mul(exact(total), exact(weights[i])), whole)
			rests[i] = new(big.Rat).Sub(share, exact(part))
			if total < 0 {
				rests[i].Neg(rests[i])
			}
			if new(big.Rat).Abs(rests[i]).Cmp(exact(unit)) >= 0 || part%unit != 0 || weights[i] == 0 && part != 0 {
				t.Fatalf("part %d is %s, its share %s millionths", i+1, part, share.FloatString(3))
			}
		}
		if got, err := sum.Value(); err != nil || got != total {
			t.Fatalf("the parts add up to %s, %v, not %s", got, err, total)
		}
		// Who was rounded up had no smaller rest than who was not, and of two
		// equal ones the earlier.
		up := func(i int) bool { return rests[i].Sign() < 0 }
		rest := func(i int) *big.Rat {
			if up(i) {
				return new(big.Rat).Add(rests[i], exact(unit))
			}
			return rests[i]
		}
		for i := range parts {
			for j := range parts {
				if c := rest(j).Cmp(rest(i)); up(i) && !up(j) && (c > 0 || c == 0 && j < i) {
					t.Fatalf("part %d was rounded up before part %d in %v", i+1, j+1, parts)
				}
			}
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	weights := make([]money.Decimal, 10_000)
	for i := range weights {
		weights[i] = money.Decimal(i%97 + 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := money.Split(money.MustParse("12345.67"), weights, 2); err != nil {
			b.Fatal(err)
		}
	}
}
