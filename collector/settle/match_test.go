package settle_test

import (
	"errors"
	"testing"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/money"
)

func TestEachWayOfMatchingFindsWhatIsSureAndNoMore(t *testing.T) {
	t.Parallel()
	batch := func(t *settle.Taken) { t.Batch, t.Receipt = "7", "" }
	batchOf := func(m *settle.Movement) { m.Batch = "7" }
	euros := func(t *settle.Taken) { t.Currency, t.Booked = "EUR", dec("86.00") }
	for name, c := range map[string]struct {
		tenders   []settle.Taken
		movements []settle.Movement
		want      string
		proposed  int
	}{
		"the same receipt and amount": {
			[]settle.Taken{tender(1, "02 10:00", "5.00"), tender(2, "02 10:05", "5.00")},
			[]settle.Movement{moved("a", settle.Charge, "02 10:00", "5.00", receiptOf("2")), moved("b", settle.Charge, "02 10:05", "5.00", receiptOf("1"))},
			"1#0 = movement:b by key\n2#0 = movement:a by key", 0,
		},
		"the same receipt number a month later is another receipt": {
			[]settle.Taken{tender(1, "02 10:00", "5.00")}, []settle.Movement{moved("a", settle.Charge, "20 10:00", "5.00", receiptOf("1"))}, "", 0,
		},
		"the tenders of a batch and the one movement of their sum": {
			[]settle.Taken{tender(1, "02 10:00", "5.00", batch), tender(2, "02 11:00", "7.00", batch), tender(3, "02 12:00", "-1.00", batch)},
			[]settle.Movement{moved("a", settle.Charge, "03 02:00", "11.00", batchOf)},
			"1#0 = movement:a by batch\n2#0 = movement:a by batch\n3#0 = movement:a by batch", 0,
		},
		"a batch that is a penny off is nobody's": {
			[]settle.Taken{tender(1, "02 10:00", "5.00", batch), tender(2, "02 11:00", "7.00", batch)},
			[]settle.Movement{moved("a", settle.Charge, "03 02:00", "12.01", batchOf)}, "", 0,
		},
		"amount, day and card": {
			[]settle.Taken{tender(1, "02 10:00", "5.00", four("1111")), tender(2, "02 10:05", "5.00", four("2222"))},
			[]settle.Movement{moved("a", settle.Charge, "02 10:00", "5.00", cardOf("2222"))}, "2#0 = movement:a by card", 0,
		},
		"as many of one amount on both sides of a day, in their order": {
			[]settle.Taken{tender(1, "02 10:00", "3.20"), tender(2, "02 11:00", "3.20")},
			[]settle.Movement{moved("a", settle.Charge, "02 11:01", "3.20"), moved("b", settle.Charge, "02 10:01", "3.20")},
			"1#0 = movement:b by day\n2#0 = movement:a by day", 0,
		},
		"more of one amount on one side is for a person": {
			[]settle.Taken{tender(1, "02 10:00", "3.20"), tender(2, "02 11:00", "3.20")},
			[]settle.Movement{moved("a", settle.Charge, "02 11:01", "3.20")}, "", 1,
		},
		"the only one of its amount within three days": {
			[]settle.Taken{tender(1, "02 10:00", "9.99")}, []settle.Movement{moved("a", settle.Charge, "05 10:00", "9.99")}, "1#0 = movement:a by amount", 0,
		},
		"four days apart is too far": {
			[]settle.Taken{tender(1, "02 10:00", "9.99")}, []settle.Movement{moved("a", settle.Charge, "06 10:00", "9.99")}, "", 0,
		},
		"two cards of other digits are two payments": {
			[]settle.Taken{tender(1, "02 10:00", "9.99", four("1111"))}, []settle.Movement{moved("a", settle.Charge, "02 10:00", "9.99", cardOf("2222"))}, "", 1,
		},
		"the only sum of a day": {
			[]settle.Taken{tender(1, "02 10:00", "5.00", noReceipt), tender(2, "02 11:00", "7.00", noReceipt), tender(3, "02 12:00", "11.00", noReceipt)},
			[]settle.Movement{moved("a", settle.Charge, "02 23:00", "16.00")}, "1#0 = movement:a by sum\n3#0 = movement:a by sum", 0,
		},
		"one of two sums of a day is not sure": {
			[]settle.Taken{tender(1, "02 10:00", "5.00"), tender(2, "02 11:00", "7.00"), tender(3, "02 12:00", "6.00"), tender(4, "02 13:00", "8.00")},
			[]settle.Movement{moved("a", settle.Charge, "02 23:00", "13.00")}, "", 0,
		},
		"what the customer paid in another currency": {
			[]settle.Taken{tender(1, "02 10:00", "100.00", noReceipt, euros)},
			[]settle.Movement{moved("a", settle.Charge, "02 10:00", "85.20", func(m *settle.Movement) {
				m.Presented = &settle.Presented{Currency: "EUR", Amount: dec("100.00"), Rate: dec("0.852")}
			})}, "1#0 = movement:a by day", 0,
		},
		"the same receipt with another amount is for a person": {
			[]settle.Taken{tender(1, "02 10:00", "98.00")}, []settle.Movement{moved("a", settle.Charge, "02 10:00", "89.00", receiptOf("1"))}, "", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, march(func(in *settle.Input) { in.Taken, in.Movements = c.tenders, c.movements }))
			addsUp(t, r)
			if got := shown(r); got != c.want {
				t.Errorf("matched is\n%s\nwant\n%s", got, c.want)
			}
			if len(r.Proposals) != c.proposed {
				t.Errorf("proposed is %+v, want %d", r.Proposals, c.proposed)
			}
		})
	}
}

func TestAPayoutIsFoundAtTheBankOnlyWhereThatIsSure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payouts []settle.Payout
		lines   []settle.BankLine
		want    string
	}{
		"the line names it": {
			[]settle.Payout{paid("po1", "02 06:00", "10.00"), paid("po2", "02 06:00", "10.00")},
			[]settle.BankLine{booked("x", "2026-03-04", "10.00", "po2"), booked("y", "2026-03-04", "10.00", "po1")},
			"payout:po1 = line:bank/y by key\npayout:po2 = line:bank/x by key",
		},
		"the only one of its amount": {
			[]settle.Payout{paid("po1", "02 06:00", "10.00")}, []settle.BankLine{booked("x", "2026-03-04", "10.00", "")}, "payout:po1 = line:bank/x by amount",
		},
		"one of two is not sure": {
			[]settle.Payout{paid("po1", "02 06:00", "10.00"), paid("po2", "03 06:00", "10.00")}, []settle.BankLine{booked("x", "2026-03-04", "10.00", "")}, "",
		},
		"a line that names another is not its": {
			[]settle.Payout{paid("po1", "02 06:00", "10.00"), paid("po2", "02 06:00", "10.00")},
			[]settle.BankLine{booked("x", "2026-03-04", "10.00", "po2")}, "payout:po2 = line:bank/x by key",
		},
		"a line from before it was sent is not its": {
			[]settle.Payout{paid("po1", "05 06:00", "10.00")}, []settle.BankLine{booked("x", "2026-03-04", "10.00", "")}, "",
		},
		"one line pays two": {
			[]settle.Payout{paid("po1", "02 06:00", "10.00"), paid("po2", "03 06:00", "25.00"), paid("po3", "03 06:00", "7.00")},
			[]settle.BankLine{booked("x", "2026-03-04", "35.00", "")}, "payout:po1 = line:bank/x by sum\npayout:po2 = line:bank/x by sum",
		},
		"a line for each brand": {
			[]settle.Payout{paid("po1", "02 06:00", "35.00")},
			[]settle.BankLine{booked("x", "2026-03-04", "10.00", ""), booked("y", "2026-03-04", "25.00", ""), booked("z", "2026-03-04", "7.00", "")},
			"payout:po1 = line:bank/x by sum\npayout:po1 = line:bank/y by sum",
		},
		"money taken from the bank": {
			[]settle.Payout{paid("po1", "02 06:00", "-12.00")}, []settle.BankLine{booked("x", "2026-03-04", "-12.00", "")}, "payout:po1 = line:bank/x by amount",
		},
		"one that failed came and went": {
			[]settle.Payout{paid("po1", "02 06:00", "10.00", func(p *settle.Payout) { p.State = settle.Failed })},
			[]settle.BankLine{booked("x", "2026-03-04", "10.00", "po1"), booked("y", "2026-03-06", "-10.00", "po1 returned")},
			"payout:po1 = line:bank/x by key\npayout:po1 = line:bank/y by key",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, march(func(in *settle.Input) { in.Payouts, in.Lines = c.payouts, c.lines }))
			if got := shown(r); got != c.want {
				t.Errorf("matched is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestABatchOverTheLastDayIsCutOffByWhatIsLater(t *testing.T) {
	t.Parallel()
	batch := func(t *settle.Taken) { t.Batch = "7" }
	r := run(t, march(func(in *settle.Input) {
		in.Account.Cutoff = "04:00"
		in.Taken = []settle.Taken{tender(1, "31 23:00", "5.00", batch), tender(2, "04-01 00:30", "7.00", batch)}
		in.Movements = []settle.Movement{moved("a", settle.Charge, "04-01 02:00", "12.00", func(m *settle.Movement) { m.Batch = "7" })}
	}))
	if got := causes(r); got != "cut_off -7.00" {
		t.Errorf("differences are %s, want that 7.00 is of the tills' next day", got)
	}
}

func TestALineOfTheProviderThatIsNoPayoutsIsListedAndALateOneNamed(t *testing.T) {
	t.Parallel()
	r := run(t, march(func(in *settle.Input) {
		in.Payouts = []settle.Payout{paid("po1", "02 06:00", "10.00"), paid("po2", "30 06:00", "11.00")}
		in.Lines = []settle.BankLine{booked("x", "2026-03-04", "44.00", "")}
	}))
	if len(r.Lines) != 1 || r.Lines[0].ID != "line:bank/x" || r.Lines[0].Age != 27 {
		t.Errorf("open lines are %+v, want x of 27 days", r.Lines)
	}
	if late := proofOf(t, r, "po1"); late.Bank != settle.Missing || late.Age != 29 || late.Expected != "2026-03-07" || late.Owner == "" {
		t.Errorf("po1 is %+v, want missing since 29 days", late)
	}
	if young := proofOf(t, r, "po2"); young.Bank != settle.NotYet {
		t.Errorf("po2 is %s, want awaited", young.Bank)
	}
}

func TestWhatCannotBeAddedUpOrContradictsItselfIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*settle.Input)
		want   error
	}{
		"two facts under one key": {func(in *settle.Input) {
			in.Movements = []settle.Movement{moved("a", settle.Charge, "02 10:00", "1.00"), moved("a", settle.Charge, "02 10:00", "2.00")}
		}, settle.ErrTwice},
		"amounts that are too large": {func(in *settle.Input) {
			in.Payouts = []settle.Payout{paid("a", "02 10:00", "9000000000000"), paid("b", "02 10:00", "9000000000000")}
		}, money.ErrRange},
		"a zone that is none":     {func(in *settle.Input) { in.Account.Zone = "Nowhere" }, nil},
		"an end before the begin": {func(in *settle.Input) { in.To = "2026-02-01" }, nil},
	} {
		_, err := settle.Run(march(c.change))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v, want %v", name, err, c.want)
		}
	}
}
