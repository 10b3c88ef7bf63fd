package books

import (
	"cmp"
	"slices"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// movement drafts cash that moved without a sale. Between till, safe and bank it
// is booked only where the merchant chose to; a float carried from the evening
// before is a declaration and does nothing.
func (b *builder) movement(e Effect) {
	d, m, sign := e.Facts, e.Facts.Movement, e.sign()
	from, to := Ends(d)
	reason := b.m.reason(m.Reason)
	switch {
	case from == document.Carried || to == document.Carried, from == to:
		return
	case vault(from) && vault(to) && reason == "" && !b.m.PostBanking:
		return
	}
	if vault(from) && vault(to) && reason == "" {
		b.place(d, to, sign*m.Amount)
		b.place(d, from, -sign*m.Amount)
		return
	}
	// One end is where cash is kept, the other is what the reason says.
	inside, outside, into := from, to, sign
	if to == document.Drawer || !kept(from) {
		inside, outside, into = to, from, -sign
	}
	if !kept(inside) {
		b.problem(question{UnmappedReason, "movement:" + string(from) + ">" + string(to),
			"What is cash that goes from " + string(from) + " to " + string(to) + "? Neither is a till, safe or bank."}, e.Key, 0)
		return
	}
	b.place(d, inside, -into*m.Amount)
	g := b.purpose(d, outside, reason, into > 0)
	if len(m.Lines) == 0 {
		b.add(g, into*m.Amount)
		return
	}
	for i := range m.Lines {
		b.expense(d, &m.Lines[i], g, into)
	}
}

// Ends returns where the cash of a movement came from and went to, with what its
// kind implies where the till does not say.
func Ends(d *document.Document) (from, to document.MoneyPlace) {
	from, to = d.Movement.From, d.Movement.To
	switch d.Kind {
	case document.PayIn, document.Float:
		to = cmp.Or(to, document.Drawer)
	case document.PayOut:
		from = cmp.Or(from, document.Drawer)
	case document.SafeDrop:
		from, to = cmp.Or(from, document.Drawer), cmp.Or(to, document.Safe)
	case document.Banking:
		from, to = cmp.Or(from, document.Drawer), cmp.Or(to, document.Transit)
	case document.TillTransfer:
		from, to = cmp.Or(from, document.Drawer), cmp.Or(to, document.Drawer)
	}
	if d.Kind == document.Float && from == "" {
		from = document.Carried
	}
	return from, to
}

// vault reports whether a place is one that banking moves money between.
func vault(p document.MoneyPlace) bool {
	return p == document.Drawer || p == document.Safe || p == document.Bank || p == document.Transit
}

// kept reports whether cash is kept there by the shop.
func kept(p document.MoneyPlace) bool { return vault(p) || p == document.Petty }

// place adds an amount to the account of a till, safe, bank or bag.
func (b *builder) place(d *document.Document, p document.MoneyPlace, amount money.Decimal) {
	role, in, out := CashOnHand, "put into the tills", "taken out of the tills"
	switch p {
	case document.Drawer:
		if d.Kind == document.Float {
			role = CashFloat
		}
	case document.Safe:
		role, in, out = Safe, "put into the safe", "taken from the safe"
	case document.Bank:
		role, in, out = Bank, "brought to the bank", "fetched from the bank"
	case document.Transit:
		role, in, out = CashInTransit, "sent on its way to the bank", "arrived from its way"
	case document.Petty:
		role, in, out = PettyCash, "put into petty cash", "taken from petty cash"
	}
	rule := "Cash " + in + ": " + reasonText(d) + "."
	if amount < 0 {
		rule = "Cash " + out + ": " + reasonText(d) + "."
	}
	account, ask := b.need(role)
	b.add(group{role: role, account: account, ask: ask, dims: b.dims(d, nil, ""), rule: rule}, amount)
}

// purpose is the group of what cash was paid out for, or came in from.
func (b *builder) purpose(d *document.Document, p document.MoneyPlace, account string, out bool) group {
	g := group{role: Movement, account: account, rule: "Paid in: " + reasonText(d) + "."}
	if out {
		g.rule = "Paid out: " + reasonText(d) + "."
	}
	if account == "" {
		switch p {
		case document.Owner:
			g.role = OwnerMoney
		case document.StaffTo:
			g.role = StaffMoney
		case document.Petty:
			g.role = PettyCash
		}
		if g.role != Movement {
			g.account = b.m.account(g.role)
		}
	}
	if g.account == "" {
		switch reason := d.Movement.Reason; {
		case b.m.Suspense != "":
			g.role, g.account = Suspense, b.m.Suspense
		case reason == "":
			g.ask = b.ask(UnmappedReason, "reason:"+string(d.Kind)+" "+string(p),
				"What were cash movements of kind "+string(d.Kind)+" without a reason for, and which account takes them?")
		default:
			g.ask = b.ask(UnmappedReason, "reason:"+fold(reason), "Which account takes cash moved for \""+reason+"\" (reasons)?")
		}
	}
	g.dims = b.dims(d, nil, "")
	return g
}

func reasonText(d *document.Document) string {
	return cmp.Or(fold(d.Movement.Reason), fold(string(d.Kind)))
}

// expense drafts a line of a movement that has a tax receipt: what was bought,
// without its tax, and the tax that comes back.
func (b *builder) expense(d *document.Document, l *document.Line, g group, into money.Decimal) {
	net, err := l.Net(d.PriceBasis)
	if err != nil {
		b.doc.err = err
		return
	}
	if account := b.m.reason(l.Category); account != "" && l.Category != "" {
		g.role, g.account, g.ask = Movement, account, nil
	}
	if len(l.Taxes) == 0 {
		b.add(g, into*net)
		return
	}
	codes, parts := make([]*taxCode, len(l.Taxes)), make([]part, len(l.Taxes))
	for i, t := range l.Taxes {
		codes[i], parts[i] = b.taxCode(t, l.Consumption, true), partOf(into*t.Base, into*t.Amount)
	}
	g.taxes, g.direction = b.taxSet(codes), DirectionPurchase
	b.add(g, into*net, parts...)
}

// overShort drafts and books what a count found.
func (b *builder) overShort(d DrawerDifference) {
	e := Effect{Key: "", Facts: &document.Document{Currency: b.currency}}
	if len(d.Documents) > 0 {
		e.Key = d.Documents[0]
	}
	currency, role := cmp.Or(d.Currency, b.currency), CashOnHand
	value := d.Amount
	if currency != b.currency {
		role = ForeignCash
		v, err := money.Mul(d.Amount, d.Rate)
		if d.Rate <= 0 || err != nil {
			b.noRate(currency, e.Key)
			return
		}
		value = v.RoundTo(b.places)
	}
	if !b.begin(e) {
		return
	}
	what := "short"
	if d.Amount > 0 {
		what = "over"
	}
	drawer := dim("drawer", d.Drawer)
	account, ask := b.need(role)
	cash := group{role: role, account: account, ask: ask, dims: drawer, rule: "Cash was " + what + " at the count."}
	other := group{role: OverShort, dims: drawer, rule: "Counted less expected in the drawer: " + what + "."}
	other.account, other.ask = b.need(OverShort)
	switch d.Cause {
	case Opening:
		cash.rule = "Cash was " + what + " at the opening count."
		other.role, other.rule = OpeningDifference, "Counted at opening less left at the last close: "+what+"."
		other.account, other.ask = b.need(OpeningDifference)
	case WrongTender:
		t := document.Tender{Kind: d.Tender}
		other.role = TenderRole(t)
		other.rule = "Rung up as " + string(d.Tender) + " but paid in cash: the batch is short by what the drawer is over."
		cash.rule = "Paid in cash but rung up as " + string(d.Tender) + "."
		if other.account, other.ask = b.m.tenderAccount(t, other.role), nil; other.account == "" {
			other.account, other.ask = b.need(other.role)
		}
	}
	if currency != b.currency {
		b.addForeign(cash, value, &document.Foreign{Currency: currency, Rate: d.Rate}, d.Amount)
	} else {
		b.add(cash, value)
	}
	b.add(other, -value)
	b.finish()
}

func compareFound(x, y DrawerDifference) int {
	return cmp.Or(
		slices.Compare(x.Documents, y.Documents), cmp.Compare(x.Drawer, y.Drawer), cmp.Compare(x.Cause, y.Cause),
		cmp.Compare(x.Currency, y.Currency), cmp.Compare(x.Tender, y.Tender), cmp.Compare(x.Amount, y.Amount), cmp.Compare(x.Rate, y.Rate),
	)
}
