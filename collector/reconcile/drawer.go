package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Drawer is the cash of one drawer, session and currency:
// Expected = Opening + Cash + In − Out; the difference is Counted − Expected.
type Drawer struct {
	Drawer      string         `json:"drawer"`
	Session     string         `json:"session,omitzero"`
	Currency    string         `json:"currency"`
	Rate        money.Decimal  `json:"rate,omitzero"` // the till's last rate to its own currency
	Opening     money.Decimal  `json:"opening"`
	OpeningFrom string         `json:"opening_from"` // COUNT, FLOAT, CLOSE, PREVIOUS, NONE
	Cash        money.Decimal  `json:"cash"`         // tenders: paid − change − cashback − refunds
	In          money.Decimal  `json:"in"`           // pay-ins, floats, transfers in
	Out         money.Decimal  `json:"out"`          // pay-outs, drops, bankings, transfers out
	Expected    money.Decimal  `json:"expected"`
	Counted     *money.Decimal `json:"counted,omitzero"` // nil: not counted
	Left        *money.Decimal `json:"left,omitzero"`
	Removed     *money.Decimal `json:"removed,omitzero"`
	OverShort   *money.Decimal `json:"over_short,omitzero"` // over positive
}

// Where an opening amount is known from, the best first.
const (
	openingCount    = "COUNT"
	openingFloat    = "FLOAT" // a float declared as carried over
	openingClose    = "CLOSE" // what the Z says
	openingPrevious = "PREVIOUS"
	openingNone     = "NONE"
)

// drawer is a Drawer while it is added up.
type drawer struct {
	Drawer
	open, close *document.Document // the counts that hold
	z           *document.Document // the Z that stands in for a count
	carried     *document.Document
	left        *money.Decimal // at the last close before this
	moves       []*document.Document
	wrong       money.Decimal // of OverShort: what a wrong tender explains
	wrongTender document.TenderKind
}

type drawerKey struct{ drawer, session, currency string }

// places finds the drawer of terminals that have only one, for documents that
// name none.
func (p *prover) places() {
	p.drawerOf = map[string]string{}
	for _, d := range slices.Concat(p.documents, p.in.Previous) {
		if d == nil || d.Place.Drawer == "" {
			continue
		}
		terminal := d.Key.Terminal
		if known, ok := p.drawerOf[terminal]; ok && known != d.Place.Drawer {
			p.drawerOf[terminal] = ""
		} else {
			p.drawerOf[terminal] = d.Place.Drawer
		}
	}
}

func (p *prover) drawerName(d *document.Document) string {
	return cmp.Or(d.Place.Drawer, p.drawerOf[d.Key.Terminal], d.Place.Terminal, d.Key.Terminal)
}

func sessionOf(d *document.Document) string { return cmp.Or(d.Place.Session, d.StatedDay.Session) }

// sessions says of each drawer whether its sessions are told apart: only where
// everything that moves or counts its cash names one.
func (p *prover) sessions() map[string]bool {
	apart := map[string]bool{}
	see := func(d *document.Document) {
		name := p.drawerName(d)
		known, seen := apart[name]
		apart[name] = (known || !seen) && sessionOf(d) != ""
	}
	for _, e := range p.effects {
		if movesCash(e) {
			see(e.By)
		}
	}
	for _, d := range p.documents {
		if counted(d) {
			see(d)
		}
	}
	return apart
}

func movesCash(e books.Effect) bool {
	if e.Facts.Kind.Movement() {
		return true
	}
	for _, t := range e.Facts.Tenders {
		if t.Kind == document.Cash || t.Kind == document.ForeignCash {
			return true
		}
	}
	return false
}

func counted(d *document.Document) bool {
	return d.Kind == document.TillCount && d.Count != nil && d.State == document.Completed && !d.Deleted
}

// countDrawers adds up the cash of each drawer and finds its counts.
func (p *prover) countDrawers() {
	byKey := map[drawerKey]*drawer{}
	apart := p.sessions()
	at := func(d *document.Document, currency string) *drawer {
		key := drawerKey{drawer: p.drawerName(d), currency: currency}
		if apart[key.drawer] {
			key.session = sessionOf(d)
		}
		if byKey[key] == nil {
			byKey[key] = &drawer{Drawer: Drawer{Drawer: key.drawer, Session: key.session, Currency: currency, OpeningFrom: openingNone}}
		}
		return byKey[key]
	}
	for _, e := range p.effects {
		sign := money.Decimal(1)
		if e.Negate {
			sign = -1
		}
		if e.Facts.Kind.Movement() {
			at(e.By, e.Facts.Currency).moved(e, sign)
			continue
		}
		for i := range e.Facts.Tenders {
			t := &e.Facts.Tenders[i]
			switch {
			case t.Kind != document.Cash && t.Kind != document.ForeignCash:
			case t.Foreign != nil:
				k := at(e.By, t.Foreign.Currency)
				amount := t.Foreign.Amount.Abs()
				if t.Amount < 0 {
					amount = -amount
				}
				k.Cash += sign * amount
				k.Rate = t.Foreign.Rate
			default:
				at(e.By, e.Facts.Currency).Cash += sign * t.Amount
			}
		}
	}
	for _, d := range p.documents {
		switch {
		case counted(d):
			for _, currency := range currenciesOf(d) {
				at(d, currency).count(d, currency)
			}
		case closes(d) && (d.Close.Counted != nil || d.Close.OpeningFloat != nil):
			at(d, d.Currency).z = d
		}
	}
	for _, k := range byKey {
		p.drawers = append(p.drawers, k)
	}
	slices.SortFunc(p.drawers, func(x, y *drawer) int {
		return cmp.Or(cmp.Compare(x.Drawer.Drawer, y.Drawer.Drawer), cmp.Compare(x.Currency, y.Currency), compareNumbers(x.Session, y.Session))
	})
	for i, k := range p.drawers {
		k.left = p.leftBefore(i)
		k.add()
	}
}

// moved notes a movement of the drawer's cash.
func (k *drawer) moved(e books.Effect, sign money.Decimal) {
	d := e.Facts
	from, to := books.Ends(d)
	if d.Kind == document.TillTransfer { // one end is another till's drawer
		from, to = d.Movement.From, d.Movement.To
	}
	switch {
	case from == document.Carried || to == document.Carried:
		k.carried = d
	case from == to:
	case to == document.Drawer:
		k.In += sign * d.Movement.Amount
		k.moves = append(k.moves, d)
	case from == document.Drawer:
		k.Out += sign * d.Movement.Amount
		k.moves = append(k.moves, d)
	}
}

// currenciesOf returns the currencies a count has cash in.
func currenciesOf(d *document.Document) []string {
	currencies := []string{d.Currency}
	for _, t := range d.Count.ByTender {
		if t.Kind == document.ForeignCash && len(t.Label) == 3 && !slices.Contains(currencies, t.Label) {
			currencies = append(currencies, t.Label)
		}
	}
	return currencies
}

// count takes in a count: of several the first at opening, the last at close.
func (k *drawer) count(d *document.Document, currency string) {
	if _, ok := cashIn(d, currency); !ok {
		return
	}
	switch d.Count.Stage {
	case "OPEN":
		if before, known := precedes(d, k.open); k.open == nil || known && before {
			k.open = d
		}
	case "CLOSE":
		if before, known := precedes(k.close, d); k.close == nil || !known || before {
			k.close = d
		}
	}
}

// cashIn returns the cash of a currency in a count, if it was counted.
func cashIn(d *document.Document, currency string) (money.Decimal, bool) {
	var sum money.Decimal
	found := false
	for _, t := range d.Count.ByTender {
		if t.Kind == document.Cash && currency == d.Currency || t.Kind == document.ForeignCash && t.Label == currency {
			sum, found = sum+t.Amount, true
		}
	}
	if found || currency != d.Currency {
		return sum, found
	}
	for _, n := range d.Count.Denominations {
		if value, err := denomination(n); err == nil {
			sum, found = sum+value, true
		}
	}
	if !found && d.Count.Left != nil && d.Count.Removed != nil {
		return *d.Count.Left + *d.Count.Removed, true
	}
	return sum, found
}

// leftBefore returns what was left in the drawer at the close before: of the
// session before, or of the previous day. Nil: nothing says so.
func (p *prover) leftBefore(i int) *money.Decimal {
	k := p.drawers[i]
	if i > 0 {
		if b := p.drawers[i-1]; b.Drawer.Drawer == k.Drawer.Drawer && b.Currency == k.Currency {
			return leftIn(b.close, b.Currency)
		}
	}
	var last *document.Document
	for _, d := range p.in.Previous {
		if d == nil || !counted(d) || d.Count.Stage != "CLOSE" || p.drawerName(d) != k.Drawer.Drawer {
			continue
		}
		if _, ok := cashIn(d, k.Currency); !ok {
			continue
		}
		before, known := precedes(last, d)
		if last == nil || known && before || !known && last.Key.String() < d.Key.String() {
			last = d
		}
	}
	return leftIn(last, k.Currency)
}

func leftIn(d *document.Document, currency string) *money.Decimal {
	if d == nil || currency != d.Currency {
		return nil
	}
	if d.Count.Left != nil {
		return d.Count.Left
	}
	if d.Count.Removed != nil {
		if total, ok := cashIn(d, currency); ok {
			left := total - *d.Count.Removed
			return &left
		}
	}
	return nil
}

// add works out what is expected and what differs.
func (k *drawer) add() {
	var before money.Decimal // floats that the opening count already contains
	switch {
	case k.open != nil:
		k.Opening, _ = cashIn(k.open, k.Currency)
		k.OpeningFrom = openingCount
		for _, m := range k.moves {
			if first, known := precedes(m, k.open); known && first {
				before += k.undo(m)
			}
		}
	case k.carried != nil:
		k.Opening, k.OpeningFrom = k.carried.Movement.Amount, openingFloat
	case k.z != nil && k.z.Close.OpeningFloat != nil && !k.floated():
		k.Opening, k.OpeningFrom = *k.z.Close.OpeningFloat, openingClose
	case k.left != nil:
		k.Opening, k.OpeningFrom = *k.left, openingPrevious
	}
	k.Left, k.Removed = nil, nil
	switch {
	case k.close != nil:
		total, _ := cashIn(k.close, k.Currency)
		k.Counted = &total
		if k.Currency == k.close.Currency {
			k.Left, k.Removed = k.close.Count.Left, k.close.Count.Removed
		}
		k.afterClose()
	case k.z != nil && k.z.Close.Counted != nil:
		k.Counted = k.z.Close.Counted
	}
	k.Expected = k.Opening + k.Cash + k.In - k.Out
	if k.Counted != nil {
		over := *k.Counted - k.Expected
		k.OverShort = &over
	}
	if k.left != nil && before != 0 {
		was := *k.left + before
		k.left = &was
	}
}

// undo takes a movement out of the day's sums and returns what it put in.
func (k *drawer) undo(m *document.Document) money.Decimal {
	if _, to := books.Ends(m); to == document.Drawer {
		k.In -= m.Movement.Amount
		return m.Movement.Amount
	}
	k.Out -= m.Movement.Amount
	return -m.Movement.Amount
}

// floated reports whether a float was brought to the drawer during the day: then
// the opening float of the Z is that one.
func (k *drawer) floated() bool {
	return slices.ContainsFunc(k.moves, func(d *document.Document) bool { return d.Kind == document.Float })
}

// afterClose takes out of what is expected what left the drawer after the count:
// what is numbered after it or, where numbers do not tell, drops and bankings
// that are together what the count says was removed.
func (k *drawer) afterClose() {
	var unknown []*document.Document
	var drops money.Decimal
	for _, m := range k.moves {
		first, known := precedes(m, k.close)
		switch {
		case known && !first:
			k.undo(m)
		case !known && (m.Kind == document.SafeDrop || m.Kind == document.Banking):
			unknown, drops = append(unknown, m), drops+m.Movement.Amount
		}
	}
	if k.Removed != nil && drops == *k.Removed {
		for _, m := range unknown {
			k.undo(m)
		}
	}
}

// settleDrawers takes the differences of the drawers apart into causes.
func (p *prover) settleDrawers() {
	for _, k := range p.drawers {
		of := "drawer:" + k.Drawer.Drawer
		if k.Session != "" {
			of += "/" + k.Session
		}
		of += "/" + k.Currency
		d := Difference{
			Currency: k.Currency, Rate: k.Rate, Drawer: k.Drawer.Drawer, State: Explained, Documents: k.counts(),
		}
		if k.left != nil && k.Opening != *k.left {
			d.Of, d.Cause, d.Amount = of+"/opening", OpeningDifference, k.Opening-*k.left
			d.Text = fmt.Sprintf("Drawer %s was opened with %s, but %s was left in it.", k.Drawer.Drawer, k.Opening, *k.left)
			d.Documents = k.opened()
			p.differ(d)
		}
		if k.Counted == nil {
			continue
		}
		d.Documents = k.counts()
		if k.Left != nil && k.Removed != nil && *k.Left+*k.Removed != *k.Counted {
			split := d
			split.Of, split.Cause, split.State = of+"/split", CountSplit, Opened
			split.Amount = *k.Left + *k.Removed - *k.Counted
			split.Text = fmt.Sprintf("Drawer %s: %s left and %s removed are not the %s counted.", k.Drawer.Drawer, *k.Left, *k.Removed, *k.Counted)
			p.differ(split)
		}
		d.Of = of
		if k.wrong != 0 {
			wrong := d
			wrong.Cause, wrong.Amount, wrong.Tender, wrong.State = WrongTender, k.wrong, k.wrongTender, Opened
			wrong.Text = fmt.Sprintf("Drawer %s is over by the %s that %s is short: paid in cash, rung up as %s?", k.Drawer.Drawer, k.wrong, k.wrongTender, k.wrongTender)
			p.differ(wrong)
		}
		switch rest := *k.OverShort - k.wrong; {
		case rest > 0:
			d.Cause, d.Amount = CashOver, rest
			d.Text = fmt.Sprintf("Drawer %s: %s counted, %s expected; %s over.", k.Drawer.Drawer, *k.Counted, k.Expected, rest)
			p.differ(d)
		case rest < 0:
			d.Cause, d.Amount = CashShort, rest
			d.Text = fmt.Sprintf("Drawer %s: %s counted, %s expected; %s short.", k.Drawer.Drawer, *k.Counted, k.Expected, -rest)
			p.differ(d)
		}
	}
}

// counts names the document that found the difference.
func (k *drawer) counts() []string {
	switch {
	case k.close != nil:
		return []string{k.close.Key.String()}
	case k.z != nil:
		return []string{k.z.Key.String()}
	}
	return nil
}

func (k *drawer) opened() []string {
	switch k.OpeningFrom {
	case openingCount:
		return []string{k.open.Key.String()}
	case openingFloat:
		return []string{k.carried.Key.String()}
	}
	return []string{k.z.Key.String()}
}
