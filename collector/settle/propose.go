package settle

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Proposal is what may belong together, for a person to say.
type Proposal struct {
	ID    string   `json:"id"` // stable while the facts are: decisions name it
	Kind  string   `json:"kind"`
	Left  []string `json:"left"`  // ids: tenders, or a payout
	Right []string `json:"right"` // ids: movements, or a line of the bank
	// Off is what the right side is more than the left. It stays a difference when
	// the proposal is accepted, with a name of its own.
	Off   money.Decimal `json:"off"`
	Since bizday.Day    `json:"since"`
	Score int           `json:"score"` // of 100: amount 40, currency 30, date 20, reference 10
	Text  string        `json:"text"`
}

// Kinds of a Proposal.
const (
	// Alike: tenders and movements of one amount of which there are more on one
	// side; accepted, they are matched as far as they go.
	Alike = "alike"
	// Differing: one of each side, of which something else than the amount agrees.
	Differing = "differing"
)

// Bounds of what is proposed.
const (
	MinScore     = 60  // what scores less is not proposed
	MaxProposals = 500 // of a run; the best, then the oldest
	maxAlike     = 500 // facts of one proposal
)

const (
	amountPoints    = 40
	currencyPoints  = 30
	datePoints      = 20
	referencePoints = 10
)

func newProposal(kind string, left, right []string, off money.Decimal, since bizday.Day, score int, format string, args ...any) Proposal {
	hash := sha256.Sum256([]byte(strings.Join(left, "\n") + "\n\n" + strings.Join(right, "\n")))
	return Proposal{
		ID: hex.EncodeToString(hash[:6]), Kind: kind, Left: left, Right: right, Off: off, Since: since, Score: score, Text: fmt.Sprintf(format, args...),
	}
}

// decide does first what people said.
func (r *runner) decide() {
	last := map[string]Decision{}
	for _, d := range r.in.Decisions {
		other, twice := last[d.Proposal.ID]
		if !twice || cmp.Or(d.At.Compare(other.At), cmp.Compare(d.By, other.By), compareBool(d.Accepted, other.Accepted)) > 0 {
			last[d.Proposal.ID] = d
		}
	}
	if len(last) == 0 {
		return
	}
	tenders, movements, payouts, lines := index(r.taken, func(t taken) string { return t.id }),
		index(r.movements, func(m movement) string { return m.id }),
		index(r.payouts, func(p payout) string { return p.id }), index(r.lines, func(l line) string { return l.id })
	ids := make([]string, 0, len(last))
	for id := range last {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		d := last[id]
		if !d.Accepted {
			r.refused[id] = true
			continue
		}
		free := slices.Clone(d.Proposal.Right)
		for _, left := range d.Proposal.Left {
			for n, right := range free {
				t, isTender := tenders[left]
				m, isMovement := movements[right]
				p, isPayout := payouts[left]
				l, isLine := lines[right]
				switch {
				case isTender && isMovement && r.taken[t].free() && !r.movements[m].matched && r.movements[m].payment():
					r.join(t, m, ByDecision)
				case isPayout && isLine && !r.payouts[p].matched && !r.lines[l].matched:
					r.credit(&r.payouts[p], l, ByDecision)
				default:
					continue
				}
				free = slices.Delete(free, n, n+1)
				break
			}
		}
	}
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

func index[T any](all []T, id func(T) string) map[string]int {
	at := make(map[string]int, len(all))
	for i, one := range all {
		at[id(one)] = i
	}
	return at
}

// propose lists what may belong together among what is left. A fact is in at most
// one proposal.
func (r *runner) propose() {
	used := map[string]bool{}
	add := func(p Proposal) {
		if p.Score < MinScore || r.refused[p.ID] {
			return
		}
		for _, id := range append(slices.Clone(p.Left), p.Right...) {
			if used[id] {
				return
			}
		}
		for _, id := range append(slices.Clone(p.Left), p.Right...) {
			used[id] = true
		}
		r.proposals = append(r.proposals, p)
	}
	r.alike(add)
	r.differing("receipt", func(t *taken) string { return t.Receipt }, func(m *movement) string { return m.Receipt }, add)
	r.differing("card and day", func(t *taken) string { return on(t.day, t.LastFour) }, func(m *movement) string { return on(m.day, m.LastFour) }, add)
	r.nearLines(add)
	slices.SortStableFunc(r.proposals, func(x, y Proposal) int {
		return cmp.Or(cmp.Compare(y.Score, x.Score), cmp.Compare(x.Since, y.Since), cmp.Compare(x.ID, y.ID))
	})
	r.proposals = r.proposals[:min(len(r.proposals), MaxProposals)]
}

func on(d bizday.Day, four string) string {
	if four == "" {
		return ""
	}
	return string(d) + " " + four
}

// alike proposes what is of one amount and near each other, but not as many on
// both sides.
func (r *runner) alike(add func(Proposal)) {
	for _, c := range r.clusters() {
		if len(c.tenders) == 0 || len(c.movements) == 0 || len(c.tenders)+len(c.movements) > maxAlike {
			continue
		}
		first, last := r.taken[c.tenders[0]].day, r.taken[c.tenders[0]].day
		see := func(d bizday.Day) { first, last = min(first, d), max(last, d) }
		var left, right []string
		for _, i := range c.tenders {
			left = append(left, r.taken[i].id)
			see(r.taken[i].day)
		}
		for _, i := range c.movements {
			right = append(right, r.movements[i].id)
			see(r.movements[i].day)
		}
		score := amountPoints + currencyPoints + datePoints
		if first != last {
			score -= datePoints / 2
		}
		off := c.amount * money.Decimal(len(right)-len(left))
		add(newProposal(Alike, left, right, off, first, score, "%d tenders and %d movements of %s %s near each other: which of them belong together cannot be told.",
			len(left), len(right), c.amount, c.currency))
	}
}

// differing proposes a tender and a movement that have in common what is said of
// them, where each is the only one of it, and not their amount.
func (r *runner) differing(what string, of func(*taken) string, by func(*movement) string, add func(Proposal)) {
	tenders, movements := map[string][]int{}, map[string][]int{}
	var order []string
	for i := range r.taken {
		if t := &r.taken[i]; t.free() && of(t) != "" {
			if tenders[of(t)] == nil {
				order = append(order, of(t))
			}
			tenders[of(t)] = append(tenders[of(t)], i)
		}
	}
	for i := range r.movements {
		if m := &r.movements[i]; m.payment() && !m.matched && m.Kind != wrongTender && by(m) != "" {
			movements[by(m)] = append(movements[by(m)], i)
		}
	}
	for _, value := range order {
		if len(tenders[value]) != 1 || len(movements[value]) != 1 {
			continue
		}
		t, m := &r.taken[tenders[value][0]], &r.movements[movements[value][0]]
		if !r.near(t.day, m.day) || contradict(t, m) || t.price().currency != m.price().currency {
			continue
		}
		score := currencyPoints + datePoints + referencePoints
		if t.day != m.day {
			score -= datePoints / 2
		}
		if t.LastFour != "" && t.LastFour == m.LastFour {
			score += referencePoints
		}
		add(newProposal(Differing, []string{t.id}, []string{m.id}, m.Amount-t.Booked, min(t.day, m.day), score,
			"The same %s: %s rung up, %s by the provider.", what, t.price().amount, m.price().amount))
	}
}

// nearLines proposes for each payout the bank's line that names it, or the only
// one of the provider near it, with another amount.
func (r *runner) nearLines(add func(Proposal)) {
	for i := range r.payouts {
		p := &r.payouts[i]
		if p.matched || p.gone() || p.Amount == 0 {
			continue
		}
		var best Proposal
		for n := range r.lines {
			l := &r.lines[n]
			if l.matched || l.Currency != p.Currency || !said(l, p) && !(r.account.pays(l.BankLine) && r.mayPay(p, l)) {
				continue
			}
			score := currencyPoints
			_, due := r.due(p)
			if r.near(l.Booked, due) {
				score += datePoints
			}
			if said(l, p) {
				score += referencePoints
			}
			switch off := (l.Amount - p.Amount).Abs(); {
			case off == 0:
				score += amountPoints
			case off <= p.Amount.Abs()/50: // two in a hundred
				score += amountPoints / 2
			}
			one := newProposal(Differing, []string{p.id}, []string{l.id}, l.Amount-p.Amount, l.Booked, score,
				"The bank's line of %s may be payout %s: %s sent, %s booked.", l.Booked, p.Key, p.Amount, l.Amount)
			if one.Score > best.Score || one.Score == best.Score && one.ID < best.ID {
				best = one
			}
		}
		add(best)
	}
}
