package books

import (
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// taxFact is what a tax code of the books is found by.
type taxFact struct {
	code, jurisdiction string
	rate               money.Decimal
	exempt             bool
	facilitator        bool
	purchase           bool
	none               bool
	consumption        string // only where a rule asks for it
}

// taxCode is one tax as the books know it.
type taxCode struct {
	code         string
	jurisdiction string
	control      string // account; its question is asked only where there is an amount
	controlAsk   *question
	role         Role
	facilitator  bool // remitted by a marketplace: never this merchant's tax
	netted       bool // of a marketplace whose tax has no account of its own
	ask          *question
	rule         string  // of the control line
	alone        *taxSet // the set of this tax alone, once it is made
}

// taxSet is the taxes that lie together on a line. Equal sets are one pointer.
type taxSet struct {
	name         string // distinct for each set
	code         string
	jurisdiction string
	codes        []*taxCode
}

func (s *taxSet) id() string {
	if s == nil {
		return ""
	}
	return s.name
}

// taxCode finds what a till's tax is in the books, on a line consumed so.
func (b *builder) taxCode(t document.Tax, consumption string, purchase bool) *taxCode {
	fact := taxFact{
		code: t.Code, jurisdiction: t.Jurisdiction, rate: t.Rate, exempt: t.ExemptReason != "",
		facilitator: t.Liable == "FACILITATOR", purchase: purchase,
	}
	if b.byConsumption {
		fact.consumption = consumption
	}
	return b.findTax(fact, t)
}

// noTax is the code of lines on which the till states no tax at all.
func (b *builder) noTax() *taxCode {
	return b.findTax(taxFact{none: true}, document.Tax{Code: NoTax})
}

func (b *builder) findTax(fact taxFact, t document.Tax) *taxCode {
	if c := b.codes[fact]; c != nil {
		return c
	}
	c := &taxCode{jurisdiction: t.Jurisdiction, facilitator: fact.facilitator, role: OutputTax}
	rule := b.m.taxRule(t, fact.consumption, fact.none)
	on := "sales"
	switch {
	case fact.purchase:
		c.role, on = InputTax, "purchases"
	case fact.facilitator:
		c.role = FacilitatorTax
	}
	switch {
	case rule != nil:
		c.code = rule.Code
		if fact.purchase && rule.InputCode != "" {
			c.code = rule.InputCode
		}
	case fact.none && len(b.m.Taxes) == 0:
		c.code = NoTax // books that keep no tax
	default:
		c.code = t.Code
		c.ask = b.ask(UnmappedTax, "tax:"+t.Code+"@"+t.Rate.String()+exemptMark(fact.exempt), taxQuestion(t, fact))
	}
	switch {
	case rule != nil && c.role == OutputTax && rule.Account != "":
		c.control = rule.Account
	case rule != nil && c.role == InputTax && rule.InputAccount != "":
		c.control = rule.InputAccount
	case c.role == FacilitatorTax && b.m.Accounts[FacilitatorTax] == "" && b.m.tenderAccount(marketplace(), Marketplace) != "":
		// The marketplace keeps it, so it owes that much less.
		c.role, c.netted, c.control = Marketplace, true, b.m.tenderAccount(marketplace(), Marketplace)
	default:
		c.control, c.controlAsk = b.need(c.role)
	}
	c.rule = fmt.Sprintf("Tax %s on %s, as it was printed.", c.code, on)
	if fact.facilitator {
		c.rule = fmt.Sprintf("Tax %s on %s, owed to the marketplace that remits it.", c.code, on)
	}
	b.codes[fact] = c
	return c
}

func marketplace() document.Tender { return document.Tender{Kind: document.Marketplace} }

func exemptMark(exempt bool) string {
	if exempt {
		return " exempt"
	}
	return ""
}

func taxQuestion(t document.Tax, fact taxFact) string {
	switch {
	case fact.none:
		return "Which tax code of the books is for lines on which the till states no tax (taxes: till NONE)?"
	case fact.exempt:
		return fmt.Sprintf("Which tax code of the books is the till's tax %q at %s %% where it is exempt (%s)?", t.Code, t.Rate, t.ExemptReason)
	}
	return fmt.Sprintf("Which tax code of the books is the till's tax %q at %s %%?", t.Code, t.Rate)
}

// taxSet returns the one set of these codes. Codes that mean the same to the
// books give the same set, whatever the tills call them.
func (b *builder) taxSet(codes []*taxCode) *taxSet {
	if len(codes) == 1 && codes[0].alone != nil {
		return codes[0].alone
	}
	var name strings.Builder
	for _, c := range codes {
		fmt.Fprintf(&name, "%s\x00%s\x00%s\x00%s\x00%s\x01", c.code, c.jurisdiction, c.role, c.control, c.ask.id())
	}
	s := b.sets[name.String()]
	if s == nil {
		s = &taxSet{name: name.String(), codes: slices.Clone(codes), jurisdiction: codes[0].jurisdiction}
		texts := make([]string, len(codes))
		for i, c := range codes {
			texts[i] = c.code
			if c.jurisdiction != s.jurisdiction {
				s.jurisdiction = "" // several: see the components
			}
		}
		s.code = strings.Join(texts, "+")
		b.sets[s.name] = s
	}
	if len(codes) == 1 {
		codes[0].alone = s
	}
	return s
}
