package books

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Jurisdiction is what was sold under one tax authority, less what was taken
// back, in the books' currency. Gross = Taxable + Facilitated + all of Exempt.
// Nothing of it is booked: it is what a sales tax return asks for beside the
// accounts.
type Jurisdiction struct {
	Name           string
	Gross          money.Decimal // without tax
	Exempt         map[string]money.Decimal
	Taxable        money.Decimal
	Tax            money.Decimal // owed by the merchant
	Facilitated    money.Decimal // sold through marketplaces that remit the tax
	FacilitatedTax money.Decimal
}

// NotTaxable is the reason of sales that bear no tax and say no reason.
const NotTaxable = "not taxable"

// Jurisdictions reports the taxed and exempt lines of the documents by the
// authority that the tills name, in its order. A line on which one authority has
// several taxes counts once. Documents in another currency count at their rate,
// and not at all where they state none.
func Jurisdictions(documents []*document.Document, originals map[string]*document.Document, currency string) ([]Jurisdiction, error) {
	found := map[string]*sums{}
	effects, _ := Effects(documents, originals)
	for _, e := range effects {
		rate := money.One
		if own := cmp.Or(e.Facts.Currency, currency); own != currency {
			if e.Facts.Rate == nil || e.Facts.Rate.To != currency {
				continue
			}
			rate = e.Facts.Rate.Value
		}
		for i := range e.Facts.Lines {
			if err := report(found, e, &e.Facts.Lines[i], rate); err != nil {
				return nil, fmt.Errorf("report line %d of %s: %w", i+1, e.Key, err)
			}
		}
	}
	list := make([]Jurisdiction, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		j, err := found[name].value(name)
		if err != nil {
			return nil, fmt.Errorf("report jurisdiction %q: %w", name, err)
		}
		list = append(list, j)
	}
	return list, nil
}

// sums is a Jurisdiction while it is added up.
type sums struct {
	gross, taxable, tax, facilitated, facilitatedTax money.Sum
	exempt                                           map[string]*money.Sum
}

// report adds the taxes of a line to their authorities.
func report(found map[string]*sums, e Effect, l *document.Line, rate money.Decimal) error {
	counts, err := counting(e.Facts, l)
	if err != nil {
		return err
	}
	for i, t := range l.Taxes {
		base, err := money.Mul(e.sign()*t.Base, rate)
		if err != nil {
			return err
		}
		tax, err := money.Mul(e.sign()*t.Amount, rate)
		if err != nil {
			return err
		}
		s := found[t.Jurisdiction]
		if s == nil {
			s = &sums{exempt: map[string]*money.Sum{}}
			found[t.Jurisdiction] = s
		}
		others := t.Liable == "FACILITATOR"
		if others {
			s.facilitatedTax.Add(tax)
		} else {
			s.tax.Add(tax)
		}
		if !counts[i] {
			continue
		}
		s.gross.Add(base)
		switch {
		case others:
			s.facilitated.Add(base)
		case t.Amount == 0 && t.Rate == 0:
			reason := exemption(e.Facts, t)
			if s.exempt[reason] == nil {
				s.exempt[reason] = &money.Sum{}
			}
			s.exempt[reason].Add(base)
		default:
			s.taxable.Add(base)
		}
	}
	return nil
}

// counting says which taxes of a line count its base: all of them where each lies
// on a part of its own (a menu of two rates), else the one of each authority
// with the largest base.
func counting(d *document.Document, l *document.Line) ([]bool, error) {
	net, err := l.Net(d.PriceBasis)
	if err != nil {
		return nil, err
	}
	counts := make([]bool, len(l.Taxes))
	apart := disjoint(l.Taxes, net)
	largest := map[string]int{}
	for i, t := range l.Taxes {
		at, seen := largest[t.Jurisdiction]
		if counts[i] = apart; !seen || t.Base.Abs() > l.Taxes[at].Base.Abs() {
			largest[t.Jurisdiction] = i
		}
	}
	for _, i := range largest {
		counts[i] = true
	}
	return counts, nil
}

// exemption says why a tax is zero, as far as the till states it.
func exemption(d *document.Document, t document.Tax) string {
	reason := t.ExemptReason
	if reason == "" && d.Customer != nil && d.Customer.Exemption != nil {
		reason = d.Customer.Exemption.Reason
	}
	return cmp.Or(reason, NotTaxable)
}

func (s *sums) value(name string) (Jurisdiction, error) {
	j := Jurisdiction{Name: name, Exempt: map[string]money.Decimal{}}
	for _, part := range []struct {
		to  *money.Decimal
		sum *money.Sum
	}{
		{&j.Gross, &s.gross}, {&j.Taxable, &s.taxable}, {&j.Tax, &s.tax},
		{&j.Facilitated, &s.facilitated}, {&j.FacilitatedTax, &s.facilitatedTax},
	} {
		var err error
		if *part.to, err = part.sum.Value(); err != nil {
			return Jurisdiction{}, err
		}
	}
	for reason, sum := range s.exempt {
		amount, err := sum.Value()
		if err != nil {
			return Jurisdiction{}, err
		}
		j.Exempt[reason] = amount
	}
	return j, nil
}
