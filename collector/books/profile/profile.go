// Package profile holds what a country's law makes of a day in a shop: its tax
// rates, how down payments, vouchers, bottle deposits, tips and service charges
// are taxed, how cash is rounded, and what becomes of a fact for a period whose
// return is filed. Each rule has the days it holds for and names its source.
//
// A profile is a start that needs only the merchant's account names: Mapping
// makes a books mapping of it, which the merchant's accountant may change in
// everything. It never overrides what a till printed, and it gives no advice:
// where the law leaves a choice it takes the ordinary one, and says so.
package profile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/suggest"
)

// Profile is one country.
type Profile struct {
	Country  string // ISO 3166 alpha-2
	Name     string
	Currency string // ISO 4217
	Taxes    []TaxSet
	Rules    []Rule
	Exempt   string          // tax code of exempt sales; lines that are no turnover get the target's own
	Rounding *books.Rounding // of cash, where the country has it
	// ByJurisdiction: rates are set by states and cities; the merchant names an
	// account for each authority instead of the profile naming rates.
	ByJurisdiction bool
}

// Span is the days, YYYY-MM-DD, for which something holds, both included. An
// empty end is open.
type Span struct{ From, To string }

// Holds reports whether a day lies in the span.
func (s Span) Holds(day string) bool { return s.From <= day && (s.To == "" || day <= s.To) }

// TaxSet is one rate and its tax code of the books.
type TaxSet struct {
	Span
	Code   string
	Rate   money.Decimal // percent
	What   string        // what it is for, in a few words
	Source string
}

// Topic is what a rule is about.
type Topic string

// Topics.
const (
	DownPayments  Topic = "down payments"
	Vouchers      Topic = "vouchers"
	Bottles       Topic = "bottle deposits"
	Tips          Topic = "tips"
	ServiceCharge Topic = "service charges"
	Meals         Topic = "eat in and take away"
	CashRounding  Topic = "cash rounding"
	FiledPeriod   Topic = "filed periods"
)

// Topics lists every topic; each profile has one rule for each on any day since
// 2024-01-01.
var Topics = []Topic{DownPayments, Vouchers, Bottles, Tips, ServiceCharge, Meals, CashRounding, FiledPeriod}

// Treatment is what a rule says, in a word.
type Treatment string

// Treatments.
const (
	TaxedWhenPaid   Treatment = "TAXED_WHEN_PAID"   // tax is due when the money comes
	TaxedOnDelivery Treatment = "TAXED_ON_DELIVERY" // tax is due with the goods
	SingleAtSale    Treatment = "SINGLE_AT_SALE"    // single-purpose vouchers when sold, others when used
	AtUse           Treatment = "AT_USE"            // every voucher when it is used
	AsGoods         Treatment = "AS_GOODS"          // as what it comes with
	Untaxed         Treatment = "UNTAXED"
	Voluntary       Treatment = "VOLUNTARY" // untaxed where the guest gives it freely
	Taxed           Treatment = "TAXED"
	ByPlace         Treatment = "BY_PLACE"  // another rate where it is eaten on the spot
	SameRate        Treatment = "SAME_RATE" // the same rate either way
	Rounded         Treatment = "ROUNDED"
	NotRounded      Treatment = "NOT_ROUNDED"
	FirstOpenDay    Treatment = "FIRST_OPEN_DAY" // booked on the first open day, with the true day in its text
	AmendReturn     Treatment = "AMEND_RETURN"   // held until the filed return is amended
)

// Rule is one rule of a country.
type Rule struct {
	Span
	Topic     Topic
	Treatment Treatment
	Text      string // one sentence
	Source    string
}

// Countries lists the countries that have a profile, in order.
func Countries() []string { return slices.Sorted(maps.Keys(profiles())) }

// Of returns the profile of a country.
func Of(country string) (Profile, error) {
	p, ok := profiles()[country]
	if !ok {
		return Profile{}, fmt.Errorf("no profile for country %q%s; write the mapping yourself", country, suggest.DidYouMean(country, Countries()))
	}
	return p, nil
}

// Rule returns the rule of a topic that holds on a day.
func (p Profile) Rule(topic Topic, day string) (Rule, bool) {
	for _, r := range p.Rules {
		if r.Topic == topic && r.Holds(day) {
			return r, true
		}
	}
	return Rule{}, false
}

// RatesOn returns the rates in force on a day. What a till printed stands in any
// case: this tells an ordinary rate from one to look at.
func (p Profile) RatesOn(day string) []TaxSet {
	return slices.DeleteFunc(slices.Clone(p.Taxes), func(t TaxSet) bool { return !t.Holds(day) })
}

// Complete adds to a mapping what the profile that it names knows: the currency,
// the rounding of cash, and a rule for every rate that the country had, so that a
// refund of an older sale finds its code. What the mapping says itself stands:
// a rule of its own takes the place of the profile's for the same taxes. Lines
// without any tax are asked about, never taken for zero-rated. A mapping that
// names no profile is returned as it is; one that was completed is complete.
func Complete(m books.Mapping) (books.Mapping, error) {
	if m.Profile == "" {
		for field, set := range map[string]int{"codes": len(m.Codes), "jurisdictions": len(m.Jurisdictions)} {
			if set > 0 {
				return m, fmt.Errorf("%s: they belong to a profile; name it too", field)
			}
		}
		return m, nil
	}
	p, err := Of(m.Profile)
	if err != nil {
		return m, fmt.Errorf("profile: %w", err)
	}
	rules := p.rules(m.Jurisdictions)
	known := map[string]bool{}
	for _, r := range rules {
		known[r.Code] = true
	}
	for _, code := range slices.Sorted(maps.Keys(m.Codes)) {
		if !known[code] {
			return m, fmt.Errorf("codes: profile %s has no tax code %q%s", p.Country, code, suggest.DidYouMean(code, slices.Sorted(maps.Keys(known))))
		}
	}
	m.Currency = cmp.Or(m.Currency, p.Currency)
	if m.Rounding == nil {
		m.Rounding = p.Rounding
	}
	m.Taxes = slices.Clone(m.Taxes)
	for _, r := range rules {
		if !slices.ContainsFunc(m.Taxes, r.SameMatch) {
			r.Code = cmp.Or(m.Codes[r.Code], r.Code)
			m.Taxes = append(m.Taxes, r)
		}
	}
	return m, nil
}

// rules are the tax rules of the profile. Of two sets of one rate the first in
// the profile counts.
func (p Profile) rules(jurisdictions map[string]string) []books.TaxRule {
	exempt := true
	rules := []books.TaxRule{{Exempt: &exempt, Code: p.Exempt, Why: "exempt"}}
	taken := map[money.Decimal]bool{}
	for _, t := range p.Taxes {
		if !taken[t.Rate] {
			rate := t.Rate
			rules = append(rules, books.TaxRule{Rate: &rate, Code: t.Code, Why: t.What + ": " + t.Source})
			taken[rate] = true
		}
	}
	for _, jurisdiction := range slices.Sorted(maps.Keys(jurisdictions)) {
		rules = append(rules,
			books.TaxRule{Jurisdiction: jurisdiction, Code: jurisdiction, Account: jurisdictions[jurisdiction]},
			books.TaxRule{Jurisdiction: jurisdiction, Exempt: &exempt, Code: p.Exempt, Account: jurisdictions[jurisdiction]})
	}
	if p.ByJurisdiction {
		rules = append(rules, books.TaxRule{Till: books.NoTax, Code: p.Exempt})
	}
	return rules
}

func percent(s string) money.Decimal { return money.MustParse(s) }

func profiles() map[string]Profile {
	all := map[string]Profile{}
	for _, p := range []Profile{unitedKingdom(), germany(), france(), norway(), switzerland(), australia(), canada(), unitedStates()} {
		all[p.Country] = p
	}
	return all
}
