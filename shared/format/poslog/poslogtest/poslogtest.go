// Package poslogtest writes POSLog files of any length for tests and
// measurements, together with what a reader must find in them.
//
// The same seed gives the same bytes. Amounts are counted in cents on the way
// and know nothing of the reader, so that the two can be held against each
// other. The mix is that of a small shop: sales at two VAT rates with
// reductions, lines taken back, split tenders and change, returns, voids,
// drawers opened, cash paid out, suspended and training receipts.
package poslogtest

import (
	"bufio"
	"fmt"
	"io"
)

// Config says what is written. Zero values give a file of one store.
type Config struct {
	Seed         uint64
	Transactions int
	Store        string // "1"
	Terminals    int    // 50
	Day          string // "2026-03-02"
	Plain        bool   // nothing but sales of three lines, two rates and two tenders
}

// Expected is what a file holds. Amounts are in cents.
type Expected struct {
	Documents, Receipts    int
	Gross, Tax, Reductions int64
	TaxByRate              map[string]int64 // 20.00, 5.00
	Tenders                map[string]int64 // by document.TenderKind
}

// Write writes one file.
func Write(w io.Writer, c Config) (Expected, error) {
	if c.Store == "" {
		c.Store = "1"
	}
	if c.Terminals == 0 {
		c.Terminals = 50
	}
	if c.Day == "" {
		c.Day = "2026-03-02"
	}
	g := &generator{Config: c, w: bufio.NewWriterSize(w, 1<<16), state: c.Seed,
		expected: Expected{TaxByRate: map[string]int64{}, Tenders: map[string]int64{}}, last: map[int]*sale{}}
	g.print(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<POSLog xmlns="http://www.nrf-arts.org/IXRetail/namespace/">` + "\n")
	for n := range c.Transactions {
		g.transaction(n)
	}
	g.print("</POSLog>\n")
	if err := g.w.Flush(); err != nil {
		return Expected{}, fmt.Errorf("write POSLog: %w", err)
	}
	return g.expected, nil
}

type generator struct {
	Config
	w        *bufio.Writer
	state    uint64
	expected Expected
	last     map[int]*sale // of each terminal, until it is voided
}

// sale is what a receipt adds to the totals.
type sale struct {
	sequence               int
	gross, tax, reductions int64
	rates, tenders         map[string]int64
}

// roll returns a number below n (splitmix64, Steele and others, 2014).
func (g *generator) roll(n int) int {
	g.state += 0x9e3779b97f4a7c15
	z := g.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

func (g *generator) print(s string)               { g.w.WriteString(s) }
func (g *generator) printf(s string, args ...any) { fmt.Fprintf(g.w, s, args...) }

// cents prints an amount.
func cents(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

func (g *generator) transaction(n int) {
	terminal, sequence := n%g.Terminals+1, n/g.Terminals+1
	second := 8*3600 + n%(12*3600)
	kind := g.roll(100)
	if g.Plain {
		kind = 0
	}
	attributes := ""
	if kind == 99 {
		attributes = ` TrainingModeFlag="true"`
	}
	g.printf("<Transaction%s><RetailStoreID>%s</RetailStoreID><WorkstationID>%d</WorkstationID><SequenceNumber>%d</SequenceNumber>"+
		"<BusinessDayDate>%s</BusinessDayDate><EndDateTime>%sT%02d:%02d:%02d</EndDateTime><OperatorID>%d</OperatorID><CurrencyCode>GBP</CurrencyCode>",
		attributes, g.Store, terminal, sequence, g.Day, g.Day, second/3600, second/60%60, second%60, g.roll(9)+1)
	g.expected.Documents++
	switch {
	case kind < 80:
		s := g.receipt(sequence, false, "")
		g.count(s, 1)
		g.last[terminal] = s
	case kind < 88:
		g.count(g.receipt(sequence, true, ""), 1)
	case kind < 91:
		g.print("<ControlTransaction><NoSale/></ControlTransaction>")
	case kind < 93:
		g.printf("<TenderControlTransaction><PaidOut><Amount>%s</Amount><ReasonCode>cleaning</ReasonCode></PaidOut></TenderControlTransaction>", cents(int64(g.roll(3000)+100)))
	case kind < 96:
		if s := g.last[terminal]; s != nil {
			g.printf("<PostVoidTransaction><TransactionLink><SequenceNumber>%d</SequenceNumber></TransactionLink></PostVoidTransaction>", s.sequence)
			g.count(s, -1)
			delete(g.last, terminal)
		} else {
			g.print("<ControlTransaction><NoSale/></ControlTransaction>")
		}
	case kind < 99:
		g.receipt(sequence, false, ` TransactionStatus="Suspended"`)
	default:
		g.receipt(sequence, false, "")
	}
	g.print("</Transaction>\n")
}

// count adds a receipt to what is expected, or takes it back.
func (g *generator) count(s *sale, sign int64) {
	e := &g.expected
	e.Receipts++
	e.Gross += sign * s.gross
	e.Tax += sign * s.tax
	e.Reductions += sign * s.reductions
	for rate, amount := range s.rates {
		e.TaxByRate[rate] += sign * amount
	}
	for kind, amount := range s.tenders {
		e.Tenders[kind] += sign * amount
	}
}

// receipt writes a RetailTransaction.
func (g *generator) receipt(sequence int, returned bool, attributes string) *sale {
	s := &sale{sequence: sequence, rates: map[string]int64{}, tenders: map[string]int64{}}
	g.printf("<RetailTransaction%s>", attributes)
	lines := 1 + g.roll(5)
	if g.Plain {
		lines = 3
	}
	number := 0
	for i := range lines {
		number++
		g.item(s, number, i, returned)
		if !g.Plain && g.roll(15) == 0 && !returned {
			number++
			g.voided(number)
			number++
		}
	}
	number++
	g.tenders(s, number, returned)
	g.printf(`<Total TotalType="TransactionGrandAmount">%s</Total><Total TotalType="TransactionTaxAmount">%s</Total></RetailTransaction>`, cents(s.gross), cents(s.tax))
	return s
}

// item writes a line and adds it to the receipt.
func (g *generator) item(s *sale, number, i int, returned bool) {
	quantity, price := int64(1+g.roll(3)), int64(50+g.roll(2500))
	extended := quantity * price
	name, sign := "Sale", int64(1)
	if returned {
		name, sign = "Return", -1
	}
	rate, percent := "20.00", int64(20)
	if g.Plain && i == 1 || !g.Plain && g.roll(3) == 0 {
		rate, percent = "5.00", 5
	}
	var off int64
	if g.roll(6) == 0 {
		off = extended / 10
	}
	gross := extended - off
	tax := (gross*percent*2 + 100 + percent) / (2 * (100 + percent))
	g.printf(`<LineItem><SequenceNumber>%d</SequenceNumber><%s ItemType="Stock"><ItemID>50%08d</ItemID><MerchandiseHierarchy Level="Department">D%d</MerchandiseHierarchy>`+
		`<Description>Article &amp; more %d</Description><RegularSalesUnitPrice>%s</RegularSalesUnitPrice><ExtendedAmount>%s</ExtendedAmount><Quantity>%d</Quantity>`,
		number, name, g.roll(99999999), g.roll(9), number, cents(price), cents(extended), quantity)
	if off > 0 {
		g.printf(`<ExtendedDiscountAmount>%s</ExtendedDiscountAmount><RetailPriceModifier><Amount Action="Subtract">%s</Amount><PromotionID>7</PromotionID></RetailPriceModifier>`, cents(off), cents(off))
	}
	g.printf(`<Tax TaxType="VAT"><TaxGroupID>%s</TaxGroupID><TaxableAmount>%s</TaxableAmount><Amount>%s</Amount><Percent>%s</Percent></Tax></%s></LineItem>`,
		rate[:1], cents(gross-tax), cents(tax), rate, name)
	s.gross += sign * gross
	s.tax += sign * tax
	s.reductions += sign * off
	s.rates[rate] += sign * tax
}

// voided writes a line and the line that takes it back.
func (g *generator) voided(number int) {
	price := cents(int64(50 + g.roll(900)))
	for i, flag := range []string{"", ` VoidFlag="true"`} {
		sign := []string{"", "-"}[i]
		g.printf(`<LineItem%s><SequenceNumber>%d</SequenceNumber><Sale ItemType="Stock"><ItemID>99</ItemID><RegularSalesUnitPrice>%s</RegularSalesUnitPrice><ExtendedAmount>%s%s</ExtendedAmount><Quantity>%s1</Quantity></Sale></LineItem>`,
			flag, number+i, price, sign, price, sign)
	}
}

// tenders writes how the receipt was paid.
func (g *generator) tenders(s *sale, number int, returned bool) {
	if returned {
		g.printf(`<LineItem><SequenceNumber>%d</SequenceNumber><Tender TenderType="Cash" TypeCode="Refund"><Amount>%s</Amount></Tender></LineItem>`, number, cents(-s.gross))
		s.tenders["CASH"] = s.gross
		return
	}
	card := s.gross
	if g.Plain || g.roll(2) == 0 {
		cash := s.gross / 2
		if g.roll(2) == 0 {
			cash = s.gross
		}
		card = s.gross - cash
		given := (cash + 499) / 500 * 500
		g.printf(`<LineItem><SequenceNumber>%d</SequenceNumber><Tender TenderType="Cash"><Amount>%s</Amount>`, number, cents(given))
		if given > cash {
			g.printf(`<TenderChange><Amount>%s</Amount></TenderChange>`, cents(given-cash))
		}
		g.print(`</Tender></LineItem>`)
		s.tenders["CASH"] = cash
		number++
	}
	if card > 0 {
		g.printf(`<LineItem><SequenceNumber>%d</SequenceNumber><Tender TenderType="CreditDebit"><Amount>%s</Amount><CreditDebit CardType="Credit"><PrimaryAccountNumber>************%04d</PrimaryAccountNumber></CreditDebit></Tender></LineItem>`,
			number, cents(card), g.roll(10000))
		s.tenders["CARD_CREDIT"] = card
	}
}
