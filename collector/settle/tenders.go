package settle

import (
	"fmt"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// price is an amount as a customer paid it.
type price struct {
	currency string
	amount   money.Decimal
}

func (t *taken) price() price { return price{t.Currency, t.Amount} }

// price is what the movement's payment was for the customer.
func (m *movement) price() price {
	if m.Presented != nil {
		return price{m.Presented.Currency, m.Presented.Amount}
	}
	return price{m.Currency, m.Amount}
}

// payment reports whether a till may have rung up the movement.
func (m *movement) payment() bool {
	return (m.Kind == Charge || m.Kind == Refund || m.Kind == wrongTender) && m.Amount != 0
}

// wrongTender is the kind of a WrongTender among the movements: what was rung up
// as a tender that it was not is matched with it as with a payment, and it changes
// nothing at the provider.
const wrongTender Kind = "wrong_tender"

// contradict reports whether what both sides say of a payment cannot be of one.
func contradict(t *taken, m *movement) bool {
	return t.LastFour != "" && m.LastFour != "" && t.LastFour != m.LastFour ||
		t.Batch != "" && m.Batch != "" && t.Batch != m.Batch ||
		m.Kind == wrongTender && t.Store != m.Store
}

// matchTenders finds the movement of each tender: the surest ways first. What one
// way leaves ambiguous is left to the next, and in the end to a person.
func (r *runner) matchTenders() {
	r.byReceipt()
	r.byBatch()
	type card struct {
		price
		day  bizday.Day
		four string
	}
	equal(r, ByCard, func(t *taken) (card, bool) {
		return card{t.price(), t.day, t.LastFour}, t.LastFour != ""
	}, func(m *movement) (card, bool) {
		return card{m.price(), m.day, m.LastFour}, m.LastFour != ""
	})
	type daily struct {
		price
		day bizday.Day
	}
	equal(r, ByDay, func(t *taken) (daily, bool) { return daily{t.price(), t.day}, true },
		func(m *movement) (daily, bool) { return daily{m.price(), m.day}, true })
	r.byAmount()
	r.bySum()
	r.duplicates()
}

// near reports whether two days are within the account's window of each other.
func (r *runner) near(x, y bizday.Day) bool {
	if x > y {
		x, y = y, x
	}
	return y <= x.Add(r.account.window())
}

// byReceipt matches what bears the same receipt number and amount. Of more
// movements than tenders the first count; the others are duplicates.
func (r *runner) byReceipt() {
	type key struct {
		price
		receipt string
	}
	at := map[key][]int{}
	for i := range r.movements {
		if m := &r.movements[i]; m.payment() && m.Receipt != "" {
			k := key{m.price(), m.Receipt}
			at[k] = append(at[k], i)
		}
	}
	taken := map[key]int{} // how many of the movements of a key have been looked at
	for i := range r.taken {
		t := &r.taken[i]
		if !t.free() || t.Receipt == "" {
			continue
		}
		k := key{t.price(), t.Receipt}
		for n := taken[k]; n < len(at[k]); n++ {
			m := &r.movements[at[k][n]]
			if m.matched || contradict(t, m) || !r.near(t.day, m.day) {
				if m.day < t.day {
					taken[k] = n + 1
				}
				continue
			}
			r.join(i, at[k][n], ByKey)
			break
		}
	}
}

func (t *taken) free() bool { return t.match == unmatched }

func (r *runner) join(t, m int, how string) {
	r.taken[t].match, r.movements[m].matched = m, true
	r.pair(r.taken[t].id, r.movements[m].id, how)
}

// byBatch matches the tenders of a terminal's batch, or of a brand in it, with the
// one movement of their sum.
func (r *runner) byBatch() {
	type key struct{ batch, brand string }
	tenders, movements := map[key][]int{}, map[key][]int{}
	for i := range r.taken {
		if t := &r.taken[i]; t.free() && t.Batch != "" && t.Currency == r.account.Currency {
			tenders[key{t.Batch, t.Brand}] = append(tenders[key{t.Batch, t.Brand}], i)
			if t.Brand != "" {
				tenders[key{t.Batch, ""}] = append(tenders[key{t.Batch, ""}], i)
			}
		}
	}
	for i := range r.movements {
		if m := &r.movements[i]; !m.matched && m.payment() && m.Batch != "" && m.Presented == nil {
			movements[key{m.Batch, m.Brand}] = append(movements[key{m.Batch, m.Brand}], i)
		}
	}
	for i := range r.movements {
		m := &r.movements[i]
		k := key{m.Batch, m.Brand}
		if m.matched || len(movements[k]) != 1 || movements[k][0] != i {
			continue
		}
		var sum money.Decimal
		fit := len(tenders[k]) > 0
		for _, t := range tenders[k] {
			sum += r.taken[t].Amount
			fit = fit && r.taken[t].free() && r.near(r.taken[t].day, m.day)
		}
		if fit && sum == m.Amount {
			for _, t := range tenders[k] {
				r.join(t, i, ByBatch)
			}
		}
	}
}

// equal matches the tenders and movements of a key where there are as many of one
// as of the other, in the order of time: they are all of one amount, so none of
// them can be told from the others, nor need be.
func equal[K comparable](r *runner, how string, of func(*taken) (K, bool), by func(*movement) (K, bool)) {
	type both struct{ tenders, movements []int }
	at := map[K]*both{}
	var order []K
	get := func(k K) *both {
		b := at[k]
		if b == nil {
			b = &both{}
			at[k] = b
			order = append(order, k)
		}
		return b
	}
	for i := range r.taken {
		if t := &r.taken[i]; t.free() {
			if k, ok := of(t); ok {
				b := get(k)
				b.tenders = append(b.tenders, i)
			}
		}
	}
	for i := range r.movements {
		if m := &r.movements[i]; m.payment() && !m.matched {
			if k, ok := by(m); ok {
				b := get(k)
				b.movements = append(b.movements, i)
			}
		}
	}
	for _, k := range order {
		if b := at[k]; len(b.tenders) == len(b.movements) && r.agree(b.tenders, b.movements) {
			for n := range b.tenders {
				r.join(b.tenders[n], b.movements[n], how)
			}
		}
	}
}

// agree reports whether no two that would be matched contradict each other.
func (r *runner) agree(tenders, movements []int) bool {
	for n := range tenders {
		if contradict(&r.taken[tenders[n]], &r.movements[movements[n]]) {
			return false
		}
	}
	return true
}

// byAmount matches what is left of one amount where, within the window of each
// other, there are as many tenders as movements.
func (r *runner) byAmount() {
	for _, c := range r.clusters() {
		if len(c.tenders) != len(c.movements) || !r.agree(c.tenders, c.movements) {
			continue
		}
		fit := true
		for n := range c.tenders {
			fit = fit && r.near(r.taken[c.tenders[n]].day, r.movements[c.movements[n]].day)
		}
		if fit {
			for n := range c.tenders {
				r.join(c.tenders[n], c.movements[n], ByAmount)
			}
		}
	}
}

// bySum matches a movement of a whole day, which tells nothing of single payments,
// with the tenders of that day: all that are open, or the only ones that add up
// to it.
func (r *runner) bySum() {
	open := map[bizday.Day][]int{}
	for i := range r.taken {
		if t := &r.taken[i]; t.free() && t.Currency == r.account.Currency {
			open[t.day] = append(open[t.day], i)
		}
	}
	for i := range r.movements {
		m := &r.movements[i]
		if !m.payment() || m.matched || m.LastFour != "" || m.Authorisation != "" || m.Receipt != "" || m.Presented != nil {
			continue
		}
		var tenders []int
		var amounts []money.Decimal
		var sum money.Decimal
		for _, t := range open[m.day] {
			if one := &r.taken[t]; one.free() && !contradict(one, m) && (m.Brand == "" || one.Brand == "" || m.Brand == one.Brand) {
				tenders, amounts = append(tenders, t), append(amounts, one.Amount)
				sum += one.Amount
			}
		}
		if sum != m.Amount {
			var chosen []int
			for _, n := range exactly(amounts, m.Amount) {
				chosen = append(chosen, tenders[n])
			}
			tenders = chosen
		}
		for _, t := range tenders {
			r.join(t, i, BySum)
		}
	}
}

// cluster is what is open of one amount, each near to the one before.
type cluster struct {
	price
	last               bizday.Day
	tenders, movements []int
}

// clusters returns what is open by amount and nearness, in order of time.
func (r *runner) clusters() []cluster {
	var all []cluster
	newest := map[price]int{}
	add := func(p price, d bizday.Day) *cluster {
		i, known := newest[p]
		if !known || !r.near(all[i].last, d) {
			i = len(all)
			newest[p] = i
			all = append(all, cluster{price: p})
		}
		all[i].last = max(all[i].last, d)
		return &all[i]
	}
	t, m := 0, 0
	for t < len(r.taken) || m < len(r.movements) {
		if m == len(r.movements) || t < len(r.taken) && !r.taken[t].at.After(r.movements[m].At) {
			if one := &r.taken[t]; one.free() {
				c := add(one.price(), one.day)
				c.tenders = append(c.tenders, t)
			}
			t++
			continue
		}
		if one := &r.movements[m]; one.payment() && !one.matched {
			c := add(one.price(), one.day)
			c.movements = append(c.movements, m)
		}
		m++
	}
	return all
}

// duplicates finds movements that were captured twice: what tells a payment (the
// receipt, or the authorisation) is that of another, and so is the amount.
func (r *runner) duplicates() {
	type key struct {
		price
		what string
	}
	first := map[key]int{}
	for _, matched := range []bool{true, false} {
		for i := range r.movements {
			m := &r.movements[i]
			if !m.payment() || m.matched != matched {
				continue
			}
			for _, what := range []string{told("receipt", m.Receipt), told("authorisation", m.Authorisation)} {
				if what == "" {
					continue
				}
				k := key{m.price(), what}
				switch j, known := first[k]; {
				case !known:
					first[k] = i
				case j != i && !matched && r.movements[j].matched && r.near(r.movements[j].day, m.day):
					m.duplicate = true
				}
			}
		}
	}
}

func told(what, value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf("%s %s", what, value)
}
