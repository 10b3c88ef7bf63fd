package xero_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/sandbox/gate"
	sandbox "tillbook.example/tillbook/collector/sandbox/xero"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/collector/target/xero"
)

const reference = "POS-S1-20261103"

// each runs a test for each form.
func each(t *testing.T, run func(t *testing.T, o *office)) {
	for _, form := range xero.Forms() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			run(t, newOffice(t, form, british()))
		})
	}
}

func (o *office) sample() target.Payload { return targettest.Sample(o.harness(), reference) }

func (o *office) standsOnce(t *testing.T, want target.Payload) {
	t.Helper()
	found, _, err := o.open(t).Find(t.Context(), want.Reference)
	if err != nil || found == nil || !found.Equal(want) {
		t.Fatalf("find: %+v, %v", found, err)
	}
	if all := o.Documents(""); all[want.Reference] != 1 || len(all) != 1 {
		t.Errorf("there stand %v", all)
	}
}

func TestEachFaultSaysWhetherSomethingWasBooked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *office) {
		for i, test := range []struct {
			fault  gate.Fault
			booked bool
			want   error // nil: unclear
		}{
			{gate.CommitThenCut, true, nil},
			{gate.FailUncommitted, false, nil},
			{gate.Throttle, false, target.ErrUnavailable},
			{gate.ThrottleBare, false, target.ErrUnavailable},
		} {
			p := targettest.Sample(o.harness(), fmt.Sprintf("POS-S1-2026110%d", i))
			o.Fail(test.fault)
			_, err := o.open(t).Post(t.Context(), p)
			clear := errors.Is(err, target.ErrUnavailable) || errors.Is(err, target.ErrRefused) || errors.Is(err, target.ErrTaken)
			if err == nil || test.want == nil && clear || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%s: %v", test.fault, err)
			}
			if stands := o.Documents("")[p.Reference] == 1; stands != test.booked {
				t.Errorf("%s: booked: %t", test.fault, stands)
			}
			if _, err := o.open(t).Post(t.Context(), p); err != nil {
				t.Errorf("%s, posted again: %v", test.fault, err)
			}
			if n := o.Documents("")[p.Reference]; n != 1 {
				t.Errorf("%s: %d documents stand", test.fault, n)
			}
		}
	})
}

func TestAnAnswerThatNeverComesIsUnclearAndFoundLater(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *office) {
		o.Fail(gate.CommitThenHang)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := o.open(t).Post(ctx, o.sample()); err == nil || errors.Is(err, target.ErrUnavailable) || errors.Is(err, target.ErrRefused) {
			t.Errorf("%v; want an unclear outcome", err)
		}
		if o.form != xero.FormPayments {
			o.standsOnce(t, o.sample())
		}
		if _, err := o.open(t).Post(t.Context(), o.sample()); err != nil {
			t.Fatal(err)
		}
		o.standsOnce(t, o.sample())
	})
}

func TestTheRestThatXeroAsksForIsKept(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormJournal, british())
	b := o.open(t)
	o.Fail(gate.Throttle)
	var later *target.Later
	if _, err := b.Post(t.Context(), o.sample()); !errors.As(err, &later) || later.Rest != gate.ThrottleRest {
		t.Fatalf("%v; want a rest of %s", err, gate.ThrottleRest)
	}
	o.pass(gate.ThrottleRest - time.Second)
	if _, err := b.Post(t.Context(), o.sample()); !errors.As(err, &later) || later.Rest != time.Second {
		t.Errorf("a second before: %v", err)
	}
	o.pass(time.Second)
	if _, err := b.Post(t.Context(), o.sample()); err != nil {
		t.Error(err)
	}
}

// TestTheLimitsAreNeverExceeded counts on the limits that Xero states in headers.
func TestTheLimitsAreNeverExceeded(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormInvoice, british())
	o.Limits = sandbox.New(british(), o.clock).Limits
	var refused atomic.Int64
	next := o.http.Transport
	o.http.Transport = round(func(r *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		if err == nil && answer.StatusCode == http.StatusTooManyRequests {
			refused.Add(1)
		}
		return answer, err
	})
	b := o.open(t)
	rests := 0
	for n := 0; n < 100; {
		_, err := b.Post(t.Context(), targettest.Sample(o.harness(), fmt.Sprintf("POS-S1-%08d", n)))
		var later *target.Later
		switch {
		case err == nil:
			n++
		case errors.As(err, &later):
			rests++
			o.pass(later.Rest)
		default:
			t.Fatal(err)
		}
	}
	if rests < 3 || refused.Load() != 0 {
		t.Errorf("rested %d times, was refused %d times; 100 days need more than 200 requests of 60 a minute", rests, refused.Load())
	}
}

type round func(*http.Request) (*http.Response, error)

func (r round) RoundTrip(q *http.Request) (*http.Response, error) { return r(q) }

func TestAWarningIsAFailureAndWhatWasBookedIsVoided(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *office) {
		o.Fail(gate.Warn)
		if _, err := o.open(t).Post(t.Context(), o.sample()); !errors.Is(err, target.ErrRefused) || !strings.Contains(fmt.Sprint(err), "was left out") {
			t.Errorf("%v; want ErrRefused with the warning", err)
		}
		if all := o.Documents(""); len(all) != 0 {
			t.Errorf("there stand %v", all)
		}
		// Its reference is spent: a person decides.
		if _, err := o.open(t).Post(t.Context(), o.sample()); !errors.Is(err, target.ErrTaken) {
			t.Errorf("posted again: %v; want ErrTaken", err)
		}
	})
}

// TestScenario53OnlyThePaymentThatIsMissingIsSentAgain: the invoice is written
// and its payment is not.
func TestScenario53OnlyThePaymentThatIsMissingIsSentAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormPayments, british())
	p := o.sample()
	p.Lines[0].Amount, p.Lines[0].Foreign = 7000, nil
	p.Lines = append(p.Lines, target.Line{Account: "611", Amount: 5000, Text: "Cards"})
	b := o.open(t)
	o.Fail(gate.None, gate.FailUncommitted)
	_, err := b.Post(t.Context(), p)
	if err == nil || errors.Is(err, target.ErrRefused) || errors.Is(err, target.ErrUnavailable) || !strings.Contains(err.Error(), "not all of its payments") {
		t.Fatalf("%v; want it to say that the invoice stands without its payments", err)
	}
	if found, _, err := b.Find(t.Context(), p.Reference); err != nil || found != nil {
		t.Errorf("a day without its payments is found: %+v, %v", found, err)
	}
	var sent []string
	next := o.http.Transport
	o.http.Transport = round(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			sent = append(sent, r.Method+" "+r.URL.Path)
		}
		return next.RoundTrip(r)
	})
	if _, err := b.Post(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 1 || !strings.HasSuffix(sent[0], "/Payments") {
		t.Errorf("sent %q; want the payments only", sent)
	}
	o.standsOnce(t, p)
	want := map[string]int64{"612": 7000, "611": 5000, "200": -10000, "820": -2000}
	for code, sum := range o.Balances() {
		if int64(sum) != want[code] {
			t.Errorf("account %s has %d, want %d", code, sum, want[code])
		}
	}
}

func TestADayWhoseMoneyGoesBothWaysIsOneDocument(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormPayments, british())
	p := o.sample() // 80.00 of sales with 20.00 cash back on a card payment of 100.00
	p.Lines = []target.Line{
		{Account: "611", Amount: 12000, Text: "Cards"}, {Account: "612", Amount: -2400, Text: "Cash back"},
		{Account: "200", Amount: -8000, Text: "Food", Tax: &target.Tax{Code: "OUTPUT2", Base: -8000, Amount: -1600, Direction: "SALE"}},
		{Account: "820", Amount: -1600, Text: "VAT", Control: true},
	}
	if _, err := o.open(t).Post(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	o.standsOnce(t, p)
	p.Reference = reference + "-r2"
	p.Lines[1].Account = "091" // a bank account takes no line
	if _, err := o.open(t).Post(t.Context(), p); !errors.Is(err, target.ErrRefused) || !strings.Contains(fmt.Sprint(err), "payments only") {
		t.Errorf("%v; want ErrRefused", err)
	}
}

// TestScenario54BooksThatWereTakenAwayGoOnWhenTheyAreConnectedAgain: nothing has
// to be configured anew.
func TestScenario54BooksThatWereTakenAwayGoOnWhenTheyAreConnectedAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormInvoice, british())
	b := o.open(t)
	o.Identity.Disconnect()
	if _, err := b.Post(t.Context(), o.sample()); !errors.Is(err, target.ErrDisconnected) || !errors.Is(err, target.ErrUnavailable) {
		t.Fatalf("%v; want ErrDisconnected", err)
	}
	if err := o.access().Connect(t.Context(), o.Identity.Code()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Post(t.Context(), o.sample()); err != nil {
		t.Fatal(err)
	}
	o.standsOnce(t, o.sample())
}

func TestATokenThatEndsMidwayIsRenewedAndTheRequestSentOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *office) {
		o.Fail(gate.Revoke)
		if _, err := o.open(t).Post(t.Context(), o.sample()); err != nil {
			t.Fatal(err)
		}
		o.standsOnce(t, o.sample())
		if renewed, invalid := o.Identity.Renewals(); renewed != 1 || invalid != 0 {
			t.Errorf("renewed %d times, %d in vain", renewed, invalid)
		}
	})
}

func TestAScopeThatIsMissingIsSaid(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormJournal, british(), sandbox.ScopeSettings, sandbox.ScopeInvoices)
	if _, err := o.open(t).Post(t.Context(), o.sample()); !errors.Is(err, target.ErrDisconnected) || !strings.Contains(fmt.Sprint(err), "/ManualJournals") {
		t.Errorf("%v; want ErrDisconnected and what it was for", err)
	}
}

func TestTheFormIsThatOfTheTaxBasisUnlessItIsChosen(t *testing.T) {
	t.Parallel()
	for basis, want := range map[string]string{"ACCRUALS": xero.FormInvoice, "CASH": xero.FormPayments, "FLATRATECASH": xero.FormPayments, "NONE": xero.FormInvoice} {
		if got := xero.DefaultForm(basis); got != want {
			t.Errorf("%s: %s, want %s", basis, got, want)
		}
	}
	o := newOffice(t, "", sandbox.Organisation{Currency: "GBP", Country: "GB", SalesTaxBasis: "CASH"})
	if _, err := o.open(t).Post(t.Context(), o.sample()); err != nil {
		t.Fatal(err)
	}
	if sum := o.Balances()["610"]; sum != 0 {
		t.Errorf("customers owe %d", sum)
	}
	o.standsOnce(t, o.sample())
}

// TestAJournalsTaxIsXerosAndTheDifferenceIsItsOwnLine: till receipts were rounded
// one by one.
func TestAJournalsTaxIsXerosAndTheDifferenceIsItsOwnLine(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormJournal, british())
	p := o.sample()
	p.Lines[0].Amount, p.Lines[1].Tax.Amount, p.Lines[2].Amount = 11998, -1998, -1998
	if _, err := o.open(t).Post(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	o.standsOnce(t, p)
	if got := o.Balances(); got["820"] != -2000 || got["861"] != 2 || got["612"] != 11998 {
		t.Errorf("balances %v", got)
	}
	p.Reference += "-r2"
	options := o.options()
	options.Rounding = ""
	if _, err := opened(t, options).Post(t.Context(), p); !errors.Is(err, target.ErrRefused) || !strings.Contains(fmt.Sprint(err), "set rounding") {
		t.Errorf("without an account for it: %v", err)
	}
	p.Lines[0].Amount, p.Lines[1].Tax.Amount, p.Lines[2].Amount = 10500, -500, -500
	if _, err := o.open(t).Post(t.Context(), p); !errors.Is(err, target.ErrRefused) || !strings.Contains(fmt.Sprint(err), "check the tax codes") {
		t.Errorf("with another rate: %v", err)
	}
}

// TestAnInvoiceKeepsTheTillsTax and nets to zero.
func TestAnInvoiceKeepsTheTillsTax(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormInvoice, british())
	p := o.sample()
	p.Lines[0].Amount, p.Lines[1].Tax.Amount, p.Lines[2].Amount = 11998, -1998, -1998
	if _, err := o.open(t).Post(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got := o.Balances(); got["820"] != -1998 || got["612"] != 11998 || got["200"] != -10000 || len(got) != 3 {
		t.Errorf("balances %v", got)
	}
}

func TestLinesWithoutTaxAreOutOfScopeByCountry(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormInvoice, sandbox.Organisation{Currency: "GBP", Country: "AU"})
	var sent string
	next := o.http.Transport
	o.http.Transport = round(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPut {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			sent += string(body)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		return next.RoundTrip(r)
	})
	if _, err := o.open(t).Post(t.Context(), o.sample()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(sent, `"BASEXCLUDED"`) || strings.Contains(sent, `"NONE"`) {
		t.Errorf("sent %s", sent)
	}
}

// TestAnOrganisationInAnotherCurrencyIsNeverPostedTo: its journals have no
// currency to say so.
func TestAnOrganisationInAnotherCurrencyIsNeverPostedTo(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormJournal, sandbox.Organisation{Currency: "EUR", Country: "IE"})
	if _, err := o.open(t).Post(t.Context(), o.sample()); !errors.Is(err, target.ErrRefused) || !strings.Contains(fmt.Sprint(err), "EUR") {
		t.Errorf("%v; want ErrRefused", err)
	}
}

// TestScenario61ADocumentOfAnotherConnectorWithTheSameDayTotalIsSeen, and ours is
// not.
func TestScenario61ADocumentOfAnotherConnectorWithTheSameDayTotalIsSeen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *office) {
		b := opened(t, o.options())
		if _, err := b.Post(t.Context(), o.sample()); err != nil {
			t.Fatal(err)
		}
		others, err := b.Others(t.Context(), "2026-11-03")
		if err != nil || len(others) != 0 {
			t.Errorf("ours is another's: %+v, %v", others, err)
		}
		o.byHand(t, "ManualJournals", `{"Narration":"by hand","Date":"2026-11-03","Status":"POSTED","LineAmountTypes":"NoTax","JournalLines":[{"LineAmount":7,"AccountCode":"612"},{"LineAmount":-7,"AccountCode":"200"}]}`)
		others, err = b.Others(t.Context(), "2026-11-03")
		if twin, found := target.Twin(o.sample(), others); err != nil || len(others) != 1 || found {
			t.Errorf("others %+v, twin %+v, %v", others, twin, err)
		}
		o.byHand(t, "Invoices", `{"Type":"ACCREC","Contact":{"Name":"Tills Ltd"},"Date":"2026-11-03","InvoiceNumber":"T-1","Status":"AUTHORISED","LineAmountTypes":"Exclusive","LineItems":[{"Description":"Sales","Quantity":1,"UnitAmount":100,"AccountCode":"200","TaxType":"OUTPUT2"}]}`)
		others, err = b.Others(t.Context(), "2026-11-03")
		if twin, found := target.Twin(o.sample(), others); err != nil || !found || twin.Number != "T-1" {
			t.Errorf("others %+v, twin %+v, %v", others, twin, err)
		}
	})
}

// byHand books as another connector does.
func (o *office) byHand(t *testing.T, kind, element string) {
	t.Helper()
	token, err := o.access().Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, o.url+"/api.xro/2.0/"+kind, strings.NewReader(`{"`+kind+`":[`+element+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Xero-Tenant-Id", o.Tenant)
	request.Header.Set("Content-Type", "application/json")
	answer, err := o.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d", answer.StatusCode)
	}
}

func TestAnAnswerThatCannotBeReadIsUnclear(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *office) {
		next := o.http.Transport
		for _, garbage := range []string{"<html>", "{}", `{"Invoices":7,"ManualJournals":7}`, `{"Invoices":[],"ManualJournals":[]}`} {
			o.http.Transport = round(func(r *http.Request) (*http.Response, error) {
				answer, err := next.RoundTrip(r)
				if err == nil && r.Method == http.MethodPut {
					answer.Body.Close()
					answer.Body = io.NopCloser(strings.NewReader(garbage))
				}
				return answer, err
			})
			p := o.sample()
			p.Reference = fmt.Sprintf("POS-S1-2026110%d", len(o.Documents("")))
			if _, err := o.open(t).Post(t.Context(), p); err == nil || errors.Is(err, target.ErrRefused) || errors.Is(err, target.ErrUnavailable) || errors.Is(err, target.ErrTaken) {
				t.Errorf("%s: %v; want an unclear outcome", garbage, err)
			}
		}
	})
}
