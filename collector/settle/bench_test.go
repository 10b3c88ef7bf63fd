package settle_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// busy is n card payments at 1,000 a day of 400 amounts, one in five with nothing
// in common with its tender but the amount, with a payout a day. One payment in
// 500 was not rung up and one in 700 not captured.
func busy(n int) settle.Input {
	in := settle.Input{Account: settle.Account{Provider: "p", Currency: "GBP", From: "2026-01-01", Zone: "Europe/London", Payer: []string{"PROVIDER"}}}
	begin := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	var sum money.Decimal
	for i := range n {
		day, inDay := i/1000, i%1000
		at := begin.AddDate(0, 0, day).Add(time.Duration(inDay) * 30 * time.Second)
		amount := cents(int64(250 + 7*(i*i%400)))
		if i%500 != 17 {
			in.Taken = append(in.Taken, settle.Taken{
				Document: fmt.Sprintf("S1|%d|RECEIPT|%d", i%20, i), Store: "S1", Day: bizday.Day(at.Format(time.DateOnly)), At: at, Currency: "GBP", Amount: amount,
				Kind: document.CardDebit, Receipt: fmt.Sprint(i), LastFour: fmt.Sprintf("%04d", i*7%10000),
			})
		}
		payout := fmt.Sprintf("po_%d", day)
		if i%700 != 23 {
			m := settle.Movement{
				Provider: "p", Key: fmt.Sprintf("ch_%d", i), Kind: settle.Charge, At: at.Add(40 * time.Second), Currency: "GBP", Amount: amount, Fee: cents(20), Payout: payout,
			}
			if i%5 > 0 {
				m.Receipt, m.LastFour = fmt.Sprint(i), fmt.Sprintf("%04d", i*7%10000)
			}
			in.Movements = append(in.Movements, m)
			sum += amount - m.Fee
		}
		if inDay == 999 {
			sent := begin.AddDate(0, 0, day+1)
			in.Payouts = append(in.Payouts, settle.Payout{Provider: "p", Key: payout, State: settle.Arrived, Currency: "GBP", Amount: sum, Created: sent})
			in.Lines = append(in.Lines, settle.BankLine{
				Account: "bank", Key: payout, Booked: bizday.Day(sent.AddDate(0, 0, 2).Format(time.DateOnly)), Currency: "GBP", Amount: sum, Counterparty: "PROVIDER",
			})
			sum = 0
		}
	}
	in.From, in.To = "2026-01-01", bizday.Day(begin.AddDate(0, 0, n/1000).Format(time.DateOnly))
	return in
}

func benchmarkRun(b *testing.B, n int) {
	in := busy(n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var r settle.Result
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if r, err = settle.Run(in); err != nil {
			b.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(len(r.Pairs))/float64(n), "pairs/payment")
	b.ReportMetric(float64(after.HeapSys)/(1<<20), "MiB-heap")
}

func BenchmarkRun100000Payments(b *testing.B)  { benchmarkRun(b, 100_000) }
func BenchmarkRun1000000Payments(b *testing.B) { benchmarkRun(b, 1_000_000) }
