package quickbooks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/quickbooks"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/shared/money"
)

const reference = "POS-S1-20261103"

func each(t *testing.T, run func(t *testing.T, o *office)) {
	for name, p := range map[string]place{"journal": britishJournal, "receipt": britishReceipt, "Canada": canadianReceipt, "United States": americanJournal} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newOffice(t, p))
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

func unclear(err error) bool {
	return err != nil && !errors.Is(err, target.ErrUnavailable) && !errors.Is(err, target.ErrRefused) && !errors.Is(err, target.ErrTaken)
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
			if test.want == nil && !unclear(err) || test.want != nil && !errors.Is(err, test.want) {
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
	o := newOffice(t, britishJournal)
	o.Fail(gate.CommitThenHang)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := o.open(t).Post(ctx, o.sample()); !unclear(err) {
		t.Errorf("%v; want an unclear outcome", err)
	}
	o.standsOnce(t, o.sample())
	if _, err := o.open(t).Post(t.Context(), o.sample()); err != nil {
		t.Fatal(err)
	}
	o.standsOnce(t, o.sample())
}

// fixed answers every request with the same.
type fixed struct {
	status int
	body   string
}

func (f fixed) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(f.status)
	fmt.Fprint(w, f.body)
}

// access lets everybody in.
type access struct{}

func (access) Token(context.Context) (string, error) { return "t", nil }
func (access) Reject(context.Context, string) error  { return nil }

func TestEachShapeOfAFaultIsRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fixed
		want error
		text string
	}{
		"of its own":             {fixed{400, `{"Fault":{"Error":[{"Message":"Unsupported","Detail":"the detail","code":"4001","element":""}],"type":"ValidationFault"},"time":"x"}`}, target.ErrUnavailable, "the detail (4001)"},
		"of its own, status 200": {fixed{200, `{"Fault":{"Error":[{"Message":"Subscription period has ended","Detail":"d","code":"6190"}],"type":"ValidationFault"}}`}, target.ErrUnavailable, "6190"},
		"the gateway's":          {fixed{401, `{"time":1,"fault":{"type":"AUTHENTICATION","error":[{"message":"message=AuthenticationFailed; errorCode=003200; statusCode=401","detail":null,"element":null,"code":"3200"}]}}`}, target.ErrDisconnected, "003200"},
		"the gateway's, rights":  {fixed{403, `{"fault":{"type":"SERVICE","error":[{"message":"ApplicationAuthorizationFailed","code":"3100"}]}}`}, target.ErrDisconnected, "3100"},
		"XML":                    {fixed{400, `<?xml version="1.0"?><IntuitResponse xmlns="http://schema.intuit.com/finance/v3"><Fault type="AuthenticationFault"><Error code="100"><Message>General</Message><Detail>wrong realm</Detail></Error></Fault></IntuitResponse>`}, target.ErrDisconnected, "wrong realm (100)"},
		"none at all":            {fixed{404, `<html>not here</html>`}, target.ErrUnavailable, "not here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.fixed)
			t.Cleanup(server.Close)
			b := opened(t, quickbooks.Options{Base: server.URL, Access: access{}, Currency: "GBP", Now: time.Now})
			if _, err := b.Chart(t.Context()); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v; want %v with %q", err, test.want, test.text)
			}
		})
	}
}

type round func(*http.Request) (*http.Response, error)

func (r round) RoundTrip(q *http.Request) (*http.Response, error) { return r(q) }

// sent keeps what is posted.
func (o *office) sent() func() (urls []string, bodies string) {
	var mu sync.Mutex
	var urls []string
	var bodies string
	next := o.http.Transport
	o.http.Transport = round(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost && !strings.Contains(r.URL.Path, "oauth2") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			mu.Lock()
			urls, bodies = append(urls, r.URL.String()), bodies+string(body)
			mu.Unlock()
		}
		return next.RoundTrip(r)
	})
	return func() ([]string, string) {
		mu.Lock()
		defer mu.Unlock()
		return urls, bodies
	}
}

func TestARequestIDIsOnTheWireAndTheSameForTheSameReference(t *testing.T) {
	t.Parallel()
	o := newOffice(t, britishJournal)
	sent := o.sent()
	o.Fail(gate.FailUncommitted)
	for range 2 {
		_, _ = o.open(t).Post(t.Context(), o.sample())
	}
	urls, _ := sent()
	if len(urls) != 2 || urls[0] != urls[1] || !strings.Contains(urls[0], "requestid=tb-") || !strings.Contains(urls[0], "minorversion=75") {
		t.Errorf("sent to %q", urls)
	}
	_, id, _ := strings.Cut(urls[0], "requestid=")
	if len(id) > 50 {
		t.Errorf("request id %q has more than 50 characters", id)
	}
	o.standsOnce(t, o.sample())
}

// TestADeletedDocumentIsNotTakenForBooked: QuickBooks answers a request id that it
// knows with what it answered then, though the document is gone.
func TestADeletedDocumentIsNotTakenForBooked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *office) {
		if _, err := o.open(t).Post(t.Context(), o.sample()); err != nil {
			t.Fatal(err)
		}
		o.Delete(reference)
		if receipt, err := o.open(t).Post(t.Context(), o.sample()); !errors.Is(err, target.ErrTaken) || !strings.Contains(err.Error(), "deleted") {
			t.Errorf("%v, %v; want ErrTaken", receipt, err)
		}
	})
}

func TestInTheUnitedStatesTheTaxOfEachAgencyIsALineOfItsOwn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, americanJournal)
	sent := o.sent()
	p := o.sample()
	p.Lines[0] = target.Line{Account: "1100", Amount: 10887, Text: "Cash"}
	p.Lines[1].Tax = &target.Tax{Code: "CA+LA", Base: -10000, Amount: -887, Direction: "SALE"}
	p.Lines[2] = target.Line{Account: "2200", Amount: -725, Text: "State", Control: true, Dimensions: map[string]string{"jurisdiction": "CA"}}
	p.Lines = append(p.Lines, target.Line{Account: "2210", Amount: -162, Text: "City", Control: true, Dimensions: map[string]string{"jurisdiction": "LA"}})
	if _, err := o.open(t).Post(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	o.standsOnce(t, p)
	if _, bodies := sent(); strings.Contains(bodies, "TaxCodeRef") {
		t.Errorf("lines bear tax codes: %s", bodies)
	}
	for account, want := range map[string]money.Minor{"1100": 10887, "4000": -10000, "2200": -725, "2210": -162} {
		if got := o.Balances()[account]; got != want {
			t.Errorf("account %s has %d, want %d", account, got, want)
		}
	}
	p.Reference += "-r2"
	p.Lines[2].Account = "Board of Equalization Payable"
	if _, err := o.open(t).Post(t.Context(), p); !errors.Is(err, target.ErrRefused) || !strings.Contains(err.Error(), "keeps it by itself for tax") {
		t.Errorf("on the account of automated sales tax: %v; want ErrRefused", err)
	}
}

func TestInCanadaADayIsNeverAJournalEntry(t *testing.T) {
	t.Parallel()
	o := newOffice(t, canadianReceipt)
	if _, err := o.open(t).Post(t.Context(), o.sample()); err != nil {
		t.Fatal(err)
	}
	o.standsOnce(t, o.sample())
	options := o.options()
	options.Form = quickbooks.FormJournal
	if _, err := opened(t, options).Post(t.Context(), o.sample()); !errors.Is(err, target.ErrRefused) || !strings.Contains(err.Error(), "receipt") {
		t.Errorf("%v; want ErrRefused", err)
	}
}

// TestATaxOfTwoRatesIsSplitByThem to the cent: 9.975 and 5 percent of 33.33.
func TestATaxOfTwoRatesIsSplitByThem(t *testing.T) {
	t.Parallel()
	o := newOffice(t, canadianReceipt)
	sent := o.sent()
	p := o.sample()
	p.Lines[0] = target.Line{Account: "1100", Amount: 3832, Text: "Cash"}
	p.Lines[1].Amount, p.Lines[1].Tax = -3333, &target.Tax{Code: "GST/QST QC", Base: -3333, Amount: -499, Direction: "SALE"}
	p.Lines[2].Amount = -499
	if _, err := o.open(t).Post(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	o.standsOnce(t, p)
	_, bodies := sent()
	for _, want := range []string{`"TotalTax":4.99`, `{"Amount":1.67,"DetailType":"TaxLineDetail","TaxLineDetail":{"TaxRateRef":{"value":"12"}`, `{"Amount":3.32,"DetailType":"TaxLineDetail","TaxLineDetail":{"TaxRateRef":{"value":"13"}`} {
		if !strings.Contains(bodies, want) {
			t.Errorf("sent %s\nwithout %s", bodies, want)
		}
	}
}

func TestTaxOnPurchasesIsNeverNegativeTaxOnSales(t *testing.T) {
	t.Parallel()
	o := newOffice(t, britishReceipt)
	p := o.sample()
	p.Lines = append(p.Lines,
		target.Line{Account: "1100", Amount: -1200, Text: "Paid out"},
		target.Line{Account: "6000", Amount: 1000, Text: "Cleaner", Tax: &target.Tax{Code: o.tax, Base: 1000, Amount: 200, Direction: "PURCHASE"}},
		target.Line{Account: o.taxacc, Amount: 200, Control: true})
	if _, err := o.open(t).Post(t.Context(), p); !errors.Is(err, target.ErrRefused) || !strings.Contains(err.Error(), "tax on purchases") {
		t.Errorf("%v; want ErrRefused", err)
	}
}

func TestAReceiptHasOneLocation(t *testing.T) {
	t.Parallel()
	o := newOffice(t, britishReceipt)
	p := o.sample()
	p.Lines[0].Dimensions = map[string]string{"store": "High Street"}
	if _, err := o.open(t).Post(t.Context(), p); !errors.Is(err, target.ErrRefused) || !strings.Contains(err.Error(), "one location") {
		t.Errorf("%v; want ErrRefused", err)
	}
}

func TestTheFormIsThatOfTheCountry(t *testing.T) {
	t.Parallel()
	for country, want := range map[string]string{"US": quickbooks.FormJournal, "CA": quickbooks.FormReceipt, "GB": quickbooks.FormJournal, "AU": quickbooks.FormJournal} {
		if got := quickbooks.DefaultForm(country); got != want {
			t.Errorf("%s: %s, want %s", country, got, want)
		}
	}
}

// TestTaxThatQuickBooksWorksOutOtherwiseIsNotTakenForSent: a company that
// recomputes tax answers with another total.
func TestTaxThatQuickBooksWorksOutOtherwiseIsNotTakenForSent(t *testing.T) {
	t.Parallel()
	o := newOffice(t, britishReceipt)
	next := o.http.Transport
	o.http.Transport = round(func(r *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		if err != nil || !strings.Contains(r.URL.Path, "/salesreceipt") {
			return answer, err
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.ReplaceAll(body, []byte(`:20.00`), []byte(`:20.01`))
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return answer, nil
	})
	if _, err := o.open(t).Post(t.Context(), o.sample()); !unclear(err) || !strings.Contains(err.Error(), "something else than was sent") {
		t.Errorf("%v; want it to say that something else was booked", err)
	}
}

func TestAWarningIsAFailureAndWhatWasBookedIsTakenOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *office) {
		o.Fail(gate.Warn)
		if _, err := o.open(t).Post(t.Context(), o.sample()); !errors.Is(err, target.ErrRefused) || !strings.Contains(err.Error(), "Duplicate Document Number") {
			t.Errorf("%v; want ErrRefused with the warning", err)
		}
		if all := o.Documents(""); len(all) != 0 {
			t.Errorf("there stand %v", all)
		}
	})
}

func TestATokenThatEndsMidwayIsRenewedAndTheRequestSentOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t, britishJournal)
	o.Fail(gate.Revoke)
	if _, err := o.open(t).Post(t.Context(), o.sample()); err != nil {
		t.Fatal(err)
	}
	o.standsOnce(t, o.sample())
	if renewed, invalid := o.Identity.Renewals(); renewed != 1 || invalid != 0 {
		t.Errorf("renewed %d times, %d in vain", renewed, invalid)
	}
}

// byHand posts as another connector does: cash and sales of an amount.
func (o *office) byHand(t *testing.T, number, amount string) {
	t.Helper()
	token, err := o.access().Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body := `{"DocNumber":"` + number + `","TxnDate":"2026-11-03","PrivateNote":"by hand","Line":[
		{"Description":"x","Amount":` + amount + `,"DetailType":"JournalEntryLineDetail","JournalEntryLineDetail":{"PostingType":"Debit","AccountRef":{"value":"31"}}},
		{"Description":"y","Amount":` + amount + `,"DetailType":"JournalEntryLineDetail","JournalEntryLineDetail":{"PostingType":"Credit","AccountRef":{"value":"36"}}}]}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.url+"/v3/company/"+o.Realm+"/journalentry", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := o.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d", answer.StatusCode)
	}
}

func TestADocumentOfAnotherConnectorUnderOurNumberIsReadAsItStands(t *testing.T) {
	t.Parallel()
	o := newOffice(t, britishJournal)
	o.byHand(t, reference, "1.00")
	found, _, err := o.open(t).Find(t.Context(), reference)
	if err != nil || found == nil || found.Key != "" || len(found.Lines) != 2 || found.Lines[0].Account != "1100" || found.Lines[0].Amount != 100 {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := o.open(t).Post(t.Context(), o.sample()); !errors.Is(err, target.ErrTaken) {
		t.Errorf("posted: %v; want ErrTaken", err)
	}
}

// TestScenario61ADocumentOfAnotherConnectorWithTheSameDayTotalIsSeen, and ours is
// not.
func TestScenario61ADocumentOfAnotherConnectorWithTheSameDayTotalIsSeen(t *testing.T) {
	t.Parallel()
	o := newOffice(t, britishJournal)
	b := opened(t, o.options())
	if _, err := b.Post(t.Context(), o.sample()); err != nil {
		t.Fatal(err)
	}
	o.byHand(t, "1", "77.00")
	others, err := b.Others(t.Context(), "2026-11-03")
	if twin, found := target.Twin(o.sample(), others); err != nil || len(others) != 1 || found {
		t.Errorf("others %+v, twin %+v, %v", others, twin, err)
	}
	o.byHand(t, "2", "120.00")
	others, err = b.Others(t.Context(), "2026-11-03")
	if twin, found := target.Twin(o.sample(), others); err != nil || !found || twin.Number != "2" || twin.Total != 12000 {
		t.Errorf("others %+v, twin %+v, %v", others, twin, err)
	}
	if others, err := b.Others(t.Context(), "2026-11-04"); err != nil || len(others) != 0 {
		t.Errorf("the day after: %+v, %v", others, err)
	}
}

func TestAnAnswerThatCannotBeReadIsUnclear(t *testing.T) {
	t.Parallel()
	o := newOffice(t, britishJournal)
	next := o.http.Transport
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		for _, garbage := range []string{"{", "{}", `{"JournalEntry":7}`} {
			o.http.Transport = round(func(r *http.Request) (*http.Response, error) {
				answer, err := next.RoundTrip(r)
				if err == nil && r.Method == method && strings.Contains(r.URL.Path, "/journalentry") {
					answer.Body.Close()
					answer.Body = io.NopCloser(strings.NewReader(garbage))
				}
				return answer, err
			})
			p := o.sample()
			p.Reference = fmt.Sprintf("POS-S1-2026110%d", len(o.Documents("")))
			if _, err := o.open(t).Post(t.Context(), p); !unclear(err) {
				t.Errorf("%s of %s: %v; want an unclear outcome", garbage, method, err)
			}
		}
	}
}

// TestTwoDocumentsUnderOneNumberWaitForAPerson: QuickBooks takes a number twice,
// and neither is chosen.
func TestTwoDocumentsUnderOneNumberWaitForAPerson(t *testing.T) {
	t.Parallel()
	o := newOffice(t, britishJournal)
	o.byHand(t, reference, "1.00")
	o.byHand(t, reference, "1.00")
	if found, _, err := o.open(t).Find(t.Context(), reference); err == nil || !strings.Contains(err.Error(), "2 documents") {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := o.open(t).Post(t.Context(), o.sample()); !errors.Is(err, target.ErrTaken) {
		t.Errorf("posted: %v; want ErrTaken", err)
	}
	if references, err := o.open(t).List(t.Context(), reference); err != nil || len(references) != 1 {
		t.Errorf("listed %q, %v", references, err)
	}
}
