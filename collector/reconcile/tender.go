package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Tender is one way of paying other than cash, as the tills rang it up and as
// the terminals' batches or the slips show it. Cards are one group, since tills
// and terminals rarely tell debit from credit alike.
type Tender struct {
	Group    string         `json:"group"` // CARD, or the kind
	Currency string         `json:"currency"`
	Till     money.Decimal  `json:"till"`
	Batch    *money.Decimal `json:"batch,omitzero"`   // of the terminals; nil: none stated
	Counted  *money.Decimal `json:"counted,omitzero"` // slips or vouchers in the tills; nil: not counted
}

const groupCard = "CARD"

func groupOf(kind document.TenderKind) string {
	switch kind {
	case document.CardDebit, document.CardCredit, document.CardUnknown, "":
		return groupCard
	}
	return string(kind)
}

type tenderKey struct{ group, currency string }

// tenderSums is a Tender while it is added up.
type tenderSums struct {
	Tender
	tips    money.Decimal // that batches state beside their amount
	kinds   map[document.TenderKind]bool
	batches []string
	counts  []string
}

// compareTenders compares the tills with batches and slips, and looks for a
// wrong tender first.
func (p *prover) compareTenders() {
	sums := map[tenderKey]*tenderSums{}
	at := func(group, currency string) *tenderSums {
		key := tenderKey{group, currency}
		if sums[key] == nil {
			sums[key] = &tenderSums{Tender: Tender{Group: group, Currency: currency}, kinds: map[document.TenderKind]bool{}}
		}
		return sums[key]
	}
	for _, e := range p.effects {
		sign := money.Decimal(1)
		if e.Negate {
			sign = -1
		}
		for i := range e.Facts.Tenders {
			t := &e.Facts.Tenders[i]
			if t.Kind == document.Cash || t.Kind == document.ForeignCash {
				continue
			}
			k := at(groupOf(t.Kind), e.Facts.Currency)
			k.Till += sign * t.Amount
			k.kinds[t.Kind] = true
		}
	}
	for i, d := range p.documents {
		switch {
		case d.State != document.Completed || d.Deleted:
		case d.Kind == document.Batch && d.TenderBatch != nil:
			for _, row := range d.TenderBatch.ByBrand {
				k := at(groupOf(row.Kind), d.Currency)
				k.Batch = plus(k.Batch, row.Amount)
				k.tips += row.Tips
				k.batches = append(k.batches, p.keys[i])
			}
		case counted(d) && d.Count.Stage == "CLOSE":
			for _, t := range d.Count.ByTender {
				if t.Kind != document.Cash && t.Kind != document.ForeignCash {
					k := at(groupOf(t.Kind), d.Currency)
					k.Counted = plus(k.Counted, t.Amount)
					k.counts = append(k.counts, p.keys[i])
				}
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(sums), func(x, y tenderKey) int {
		return cmp.Or(cmp.Compare(x.group, y.group), cmp.Compare(x.currency, y.currency))
	})
	for _, key := range order {
		k := sums[key]
		p.tenders = append(p.tenders, k.Tender)
		if !k.agrees(sums[tenderKey{string(document.Wallet), key.currency}]) {
			p.takeApart(k)
		}
	}
}

func plus(sum *money.Decimal, amount money.Decimal) *money.Decimal {
	if sum != nil {
		amount += *sum
	}
	return &amount
}

// agrees reports whether a batch shows what the tills rang up: with its tips
// beside it, or with wallet payments that went over the card terminal.
func (k *tenderSums) agrees(wallet *tenderSums) bool {
	if k.Batch == nil || *k.Batch == k.Till || *k.Batch+k.tips == k.Till {
		return k.Batch != nil || k.Counted == nil || *k.Counted == k.Till
	}
	return k.Group == groupCard && wallet != nil && wallet.Batch == nil && *k.Batch == k.Till+wallet.Till
}

// kind is the one kind of tender of a group, or the one that stands for it.
func (k *tenderSums) kind() document.TenderKind {
	if len(k.kinds) == 1 {
		for kind := range k.kinds {
			return kind
		}
	}
	if k.Group == groupCard {
		return document.CardUnknown
	}
	return document.TenderKind(k.Group)
}

// takeApart names the cause of a difference between a group and its batches or
// counts.
func (p *prover) takeApart(k *tenderSums) {
	d := Difference{Of: "tender:" + k.Group + "/" + k.Currency, Currency: k.Currency, Tender: k.kind(), State: Opened}
	if k.Batch == nil {
		d.Cause, d.Amount, d.Documents = TenderCount, *k.Counted-k.Till, slices.Compact(k.counts)
		d.Text = fmt.Sprintf("%s: %s counted, %s rung up.", k.Group, *k.Counted, k.Till)
		p.differ(d)
		return
	}
	d.Amount, d.Documents = *k.Batch-k.Till, slices.Compact(k.batches)
	if drawer := p.overBy(-d.Amount, k.Currency); drawer != nil {
		drawer.wrong, drawer.wrongTender = -d.Amount, d.Tender
		d.Cause = WrongTender
		d.Text = fmt.Sprintf("%s: %s rung up, %s in the batch; drawer %s is over by as much. Paid in cash, rung up as %s?",
			k.Group, k.Till, *k.Batch, drawer.Drawer.Drawer, k.Group)
		p.differ(d)
		return
	}
	d.Cause = NotCaptured
	d.Text = fmt.Sprintf("%s: %s rung up, only %s in the batch.", k.Group, k.Till, *k.Batch)
	if d.Amount > 0 {
		d.Cause = NotRung
		d.Text = fmt.Sprintf("%s: %s in the batch, only %s rung up.", k.Group, *k.Batch, k.Till)
	}
	p.differ(d)
}

// overBy returns the one drawer whose cash is over (or short) by exactly an
// amount, if there is exactly one and it explains nothing else.
func (p *prover) overBy(amount money.Decimal, currency string) *drawer {
	var found *drawer
	for _, k := range p.drawers {
		if k.Currency == currency && k.OverShort != nil && *k.OverShort == amount && k.wrong == 0 {
			if found != nil {
				return nil
			}
			found = k
		}
	}
	return found
}
