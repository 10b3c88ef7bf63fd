package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Close is one Z beside what the receipts show for the same period.
type Close struct {
	Key      string  `json:"key"`
	Terminal string  `json:"terminal"`
	Z        string  `json:"z,omitzero"`
	Receipts int64   `json:"receipts"` // found for the period
	Claims   []Claim `json:"claims"`
}

// Claim is one figure of a Z. For receipts, the figures are counts.
type Claim struct {
	What     string        `json:"what"` // gross, net, tax, receipts, tax:CODE, tender:KIND, expected, over_short, grand_total
	Claimed  money.Decimal `json:"claimed"`
	Computed money.Decimal `json:"computed"`
	Basis    string        `json:"basis,omitzero"` // how the till counts, where it is not as the books do
}

// period is what the receipts of one Z add up to.
type period struct {
	receipts, voided, voids int64
	gross, net, tax         money.Decimal
	turnover, tips, rounded money.Decimal
	sold                    money.Decimal // gross of what was not returned
	voidedGross, training   money.Decimal
	byTax                   map[string]taxSum
	byTender                map[document.TenderKind]tenderSum
	drawers                 map[string]bool
	earlier                 bool // some are of days before
}

type taxSum struct{ base, amount money.Decimal }

type tenderSum struct {
	amount         money.Decimal
	rows, receipts int64
}

// compareCloses holds each Z against its receipts.
func (p *prover) compareCloses() {
	byTerminal := map[terminalKey][]*document.Document{}
	for _, d := range p.documents {
		if closes(d) {
			t := terminalOf(d)
			byTerminal[t] = append(byTerminal[t], d)
		}
	}
	order := slices.SortedFunc(maps.Keys(byTerminal), func(x, y terminalKey) int {
		return cmp.Or(cmp.Compare(x.store, y.store), cmp.Compare(x.terminal, y.terminal))
	})
	for _, t := range order {
		zs := byTerminal[t]
		slices.SortFunc(zs, func(x, y *document.Document) int {
			return cmp.Or(compareNumbers(zNumber(x), zNumber(y)), cmp.Compare(x.Key.String(), y.Key.String()))
		})
		periods := p.periods(t, zs)
		for i, z := range zs {
			p.compareClose(z, periods[i])
			if i > 0 {
				p.compareGrandTotals(zs[i-1], z, periods[i])
			}
		}
	}
}

type terminalKey struct{ store, terminal string }

func terminalOf(d *document.Document) terminalKey { return terminalKey{d.Key.Store, d.Key.Terminal} }

func zNumber(z *document.Document) string { return cmp.Or(z.Numbers.Z, z.StatedDay.Z, z.Key.Number) }

// periods adds up the receipts of each Z of a terminal.
func (p *prover) periods(t terminalKey, zs []*document.Document) []*period {
	periods := make([]*period, len(zs))
	for i := range periods {
		periods[i] = &period{
			byTax: map[string]taxSum{}, byTender: map[document.TenderKind]tenderSum{}, drawers: map[string]bool{},
		}
	}
	counts := map[string]bool{}
	effects, documents, keys := p.counted()
	for _, e := range effects {
		if terminalOf(e.By) != t || e.Facts.Kind.Movement() {
			continue
		}
		counts[e.Key] = true
		if i := periodOf(e.By, zs); i >= 0 {
			periods[i].add(e)
			periods[i].drawers[p.drawerName(e.By)] = true
			periods[i].earlier = periods[i].earlier || slices.Contains(p.in.Earlier, e.By)
		}
	}
	for i, d := range documents {
		if terminalOf(d) != t || counts[keys[i]] || d.Deleted {
			continue
		}
		at := periodOf(d, zs)
		if at < 0 {
			continue
		}
		switch gross := grossOf(d); {
		case d.Kind == document.Training:
			periods[at].training += gross
		case d.Kind == document.PostVoid:
			periods[at].voids++
		case d.Kind.Receipt() && (d.State == document.Voided || d.State == document.Completed):
			periods[at].voided++
			periods[at].voidedGross += gross
		}
	}
	return periods
}

// counted returns all that the Zs of the day may count, those of earlier days too.
func (p *prover) counted() ([]books.Effect, []*document.Document, []string) {
	if len(p.in.Earlier) == 0 {
		return p.effects, p.documents, p.keys
	}
	wide := &prover{in: Input{Documents: slices.Concat(p.in.Documents, p.in.Earlier)}}
	wide.sortDocuments()
	effects, _ := books.Effects(wide.documents, p.in.Originals)
	return effects, wide.documents, wide.keys
}

// InRange reports whether a close names a first and a last receipt that a
// document's number lies between.
func InRange(c *document.Close, d *document.Document) bool {
	receipt := cmp.Or(d.Numbers.Receipt, d.Key.Number)
	first, ok := compareText(c.FirstReceipt, receipt)
	last, okLast := compareText(receipt, c.LastReceipt)
	return ok && okLast && first <= 0 && last <= 0
}

// periodOf finds the Z a document belongs to: the one it names, the one whose
// session or receipt range it is in, the next one by number, else the only one.
func periodOf(d *document.Document, zs []*document.Document) int {
	if z := cmp.Or(d.Numbers.Z, d.StatedDay.Z); z != "" {
		for i := range zs {
			if zNumber(zs[i]) == z {
				return i
			}
		}
	}
	if s := sessionOf(d); s != "" {
		for i := range zs {
			if sessionOf(zs[i]) == s {
				return i
			}
		}
	}
	for i := range zs {
		if InRange(zs[i].Close, d) {
			return i
		}
	}
	anyKnown := false
	for i := range zs {
		if before, known := precedes(d, zs[i]); known {
			anyKnown = true
			if before {
				return i
			}
		}
	}
	if !anyKnown && len(zs) == 1 && zs[0].Close.LastReceipt == "" {
		return 0
	}
	return -1
}

func grossOf(d *document.Document) money.Decimal {
	var sum money.Decimal
	for i := range d.Lines {
		if d.Lines[i].Kind != document.CashRounding {
			gross, _ := d.Lines[i].Gross(d.PriceBasis) // fits has added it up
			sum += gross
		}
	}
	return sum
}

func (q *period) add(e books.Effect) {
	sign := money.Decimal(1)
	if e.Negate {
		sign = -1
	}
	d := e.Facts
	q.receipts++
	for i := range d.Lines {
		l := &d.Lines[i]
		net, _ := l.Net(d.PriceBasis)
		tax, _ := l.Tax()
		if l.Kind == document.CashRounding {
			q.rounded += sign * (net + tax)
			continue
		}
		q.gross += sign * (net + tax)
		q.net += sign * net
		if net+tax > 0 {
			q.sold += sign * (net + tax)
		}
		q.tax += sign * tax
		if turnover(l.Kind) {
			q.turnover += sign * (net + tax)
		}
		for _, t := range l.Taxes {
			sum := q.byTax[t.Code]
			sum.base += sign * t.Base
			sum.amount += sign * t.Amount
			q.byTax[t.Code] = sum
		}
	}
	seen := map[document.TenderKind]bool{}
	for _, t := range d.Tenders {
		q.tips += sign * t.Tip
		sum := q.byTender[t.Kind]
		sum.amount += sign * t.Amount
		if t.Direction == document.Paid || t.Direction == document.Refund {
			sum.rows++
		}
		if !seen[t.Kind] {
			sum.receipts++
			seen[t.Kind] = true
		}
		q.byTender[t.Kind] = sum
	}
}

// turnover reports whether lines of a kind are sales to a till that keeps
// vouchers, deposits and money of others out of its gross.
func turnover(kind document.LineKind) bool {
	switch kind {
	case document.VoucherSell, document.VoucherLoad, document.VoucherRedeem, document.TipStaff, document.Donation,
		document.DownPaymentLine, document.DownPaymentClear, document.DebtCreate, document.DebtSettle, document.AgencyLine:
		return false
	}
	return true
}

// compareClose compares every figure that a Z states.
func (p *prover) compareClose(z *document.Document, q *period) {
	c := z.Close
	out := Close{Key: z.Key.String(), Terminal: z.Key.Terminal, Z: zNumber(z), Receipts: q.receipts, Claims: []Claim{}}
	claim := func(what string, claimed *money.Decimal, computed money.Decimal, others ...basis) {
		if claimed == nil {
			return
		}
		one := Claim{What: what, Claimed: *claimed, Computed: computed}
		if *claimed != computed {
			for _, o := range others {
				if *claimed == o.amount {
					one.Basis = o.name
					break
				}
			}
			if one.Basis == "" {
				p.closeDiffers(z, one, q)
			}
		}
		out.Claims = append(out.Claims, one)
	}
	claim("gross", c.Gross, q.gross,
		basis{"without vouchers, deposits and money of others", q.turnover}, basis{"with tips", q.gross + q.tips},
		basis{"with cash rounding", q.gross + q.rounded}, basis{"with tips and cash rounding", q.gross + q.tips + q.rounded})
	claim("net", c.Net, q.net, basis{"without vouchers, deposits and money of others", q.turnover - q.tax})
	claim("tax", c.Tax, q.tax)
	for _, t := range c.ByTax {
		sum := q.byTax[t.Code]
		claim("tax:"+t.Code, &t.Amount, sum.amount)
		if t.Base != 0 {
			claim("base:"+t.Code, &t.Base, sum.base)
		}
	}
	p.compareCloseTenders(z, &out, q, claim)
	if c.Receipts != nil {
		p.compareCount(z, &out, "receipts", *c.Receipts, q.receipts, q.receipts+q.voids, q.receipts+q.voided, q.receipts+q.voids+q.voided)
	}
	for _, k := range p.drawers {
		// A Z counts the cash of its terminal: only where that is one drawer and session,
		// and all of it was taken on this day.
		if !q.earlier && k.Drawer.Drawer == p.drawerName(z) && k.Currency == z.Currency && (k.Session == "" || k.Session == sessionOf(z)) && len(q.drawers) <= 1 {
			claim("expected", c.Expected, k.Expected,
				basis{"without the float", k.Expected - k.Opening}, basis{"before drops and payouts", k.Expected + k.Out})
			if k.OverShort != nil {
				claim("over_short", c.OverShort, *k.OverShort)
			}
			break
		}
	}
	p.closes = append(p.closes, out)
}

// basis is another way in which tills add up a figure.
type basis struct {
	name   string
	amount money.Decimal
}

// compareCloseTenders compares the tenders of a Z. Kinds of card are compared as
// one where the Z has only one row for them.
func (p *prover) compareCloseTenders(z *document.Document, out *Close, q *period, claim func(string, *money.Decimal, money.Decimal, ...basis)) {
	claimed, counts := map[document.TenderKind]money.Decimal{}, map[document.TenderKind]int64{}
	cards := map[document.TenderKind]bool{}
	for _, t := range z.Close.ByTender {
		claimed[t.Kind] += t.Amount
		counts[t.Kind] += t.Count
		if groupOf(t.Kind) == groupCard {
			cards[t.Kind] = true
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(claimed)) {
		amount := claimed[kind]
		sum := q.byTender[kind]
		if cards[kind] && len(cards) == 1 {
			sum = tenderSum{}
			for other, part := range q.byTender {
				if groupOf(other) == groupCard {
					sum.amount += part.amount
					sum.rows += part.rows
					sum.receipts += part.receipts
				}
			}
		}
		claim("tender:"+string(kind), &amount, sum.amount)
		if counts[kind] != 0 {
			p.compareCount(z, out, "count:"+string(kind), counts[kind], sum.rows, sum.receipts)
		}
	}
}

// compareCount compares a number of receipts, as tills may count them.
func (p *prover) compareCount(z *document.Document, out *Close, what string, claimed, computed int64, others ...int64) {
	claimedDecimal, err := money.FromInt(claimed)
	computedDecimal, otherErr := money.FromInt(computed)
	if err != nil || otherErr != nil {
		claimedDecimal, computedDecimal = money.Max, 0
	}
	one := Claim{What: what, Claimed: claimedDecimal, Computed: computedDecimal}
	if claimed != computed {
		if slices.Contains(others, claimed) {
			one.Basis = "as this till counts"
		} else {
			p.differ(Difference{
				Of: p.of(z, what), Cause: p.missing(z), Terminal: z.Key.Terminal, Documents: []string{z.Key.String()},
				Text:  fmt.Sprintf("Z %s of terminal %s counts %d (%s), the receipts show %d.", zNumber(z), z.Key.Terminal, claimed, what, computed),
				Count: distance(claimed, computed), State: Opened,
			})
		}
	}
	out.Claims = append(out.Claims, one)
}

func distance(x, y int64) int64 {
	if x < y {
		return y - x
	}
	return x - y
}

func (p *prover) of(z *document.Document, what string) string {
	return "close:" + z.Key.Terminal + "/" + zNumber(z) + "/" + what
}

// missing is the cause of a Z's difference where nothing else explains it:
// receipts are missing, if the numbers of its terminal have gaps.
func (p *prover) missing(z *document.Document) Cause {
	for _, g := range p.gaps {
		if g.Store == z.Key.Store && g.Terminal == z.Key.Terminal {
			return ReceiptsMissing
		}
	}
	return CloseDiffers
}

// closeDiffers takes a difference between a Z and its receipts apart: voided or
// training receipts that the Z counts, then the rest.
func (p *prover) closeDiffers(z *document.Document, c Claim, q *period) {
	rest := c.Claimed - c.Computed
	d := Difference{
		Of: p.of(z, c.What), Currency: z.Currency, Terminal: z.Key.Terminal, Documents: []string{z.Key.String()}, State: Opened,
	}
	text := fmt.Sprintf("Z %s of terminal %s claims %s %s, the receipts show %s", zNumber(z), z.Key.Terminal, c.What, c.Claimed, c.Computed)
	if c.What == "gross" {
		for _, known := range []struct {
			cause  Cause
			amount money.Decimal
			text   string
		}{
			{VoidedInClose, q.voidedGross, "; it counts receipts that were voided."},
			{TrainingInClose, q.training, "; it counts training."},
		} {
			if known.amount != 0 && (rest == known.amount || rest == q.voidedGross+q.training) {
				part := d
				part.Documents = slices.Clone(d.Documents)
				part.Cause, part.Amount, part.Text = known.cause, known.amount, text+known.text
				p.differ(part)
				rest -= known.amount
			}
		}
	}
	if rest != 0 {
		d.Cause, d.Amount, d.Text = p.missing(z), rest, text+"."
		p.differ(d)
	}
}

// compareGrandTotals compares the perpetual totals of two Zs that follow each
// other with the turnover the second claims. Some tills let the total rise by what
// is sold only.
func (p *prover) compareGrandTotals(before, z *document.Document, q *period) {
	if before.Close.GrandTotal == nil || z.Close.GrandTotal == nil || z.Close.Gross == nil {
		return
	}
	rise, err := money.Sub(*z.Close.GrandTotal, *before.Close.GrandTotal)
	if err != nil || rise == *z.Close.Gross || rise == q.sold {
		return
	}
	p.differ(Difference{
		Of: p.of(z, "grand_total"), Cause: CloseDiffers, Amount: rise - *z.Close.Gross, Currency: z.Currency, Terminal: z.Key.Terminal,
		Text: fmt.Sprintf("The grand total of terminal %s rose by %s from Z %s to Z %s, which claims %s.",
			z.Key.Terminal, rise, zNumber(before), zNumber(z), *z.Close.Gross),
		Documents: []string{z.Key.String()}, State: Opened,
	})
}
