package stripe_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/feedtest"
	"tillbook.example/tillbook/collector/feed/stripe"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/money"
)

type object = map[string]any

// world is an account at Stripe: its lists have the newest first.
type world struct {
	transactions []object
	payouts      []object
	paidWith     map[string]string // payout of a transaction
	gone         bool
}

func newWorld(t *testing.T) feedtest.World {
	w := &world{paidWith: map[string]string{}}
	day := int64(24 * 3600)
	begin := feedtest.Noon.Unix() - 5*day
	for i := range 130 {
		w.add(begin+int64(i)*3000, "charge", 1000+int64(i), 30, object{
			"id": fmt.Sprintf("ch_%d", i), "object": "charge", "amount": 1000 + i, "currency": "gbp", "receipt_number": nil, "metadata": object{"order_id": strconv.Itoa(i)},
			"payment_method_details": object{"card": object{"brand": "visa", "last4": "4242", "authorization_code": nil}},
		})
	}
	w.add(begin+day, "refund", -500, 0, object{"id": "re_1", "object": "refund", "amount": 500, "currency": "gbp", "charge": "ch_3"})
	w.add(begin+2*day, "dispute", -1007, 1500, object{"id": "dp_1", "object": "dispute", "amount": 1007, "currency": "gbp", "charge": "ch_7"})
	w.payout("po_1", begin+day, "paid")
	w.payout("po_2", begin+3*day, "in_transit")
	return w
}

func (w *world) add(at int64, category string, amount, fee int64, source any) string {
	id := fmt.Sprintf("txn_%03d", len(w.transactions))
	w.transactions = append(w.transactions, object{
		"id": id, "object": "balance_transaction", "amount": amount, "fee": fee, "net": amount - fee, "currency": "gbp", "created": at, "available_on": at + 7*24*3600,
		"type": category, "reporting_category": category, "source": source, "exchange_rate": nil, "fee_details": []object{{"amount": fee, "type": "stripe_fee"}},
	})
	return id
}

// payout pays out everything that was made before a moment and is not paid out.
func (w *world) payout(id string, at int64, status string) {
	sum := int64(0)
	for _, t := range w.transactions {
		if key := t["id"].(string); t["created"].(int64) < at && w.paidWith[key] == "" {
			w.paidWith[key] = id
			sum += t["net"].(int64)
		}
	}
	w.paidWith[w.add(at, "payout", -sum, 0, object{"id": id, "object": "payout", "amount": sum, "currency": "gbp"})] = id
	w.payouts = append(w.payouts, object{
		"id": id, "object": "payout", "amount": sum, "currency": "gbp", "created": at, "arrival_date": at + 2*24*3600, "status": status, "automatic": true,
		"method": "standard", "reconciliation_status": "completed", "statement_descriptor": "SHOP", "trace_id": object{"status": "supported", "value": "ref " + id}, "failure_code": nil,
	})
}

func (w *world) Grow(at time.Time) {
	w.add(at.Unix(), "charge", 7777, 40, object{"id": "ch_new", "object": "charge", "amount": 7777, "currency": "gbp"})
	w.payouts[1]["status"] = "failed"
	w.payouts[1]["failure_code"] = "account_closed"
	w.add(at.Unix(), "payout_reversal", 5, 0, object{"id": "po_2", "object": "payout", "amount": 5, "currency": "gbp"})
	w.payout("po_3", at.Unix(), "pending")
}

func (w *world) Forget() bool { w.gone = true; return true }

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	answer := func(v any) { _ = json.NewEncoder(rw).Encode(v) } // the test reads what arrives
	query := r.URL.Query()
	if r.Header.Get("Authorization") != "Bearer rk_1" {
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	if w.gone && query.Get("starting_after") != "" {
		w.gone = false
		rw.WriteHeader(http.StatusBadRequest)
		answer(object{"error": object{"code": "resource_missing", "message": "No such balance transaction"}})
		return
	}
	from, _ := strconv.ParseInt(query.Get("created[gte]"), 10, 64) // none: all
	var all []object
	switch r.URL.Path {
	case "/v1/balance":
		answer(object{"object": "balance", "available": []object{{"amount": 100, "currency": "gbp"}}, "pending": []object{{"amount": -250, "currency": "gbp"}}})
		return
	case "/v1/payouts":
		all = slices.Clone(w.payouts)
	case "/v1/balance_transactions":
		for _, t := range w.transactions {
			if p := query.Get("payout"); p == "" || w.paidWith[t["id"].(string)] == p {
				all = append(all, t)
			}
		}
	default:
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	all = slices.DeleteFunc(all, func(o object) bool { return o["created"].(int64) < from })
	slices.SortFunc(all, func(a, b object) int {
		return cmp.Or(cmp.Compare(b["created"].(int64), a["created"].(int64)), cmp.Compare(b["id"].(string), a["id"].(string)))
	})
	if after := query.Get("starting_after"); after != "" {
		i := slices.IndexFunc(all, func(o object) bool { return o["id"] == after })
		if i < 0 {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		all = all[i+1:]
	}
	limit, _ := strconv.Atoi(query.Get("limit"))
	more := len(all) > limit
	answer(object{"object": "list", "data": all[:min(limit, len(all))], "has_more": more})
}

func open(_ *testing.T, base string, f merchant.Feed, now func() time.Time) feed.Source {
	return stripe.Open(stripe.Options{Base: base, Key: "rk_1", Start: feedtest.Noon.AddDate(0, 0, -30), Now: now})
}

func TestStripePassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, feedtest.Kit{Feed: merchant.Feed{ID: "cards", Source: "stripe"}, World: newWorld, Open: open})
}

// pulled asks a world until it has handed over everything.
func pulled(t *testing.T, w http.Handler) (all feed.Page) {
	t.Helper()
	return feedtest.Collect(t, w, func(base string, now func() time.Time) feed.Source { return open(t, base, merchant.Feed{}, now) })
}

func TestWhatStripeOwesIsTheSumOfItsTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t).(*world)
	var want int64
	for _, x := range w.transactions {
		want += x["net"].(int64)
	}
	page := pulled(t, w)
	last := map[string]feed.Movement{}
	for _, m := range page.Movements {
		if m.Version >= last[m.Key].Version {
			last[m.Key] = m
		}
	}
	var sum money.Sum
	unpaid := 0
	for _, m := range last {
		change, err := m.Change()
		if err != nil {
			t.Fatal(err)
		}
		sum.Add(change)
		if w.paidWith[m.Key] != m.Payout {
			t.Errorf("%s was paid out with %q, not %q", m.Key, w.paidWith[m.Key], m.Payout)
		}
		if m.Payout == "" {
			unpaid++
		}
	}
	got, err := sum.Value()
	if minor, rest := money.ToMinor(got, 2); err != nil || int64(minor) != want || rest != 0 || unpaid == 0 || len(last) != len(w.transactions) {
		t.Errorf("%d movements add up to %s, %v; want %d minor units of %d", len(last), got, err, want, len(w.transactions))
	}
	if m := last["txn_003"]; m.Kind != settle.Charge || m.Amount != money.MustParse("10.03") || m.Fee != money.MustParse("0.30") || m.LastFour != "4242" || m.Brand != "visa" || m.Receipt != "3" || m.Raw != "charge" {
		t.Errorf("%+v", m)
	}
	if m := last["txn_130"]; m.Kind != settle.Refund || m.Of != "ch_3" || m.Amount != money.MustParse("-5") {
		t.Errorf("%+v", m)
	}
	if m := last["txn_131"]; m.Kind != settle.Dispute || m.Fee != money.MustParse("15") || m.Amount != money.MustParse("-10.07") {
		t.Errorf("%+v", m)
	}
	if len(page.Balances) != 1 || page.Balances[0].Available != money.MustParse("1") || page.Balances[0].Pending != money.MustParse("-2.5") {
		t.Errorf("%+v", page.Balances)
	}
	if p := page.Payouts[len(page.Payouts)-1]; p.Key != "po_1" || p.State != settle.Arrived || p.Arrival != "2026-02-28" || p.Reference != "ref po_1" {
		t.Errorf("%+v", p)
	}
}

// one answers each list with what it is given.
type one map[string]any

func (o one) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, ok := o[r.URL.Path]
	if !ok || r.URL.Query().Get("payout") != "" {
		v = []any{}
	}
	if r.URL.Path != "/v1/balance" {
		v = object{"object": "list", "data": v, "has_more": false}
	}
	_ = json.NewEncoder(w).Encode(v) // the test reads what arrives
}

func TestAPaymentInAnotherCurrencyKeepsWhatTheCustomerPaid(t *testing.T) {
	t.Parallel()
	page := pulled(t, one{
		"/v1/balance": object{"object": "balance"},
		"/v1/balance_transactions": []object{{"id": "txn_1", "amount": 800, "fee": 50, "net": 750, "currency": "kwd", "created": 1772000000, "available_on": 1772000000,
			"type": "charge", "reporting_category": "charge", "exchange_rate": 0.00210526315789, "source": object{"id": "ch", "object": "charge", "amount": 380, "currency": "jpy"},
			"fee_details": []object{{"amount": 40, "type": "stripe_fee"}, {"amount": 10, "type": "tax"}}}},
	})
	m := page.Movements[0]
	want := settle.Presented{Currency: "JPY", Amount: money.MustParse("380"), Rate: money.MustParse("0.002105")}
	if m.Amount != money.MustParse("0.8") || m.FeeTax != money.MustParse("0.01") || m.Presented == nil || *m.Presented != want || !m.Available.IsZero() {
		t.Errorf("%+v %+v", m, m.Presented)
	}
}

func TestAnAmountThatDoesNotAddUpIsNotTaken(t *testing.T) {
	t.Parallel()
	source := func(base string, now func() time.Time) feed.Source { return open(t, base, merchant.Feed{}, now) }
	err := feedtest.Refused(t, one{"/v1/balance_transactions": []object{{"id": "txn_1", "amount": 800, "fee": 50, "net": 800, "currency": "gbp", "created": 1772000000}}}, source)
	if err == nil {
		t.Error("800 less 50 is taken for 800")
	}
}

func TestTheVendorsOwnExamplesAreRead(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("TILLBOOK_REFERENCE")
	if folder == "" {
		t.Skip("reference data: TILLBOOK_REFERENCE is not set")
	}
	text, err := os.ReadFile(filepath.Join(folder, "samples", "stripe", "fixtures3-excerpt.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Resources map[string]object }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	r := file.Resources
	charge, refund, dispute := clone(r["balance_transaction"]), clone(r["balance_transaction"]), clone(r["balance_transaction"])
	charge["source"] = r["charge"]
	refund["id"], refund["source"], refund["reporting_category"], refund["amount"], refund["net"] = "txn_2", r["refund"], "refund", -100, -100
	dispute["id"], dispute["source"], dispute["reporting_category"], dispute["amount"], dispute["net"] = "txn_3", r["dispute"], "dispute", -100, -100
	page := pulled(t, one{"/v1/balance": r["balance"], "/v1/balance_transactions": []any{charge, refund, dispute}, "/v1/payouts": []any{r["payout"]}})
	if len(page.Movements) != 3 || len(page.Payouts) != 1 || len(page.Balances) != 1 {
		t.Fatalf("%+v", page)
	}
	if m := page.Movements[0]; m.Amount != money.One || m.Brand != "visa" || m.LastFour != "4242" || m.Currency != "USD" {
		t.Errorf("%+v", m)
	}
	if p := page.Payouts[0]; p.Amount != money.MustParse("11") || p.State != settle.OnTheWay {
		t.Errorf("%+v", p)
	}
}

func clone(o object) object {
	out := object{}
	for k, v := range o {
		out[k] = v
	}
	return out
}

func TestEachCurrencyIsCountedAsStripeDoes(t *testing.T) {
	t.Parallel()
	for currency, want := range map[string]int{"GBP": 2, "JPY": 0, "KWD": 3, "ISK": 2, "UGX": 2, "MGA": 0} {
		if got, err := stripe.Places(currency); err != nil || got != want {
			t.Errorf("%s has %d places, %v; want %d", currency, got, err, want)
		}
	}
}
