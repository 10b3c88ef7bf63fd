package tryton_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	server "tillbook.example/tillbook/internal/tryton"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/targettest"
)

var errCut = errors.New("connection cut")

// wire cuts one call of a method, before it arrives or after it was carried out.
type wire struct {
	next http.RoundTripper

	mu            sync.Mutex
	before, after string
	calls         []string
	spoil         bool // the next session is one that nobody knows
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var call struct{ Method string }
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.mu.Lock()
	w.calls = append(w.calls, call.Method)
	before, after := w.before == call.Method, w.after == call.Method
	if before {
		w.before = ""
	}
	if after {
		w.after = ""
	}
	if w.spoil && r.Header.Get("Authorization") != "" {
		w.spoil = false
		r.Header.Set("Authorization", "Session bm9ib2R5OjE6bm9uZQ==")
	}
	w.mu.Unlock()
	if before {
		return nil, errCut
	}
	answer, err := w.next.RoundTrip(r)
	if after && err == nil {
		return nil, errors.Join(errCut, answer.Body.Close())
	}
	return answer, err
}

// on puts a wire between us and the server.
func (o *office) on(w *wire) *wire {
	w.next = http.DefaultTransport
	o.http.Transport = w
	return w
}

// moves counts the company's moves by their state.
func (o *office) moves(t *testing.T) map[string]int {
	t.Helper()
	states := map[string]int{}
	for _, m := range o.Find(t, "account.move", []any{[]any{"company.party.name", "=", o.Company}}, "state") {
		states[m["state"].(string)]++
	}
	return states
}

const reference = "POS-S1-20261103"

func cutPosting(t *testing.T, o *office) {
	h := o.harness()
	for i, cut := range []struct{ before, after string }{
		{before: "model.account.move.create"}, {after: "model.account.move.create"}, {before: "model.account.move.post"}, {after: "model.account.move.post"},
	} {
		w := o.on(&wire{before: cut.before, after: cut.after})
		p := targettest.Sample(h, strings.Replace(reference, "03", "0"+string(rune('1'+i)), 1))
		if _, err := o.open(t).Post(t.Context(), p); err == nil {
			t.Fatalf("%s%s: the cut was not noticed", cut.before, cut.after)
		}
		want := 0
		if cut.after == "model.account.move.post" {
			want = 1
		}
		if found, _, err := o.open(t).Find(t.Context(), p.Reference); err != nil || (found != nil) != (want == 1) {
			t.Errorf("%s%s: found %v, %v", cut.before, cut.after, found, err)
		}
		if _, err := o.open(t).Post(t.Context(), p); err != nil {
			t.Errorf("%s%s: %v", cut.before, cut.after, err)
		}
		if len(w.calls) == 0 {
			t.Error("nothing went over the wire")
		}
		if diff := cmp.Diff(map[string]int{"posted": i + 1}, o.moves(t)); diff != "" {
			t.Errorf("%s%s: moves (-want +got):\n%s", cut.before, cut.after, diff)
		}
	}
}

func cutCancellation(t *testing.T, o *office) {
	p := targettest.Sample(o.harness(), reference)
	if _, err := o.open(t).Post(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	o.on(&wire{before: "model.account.move.post"})
	if err := o.open(t).Reverse(t.Context(), reference); err == nil {
		t.Fatal("the cut was not noticed")
	}
	if found, _, err := o.open(t).Find(t.Context(), reference); err != nil || found == nil {
		t.Errorf("half cancelled: found %v, %v; it stands", found, err)
	}
	if err := o.open(t).Reverse(t.Context(), reference); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"posted": 2}, o.moves(t)); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
	for code, sum := range o.Balances(t) {
		if strings.Trim(sum, "0.") != "" {
			t.Errorf("account %s comes to %s", code, sum)
		}
	}
}

func otherDraft(t *testing.T, o *office) {
	h := o.harness()
	w := o.on(&wire{before: "model.account.move.post"})
	first := targettest.Sample(h, reference)
	first.Narration = "what was to be posted before"
	if _, err := o.open(t).Post(t.Context(), first); err == nil {
		t.Fatal("the cut was not noticed")
	}
	p := targettest.Sample(h, reference)
	if _, err := o.open(t).Post(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if found, _, err := o.open(t).Find(t.Context(), reference); err != nil || found == nil || !found.Equal(p) {
		t.Errorf("found %v, %v", found, err)
	}
	if diff := cmp.Diff(map[string]int{"posted": 1}, o.moves(t)); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
	if len(w.calls) == 0 {
		t.Error("nothing went over the wire")
	}
}

func closedBehind(t *testing.T, o *office) {
	for _, period := range o.Find(t, "account.period", []any{[]any{"name", "=", "2026 part 4"}, []any{"company.party.name", "=", o.Company}}, "name") {
		o.Press(t, "close", "account.period", period.ID())
	}
	b := o.open(t)
	if period, err := b.Period(t.Context()); err != nil || period.Closed != "" {
		t.Errorf("one closed period closes all before it: %+v, %v", period, err)
	}
	p := targettest.Sample(o.harness(), reference)
	if _, err := b.Post(t.Context(), p); err != nil {
		t.Errorf("a day before it: %v", err)
	}
	p.Reference, p.Date = "POS-S1-20261105", "2026-11-05"
	if _, err := b.Post(t.Context(), p); !errors.Is(err, target.ErrRefused) || !strings.Contains(err.Error(), "2026 part 4") {
		t.Errorf("a day in it: %v", err)
	}
	p.Reference, p.Date = "POS-S1-20270105", "2027-01-05"
	if _, err := b.Post(t.Context(), p); !errors.Is(err, target.ErrRefused) || !strings.Contains(err.Error(), "in no period") {
		t.Errorf("a day of no year: %v", err)
	}
}

func ownFields(t *testing.T, o *office) {
	b, h := o.open(t), o.harness()
	p := targettest.Sample(h, reference)
	back := targettest.Sample(h, "POS-S1-20261104")
	for i := range back.Lines {
		back.Lines[i].Amount /= -4
	}
	back.Lines[0].Foreign.Amount /= -4
	back.Lines[1].Tax = &target.Tax{Code: server.V20, Base: 2500, Amount: 500, Direction: "RETURN"}
	for _, posted := range []target.Payload{p, back} {
		if _, err := b.Post(t.Context(), posted); err != nil {
			t.Fatal(err)
		}
	}
	taxes := map[string][]string{}
	for _, l := range o.Find(t, "account.tax.line", []any{[]any{"tax.company.party.name", "=", o.Company}}, "type", "amount", "tax.name") {
		kind := l["tax."].(map[string]any)["name"].(string) + " " + l["type"].(string)
		taxes[kind] = append(taxes[kind], l.Decimal("amount"))
	}
	if diff := cmp.Diff(map[string][]string{"V20 base": {"100.00", "-25.00"}, "V20 tax": {"20.00", "-5.00"}}, taxes); diff != "" {
		t.Errorf("tax lines (-want +got):\n%s", diff)
	}
	var dollars []string
	for _, l := range o.Find(t, "account.move.line", []any{[]any{"move.company.party.name", "=", o.Company}, []any{"second_currency.code", "=", "USD"}}, "amount_second_currency") {
		dollars = append(dollars, l.Decimal("amount_second_currency"))
	}
	if diff := cmp.Diff([]string{"150.00", "-37.50"}, dollars); diff != "" {
		t.Errorf("dollars (-want +got):\n%s", diff)
	}
	sums := o.Balances(t)
	for code, want := range map[string]string{server.Cash: "90.00", server.Sales: "-75.00", server.VAT: "-15.00"} {
		if sums[code] != want {
			t.Errorf("account %s comes to %s, not %s", code, sums[code], want)
		}
	}
}

func endedSession(t *testing.T, o *office) {
	w := o.on(&wire{})
	b := o.open(t)
	if _, err := b.Period(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.spoil, w.calls = true, nil
	w.mu.Unlock()
	if _, err := b.Post(t.Context(), targettest.Sample(o.harness(), reference)); err != nil {
		t.Fatal(err)
	}
	logins := 0
	for _, call := range w.calls {
		if call == "common.db.login" {
			logins++
		}
	}
	if logins != 1 {
		t.Errorf("%d logins: %v", logins, w.calls)
	}
}
