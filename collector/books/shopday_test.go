package books_test

import (
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// shopDay is a day of a shop that does everything shops do, in a currency of 0, 2
// or 3 places. Its receipts add up.
type shopDay struct {
	currency  string
	places    int
	documents []*document.Document
}

// wide runs a property on 300 shop days, or on TILLBOOK_DAYS of them.
func wide(t *testing.T, property func(*rapid.T, shopDay)) {
	t.Helper()
	days := 300
	if n, err := strconv.Atoi(os.Getenv("TILLBOOK_DAYS")); err == nil {
		days = n
	}
	for range (days + 99) / 100 { // rapid checks 100 at a time
		rapid.Check(t, func(t *rapid.T) { property(t, drawShopDay(t)) })
	}
}

// mapping draws what an accountant may choose; it has an answer for everything.
func (d shopDay) mapping(t *rapid.T) books.Mapping {
	m := books.Mapping{
		Currency: d.currency, Suspense: "acct suspense", Accounts: map[books.Role]string{},
		Taxes: []books.TaxRule{
			{Till: "S", Code: "STD"}, {Till: "S", Consumption: "TAKE_AWAY", Code: "STD-AWAY"}, {Till: "R", Code: "RED", Account: "acct reduced"}, {Till: "Z", Code: "ZERO"},
			{Till: "E", Code: "EXEMPT"}, {Till: "ST", Code: "STATE"}, {Till: "CT", Code: "CITY"}, {Till: "BAG", Code: "LEVY"}, {Till: books.NoTax, Code: "NONE"},
		},
		Reasons:       map[string]string{"cleaning": "acct cleaning"},
		Categories:    map[string]string{"Food": "acct food"},
		Issuers:       map[string]string{"Sister": "acct sister"},
		Discounts:     rapid.SampledFrom([]string{"net", "gross"}).Draw(t, "discounts"),
		ServiceCharge: rapid.SampledFrom([]string{"house", "staff"}).Draw(t, "service charge"),
		PostBanking:   rapid.Bool().Draw(t, "banking"), CostOfGoods: rapid.Bool().Draw(t, "cost"),
	}
	for _, r := range books.AllRoles() {
		m.Accounts[r] = "acct " + string(r)
	}
	if rapid.Bool().Draw(t, "netted") {
		delete(m.Accounts, books.FacilitatorTax)
	}
	if rapid.Bool().Draw(t, "tracking") {
		m.Tracking = []books.Tracking{{Name: "Class", By: "category", Values: map[string]string{"Food": "Kitchen"}, Else: "Rest"}, {Name: "Location", By: "store"}}
	}
	return m
}

func drawShopDay(t *rapid.T) shopDay {
	d := shopDay{currency: rapid.SampledFrom([]string{"GBP", "GBP", "JPY", "BHD"}).Draw(t, "currency")}
	d.places, _ = money.Places(d.currency)
	for i := range rapid.IntRange(1, 8).Draw(t, "documents") {
		s := &shop{T: t, places: d.places}
		document := s.draw(strconv.Itoa(i + 1))
		document.Currency = d.currency
		for j := range document.Lines {
			if c := document.Lines[j].Cost; c != nil {
				c.Currency = d.currency
			}
		}
		if document.Movement == nil && rapid.IntRange(0, 5).Draw(t, "foreign") == 5 {
			abroad(t, document, d.currency)
		}
		d.documents = append(d.documents, document)
	}
	return d
}

// abroad puts a receipt in a currency of its own, with a rate of its own.
func abroad(t *rapid.T, d *document.Document, currency string) {
	for _, tender := range d.Tenders {
		if tender.Kind == document.ForeignCash {
			return
		}
	}
	d.Currency = "EUR"
	d.Rate = &document.Rate{To: currency, Value: money.Decimal(rapid.Int64Range(500_000, 1_500_000).Draw(t, "rate"))}
	for i := range d.Lines {
		d.Lines[i].Cost = nil
	}
}

// shop draws one document.
type shop struct {
	*rapid.T
	places int
	d      *document.Document
}

func (s *shop) unit() money.Decimal {
	unit := money.One
	for range s.places {
		unit /= 10
	}
	return unit
}

func (s *shop) amount(label string, least, most int64) money.Decimal {
	return money.Decimal(rapid.Int64Range(least, most).Draw(s.T, label)) * s.unit()
}

func (s *shop) sometimes(label string) bool { return rapid.IntRange(0, 3).Draw(s.T, label) == 0 }

func (s *shop) draw(number string) *document.Document {
	if s.sometimes("movement") {
		return s.movement(number)
	}
	kind := rapid.SampledFrom([]document.Kind{document.Sale, document.Sale, document.Sale, document.Return, document.Exchange}).Draw(s.T, "kind")
	s.d = receipt(kind, number, rapid.SampledFrom(document.PriceBases).Draw(s.T, "basis"))
	for i := range rapid.IntRange(1, 4).Draw(s.T, "lines") {
		back := kind == document.Return || kind == document.Exchange && i%2 == 0
		s.d.Lines = append(s.d.Lines, s.goods(back))
	}
	if s.sometimes("receipt discount") {
		s.receiptDiscount()
	}
	for i := range s.d.Lines {
		s.tax(&s.d.Lines[i])
	}
	if kind == document.Sale && s.sometimes("single-purpose voucher") {
		return s.paidBySingle()
	}
	for _, more := range []struct {
		name string
		line func() document.Line
	}{
		{"voucher sold", func() document.Line {
			return line(document.VoucherSell, "0", &document.Voucher{Purpose: "MULTI", Issuer: rapid.SampledFrom([]string{"", "Sister"}).Draw(s.T, "issuer")})
		}},
		{"agency", func() document.Line {
			return line(document.AgencyLine, "0", &document.Agency{Principal: "Lottery", Part: rapid.SampledFrom(document.AgencyParts).Draw(s.T, "part")})
		}},
		{"donation", func() document.Line { return line(document.Donation, "0") }},
		{"tip on a line", func() document.Line { return line(document.TipStaff, "0") }},
		{"down payment", func() document.Line { return line(document.DownPaymentLine, "0") }},
		{"debt settled", func() document.Line { return line(document.DebtSettle, "0") }},
	} {
		if s.sometimes(more.name) {
			l := more.line()
			l.Extended = s.amount(more.name, 1, 5000)
			if l.Agency != nil && l.Agency.Part == "PRIZE" {
				l.Extended = -l.Extended
			}
			s.d.Lines = append(s.d.Lines, l)
		}
	}
	if s.sometimes("voucher used on a line") {
		l := line(document.VoucherRedeem, "0", &document.Voucher{Purpose: "MULTI"})
		l.Extended = -s.amount("redeemed", 1, 2000)
		s.d.Lines = append(s.d.Lines, l)
	}
	s.settle()
	return s.d
}

// goods draws a taxed line of any kind, before its tax.
func (s *shop) goods(back bool) document.Line {
	kinds := []document.LineKind{
		document.Item, document.Item, document.Service, document.DepositOut, document.ServiceCharge, document.Delivery, document.Surcharge,
		document.Fee, document.TipHouse, document.OtherLine, document.VoucherSell,
	}
	l := line(rapid.SampledFrom(kinds).Draw(s.T, "line"), "0")
	l.Category = rapid.SampledFrom([]string{"", "Food", "Drinks"}).Draw(s.T, "category")
	l.Consumption = rapid.SampledFrom([]string{"", "EAT_IN", "TAKE_AWAY"}).Draw(s.T, "consumption")
	l.Extended = s.amount("price", 1, 20_000)
	if l.Kind == document.VoucherSell {
		l.Voucher = &document.Voucher{Purpose: "SINGLE"}
	}
	if l.Kind == document.Item && s.sometimes("cost") {
		l.Cost = &document.Money{Amount: s.amount("cost of it", 0, 5000)}
	}
	if s.sometimes("discount") {
		kind := rapid.SampledFrom(document.AdjustmentKinds).Draw(s.T, "discount kind")
		off := -min(s.amount("off", 0, 20_000), l.Extended)
		if kind == document.SurchargeAdjust {
			off = -off
		}
		l.Adjustments = append(l.Adjustments, document.Adjustment{Kind: kind, Level: document.LevelLine, Amount: off})
	}
	if back {
		l.Extended, l.Quantity = -l.Extended, -l.Quantity
		for i := range l.Adjustments {
			l.Adjustments[i].Amount = -l.Adjustments[i].Amount
		}
		if l.Kind == document.DepositOut {
			l.Kind = document.DepositIn
		}
	}
	return l
}

// receiptDiscount takes a tenth off what is sold, spread by largest remainder.
func (s *shop) receiptDiscount() {
	weights := make([]money.Decimal, len(s.d.Lines))
	var whole money.Decimal
	for i, l := range s.d.Lines {
		adjusted, _ := l.Adjusted()
		weights[i] = max(adjusted, 0)
		whole += weights[i]
	}
	parts, err := money.Split((-whole / 10).RoundTo(s.places), weights, s.places)
	for i := range parts {
		if err == nil && parts[i] != 0 {
			s.d.Lines[i].Adjustments = append(s.d.Lines[i].Adjustments, document.Adjustment{Kind: document.Coupon, Level: document.LevelDocument, Amount: parts[i]})
		}
	}
}

// tax gives a line its taxes: one, none, two of two authorities, two of two parts
// of a menu, a fixed levy, or one that a marketplace remits.
func (s *shop) tax(l *document.Line) {
	amount, _ := l.Adjusted()
	percent := func(rate int64) money.Decimal { return money.Decimal(rate) * money.One / 10 }
	within := func(t document.Tax, gross money.Decimal) document.Tax {
		if s.d.PriceBasis == document.TaxIncluded {
			part, _ := money.MulDiv(gross, t.Rate, 100*money.One+t.Rate)
			t.Amount = part.RoundTo(s.places)
			t.Base = gross - t.Amount
			return t
		}
		part, _ := money.MulDiv(gross, t.Rate, 100*money.One)
		t.Base, t.Amount = gross, part.RoundTo(s.places)
		return t
	}
	standard, reduced := document.Tax{Code: "S", Scheme: "VAT", Rate: percent(200)}, document.Tax{Code: "R", Scheme: "VAT", Rate: percent(55)}
	switch rapid.IntRange(0, 8).Draw(s.T, "tax") {
	case 0, 1, 2:
		l.Taxes = []document.Tax{within(standard, amount)}
	case 3:
		l.Taxes = []document.Tax{within(reduced, amount)}
	case 4:
		l.Taxes = []document.Tax{{Code: "Z", Scheme: "VAT", Base: amount}}
	case 5:
		l.Taxes = []document.Tax{{Code: "E", Scheme: "VAT", Base: amount, ExemptReason: "diplomat"}}
	case 6: // a menu of food and drink
		half := (amount / 2).RoundTo(s.places)
		if half != 0 && amount-half != 0 {
			l.Taxes = []document.Tax{within(reduced, half), within(standard, amount-half)}
		}
	case 7:
		if s.d.PriceBasis == document.TaxExcluded {
			state, city := document.Tax{Code: "ST", Scheme: "SALES", Rate: percent(60), Jurisdiction: "TX"}, document.Tax{Code: "CT", Scheme: "SALES", Rate: percent(20), Jurisdiction: "Austin"}
			l.Taxes = []document.Tax{within(state, amount), within(city, amount)}
			if s.sometimes("facilitator") {
				l.Taxes[0].Liable, l.Taxes[1].Liable = "FACILITATOR", "FACILITATOR"
			}
		}
	}
}

// paidBySingle pays goods of one tax by a single-purpose voucher.
func (s *shop) paidBySingle() *document.Document {
	l := &s.d.Lines[0]
	l.Taxes = nil
	for len(l.Taxes) != 1 || l.Taxes[0].Code != "S" {
		l.Taxes = nil
		s.tax(l)
	}
	s.d.Lines = s.d.Lines[:1]
	gross, _ := l.Gross(s.d.PriceBasis)
	s.d.Tenders = []document.Tender{{
		Kind: document.VoucherTender, Direction: document.Paid, Amount: gross, Voucher: &document.Voucher{Purpose: "SINGLE"},
	}}
	return s.d
}

// settle pays what is due in several ways, with tips, change, cashback, foreign
// cash and cash rounding.
func (s *shop) settle() {
	var due money.Decimal
	for _, l := range s.d.Lines {
		gross, _ := l.Gross(s.d.PriceBasis)
		due += gross
	}
	pay := func(t document.Tender) { s.d.Tenders = append(s.d.Tenders, t) }
	for _, kind := range []document.TenderKind{
		document.CardCredit, document.GiftCard, document.StoreCredit, document.Account, document.MealVoucher, document.Marketplace, document.DownPaymentApplied,
	} {
		if due <= 0 || !s.sometimes("by "+string(kind)) {
			continue
		}
		part := min(s.amount("part", 1, 20_000), due)
		t := document.Tender{Kind: kind, Direction: document.Paid, Amount: part}
		if kind == document.CardCredit && s.sometimes("tip") {
			t.Tip = s.amount("of tip", 1, 500)
			t.Amount += t.Tip
		}
		pay(t)
		due -= part
	}
	if due > 0 && s.sometimes("foreign cash") {
		foreign := money.Decimal(rapid.Int64Range(1, 50).Draw(s.T, "notes")) * money.One
		rate := money.Decimal(rapid.Int64Range(1, 15).Draw(s.T, "foreign rate")) * money.One / 10
		worth, _ := money.Mul(foreign, rate)
		worth = worth.RoundTo(s.places)
		pay(document.Tender{Kind: document.ForeignCash, Direction: document.Paid, Amount: worth, Foreign: &document.Foreign{Currency: "USD", Amount: foreign, Rate: rate}})
		due -= worth
	}
	if s.sometimes("cashback") {
		back := s.amount("cash back", 1, 5000)
		pay(document.Tender{Kind: document.CardDebit, Direction: document.Paid, Amount: back})
		pay(document.Tender{Kind: document.Cash, Direction: document.Cashback, Amount: -back})
	}
	if s.sometimes("cash rounding") {
		step := 5 * s.unit()
		if rest := due % step; rest != 0 {
			s.d.Lines = append(s.d.Lines, document.Line{Kind: document.CashRounding, Extended: -rest})
			due -= rest
		}
	}
	switch {
	case due > 0:
		change := s.amount("change", 0, 2000)
		pay(document.Tender{Kind: document.Cash, Direction: document.Paid, Amount: due + change})
		if change > 0 {
			pay(document.Tender{Kind: document.Cash, Direction: document.Change, Amount: -change})
		}
	case due < 0:
		kind := rapid.SampledFrom([]document.TenderKind{document.Cash, document.CardCredit, document.StoreCredit, document.GiftCard}).Draw(s.T, "refunded by")
		pay(document.Tender{Kind: kind, Direction: document.Refund, Amount: due})
	}
}

func (s *shop) movement(number string) *document.Document {
	kind := rapid.SampledFrom([]document.Kind{document.PayIn, document.PayOut, document.Float, document.SafeDrop, document.Banking}).Draw(s.T, "movement kind")
	d := movement(kind, number, "0", "", "", "")
	d.Movement.Amount = s.amount("moved", 1, 50_000)
	if kind == document.PayOut || kind == document.PayIn {
		d.Movement.Reason = rapid.SampledFrom([]string{"Cleaning", "Flowers"}).Draw(s.T, "reason")
	}
	if kind == document.PayOut && s.sometimes("tax receipt") {
		l := line(document.Item, "0", document.Tax{Code: "S", Scheme: "VAT", Rate: 20 * money.One})
		l.Extended = d.Movement.Amount
		l.Taxes[0].Amount = (l.Extended / 6).RoundTo(s.places)
		l.Taxes[0].Base = l.Extended - l.Taxes[0].Amount
		d.Movement.Lines = []document.Line{l}
	}
	return d
}
