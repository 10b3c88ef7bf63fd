package profile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/books/profile"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func of(t *testing.T, country string) profile.Profile {
	t.Helper()
	p, err := profile.Of(country)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryCountryHasOneSourcedRuleForEachTopicOnAnyDay(t *testing.T) {
	t.Parallel()
	if got := strings.Join(profile.Countries(), " "); got != "AU CA CH DE FR GB NO US" {
		t.Errorf("countries are %s", got)
	}
	for _, country := range profile.Countries() {
		p := of(t, country)
		for _, day := range []string{"2024-01-01", "2025-03-31", "2025-12-31", "2026-01-01", "2026-11-03"} {
			for _, topic := range profile.Topics {
				holds := 0
				for _, r := range p.Rules {
					if r.Topic == topic && r.Holds(day) {
						holds++
					}
				}
				if holds != 1 {
					t.Errorf("%s has %d rules for %s on %s", country, holds, topic, day)
				}
			}
			if len(p.RatesOn(day)) == 0 && !p.ByJurisdiction {
				t.Errorf("%s has no rate on %s", country, day)
			}
		}
		for _, r := range p.Rules {
			if r.Source == "" || r.Text == "" || !strings.HasSuffix(r.Text, ".") || r.From == "" || !slices.Contains(profile.Topics, r.Topic) {
				t.Errorf("%s: rule %+v has no source, sentence, begin or topic", country, r)
			}
		}
		for _, tax := range p.Taxes {
			if tax.Source == "" || tax.What == "" || tax.From == "" || tax.Code == "" {
				t.Errorf("%s: rate %+v lacks something", country, tax)
			}
		}
		rounds, _ := p.Rule(profile.CashRounding, "2026-11-03")
		if (rounds.Treatment == profile.Rounded) != (p.Rounding != nil) {
			t.Errorf("%s: the rule on rounding and its step disagree", country)
		}
	}
}

func TestWhatChangedOnADayHoldsFromThatDay(t *testing.T) {
	t.Parallel()
	meals := func(day string) profile.Treatment {
		r, _ := of(t, "DE").Rule(profile.Meals, day)
		return r.Treatment
	}
	if meals("2025-12-31") != profile.ByPlace || meals("2026-01-01") != profile.SameRate {
		t.Error("German meals bear two rates to the end of 2025 and one from then on")
	}
	rates := func(country, day string) (codes []string) {
		for _, tax := range of(t, country).RatesOn(day) {
			codes = append(codes, tax.Code)
		}
		return codes
	}
	if diff := cmp.Diff([]string{"CH-7.7", "CH-2.5", "CH-3.7", "CH-0"}, rates("CH", "2023-12-31")); diff != "" {
		t.Error(diff)
	}
	if slices.Contains(rates("CA", "2025-03-31"), "CA-HST-14") || !slices.Contains(rates("CA", "2025-04-01"), "CA-HST-14") {
		t.Error("14 % in Nova Scotia is from 1 April 2025")
	}
}

func TestLateFactsForAFiledPeriodWaitWhereTheReturnIsAmended(t *testing.T) {
	t.Parallel()
	for country, want := range map[string]profile.Treatment{
		"GB": profile.FirstOpenDay, "AU": profile.FirstOpenDay, "DE": profile.AmendReturn, "NO": profile.AmendReturn, "US": profile.AmendReturn,
	} {
		if r, ok := of(t, country).Rule(profile.FiledPeriod, "2026-05-20"); !ok || r.Treatment != want {
			t.Errorf("%s is %s, want %s", country, r.Treatment, want)
		}
	}
}

func TestACountryWithoutAProfileIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := profile.Of("XX"); err == nil {
		t.Error("there is a profile for XX")
	}
	for _, wrong := range []books.Mapping{
		{Profile: "XX"}, {Profile: "GB", Codes: map[string]string{"GB-21": "x"}}, {Codes: map[string]string{"GB-20": "x"}}, {Jurisdictions: map[string]string{"TX": "x"}},
	} {
		if m, err := profile.Complete(wrong); err == nil {
			t.Errorf("%+v was completed", m)
		}
	}
}

// accounts names an account for every role; nothing else is needed of a merchant.
func accounts() map[books.Role]string {
	all := map[books.Role]string{}
	for _, r := range books.AllRoles() {
		all[r] = "acct " + string(r)
	}
	return all
}

// shopDay is a day in a country: a sale at each rate, one exempt, a tip, a service
// charge, a deposit on a bottle and its return, a down payment as the country
// taxes it, and cash rounding.
func shopDay(t *testing.T, p profile.Profile, day string) []*document.Document {
	t.Helper()
	var documents []*document.Document
	receipt := func(kind document.Kind, paid money.Decimal, lines ...document.Line) {
		number := string(rune('A' + len(documents)))
		direction := document.Paid
		if paid < 0 {
			direction = document.Refund
		}
		documents = append(documents, &document.Document{
			Key:  document.Key{Store: "S1", Terminal: "1", Space: document.SpaceReceipt, Number: number},
			Kind: kind, State: document.Completed, Currency: p.Currency, PriceBasis: document.TaxIncluded,
			Time: document.Time{AsGiven: day + "T12:00:00Z"}, Lines: lines,
			Tenders: []document.Tender{{Kind: document.Cash, Direction: direction, Amount: paid}},
		})
	}
	taxed := func(kind document.LineKind, gross money.Decimal, tax profile.TaxSet, jurisdiction string) document.Line {
		within, err := money.MulDiv(gross, tax.Rate, 100*money.One+tax.Rate)
		if err != nil {
			t.Fatal(err)
		}
		x := document.Tax{Code: "till", Scheme: "VAT", Rate: tax.Rate, Amount: within.RoundTo(2), Jurisdiction: jurisdiction}
		x.Base = gross - x.Amount
		return document.Line{Kind: kind, Quantity: money.One, Extended: gross, Taxes: []document.Tax{x}}
	}
	plain := func(kind document.LineKind, amount money.Decimal) document.Line {
		return document.Line{Kind: kind, Quantity: money.One, Extended: amount}
	}
	rates, jurisdiction := p.RatesOn(day), ""
	if p.ByJurisdiction {
		rates, jurisdiction = []profile.TaxSet{{Rate: money.MustParse("8.25"), Code: "TX"}}, "TX"
	}
	amount := func(s string) money.Decimal { return money.MustParse(s) }
	for _, tax := range rates {
		receipt(document.Sale, amount("110"), taxed(document.Item, amount("110"), tax, jurisdiction))
		receipt(document.Return, -amount("11"), taxed(document.Item, -amount("11"), tax, jurisdiction))
	}
	exempt := taxed(document.Item, amount("50"), profile.TaxSet{}, jurisdiction)
	exempt.Taxes[0].ExemptReason = "certificate"
	receipt(document.Sale, amount("50"), exempt)
	standard := rates[0]
	receipt(document.Sale, amount("125"), taxed(document.Service, amount("100"), standard, jurisdiction),
		taxed(document.ServiceCharge, amount("12"), standard, jurisdiction), plain(document.TipStaff, amount("13")))
	bottle := plain(document.DepositOut, amount("3"))
	bottle.Taxes = []document.Tax{{Code: "till", Scheme: "NONE", Base: amount("3"), ExemptReason: "deposit", Jurisdiction: jurisdiction}}
	if r, _ := p.Rule(profile.Bottles, day); r.Treatment == profile.AsGoods {
		bottle = taxed(document.DepositOut, amount("3"), standard, jurisdiction)
	}
	back := bottle
	back.Kind, back.Extended = document.DepositIn, -bottle.Extended
	back.Taxes = []document.Tax{bottle.Taxes[0]}
	back.Taxes[0].Base, back.Taxes[0].Amount = -back.Taxes[0].Base, -back.Taxes[0].Amount
	receipt(document.Sale, amount("3"), bottle)
	receipt(document.Return, -amount("3"), back)
	down := plain(document.DownPaymentLine, amount("60"))
	if r, _ := p.Rule(profile.DownPayments, day); r.Treatment == profile.TaxedWhenPaid {
		down = taxed(document.DownPaymentLine, amount("60"), standard, jurisdiction)
	}
	receipt(document.DownPayment, amount("60"), down)
	if p.Rounding != nil { // the till says nothing of it
		receipt(document.Sale, amount("20"), taxed(document.Item, amount("19.98"), standard, jurisdiction))
	}
	return documents
}

func TestADayInEachCountryIsBookedByItsProfileAndAccountsAlone(t *testing.T) {
	t.Parallel()
	for _, country := range profile.Countries() {
		t.Run(country, func(t *testing.T) {
			t.Parallel()
			const day = "2026-11-03"
			p := of(t, country)
			own := books.Mapping{Profile: country, Accounts: accounts()}
			if p.ByJurisdiction {
				own.Jurisdictions = map[string]string{"TX": "Texas sales tax payable"}
			}
			m, err := profile.Complete(own)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Validate(); err != nil {
				t.Fatal(err)
			}
			if again, err := profile.Complete(m); err != nil || cmp.Diff(m, again) != "" {
				t.Errorf("completed again, %v: it is another:\n%s", err, cmp.Diff(m, again))
			}
			entry, problems := books.Build(books.Input{
				Subject: "store-day/S1/" + day, Store: "S1", Day: day, Mapping: m, Documents: shopDay(t, p, day),
			})
			if len(problems) > 0 {
				t.Fatalf("asked is %+v", problems)
			}
			var sum, rounding money.Minor
			codes := map[string]bool{}
			for _, l := range entry.Lines {
				sum += l.Signed()
				if l.Tax != nil {
					codes[l.Tax.Code] = true
				}
				switch {
				case l.Role == books.CashRounding:
					rounding += l.Signed()
				case l.Role == books.OutputTax && p.ByJurisdiction && l.Account != "Texas sales tax payable":
					t.Errorf("tax is on %s", l.Account)
				}
			}
			if sum != 0 {
				t.Errorf("off balance by %d", sum)
			}
			if (rounding == -2) != (p.Rounding != nil) {
				t.Errorf("cash rounding is %d", rounding)
			}
			want := map[string]bool{p.Exempt: true}
			for _, tax := range p.RatesOn(day) {
				want[tax.Code] = true
			}
			if p.ByJurisdiction {
				want["TX"] = true
			}
			if diff := cmp.Diff(want, codes); diff != "" {
				t.Errorf("tax codes:\n%s", diff)
			}
		})
	}
}
