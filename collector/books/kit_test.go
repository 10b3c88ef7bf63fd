package books_test

import (
	"os"
	"path/filepath"
	"testing"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// The words scenarios are written in. Amounts are texts as tills print them.

func dec(s string) money.Decimal { return money.MustParse(s) }

// taxed is a document from terminal 1 of store S1 in GBP with tax in its prices.
func receipt(kind document.Kind, number string, parts ...any) *document.Document {
	d := &document.Document{
		Key:  document.Key{Store: "S1", Terminal: "1", Space: document.SpaceReceipt, Number: number},
		Kind: kind, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded,
		Time: document.Time{AsGiven: "2026-11-03T12:00:00Z"}, Numbers: document.Numbers{Receipt: number},
	}
	for _, p := range parts {
		switch p := p.(type) {
		case document.Line:
			d.Lines = append(d.Lines, p)
		case document.Tender:
			d.Tenders = append(d.Tenders, p)
		case document.Link:
			d.Links = append(d.Links, p)
		case *document.Invoice:
			d.Invoice = p
		case *document.Rate:
			d.Rate = p
		case document.PriceBasis:
			d.PriceBasis = p
		case document.State:
			d.State = p
		default:
			panic("receipt: a part that is not known")
		}
	}
	return d
}

func movement(kind document.Kind, number, amount, reason string, from, to document.MoneyPlace, lines ...document.Line) *document.Document {
	return &document.Document{
		Key:  document.Key{Store: "S1", Terminal: "1", Space: document.SpaceEvent, Number: number},
		Kind: kind, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded,
		Time:     document.Time{AsGiven: "2026-11-03T12:00:00Z"},
		Movement: &document.Movement{Amount: dec(amount), Reason: reason, From: from, To: to, Lines: lines},
	}
}

// line is a line with its taxes, adjustments and what else is known of it.
func line(kind document.LineKind, extended string, parts ...any) document.Line {
	l := document.Line{Kind: kind, Extended: dec(extended), Quantity: money.One}
	if l.Extended < 0 {
		l.Quantity = -money.One
	}
	for _, p := range parts {
		switch p := p.(type) {
		case document.Tax:
			l.Taxes = append(l.Taxes, p)
		case document.Adjustment:
			l.Adjustments = append(l.Adjustments, p)
		case *document.Voucher:
			l.Voucher = p
		case *document.Agency:
			l.Agency = p
		case string:
			l.Category = p
		default:
			panic("line: a part that is not known")
		}
	}
	return l
}

func item(extended string, parts ...any) document.Line {
	return line(document.Item, extended, parts...)
}

func tax(code, rate, base, amount string) document.Tax {
	return document.Tax{Code: code, Scheme: "VAT", Rate: dec(rate), Base: dec(base), Amount: dec(amount)}
}

func vat20(base, amount string) document.Tax { return tax("A", "20", base, amount) }
func zero(base string) document.Tax          { return tax("Z", "0", base, "0") }

func less(kind document.AdjustmentKind, amount string) document.Adjustment {
	return document.Adjustment{Kind: kind, Level: document.LevelLine, Amount: dec(amount)}
}

func tender(kind document.TenderKind, direction document.Direction, amount string) document.Tender {
	return document.Tender{Kind: kind, Direction: direction, Amount: dec(amount)}
}

func cash(amount string) document.Tender   { return tender(document.Cash, document.Paid, amount) }
func change(amount string) document.Tender { return tender(document.Cash, document.Change, amount) }
func card(amount string) document.Tender {
	return tender(document.CardCredit, document.Paid, amount)
}

func voids(number string) document.Link {
	return document.Link{Relation: document.Voids, Number: number}
}

// ukMapping is the example mapping, changed as a scenario needs it.
func ukMapping(t testing.TB, change ...func(*books.Mapping)) books.Mapping {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "uk.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := books.ParseMapping(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		if c != nil {
			c(&m)
		}
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	return m
}

// happened is the input for events outside the tills.
func happened(m books.Mapping, events ...books.Event) books.EventInput {
	return books.EventInput{Merchant: "m1", Subject: "payout/p1", Day: "2026-11-03", Mapping: m, MappingVersion: 3, Events: events}
}

func day(m books.Mapping, documents ...*document.Document) books.Input {
	return books.Input{
		Merchant: "m1", Subject: "store-day/S1/2026-11-03", Store: "S1", Day: "2026-11-03",
		Mapping: m, MappingVersion: 3, Documents: documents,
	}
}
