package shopify_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/feedtest"
	"tillbook.example/tillbook/collector/feed/shopify"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

type object = map[string]any

// world is a shop.
type world struct {
	orders   []object
	paid     map[string][]object // transactions of an order
	balance  []object            // the newest last
	payouts  []object
	issued   int // tokens of this generation and older ones are not known
	sequence int
	tokens   map[string][2]int // generation and offset
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func newWorld(t *testing.T) feedtest.World {
	w := &world{paid: map[string][]object{}, tokens: map[string][2]int{}}
	begin := feedtest.Noon.AddDate(0, 0, -3)
	for i := range 30 {
		w.order(int64(1000+i), begin.Add(time.Duration(i)*time.Hour), "paid")
	}
	w.orders[7]["financial_status"] = "pending"
	w.orders[8]["financial_status"] = "voided"
	w.refund(w.orders[9], 77, begin.Add(20*time.Hour))
	for i := range 300 {
		w.move(int64(5000+i), begin.Add(time.Duration(i)*10*time.Minute), "charge", "12.00", "0.40", "11.60", 1000+i)
	}
	w.payout(900, begin.AddDate(0, 0, 1), "paid")
	w.payout(901, begin.AddDate(0, 0, 2), "in_transit")
	return w
}

func (w *world) order(id int64, at time.Time, status string) {
	w.orders = append(w.orders, object{
		"id": id, "name": fmt.Sprintf("#%d", id), "created_at": stamp(at), "processed_at": stamp(at), "updated_at": stamp(at), "currency": "GBP", "email": "jo@example.com",
		"total_price": "12.00", "total_tax": "2.00", "taxes_included": true, "financial_status": status, "location_id": nil, "test": false, "refunds": []object{},
		"line_items": []object{
			{"id": id*10 + 1, "title": "Mug", "sku": "M", "quantity": 2, "price": "5.00", "discount_allocations": []object{{"amount": "1.00"}},
				"tax_lines": []object{{"title": "VAT", "rate": 0.2, "price": "1.50"}}},
		},
		"shipping_lines": []object{{"title": "Post", "price": "3.00", "discount_allocations": []object{}, "tax_lines": []object{{"title": "VAT", "rate": 0.2, "price": "0.50"}}}},
	})
	w.paid[strconv.FormatInt(id, 10)] = []object{
		{"id": id, "kind": "authorization", "status": "success", "amount": "12.00", "gateway": "shopify_payments", "currency": "GBP", "created_at": stamp(at)},
		{"id": id + 1, "kind": "capture", "status": "success", "amount": "12.00", "gateway": "shopify_payments", "currency": "GBP", "created_at": stamp(at.Add(time.Hour)),
			"payment_details": object{"credit_card_number": "•••• •••• •••• 4242", "credit_card_company": "Visa"}},
		{"id": id + 2, "kind": "capture", "status": "failure", "amount": "12.00", "gateway": "shopify_payments", "currency": "GBP", "created_at": stamp(at)},
	}
}

func (w *world) refund(o object, id int64, at time.Time) {
	item := o["line_items"].([]object)[0]
	o["refunds"] = append(o["refunds"].([]object), object{
		"id": id, "created_at": stamp(at), "processed_at": stamp(at),
		"refund_line_items": []object{{"quantity": 1, "subtotal": "4.50", "total_tax": "0.75", "line_item": item}},
		"order_adjustments": []object{},
		"transactions":      []object{{"id": id, "kind": "refund", "status": "success", "amount": "4.50", "gateway": "shopify_payments", "currency": "GBP", "created_at": stamp(at)}},
	})
	o["financial_status"], o["updated_at"] = "partially_refunded", stamp(at)
}

func (w *world) move(id int64, at time.Time, kind, amount, fee, net string, order int) {
	w.balance = append(w.balance, object{"id": id, "type": kind, "test": false, "payout_id": nil, "currency": "GBP", "amount": amount, "fee": fee, "net": net,
		"source_id": id, "source_order_id": order, "processed_at": stamp(at)})
}

func (w *world) payout(id int64, at time.Time, status string) {
	for _, b := range w.balance {
		if b["payout_id"] == nil && b["processed_at"].(string) < stamp(at) {
			b["payout_id"] = id
		}
	}
	w.payouts = append(w.payouts, object{"id": id, "status": status, "date": at.Format(time.DateOnly), "currency": "GBP", "amount": "11.60"})
}

func (w *world) Grow(at time.Time) {
	w.order(2000, at, "paid")
	w.refund(w.orders[3], 78, at)
	w.orders[7]["financial_status"], w.orders[7]["updated_at"] = "paid", stamp(at)
	w.payouts[1]["status"] = "failed"
	w.move(7000, at, "charge", "12.00", "0.40", "11.60", 2000)
	w.move(7001, at, "payout_failure", "11.60", "0.00", "11.60", 0)
}

func (w *world) Forget() bool { w.issued = w.sequence; return true }

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	answer := func(v any) { _ = json.NewEncoder(rw).Encode(v) } // the test reads what arrives
	if r.Header.Get("X-Shopify-Access-Token") != "shpat_1" {
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	path, _ := strings.CutPrefix(r.URL.Path, shopify.Path)
	if id, ok := strings.CutSuffix(strings.TrimPrefix(path, "/orders/"), "/transactions.json"); ok && strings.HasPrefix(path, "/orders/") {
		answer(object{"transactions": w.paid[id]})
		return
	}
	query := r.URL.Query()
	var all []object
	name := ""
	switch path {
	case "/orders.json":
		name = "orders"
		for _, o := range w.orders {
			if query.Has("page_info") || o["updated_at"].(string) >= query.Get("updated_at_min") {
				all = append(all, o)
			}
		}
		slices.SortStableFunc(all, func(a, b object) int { return strings.Compare(a["updated_at"].(string), b["updated_at"].(string)) })
	case "/shopify_payments/balance/transactions.json":
		name = "transactions"
		for _, b := range slices.Backward(w.balance) {
			if id := query.Get("payout_id"); id == "" || fmt.Sprint(b["payout_id"]) == id {
				all = append(all, b)
			}
		}
	case "/shopify_payments/payouts.json":
		name, all = "payouts", w.payouts
	default:
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	from := 0
	if token := query.Get("page_info"); token != "" {
		known, ok := w.tokens[token]
		if !ok || known[0] <= w.issued {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		from = known[1]
		if name == "orders" { // the token knows what was asked for
			all = all[len(all)-known[1]:]
			from = 0
		}
	}
	limit, _ := strconv.Atoi(query.Get("limit"))
	if end := from + limit; end < len(all) {
		w.sequence++
		token := fmt.Sprintf("t%d", w.sequence)
		w.tokens[token] = [2]int{w.sequence, end}
		if name == "orders" {
			w.tokens[token] = [2]int{w.sequence, len(all) - end} // how many are left
		}
		rw.Header().Set("Link", fmt.Sprintf(`<https://x/admin/%s.json?limit=%d&page_info=%s>; rel="next"`, name, limit, token))
		answer(object{name: all[from:end]})
		return
	}
	answer(object{name: append([]object{}, all[from:]...)})
}

func open(_ *testing.T, base string, f merchant.Feed, now func() time.Time) feed.Source {
	return shopify.Open(shopify.Options{Base: base, Token: "shpat_1", Store: f.Store, Orders: true, Payments: true, Start: feedtest.Noon.AddDate(0, 0, -30), Now: now, Limit: rate.NewLimiter(rate.Inf, 1)})
}

var web = merchant.Feed{ID: "web", Source: "shopify", Stores: map[string]string{"*": "web"}}

func TestShopifyPassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, feedtest.Kit{Feed: web, World: newWorld, Open: open})
}

func pulled(t *testing.T, w http.Handler) feed.Page {
	t.Helper()
	return feedtest.Collect(t, w, func(base string, now func() time.Time) feed.Source { return open(t, base, web, now) })
}

func byKey(page feed.Page) map[string]*document.Document {
	all := map[string]*document.Document{}
	for _, d := range page.Documents {
		all[d.Key.Number] = d.Document
	}
	return all
}

func TestAnOrderIsASaleOnceItIsPaidAndEachRefundAReturn(t *testing.T) {
	t.Parallel()
	all := byKey(pulled(t, newWorld(t)))
	for number, want := range map[string]document.Kind{"1000-order": document.Sale, "1007-order": document.Order, "1008-order": document.Cancelled, "77-refund": document.Return} {
		d := all[number]
		if d == nil || d.Kind != want {
			t.Errorf("%s: %+v, want %s", number, d, want)
			continue
		}
		if err := d.Settle(); err != nil || len(d.Totals.Differences) > 0 {
			t.Errorf("%s does not add up: %+v, %v", number, d.Totals.Differences, err)
		}
	}
	sale := all["1000-order"]
	if x := sale.Tenders; len(x) != 1 || x[0].Amount != money.MustParse("12") || x[0].Kind != document.CardUnknown || x[0].Masked != "4242" || x[0].Brand != "Visa" {
		t.Errorf("%+v", x)
	}
	if !sale.Time.UTC.Equal(feedtest.Noon.AddDate(0, 0, -3).Add(time.Hour)) {
		t.Errorf("the sale is of %s, not of its payment", sale.Time.UTC)
	}
	if l := sale.Lines[0]; l.Extended != money.MustParse("10") || l.Taxes[0].Base != money.MustParse("7.50") || l.Taxes[0].Rate != money.MustParse("20") || l.Taxes[0].Scheme != "VAT" {
		t.Errorf("%+v", l)
	}
	back := all["77-refund"]
	if back.Tenders[0].Amount != money.MustParse("-4.50") || back.Lines[0].Taxes[0].Amount != money.MustParse("-0.75") || back.Links[0].Key.Number != "1009-order" {
		t.Errorf("%+v", back)
	}
	text, err := json.Marshal(all)
	if err != nil || strings.Contains(string(text), "jo@example.com") {
		t.Errorf("a customer is in the documents: %v", err)
	}
}

func TestWhatShopifyPaymentsOwesNamesOrderAndPayout(t *testing.T) {
	t.Parallel()
	w := newWorld(t).(*world)
	last := map[string]feed.Movement{}
	for _, m := range pulled(t, w).Movements {
		if m.Version >= last[m.Key].Version {
			last[m.Key] = m
		}
	}
	for _, b := range w.balance {
		m := last[fmt.Sprint(b["id"])]
		payout := ""
		if b["payout_id"] != nil {
			payout = fmt.Sprint(b["payout_id"])
		}
		if m.Kind != settle.Charge || m.Amount != money.MustParse("12") || m.Fee != money.MustParse("0.40") || m.Payout != payout || m.Receipt != fmt.Sprint(b["source_order_id"])+"-order" {
			t.Fatalf("%+v of %v", m, b)
		}
	}
}

// shop answers with the vendor's own examples.
type shop map[string]string

func (s shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, ok := s[strings.TrimPrefix(r.URL.Path, shopify.Path)]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte(text)) // the test reads what arrives
}

func TestTheVendorsOwnExamplesAreRead(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("TILLBOOK_REFERENCE")
	if folder == "" {
		t.Skip("reference data: TILLBOOK_REFERENCE is not set")
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(folder, "samples", "shopify", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	one := strings.TrimSpace(read("payments_transaction.json"))
	orders := strings.Replace(read("orders.json"), `"test":true`, `"test":false`, 1)
	page := feedtest.Collect(t, shop{
		"/orders.json": orders, "/orders/123456/transactions.json": read("transactions.json"), "/shopify_payments/payouts.json": read("payouts.json"),
		"/shopify_payments/balance/transactions.json": `{"transactions": [` + one[strings.Index(one, ":")+1:len(one)-1] + `]}`,
	}, func(base string, now func() time.Time) feed.Source {
		return shopify.Open(shopify.Options{Base: base, Store: web.Store, Orders: true, Payments: true, Now: now})
	})
	if len(page.Documents) != 1 || page.Documents[0].Kind != document.Cancelled || page.Documents[0].State != document.Voided {
		t.Errorf("%+v", page.Documents)
	}
	if len(page.Payouts) != 2 || page.Payouts[0].State != settle.Pending || page.Payouts[1].State != settle.Failed || page.Payouts[0].Amount != money.MustParse("43.12") {
		t.Errorf("%+v", page.Payouts)
	}
	if m := page.Movements; len(m) == 0 || m[0].Amount != money.MustParse("-50") || m[0].Kind != settle.Correction || m[0].Payout != "623721858" {
		t.Errorf("%+v", m)
	}
}
