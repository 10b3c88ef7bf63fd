package settle

import (
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// gone reports whether a payout came to nothing.
func (p *payout) gone() bool { return p.State == Failed || p.State == Canceled }

// group is a payout's movements.
type group struct {
	movements []int // but for those of the payout itself
	itself    []int // sent, and came back
	rest      money.Decimal
}

// matchPayouts finds the movements of each payout: those that name it, else the
// days before it that add up to it.
func (r *runner) matchPayouts() {
	r.groups = map[string]*group{}
	at := func(key string) *group {
		if r.groups[key] == nil {
			r.groups[key] = &group{}
		}
		return r.groups[key]
	}
	gone := map[string]bool{}
	for i := range r.payouts {
		gone[r.payouts[i].Key] = r.payouts[i].gone()
	}
	for i := range r.movements {
		m := &r.movements[i]
		if m.Payout == "" {
			continue
		}
		g := at(m.Payout)
		g.rest += m.change
		if m.Kind == PaidOut || m.Kind == PayoutFailed && gone[m.Payout] {
			g.itself = append(g.itself, i)
		} else {
			g.movements = append(g.movements, i)
		}
	}
	for i := range r.payouts {
		r.sent(&r.payouts[i], at)
	}
	r.restOfDays()
}

// sent sees to it that a payout is among the movements: where the provider does not
// list it there, or lists that it was sent and not that it came back, what its
// state says counts as if it did.
func (r *runner) sent(p *payout, at func(string) *group) {
	g := at(p.Key)
	out, back := false, false
	for _, i := range g.itself {
		out = out || r.movements[i].Kind == PaidOut
		back = back || r.movements[i].Kind == PayoutFailed
	}
	var change money.Decimal
	kind := PaidOut
	switch {
	case p.Currency != r.account.Currency:
		return // what it took from this balance only a movement can say
	case !out && !p.gone():
		change = -p.Amount - p.Fee
	case out && p.gone() && !back:
		kind = PayoutFailed
		for _, i := range g.itself {
			change -= r.movements[i].change
		}
		if r.cameBack(p.Key, change) {
			return
		}
	default:
		return
	}
	i := len(r.movements)
	r.movements = append(r.movements, movement{
		Movement: Movement{Key: p.Key + "/" + string(kind), Kind: kind, At: p.Created, Currency: p.Currency, Amount: change, Payout: p.Key},
		id:       "implied:" + p.Key + "/" + string(kind), day: r.payoutDay(p, kind), change: change,
	})
	g.itself = append(g.itself, i)
	g.rest += change
}

// cameBack reports whether a movement says that a payout came back which is listed
// with no payout, or with the one that sends it again: by its key, else by its
// amount.
func (r *runner) cameBack(key string, amount money.Decimal) bool {
	by := func(fits func(*movement) bool) bool {
		i := slices.IndexFunc(r.movements, func(m movement) bool { return m.Kind == PayoutFailed && !m.matched && fits(&m) })
		if i >= 0 {
			r.movements[i].matched = true // with this payout and no other
		}
		return i >= 0
	}
	return by(func(m *movement) bool { return m.Of == key }) ||
		by(func(m *movement) bool { return m.Of == "" && m.change == amount })
}

// payoutDay is the provider's day on which a payout was sent or came back.
func (r *runner) payoutDay(p *payout, kind Kind) bizday.Day {
	sent := r.account.From
	switch {
	case !p.Created.IsZero():
		sent = r.dayOf(p.Created)
	case p.Expected != "":
		sent = p.Expected
	case p.Arrival != "":
		sent = p.Arrival
	}
	if kind == PayoutFailed {
		return max(sent, p.Expected, p.Arrival)
	}
	return sent
}

// restOfDays settles payouts that say nothing of their movements with the days
// that add up to them: days in a row from the oldest open one, else the only days
// that do.
func (r *runner) restOfDays() {
	type open struct {
		day       bizday.Day
		sum       money.Decimal
		movements []int
	}
	var all []open
	byDay := map[bizday.Day]int{}
	for i := range r.movements {
		m := &r.movements[i]
		if m.Payout != "" || m.change == 0 {
			continue
		}
		n, known := byDay[m.day]
		if !known {
			n = len(all)
			byDay[m.day] = n
			all = append(all, open{day: m.day})
		}
		all[n].sum += m.change
		all[n].movements = append(all[n].movements, i)
	}
	slices.SortFunc(all, func(x, y open) int { return strings.Compare(string(x.day), string(y.day)) })
	for i := range r.payouts {
		p := &r.payouts[i]
		g := r.groups[p.Key]
		if g == nil || len(g.movements) > 0 || len(g.itself) == 0 || g.rest == 0 {
			continue
		}
		sent := r.movements[g.itself[0]].day
		var days []int
		var sums []money.Decimal
		var run money.Decimal
		inRow := 0
		for n := range all {
			if all[n].movements == nil || all[n].sum == 0 || all[n].day > sent {
				continue
			}
			days, sums = append(days, n), append(sums, all[n].sum)
			if run += all[n].sum; inRow == 0 && run == -g.rest {
				inRow = len(days)
			}
		}
		chosen := slices.Clone(days[:inRow])
		if inRow == 0 {
			for _, n := range exactly(sums, -g.rest) {
				chosen = append(chosen, days[n])
			}
		}
		for _, n := range chosen {
			for _, m := range all[n].movements {
				r.movements[m].Payout = p.Key
				r.pair(r.movements[m].id, p.id, BySum)
				g.movements = append(g.movements, m)
				g.rest += r.movements[m].change
			}
			all[n].movements = nil
		}
	}
	r.sentAgain()
}

// sentAgain settles a payout that says nothing of its movements with the only one
// before it that came back and has its amount.
func (r *runner) sentAgain() {
	for i := range r.payouts {
		p := &r.payouts[i]
		g := r.groups[p.Key]
		if g == nil || g.rest == 0 || p.gone() || len(g.movements) > 0 {
			continue
		}
		found := -1
		for n := range r.payouts[:i] {
			q := &r.payouts[n]
			if other := r.groups[q.Key]; q.gone() && other != nil && other.rest == -g.rest {
				if found >= 0 {
					found = -1
					break
				}
				found = n
			}
		}
		if found >= 0 {
			r.pair(r.payouts[found].id, p.id, BySum)
			r.groups[r.payouts[found].Key].rest, g.rest = 0, 0
			r.again[p.Key] = r.payouts[found].Key
		}
	}
}

// matchLines finds the bank's line of each payout.
func (r *runner) matchLines() {
	at := map[money.Decimal][]int{} // lines by amount without sign
	for i := range r.lines {
		amount := r.lines[i].Amount.Abs()
		at[amount] = append(at[amount], i)
	}
	for i := range r.payouts {
		if p := &r.payouts[i]; !p.matched && p.Amount != 0 {
			r.byReference(p, at[p.Amount.Abs()])
		}
	}
	r.byOnlyAmount()
	r.bySeveral()
}

// said reports whether the bank's line names a payout.
func said(l *line, p *payout) bool {
	for _, word := range []string{p.Reference, p.Key} {
		if word != "" && (l.Reference == word || strings.Contains(l.Text, word) || strings.Contains(l.Reference, word)) {
			return true
		}
	}
	return false
}

// byReference matches a payout with the one line that names it and has its amount;
// one that failed, with the two lines of it that cancel each other.
func (r *runner) byReference(p *payout, lines []int) {
	var named []int
	var sum money.Decimal
	for _, i := range lines {
		if l := &r.lines[i]; !l.matched && l.Currency == p.Currency && said(l, p) {
			named = append(named, i)
			sum += l.Amount
		}
	}
	if p.gone() && (len(named) != 2 || sum != 0) || !p.gone() && (len(named) != 1 || sum != p.Amount) {
		return
	}
	for _, i := range named {
		r.credit(p, i, ByKey)
	}
}

func (r *runner) credit(p *payout, l int, how string) {
	p.matched, r.lines[l].matched = true, true
	r.pair(p.id, r.lines[l].id, how)
}

// mayPay reports whether a line may be the credit of a payout: the bank books it
// no earlier than the payout was sent, and not long after it was expected.
func (r *runner) mayPay(p *payout, l *line) bool {
	if l.matched || p.matched || p.gone() || p.Amount == 0 || l.Currency != p.Currency {
		return false
	}
	sent, due := r.due(p)
	return l.Booked >= sent && l.Booked <= due.Add(r.account.window()) && (len(r.account.Payer) == 0 || r.account.pays(l.BankLine))
}

// credits returns the lines that may be the credit of each payout, and the payouts
// that each line may be the credit of.
func (r *runner) credits() (lines, payouts [][]int) {
	lines, payouts = make([][]int, len(r.payouts)), make([][]int, len(r.lines))
	for i := range r.payouts {
		p := &r.payouts[i]
		if p.matched || p.gone() {
			continue
		}
		sent, due := r.due(p)
		last := due.Add(r.account.window())
		from, _ := slices.BinarySearchFunc(r.lines, sent, func(l line, d bizday.Day) int { return strings.Compare(string(l.Booked), string(d)) })
		for n := from; n < len(r.lines) && r.lines[n].Booked <= last; n++ {
			if r.mayPay(p, &r.lines[n]) {
				lines[i], payouts[n] = append(lines[i], n), append(payouts[n], i)
			}
		}
	}
	return lines, payouts
}

// due returns when a payout was sent and when the bank should have it.
func (r *runner) due(p *payout) (sent, due bizday.Day) {
	sent = r.payoutDay(p, PaidOut)
	switch {
	case p.Arrival != "":
		due = p.Arrival
	case p.Expected != "":
		due = p.Expected
	default:
		due = sent.Add(r.account.waits())
	}
	return min(sent, due), due
}

// byOnlyAmount matches a payout and a line of its amount where each is the only
// one for the other.
func (r *runner) byOnlyAmount() {
	lines, payouts := r.credits()
	equal := func(p, l int) bool { return r.payouts[p].Amount == r.lines[l].Amount }
	for p, all := range lines {
		l := onlyOne(all, func(l int) bool { return equal(p, l) })
		if l >= 0 && onlyOne(payouts[l], func(p int) bool { return equal(p, l) }) == p {
			r.credit(&r.payouts[p], l, ByAmount)
		}
	}
}

// onlyOne returns the only one that fits, or -1.
func onlyOne(all []int, fits func(int) bool) int {
	found := -1
	for _, one := range all {
		if fits(one) {
			if found >= 0 {
				return -1
			}
			found = one
		}
	}
	return found
}

// bySeveral matches one line that pays several payouts, and several lines that pay
// one, where just one choice adds up.
func (r *runner) bySeveral() {
	_, payouts := r.credits()
	for l, all := range payouts {
		all = slices.DeleteFunc(all, func(p int) bool { return r.payouts[p].matched })
		if chosen := exactly(amounts(all, func(p int) money.Decimal { return r.payouts[p].Amount }), r.lines[l].Amount); len(chosen) > 1 {
			for _, n := range chosen {
				r.credit(&r.payouts[all[n]], l, BySum)
			}
		}
	}
	lines, _ := r.credits()
	for p, all := range lines {
		all = slices.DeleteFunc(all, func(l int) bool { return r.lines[l].matched })
		if chosen := exactly(amounts(all, func(l int) money.Decimal { return r.lines[l].Amount }), r.payouts[p].Amount); len(chosen) > 1 {
			for _, n := range chosen {
				r.credit(&r.payouts[p], all[n], BySum)
			}
		}
	}
}

func amounts(all []int, of func(int) money.Decimal) []money.Decimal {
	list := make([]money.Decimal, len(all))
	for n, one := range all {
		list[n] = of(one)
	}
	return list
}
