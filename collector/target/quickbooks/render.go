package quickbooks

import (
	"errors"
	"fmt"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/shared/money"
)

// maxText bounds a note and a line's text, in characters.
const maxText = 4000

// left are the lines that QuickBooks works out.
func (s *setup) left(l target.Line) bool { return l.Control && s.taxes() }

// render makes the document that a payload is. Strict is for what is to be
// posted: what the chart does not allow is an error.
func (b *Books) render(p target.Payload, s *setup, strict bool) (document, error) {
	d := document{kind: b.kindOf(p, s), number: p.Reference, date: p.Date, note: memo.Note(p, b.places, s.left)}
	if len(d.note) > maxText {
		return d, fmt.Errorf("the texts of %s have %d bytes; QuickBooks takes %d", p.Reference, len(d.note), maxText)
	}
	var taxes, controls money.Minor
	for i, l := range p.Lines {
		if l.Tax != nil {
			taxes += l.Tax.Amount
		}
		if l.Control {
			controls += l.Amount
		}
		if s.left(l) {
			continue
		}
		out, err := b.line(&d, l, s, strict)
		if err != nil {
			return d, fmt.Errorf("line %d: %w", i+1, err)
		}
		d.lines = append(d.lines, out)
	}
	if strict && taxes != controls {
		return d, fmt.Errorf("the tax lines add up to %s, the tax of taxed lines to %s", controls.Format(b.places), taxes.Format(b.places))
	}
	if d.kind != journal && s.taxes() {
		return d, b.addTaxes(&d, p, s, strict)
	}
	return d, nil
}

// kindOf is the kind of document: a refund where more tax goes back than comes
// in, since QuickBooks takes no receipt with negative tax.
func (b *Books) kindOf(p target.Payload, s *setup) string {
	form := b.o.Form
	if form == "" {
		form = DefaultForm(s.country)
	}
	if form == FormJournal {
		return journal
	}
	var taxes money.Minor
	for _, l := range p.Lines {
		if l.Tax != nil {
			taxes += l.Tax.Amount
		}
	}
	if taxes > 0 && s.taxes() {
		return refund
	}
	return receipt
}

func (b *Books) line(d *document, l target.Line, s *setup, strict bool) (line, error) {
	out := line{amount: l.Amount, text: memo.Text(l, b.places)}
	account, err := s.chart.ToPost(l.Account)
	if err != nil && strict {
		return out, err
	}
	if account.ID == "" {
		return out, fmt.Errorf("account %q is not in the chart of accounts", l.Account)
	}
	out.account = account.ID
	if d.kind != journal {
		item, found := s.items[account.ID]
		if !found {
			return out, fmt.Errorf("account %q has no item; add an item of type service called %q with this account at QuickBooks", l.Account, "Tillbook "+account.Name)
		}
		out.account = item
	}
	if err := b.tax(&out, d, l, account, s, strict); err != nil {
		return out, err
	}
	return out, b.split(&out, d, l, s, strict)
}

// tax gives a line its tax code.
func (b *Books) tax(out *line, d *document, l target.Line, account target.Account, s *setup, strict bool) error {
	code := ""
	switch {
	case l.Tax != nil && s.taxes():
		code = l.Tax.Code
		if d.kind != journal && l.Tax.Direction == "PURCHASE" && strict {
			return errors.New("a sales receipt takes no tax on purchases; book them by a journal entry, or without tax in the mapping")
		}
	case d.kind == journal:
		return nil
	default:
		if code = b.o.Untaxed; code == "" {
			code = untaxed(s.country)
		}
	}
	tax, err := s.chart.TaxToPost(code, account)
	if err != nil && strict {
		return err
	}
	id := s.codes[tax.Code]
	if id == "" {
		return fmt.Errorf("tax code %q is not there", code)
	}
	out.tax = id
	if d.kind == journal {
		out.taxed, out.on = l.Tax.Amount, "Sales"
		if l.Tax.Direction == "PURCHASE" {
			out.on = "Purchase"
		}
	}
	return nil
}

// split gives a line its class and location. A receipt has one location.
func (b *Books) split(out *line, d *document, l target.Line, s *setup, strict bool) error {
	for name, value := range l.Dimensions {
		var ids map[string]string
		switch {
		case b.o.ClassBy != "" && strings.EqualFold(name, b.o.ClassBy):
			ids = s.classes
		case b.o.LocationBy != "" && strings.EqualFold(name, b.o.LocationBy):
			ids = s.departments
		default:
			continue // it stands in the text
		}
		id, found := ids[strings.ToLower(value)]
		if !found && strict {
			return fmt.Errorf("%s %q is not a class or location at QuickBooks; add it there", name, value)
		}
		switch {
		case strings.EqualFold(name, b.o.ClassBy):
			out.class = id
		case d.kind == journal:
			out.location = id
		case d.location != "" && d.location != id:
			return fmt.Errorf("%s: a sales receipt has one location, this one has lines of several", name)
		default:
			d.location = id
		}
	}
	return nil
}

// addTaxes adds up the tills' tax of a receipt by rate. The tax of a code with
// several rates is split by them, the rest with the last.
func (b *Books) addTaxes(d *document, p target.Payload, s *setup, strict bool) error {
	at := map[string]int{}
	for _, l := range p.Lines {
		if l.Tax == nil {
			continue
		}
		tax, _ := s.chart.Tax(l.Tax.Code)
		rates := s.rates[tax.Code]
		if len(rates) == 0 {
			if l.Tax.Amount != 0 && strict {
				return fmt.Errorf("tax code %q has no rate for sales, the tills took %s", l.Tax.Code, l.Tax.Amount.Format(b.places))
			}
			continue
		}
		rest := l.Tax.Amount
		for i, r := range rates {
			share := rest
			if i < len(rates)-1 && tax.Rate != 0 {
				part, err := money.MulDiv(money.Decimal(l.Tax.Amount), r.percent, tax.Rate)
				if err != nil {
					return err
				}
				share = money.Minor(part)
			}
			rest -= share
			if _, known := at[r.id]; !known {
				at[r.id] = len(d.taxes)
				d.taxes = append(d.taxes, taxTotal{rate: r.id})
			}
			d.taxes[at[r.id]].amount += share
		}
	}
	return nil
}

// read makes the payload that a document is. What was not written by us has no
// key.
func (b *Books) read(d document, s *setup) (target.Payload, error) {
	lines := make([]target.Line, 0, len(d.lines))
	for _, at := range d.lines {
		l, err := memo.ReadText(at.text, b.places)
		if errors.Is(err, memo.ErrNotOurs) {
			l, err = target.Line{Text: at.text}, nil
		}
		if err != nil {
			return target.Payload{}, err
		}
		l.Account, l.Amount = s.keyOf(d.kind, at.account), at.amount
		lines = append(lines, l)
	}
	p, err := memo.ReadNote(d.note, b.places, lines)
	if errors.Is(err, memo.ErrNotOurs) {
		p, err = target.Payload{Reference: d.number, Lines: lines}, nil
	}
	p.Date, p.Currency = d.date, b.o.Currency
	return p, err
}
