package square_test

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
	"tillbook.example/tillbook/collector/feed/square"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

type object = map[string]any

// world is a seller with two locations.
type world struct {
	orders, payments, refunds, disputes, payouts, shifts []object
	entries, events                                      map[string][]object
	tokens                                               map[string]int // what is left
	sequence, gone                                       int
	most                                                 int
}

func usd(minor int64) object { return object{"amount": minor, "currency": "USD"} }

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

func newWorld(t *testing.T) feedtest.World {
	w := &world{entries: map[string][]object{}, events: map[string][]object{}, tokens: map[string]int{}, most: 20}
	begin := feedtest.Noon.AddDate(0, 0, -3)
	for i := range 30 {
		w.sale(fmt.Sprintf("o%dx", i), begin.Add(time.Duration(i)*time.Hour), []string{"L1", "L2"}[i%2], i%5 != 4)
	}
	w.refund("r1x", "o2x", begin.Add(40*time.Hour))
	w.disputes = append(w.disputes,
		object{"id": "d1", "state": "WON", "amount_money": usd(1150), "created_at": stamp(begin), "reported_at": stamp(begin), "updated_at": stamp(begin.AddDate(0, 0, 1)), "location_id": "L1", "disputed_payment": object{"payment_id": "p-o0x"}},
		object{"id": "d2", "state": "INQUIRY_CLOSED", "amount_money": usd(9), "created_at": stamp(begin), "updated_at": stamp(begin), "location_id": "L1"})
	w.payout("po_1", begin.Add(20*time.Hour), "L1", "PAID")
	w.payout("po_2", begin.Add(25*time.Hour), "L2", "SENT")
	w.shifts = append(w.shifts,
		object{"id": "s1", "state": "CLOSED", "opened_at": stamp(begin), "ended_at": stamp(begin.Add(8 * time.Hour)), "closed_at": stamp(begin.Add(9 * time.Hour)), "opened_cash_money": usd(10000), "closed_cash_money": usd(13000), "location_id": "L1"},
		object{"id": "s2", "state": "OPEN", "opened_at": stamp(feedtest.Noon.Add(-time.Hour)), "opened_cash_money": usd(5000), "location_id": "L1"})
	w.events["s1"] = []object{
		{"id": "e1", "event_type": "CASH_TENDER_PAYMENT", "event_money": usd(3500), "created_at": stamp(begin)},
		{"id": "e2", "event_type": "PAID_OUT", "event_money": usd(500), "created_at": stamp(begin.Add(time.Hour)), "description": "Milk"},
	}
	return w
}

func (w *world) sale(id string, at time.Time, location string, card bool) {
	tender := object{"id": "t-" + id, "type": "CASH", "amount_money": usd(1150), "tip_money": usd(0)}
	payment := object{"id": "p-" + id, "status": "COMPLETED", "created_at": stamp(at), "updated_at": stamp(at), "location_id": location, "order_id": id, "source_type": "CASH", "total_money": usd(1150)}
	if card {
		tender["type"] = "CARD"
		tender["card_details"] = object{"card": object{"card_brand": "VISA", "last_4": "1111", "card_type": "DEBIT"}}
		payment["source_type"] = "CARD"
		payment["processing_fee"] = []object{{"amount_money": usd(34), "type": "INITIAL"}}
		payment["card_details"] = object{"auth_result_code": "A1", "card": object{"card_brand": "VISA", "last_4": "1111"}}
	}
	w.orders = append(w.orders, object{
		"id": id, "state": "COMPLETED", "location_id": location, "created_at": stamp(at), "updated_at": stamp(at), "closed_at": stamp(at),
		"line_items": []object{{"uid": "1", "name": "Tea", "quantity": "2", "base_price_money": usd(500), "gross_sales_money": usd(1000), "total_discount_money": usd(100),
			"total_tax_money": usd(90), "total_money": usd(990), "applied_taxes": []object{{"tax_uid": "v", "applied_money": usd(90)}}}},
		"service_charges": []object{{"name": "Service", "applied_money": usd(60), "total_money": usd(60)}},
		"taxes":           []object{{"uid": "v", "name": "City", "percentage": "10", "type": "ADDITIVE"}},
		"tenders":         []object{tender}, "total_money": usd(1050 + 100), "total_tax_money": usd(90), "total_tip_money": usd(100),
	})
	tender["tip_money"] = usd(100)
	w.payments = append(w.payments, payment)
}

func (w *world) refund(id, of string, at time.Time) {
	w.orders = append(w.orders, object{
		"id": id, "state": "COMPLETED", "location_id": "L1", "created_at": stamp(at), "updated_at": stamp(at), "closed_at": stamp(at), "total_money": usd(0), "total_tax_money": usd(0),
		"returns": []object{{"source_order_id": of, "return_taxes": []object{{"uid": "v", "name": "City", "percentage": "10", "type": "ADDITIVE"}},
			"return_line_items": []object{{"name": "Tea", "quantity": "1", "gross_return_money": usd(500), "total_discount_money": usd(50), "applied_taxes": []object{{"tax_uid": "v", "applied_money": usd(45)}}}}}},
		"refunds": []object{{"id": "x", "tender_id": "t-" + of, "status": "APPROVED", "amount_money": usd(495)}},
	})
	w.refunds = append(w.refunds, object{"id": "re-" + id, "status": "COMPLETED", "created_at": stamp(at), "updated_at": stamp(at), "location_id": "L1", "order_id": id, "payment_id": "p-" + of, "destination_type": "CARD", "amount_money": usd(495)})
}

func (w *world) payout(id string, at time.Time, location, status string) {
	sum := int64(0)
	for _, p := range w.payments {
		if p["location_id"] == location && p["source_type"] == "CARD" && p["created_at"].(string) < stamp(at) {
			sum += 1150 - 34
			w.entries[id] = append(w.entries[id], object{"id": "e-" + p["id"].(string), "type": "CHARGE", "effective_at": stamp(at), "gross_amount_money": usd(1150), "fee_amount_money": usd(34), "net_amount_money": usd(1150 - 34),
				"type_charge_details": object{"payment_id": p["id"]}})
		}
	}
	w.entries[id] = append(w.entries[id], object{"id": "fee-" + id, "type": "FEE", "effective_at": stamp(at), "gross_amount_money": usd(0), "fee_amount_money": usd(20), "net_amount_money": usd(-20)})
	w.payouts = append(w.payouts, object{"id": id, "status": status, "location_id": location, "created_at": stamp(at), "updated_at": stamp(at), "arrival_date": at.AddDate(0, 0, 1).Format(time.DateOnly),
		"end_to_end_id": "E-" + id, "version": 1, "type": "BATCH", "amount_money": object{"amount": sum - 20, "currency_code": "USD"}})
}

func (w *world) Grow(at time.Time) {
	w.sale("newx", at, "L1", true)
	w.orders[4]["state"], w.orders[4]["updated_at"] = "CANCELED", stamp(at)
	w.payments[0]["updated_at"] = stamp(at) // paid out already
	w.payouts[1]["status"], w.payouts[1]["updated_at"] = "FAILED", stamp(at)
	w.shifts[1]["state"], w.shifts[1]["closed_at"], w.shifts[1]["closed_cash_money"] = "CLOSED", stamp(at), usd(6000)
}

func (w *world) Forget() bool { w.gone = w.sequence; return true }

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	answer := func(v any) { _ = json.NewEncoder(rw).Encode(v) } // the test reads what arrives
	if r.Header.Get("Authorization") != "Bearer EAAA" {
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	query := r.URL.Query()
	cursor, location, since := query.Get("cursor"), query.Get("location_id"), query.Get("updated_at_begin_time")
	name, all := "", []object(nil)
	one := func(all []object, name, id string) {
		if i := slices.IndexFunc(all, func(o object) bool { return o["id"] == id }); i >= 0 {
			answer(object{name: all[i]})
			return
		}
		rw.WriteHeader(http.StatusNotFound)
	}
	part := strings.Split(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
	switch path := strings.Join(part, "/"); {
	case path == "orders/search":
		var asked struct {
			Cursor string
			Query  struct {
				Filter struct {
					Time struct {
						Updated struct {
							Start string `json:"start_at"`
						} `json:"updated_at"`
					} `json:"date_time_filter"`
				}
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		name, all, cursor, since = "orders", w.orders, asked.Cursor, asked.Query.Filter.Time.Updated.Start
	case len(part) == 2 && part[0] == "orders":
		one(w.orders, "order", part[1])
		return
	case len(part) == 2 && part[0] == "payments":
		one(w.payments, "payment", part[1])
		return
	case len(part) == 2 && part[0] == "refunds":
		one(w.refunds, "refund", part[1])
		return
	case path == "payments":
		name, all = path, w.payments
	case path == "refunds":
		name, all = path, w.refunds
	case path == "disputes":
		name, all = path, w.disputes
	case path == "payouts":
		name, all = path, w.payouts
	case path == "cash-drawers/shifts":
		name, all = "cash_drawer_shifts", w.shifts
	case part[len(part)-1] == "events":
		name, all, location = "cash_drawer_shift_events", w.events[part[2]], ""
	case part[len(part)-1] == "payout-entries":
		name, all = "payout_entries", w.entries[part[1]]
	default:
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	found := []object{}
	for _, o := range all {
		updated, _ := o["updated_at"].(string) // some have none
		if location != "" && o["location_id"] != location || since != "" && updated < since {
			continue
		}
		found = append(found, o)
	}
	slices.SortStableFunc(found, func(a, b object) int {
		return strings.Compare(fmt.Sprint(a["updated_at"]), fmt.Sprint(b["updated_at"]))
	})
	if cursor != "" {
		number, _ := strconv.Atoi(cursor)
		left, ok := w.tokens[cursor]
		if !ok || number <= w.gone {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		found = found[len(found)-left:]
	}
	if len(found) > w.most {
		w.sequence++
		w.tokens[strconv.Itoa(w.sequence)] = len(found) - w.most
		answer(object{name: found[:w.most], "cursor": strconv.Itoa(w.sequence)})
		return
	}
	answer(object{name: found})
}

var shops = merchant.Feed{ID: "shops", Source: "square", Stores: map[string]string{"L1": "leeds", "L2": "york"}}

func opened(base string, now func() time.Time) feed.Source {
	s, err := square.Open(square.Options{Base: base, Token: "EAAA", Locations: []string{"L1", "L2"}, Store: shops.Store, Orders: true,
		Start: feedtest.Noon.AddDate(0, 0, -30), Now: now, Limit: rate.NewLimiter(rate.Inf, 1)})
	if err != nil {
		panic(err)
	}
	return s
}

func TestSquarePassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, feedtest.Kit{Feed: shops, World: newWorld, Open: func(_ *testing.T, base string, _ merchant.Feed, now func() time.Time) feed.Source {
		return opened(base, now)
	}})
}

func TestOrdersAndDrawersBecomeDocumentsThatAddUp(t *testing.T) {
	t.Parallel()
	all := map[string]*document.Document{}
	for _, d := range feedtest.Collect(t, newWorld(t), opened).Documents {
		all[d.Key.Number] = d.Document
		if err := d.Settle(); err != nil || len(d.Totals.Differences) > 0 {
			t.Errorf("%s does not add up: %+v, %v", d.Key, d.Totals.Differences, err)
		}
	}
	sale := all["o0x"]
	if sale.Kind != document.Sale || sale.Key.Store != "leeds" || all["o1x"].Key.Store != "york" {
		t.Errorf("%+v", sale)
	}
	if x := sale.Tenders[0]; x.Kind != document.CardDebit || x.Amount != money.MustParse("11.50") || x.Tip != money.MustParse("1") || x.Masked != "1111" {
		t.Errorf("%+v", x)
	}
	if l := sale.Lines[0]; l.Extended != money.MustParse("10") || l.Taxes[0].Base != money.MustParse("9") || l.Taxes[0].Amount != money.MustParse("0.90") {
		t.Errorf("%+v", l)
	}
	if all["o4x"].Tenders[0].Kind != document.Cash {
		t.Errorf("%+v", all["o4x"].Tenders)
	}
	back := all["r1x"]
	if back.Kind != document.Return || back.Tenders[0].Kind != document.CardDebit || back.Tenders[0].Amount != money.MustParse("-4.95") || back.Links[0].Key.Number != "o2x" {
		t.Errorf("%+v", back)
	}
	if d := all["s1-close"]; d.Kind != document.TillCount || *d.Count.Left != money.MustParse("130") || d.Count.Stage != "CLOSE" {
		t.Errorf("%+v", d)
	}
	if d := all["e2-event"]; d.Kind != document.PayOut || d.Movement.Amount != money.MustParse("5") || d.Movement.Reason != "Milk" {
		t.Errorf("%+v", d)
	}
	if all["s2-open"] != nil {
		t.Error("a shift that is not closed is read")
	}
}

func TestTaxInThePriceIsTakenOutOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t).(*world)
	w.orders = w.orders[:1]
	o := w.orders[0]
	o["taxes"].([]object)[0]["type"] = "INCLUSIVE"
	o["total_money"], o["total_tax_money"] = usd(960+100), usd(82)
	o["line_items"].([]object)[0]["applied_taxes"].([]object)[0]["applied_money"] = usd(82)
	o["tenders"].([]object)[0]["amount_money"] = usd(960 + 100)
	d := feedtest.Collect(t, w, opened).Documents[0]
	if err := d.Settle(); err != nil || len(d.Totals.Differences) > 0 || d.PriceBasis != document.TaxIncluded || d.Lines[0].Taxes[0].Base != money.MustParse("8.18") || d.Lines[0].Taxes[0].Scheme != "VAT" {
		t.Errorf("%+v %+v, %v", d.Lines[0], d.Totals, err)
	}
}

func TestWhatSquareOwesNamesItsPayouts(t *testing.T) {
	t.Parallel()
	last := map[string]feed.Movement{}
	page := feedtest.Collect(t, newWorld(t), opened)
	for _, m := range page.Movements {
		if m.Version >= last[m.Key].Version {
			last[m.Key] = m
		}
	}
	if m := last["p-o0x"]; m.Kind != settle.Charge || m.Payout != "po_1" || m.Amount != money.MustParse("11.50") || m.Fee != money.MustParse("0.34") || m.Receipt != "o0x" || m.LastFour != "1111" || m.Authorisation != "A1" {
		t.Errorf("%+v", m)
	}
	if _, cash := last["p-o4x"]; cash {
		t.Error("Square owes cash")
	}
	if m := last["re-r1x"]; m.Kind != settle.Refund || m.Amount != money.MustParse("-4.95") || m.Of != "p-o2x" {
		t.Errorf("%+v", m)
	}
	if a, b := last["d1"], last["d1-won"]; a.Amount != money.MustParse("-11.50") || b.Kind != settle.DisputeWon || b.Amount != -a.Amount || b.Of != "d1" {
		t.Errorf("%+v %+v", a, b)
	}
	var sum money.Sum
	for _, m := range last {
		if m.Payout == "po_1" {
			change, err := m.Change()
			if err != nil {
				t.Fatal(err)
			}
			sum.Add(change)
		}
	}
	if left, err := sum.Value(); err != nil || left != 0 {
		t.Errorf("a payout leaves %s of what it paid out, %v", left, err)
	}
}

func TestTheVendorsOwnExamplesAreRead(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("TILLBOOK_REFERENCE")
	if folder == "" {
		t.Skip("reference data: TILLBOOK_REFERENCE is not set")
	}
	read := func(name string) (o object) {
		text, err := os.ReadFile(filepath.Join(folder, "samples", "square", name+"Response.json"))
		if err == nil {
			err = json.Unmarshal(text, &o)
		}
		if err != nil {
			t.Fatal(err)
		}
		delete(o, "cursor")
		return o
	}
	order := read("PayOrder")["order"].(map[string]any)
	page := feedtest.Collect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers := map[string]object{"/v2/orders/search": {"orders": []any{order}}, "/v2/payments": read("ListPayments"), "/v2/refunds": read("ListPaymentRefunds"), "/v2/disputes": read("ListDisputes"), "/v2/payouts": read("ListPayouts")}
		_ = json.NewEncoder(w).Encode(answers[r.URL.Path]) // the test reads what arrives
	}), func(base string, now func() time.Time) feed.Source {
		s, err := square.Open(square.Options{Base: base, Locations: []string{"L88917AVBK2S5"}, Store: func(string) string { return "main" }, Orders: true, Now: now, Limit: rate.NewLimiter(rate.Inf, 1)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
	if len(page.Documents) != 1 || len(page.Documents[0].Tenders) != 2 || *page.Documents[0].Totals.Stated.Gross != money.MustParse("20") {
		t.Errorf("%+v", page.Documents)
	}
	if err := page.Documents[0].Settle(); err != nil || len(page.Documents[0].Totals.Differences) > 0 {
		t.Errorf("%+v, %v", page.Documents[0].Totals, err)
	}
	kinds := map[settle.Kind]int{}
	for _, m := range page.Movements {
		kinds[m.Kind]++
	}
	if kinds[settle.Charge] != 1 || kinds[settle.Refund] != 1 || kinds[settle.Dispute] != 2 || kinds[settle.DisputeLost] != 1 || kinds[settle.PaidOut] != 2 {
		t.Errorf("%v", kinds)
	}
	if p := page.Payouts; len(p) != 2 || p[0].Fee != money.MustParse("0.95") || p[1].Amount != money.MustParse("-1.03") {
		t.Errorf("%+v", p)
	}
}
