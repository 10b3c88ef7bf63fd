package main

import (
	"encoding/csv"
	"fmt"
	"strings"
)

// columns are those of recipes/demo-till.yaml.
var columns = []string{
	"row", "store", "till", "receipt", "time", "day", "z", "session", "operator", "kind", "gross", "tax_total", "ref", "ref_day",
	"item", "text", "category", "quantity", "price", "amount", "discount", "reason", "tax_code", "tax_rate", "tax",
	"tender", "tip", "card", "brand", "voucher", "from", "to", "stage", "left", "removed",
	"first", "last", "float", "counted", "expected", "over_short", "grand_total",
}

// csv writes a till's transactions as CSV, one text for each, in the order of
// their numbers. A file is the header and some of them.
func (t till) csv(day string) []string {
	var out []string
	for n, r, m := t.next(0); n != 0; n, r, m = t.next(n) {
		var b strings.Builder
		w := csvRows{writer: csv.NewWriter(&b), till: t.id, day: day, number: n}
		switch {
		case r.voids != 0:
			w.time, w.kind = r.time, "VOID"
			w.row("H", "ref", fmt.Sprint(r.voids))
		case r.number != 0:
			w.receipt(r)
		default:
			w.movement(t, m)
		}
		w.writer.Flush() // into memory: it does not fail
		out = append(out, b.String())
	}
	return out
}

func csvHead() string { return strings.Join(columns, ",") + "\n" }

type csvRows struct {
	writer          *csv.Writer
	till, day, time string
	kind            string
	number          int
}

func (w csvRows) row(kind string, pairs ...string) {
	values := map[string]string{
		"row": kind, "store": "S1", "till": w.till, "receipt": fmt.Sprint(w.number), "time": w.day + " " + w.time, "day": w.day, "operator": "9", "kind": w.kind,
	}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = values[c]
	}
	_ = w.writer.Write(record) // into memory: it does not fail
}

func (w csvRows) receipt(r receipt) {
	w.time, w.kind = r.time, "SALE"
	sign := ""
	head := []string{}
	if r.returns != 0 {
		w.kind, sign = "RETURN", "-"
		head = append(head, "ref", fmt.Sprint(r.returns))
	}
	var tax int64
	for _, i := range r.items {
		tax += i.tax()
	}
	w.row("H", append(head, "gross", sign+pounds(r.gross()), "tax_total", sign+pounds(tax))...)
	for _, i := range r.items {
		w.row("L", "item", i.sku, "text", i.text, "category", i.category, "quantity", sign+fmt.Sprint(i.quantity), "price", pounds(i.price),
			"amount", sign+pounds(i.quantity*i.price), "tax_code", fmt.Sprintf("V%d", i.rate), "tax_rate", fmt.Sprint(i.rate), "tax", sign+pounds(i.tax()))
	}
	if r.rounding != 0 {
		w.row("L", "item", "ROUNDING", "text", "Rounding", "amount", pounds(r.rounding))
	}
	for _, p := range r.tenders {
		name := map[string]string{"cash": "CASH", "card": "CARD", "gift": "GIFT CARD"}[p.kind]
		if r.returns != 0 {
			name += " REFUND"
		}
		pairs := []string{"tender", name, "amount", sign + pounds(p.amount)}
		if p.tip != 0 {
			pairs = append(pairs, "tip", pounds(p.tip))
		}
		w.row("T", pairs...)
		if p.change != 0 {
			w.row("T", "tender", "CHANGE", "amount", "-"+pounds(p.change))
		}
	}
}

func (w csvRows) movement(t till, m movement) {
	w.time = m.time
	switch m.kind {
	case "open":
		w.kind = "FLOAT"
		w.row("M", "amount", pounds(m.amount), "from", "CARRIED", "to", "DRAWER")
	case "payout":
		w.kind = "PAY_OUT"
		w.row("M", "amount", pounds(m.amount), "reason", m.reason, "from", "DRAWER")
	case "count":
		w.kind = "COUNT"
		w.row("C", "stage", "CLOSE", "tender", "CASH", "amount", pounds(m.amount))
	case "z":
		s := expect([]till{t})
		w.kind = "Z"
		w.row("Z", "z", t.id+"1", "amount", pounds(s.gross+s.giftSold))
	}
}
