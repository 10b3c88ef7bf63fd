package day_test

import (
	"testing"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// counted is a Z over receipts 1 to 3, which are worth 42.00 with tax of 20 % in it.
func counted() *document.Document {
	z := postingtest.Sale("z", 0)
	z.Key.Space, z.Kind, z.Lines, z.Tenders = document.SpaceZ, document.PeriodClose, nil, nil
	gross, receipts := money.MustParse("42.00"), int64(3)
	z.Close = &document.Close{
		FirstReceipt: "1", LastReceipt: "3", Gross: &gross, Receipts: &receipts,
		ByTax: []document.Tax{{Code: "A", Scheme: "VAT", Rate: money.MustParse("20"), Base: money.MustParse("35.00"), Amount: money.MustParse("7.00")}},
	}
	return z
}

func numbered(number string, pence int64) *document.Document {
	d := postingtest.Sale(number, pence)
	d.Numbers.Receipt = number
	return d
}

func TestADayOfWhichReceiptsAreMissingIsBookedByItsZUntilTheyCome(t *testing.T) {
	t.Parallel()
	deadline := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	m := postingtest.Shop()
	m.Unproven = merchant.UnprovenZ
	m.Mappings[0].Mapping.Accounts[books.ReceiptsNotReceived] = "Assets:NotReceived"
	s := postingtest.New(m)
	put(s, numbered("1", 1200), numbered("3", 600), counted())
	now := deadline.Add(-time.Second)
	c := postingtest.Closer(s, func() time.Time { return now })
	if state := closeDay(t, c); state != day.Held {
		t.Fatalf("before its deadline the day is %s", state)
	}
	now = deadline
	if state := closeDay(t, c); state != day.Ready {
		t.Fatalf("at its deadline the day is %s: %+v", state, hold(t, s))
	}
	e, sums, proof := newest(t, s)
	if sums["Income:Sales"] != -3500 || sums["Assets:NotReceived"] != 2400 || e.Reason != day.ReasonDeadline || len(proof.NotReceived) != 1 || len(proof.Missing) != 1 {
		t.Errorf("because of %s: %v, %+v", e.Reason, sums, proof.NotReceived)
	}

	put(s, numbered("2", 2400))
	if state := closeDay(t, c); state != day.Ready {
		t.Fatalf("with the receipt the day is %s", state)
	}
	if _, sums, proof := newest(t, s); sums["Income:Sales"] != -3500 || sums["Assets:NotReceived"] != 0 || len(proof.NotReceived) != 0 || !proof.Proven {
		t.Errorf("with the receipt: %v, %+v", sums, proof.NotReceived)
	}
}

func TestADayIsNotBookedByAZThatDoesNotExplainIt(t *testing.T) {
	t.Parallel()
	deadline := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	for name, spoil := range map[string]func(z *document.Document) []*document.Document{
		"no taxes": func(z *document.Document) []*document.Document { z.Close.ByTax = nil; return nil },
		"taxes that do not add up": func(z *document.Document) []*document.Document {
			z.Close.ByTax[0].Amount = money.MustParse("7.01")
			return nil
		},
		"fewer taxes than the receipts": func(z *document.Document) []*document.Document {
			z.Close.ByTax[0].Base, z.Close.ByTax[0].Amount = money.MustParse("5.00"), money.MustParse("1.00")
			return nil
		},
		"another till": func(z *document.Document) []*document.Document {
			first, third := numbered("11", 500), numbered("13", 500)
			first.Key.Terminal, third.Key.Terminal = "2", "2"
			return []*document.Document{first, third}
		},
	} {
		m := postingtest.Shop()
		m.Unproven = merchant.UnprovenZ
		m.Mappings[0].Mapping.Accounts[books.ReceiptsNotReceived] = "Assets:NotReceived"
		s := postingtest.New(m)
		z := counted()
		put(s, append(spoil(z), numbered("1", 1200), numbered("3", 600), z)...)
		if state := closeDay(t, postingtest.Closer(s, func() time.Time { return deadline })); state != day.Held {
			t.Errorf("%s: the day is %s", name, state)
		}
	}
}
