package books

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"tillbook.example/tillbook/shared/money"
)

// Form is the shape in which an entry is put into the books. It changes how the
// entry looks there, never what it does to the accounts.
type Form string

// Forms.
const (
	JournalForm Form = "journal"      // debits and credits, as the entry is
	ZeroForm    Form = "zero_invoice" // a sales invoice of which what was paid is lines too, so that its total is zero
	InvoiceForm Form = "invoice"      // a sales invoice and its payments; a credit note where more went back than was sold
)

// Forms lists every form.
var Forms = []Form{JournalForm, ZeroForm, InvoiceForm}

// FormOf returns the form of a day: that of its first posting where it has one,
// since revisions of a day must look like it, else the mapping's.
func (m Mapping) FormOf(first Form) Form { return cmp.Or(first, m.Form, JournalForm) }

// SalesKind is what a SalesDocument is called in the books.
type SalesKind string

// Kinds of sales documents. Amounts of a journal are debit positive, those of an
// invoice credit positive, those of a credit note debit positive.
const (
	Journal    SalesKind = "JOURNAL"
	Invoice    SalesKind = "INVOICE"
	CreditNote SalesKind = "CREDIT_NOTE"
)

// SalesDocument is one document of an entry in its form. The total of an invoice
// or credit note is never negative, and its payments settle it.
type SalesDocument struct {
	Kind     SalesKind
	Lines    []SalesLine
	Payments []SalesPayment
	Total    money.Minor // lines with their tax
	// Taxes is what the target books for the tax codes of the lines, by account,
	// debit positive. Empty where no line bears a code.
	Taxes map[string]money.Minor
}

// SalesLine is one line; Of is its line of the entry, or -1.
type SalesLine struct {
	Of         int
	Account    string
	Text       string
	Amount     money.Minor // without tax
	TaxCode    string
	Base, Tax  money.Minor
	Dimensions map[string]string
}

// SalesPayment is money that settles an invoice, or is paid back for a credit
// note. Amount is above zero.
type SalesPayment struct {
	Of      int
	Account string
	Amount  money.Minor
}

// FormOptions is what a target makes of a form.
type FormOptions struct {
	// Taxed lines bear their tax code and amount, and the target books the tax;
	// else the tax stands on lines of its own.
	Taxed bool
	// Rates, in percent by tax code, are those by which a target insists on working
	// tax out from the base of each line. What it makes of the printed tax goes on
	// the tax rounding account, up to Limit minor units for each document.
	Rates map[string]money.Decimal
	Limit money.Minor
	// Redemption is the account that stands for gift cards where an invoice can be
	// paid only by way of some accounts; a journal clears it.
	Redemption string
}

// row is a line of the entry on its way into a form, debit positive.
type row struct {
	SalesLine
	pays, giftCard, cost bool   // what its role is
	direction            string // of its tax
}

// SalesDocuments returns the entry in a form. It fails where the entry has an
// account that is missing, and where the target's own tax is further from the
// printed one than allowed.
func (e Entry) SalesDocuments(m Mapping, form Form, o FormOptions) ([]SalesDocument, error) {
	rows, taxes, err := e.rows(m, o)
	if err != nil {
		return nil, fmt.Errorf("put %s into form %s: %w", e.Subject, form, err)
	}
	if form == JournalForm {
		return []SalesDocument{assemble(Journal, rows, nil, taxes)}, nil
	}
	// What goods cost is no matter of the customer: it is a journal of its own.
	sales := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.cost })
	costs := slices.DeleteFunc(rows, func(r row) bool { return !r.cost })
	var documents []SalesDocument
	switch form {
	case ZeroForm:
		documents = []SalesDocument{assemble(Invoice, sales, nil, taxes)}
	case InvoiceForm:
		documents = invoiced(sales, taxes, o)
	default:
		return nil, fmt.Errorf("put %s into form %q: it is not one of %v", e.Subject, form, Forms)
	}
	if len(costs) > 0 {
		documents = append(documents, assemble(Journal, costs, nil, nil))
	}
	return documents, nil
}

// rows reads the lines of the entry, and the tax that the target will book for
// those that bear a code.
func (e Entry) rows(m Mapping, o FormOptions) ([]row, map[string]money.Minor, error) {
	var rows []row
	taxes, control := map[string]money.Minor{}, map[string]money.Minor{}
	for i, l := range e.Lines {
		if l.Account == "" {
			return nil, nil, fmt.Errorf("line %d has no account; answer the day's question first", i+1)
		}
		sign := money.Minor(1)
		if l.Side == Credit {
			sign = -1
		}
		r := row{
			SalesLine: SalesLine{Of: i, Account: l.Account, Text: l.Rule, Amount: sign * l.Amount, Dimensions: l.Dimensions},
			pays:      pays(l.Role), giftCard: l.Role == GiftCards, cost: l.Role == CostOfGoods || l.Role == Inventory,
		}
		switch {
		case !o.Taxed:
		case l.Role == OutputTax || l.Role == InputTax:
			control[l.Account] += r.Amount
			continue
		case l.Tax == nil:
			r.TaxCode = m.OutOfScope
		default:
			r.TaxCode, r.Base, r.Tax, r.direction = l.Tax.Code, sign*l.Tax.Base, sign*l.Tax.Amount, l.Tax.Direction
			if err := book(taxes, m, *l.Tax, sign); err != nil {
				return nil, nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		}
		rows = append(rows, r)
	}
	for _, sums := range []map[string]money.Minor{taxes, control} {
		maps.DeleteFunc(sums, func(_ string, sum money.Minor) bool { return sum == 0 })
	}
	if !maps.Equal(taxes, control) {
		return nil, nil, fmt.Errorf("its tax codes give %v, its tax lines are %v: two rules of the mapping name one tax code with two accounts", taxes, control)
	}
	rows, err := recompute(rows, taxes, m, o)
	return rows, taxes, err
}

// pays reports whether a role is a way in which an invoice can be paid.
func pays(r Role) bool {
	switch r {
	case CashOnHand, ForeignCash, CardClearing, WalletClearing, BankTransfers, Checks, MealVouchers, Coupons, Benefits, OtherTender, Marketplace:
		return true
	}
	return false
}

// book adds the tax of a line to the accounts of its codes.
func book(taxes map[string]money.Minor, m Mapping, t Tax, sign money.Minor) error {
	if len(t.Components) > 0 {
		for _, c := range t.Components {
			if err := book(taxes, m, c, sign); err != nil {
				return err
			}
		}
		return nil
	}
	if t.Amount == 0 {
		return nil
	}
	account, err := m.taxAccount(t)
	if err == nil {
		taxes[account] += sign * t.Amount
	}
	return err
}

// taxAccount returns the account of a tax code of the books.
func (m Mapping) taxAccount(t Tax) (string, error) {
	role := OutputTax
	if t.Direction == DirectionPurchase {
		role = InputTax
	}
	found := map[string]bool{}
	for _, r := range m.Taxes {
		code, account := r.Code, r.Account
		if role == InputTax {
			code, account = cmp.Or(r.InputCode, r.Code), r.InputAccount
		}
		if code == t.Code {
			found[cmp.Or(account, m.account(role))] = true
		}
	}
	if len(found) > 1 {
		return "", fmt.Errorf("tax code %s has two accounts, %q; give each account a code of its own", t.Code, slices.Sorted(maps.Keys(found)))
	}
	for account := range found {
		return account, nil
	}
	return m.account(role), nil
}

// recompute replaces the printed tax by the one the target works out, and puts
// what is between them on a line of its own.
func recompute(rows []row, taxes map[string]money.Minor, m Mapping, o FormOptions) ([]row, error) {
	var off money.Minor
	for i := range rows {
		rate, known := o.Rates[rows[i].TaxCode]
		if !known || rows[i].Tax == 0 && rate == 0 {
			continue
		}
		// A count of minor units times a share is rounded to a count of minor units.
		count, err := money.MulDiv(money.Decimal(rows[i].Base), rate, 100*money.One)
		if err != nil {
			return nil, fmt.Errorf("tax of line %d: %w", rows[i].Of+1, err)
		}
		own := money.Minor(count)
		if own == rows[i].Tax {
			continue
		}
		account, err := m.taxAccount(Tax{Code: rows[i].TaxCode, Direction: rows[i].direction})
		if err != nil {
			return nil, err
		}
		taxes[account] += own - rows[i].Tax
		off += rows[i].Tax - own
		rows[i].Tax = own
	}
	switch {
	case off == 0:
		return rows, nil
	case abs(off) > o.Limit:
		return nil, fmt.Errorf("the target's tax differs from the printed one by %d minor units, more than %d; correct the rates, or post a journal", abs(off), o.Limit)
	case m.account(TaxRounding) == "":
		return nil, fmt.Errorf("the target's tax differs from the printed one by %d minor units and accounts.%s is empty", abs(off), TaxRounding)
	}
	return append(rows, row{SalesLine: SalesLine{
		Of: -1, Account: m.account(TaxRounding), Text: "Printed tax less the tax that the books work out.", Amount: off, TaxCode: m.OutOfScope,
	}}), nil
}

// assemble makes a document of rows; their sign is turned on an invoice.
func assemble(kind SalesKind, rows []row, payments []SalesPayment, taxes map[string]money.Minor) SalesDocument {
	d := SalesDocument{Kind: kind, Payments: payments, Taxes: taxes, Lines: []SalesLine{}}
	for _, r := range rows {
		l := r.SalesLine
		if kind == Invoice {
			l.Amount, l.Base, l.Tax = -l.Amount, -l.Base, -l.Tax
		}
		d.Total += l.Amount + l.Tax
		d.Lines = append(d.Lines, l)
	}
	return d
}

// invoiced makes an invoice or a credit note. A payment against the document's
// direction stays among its lines, where its account is the same.
func invoiced(rows []row, taxes map[string]money.Minor, o FormOptions) []SalesDocument {
	var paid money.Minor
	for _, r := range rows {
		if r.pays {
			paid += r.Amount
		}
	}
	kind, direction := Invoice, money.Minor(1)
	if paid < 0 {
		kind, direction = CreditNote, -1
	}
	var lines []row
	var payments []SalesPayment
	var cleared []row
	for _, r := range rows {
		redeems := o.Redemption != "" && kind == Invoice && r.Amount > 0 && r.giftCard
		switch {
		case paid != 0 && r.pays && direction*r.Amount > 0:
			payments = append(payments, SalesPayment{r.Of, r.Account, direction * r.Amount})
		case redeems:
			payments = append(payments, SalesPayment{r.Of, o.Redemption, r.Amount})
			cleared = append(cleared, r)
		default:
			lines = append(lines, r)
		}
	}
	documents := []SalesDocument{assemble(kind, lines, payments, taxes)}
	if len(cleared) > 0 {
		var sum money.Minor
		for _, r := range cleared {
			sum += r.Amount
		}
		cleared = append(cleared, row{SalesLine: SalesLine{Of: -1, Account: o.Redemption, Text: "Gift cards used, cleared against what is owed for them.", Amount: -sum}})
		documents = append(documents, assemble(Journal, cleared, nil, nil))
	}
	return documents
}

// Effect returns what the document does to each account, debit positive. The
// receivable between an invoice and its payments is nothing in the end.
func (d SalesDocument) Effect() map[string]money.Minor {
	effect := maps.Clone(d.Taxes)
	if effect == nil {
		effect = map[string]money.Minor{}
	}
	sign, paid := money.Minor(1), money.Minor(-1)
	if d.Kind == Invoice {
		sign, paid = -1, 1
	}
	for _, l := range d.Lines {
		effect[l.Account] += sign * l.Amount
	}
	for _, p := range d.Payments {
		effect[p.Account] += paid * p.Amount
	}
	maps.DeleteFunc(effect, func(_ string, sum money.Minor) bool { return sum == 0 })
	return effect
}
