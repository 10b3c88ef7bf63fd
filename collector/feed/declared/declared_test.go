package declared_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/declared"
	"tillbook.example/tillbook/collector/feed/feedtest"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

type object = map[string]any

const head = `
auth: {kind: bearer}
lists:
`

// lists is the same for each way of paging.
func recipe(paging string) string {
	return head + `
  - path: /v1/moves
    items: /data/list
    query: {state: all}
    paging: ` + paging + `
    since: {param: changed_after, format: unix}
    version: /changed
    movement:
      unit: minor
      currency: /money/cur
      key: /id
      kind: /type
      kinds: {SALE: charge, BACK: refund}
      at: /made
      amount: /money/minor
      fee: /fee
      receipt: /slip
      payout: /payout/id
  - path: /v1/payouts
    items: /data/list
    paging: ` + paging + `
    version: /changed
    payout: {unit: minor, key: /id, state: /state, states: {SENT: on_the_way, BACK: failed}, created: /made, arrival: /day, amount: /minor, reference: /ref}
  - path: /v1/receipts
    items: /data/list
    paging: ` + paging + `
    version: /changed
    document: {whole: /receipt, location: /shop}
`
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// world is a platform.
type world struct {
	kind     string // of paging
	lists    map[string][]object
	tokens   map[string]int
	sequence int
	gone     int
}

func newWorld(kind string) *world {
	w := &world{kind: kind, lists: map[string][]object{}, tokens: map[string]int{}}
	begin := feedtest.Noon.AddDate(0, 0, -2)
	for i := range 25 {
		w.move(i, begin.Add(time.Duration(i)*time.Hour))
		w.receipt(i, begin.Add(time.Duration(i)*time.Hour))
	}
	w.lists["payouts"] = []object{{"id": 1, "state": "SENT", "made": stamp(begin), "day": "2026-03-03", "minor": 990, "ref": "R1", "changed": stamp(begin)}}
	return w
}

func (w *world) move(i int, at time.Time) {
	w.lists["moves"] = append(w.lists["moves"], object{"id": fmt.Sprint("m", i), "type": "SALE", "made": stamp(at), "changed": stamp(at), "slip": fmt.Sprint("s", i), "fee": 10,
		"money": object{"cur": "gbp", "minor": 1000}, "payout": nil})
}

func (w *world) receipt(i int, at time.Time) {
	w.lists["receipts"] = append(w.lists["receipts"], object{"changed": stamp(at), "shop": "L1", "receipt": object{
		"key": object{"store": "x", "terminal": "1", "space": "RECEIPT", "number": fmt.Sprint("r", i)}, "kind": "SALE", "state": "COMPLETED", "currency": "GBP",
		"time": object{"as_given": stamp(at)}, "lines": []object{{"kind": "ITEM", "extended": "10.00"}}, "tenders": []object{{"kind": "CASH", "direction": "PAID", "amount": "10.00"}},
	}})
}

func (w *world) Grow(at time.Time) {
	w.move(100, at)
	w.lists["payouts"][0]["state"], w.lists["payouts"][0]["changed"] = "BACK", stamp(at)
}

func (w *world) Forget() bool { w.gone = w.sequence; return w.kind != "page" }

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer t" {
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	name, query := strings.TrimPrefix(r.URL.Path, "/api/v1/"), r.URL.Query()
	all := slices.Clone(w.lists[name])
	if since := query.Get("changed_after"); since != "" {
		seconds, _ := strconv.ParseInt(since, 10, 64)
		all = slices.DeleteFunc(all, func(o object) bool { return o["changed"].(string) < stamp(time.Unix(seconds, 0)) })
	}
	const size = 10
	from := 0
	switch token := query.Get("cursor"); {
	case w.kind == "page":
		page, _ := strconv.Atoi(query.Get("page"))
		from = page * size
	case token != "":
		number, _ := strconv.Atoi(token)
		left, ok := w.tokens[token]
		if !ok || number <= w.gone {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		from = len(all) - left
	}
	from = min(from, len(all))
	end := min(from+size, len(all))
	answer := object{"data": object{"list": append([]object{}, all[from:end]...)}}
	if end < len(all) && w.kind != "page" {
		w.sequence++
		token := strconv.Itoa(w.sequence)
		w.tokens[token] = len(all) - end
		if w.kind == "cursor" {
			answer["next"] = token
		} else {
			query.Set("cursor", token)
			rw.Header().Set("Link", fmt.Sprintf(`<http://%s/api/v1/%s?%s>; rel="next", <x>; rel="last"`, r.Host, name, query.Encode()))
		}
	}
	_ = json.NewEncoder(rw).Encode(answer) // the test reads what arrives
}

func parse(t testing.TB, text string) *declared.Recipe {
	t.Helper()
	r, err := declared.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var platform = merchant.Feed{ID: "own", Source: "http", Stores: map[string]string{"L1": "leeds"}}

func open(t testing.TB, base string, r *declared.Recipe, now func() time.Time, secrets map[string]string) feed.Source {
	t.Helper()
	s, err := declared.Open(declared.Options{Base: base + "/api", Recipe: r, Secrets: secrets, Provider: "own", Currency: "GBP", Store: platform.Store,
		Start: feedtest.Noon.AddDate(0, 0, -30), Now: now, Limit: rate.NewLimiter(rate.Inf, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// paging are the ways in which a list goes on.
var paging = map[string]string{
	"cursor": "{kind: cursor, param: cursor, next: /next}", "page": "{kind: page, param: page, first: 0, items: 10}", "link": "{kind: link}",
}

func TestADeclaredSourcePassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	for kind, text := range paging {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			feedtest.Run(t, feedtest.Kit{
				Feed: platform, World: func(*testing.T) feedtest.World { return newWorld(kind) },
				Open: func(t *testing.T, base string, _ merchant.Feed, now func() time.Time) feed.Source {
					return open(t, base, parse(t, recipe(text)), now, map[string]string{"token": "t"})
				},
			})
		})
	}
}

func TestWhatStandsWhereTheRecipeSaysIsRead(t *testing.T) {
	t.Parallel()
	page := feedtest.Collect(t, newWorld("cursor"), func(base string, now func() time.Time) feed.Source {
		return open(t, base, parse(t, recipe(paging["cursor"])), now, map[string]string{"token": "t"})
	})
	m := page.Movements[0]
	if m.Key != "m0" || m.Kind != settle.Charge || m.Amount != money.MustParse("10") || m.Fee != money.MustParse("0.10") || m.Currency != "GBP" || m.Receipt != "s0" || m.Payout != "" || m.Provider != "own" ||
		m.Version != feedtest.Noon.AddDate(0, 0, -2).UnixMicro() {
		t.Errorf("%+v", m)
	}
	if p := page.Payouts[0]; p.Key != "1" || p.State != settle.OnTheWay || p.Amount != money.MustParse("9.90") || p.Expected != "2026-03-03" || p.Reference != "R1" {
		t.Errorf("%+v", p)
	}
	if d := page.Documents[0]; d.Key.Store != "leeds" || d.Kind != document.Sale || d.Tenders[0].Amount != money.MustParse("10") {
		t.Errorf("%+v", d.Document)
	}
	if len(page.Movements) != 25 || len(page.Documents) != 25 {
		t.Errorf("%d movements, %d documents", len(page.Movements), len(page.Documents))
	}
}

func TestAnItemThatLacksSomethingOrAPageElsewhereIsAnError(t *testing.T) {
	t.Parallel()
	one := func(item string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<https://elsewhere.example/api/v1/moves?cursor=2>; rel="next"`)
			_, _ = w.Write([]byte(`{"data":{"list":[` + item + `]}}`)) // the test reads what arrives
		})
	}
	good := `{"id":"a","type":"SALE","made":"2026-03-02T10:00:00Z","changed":1,"money":{"cur":"GBP","minor":1}}`
	for text, says := range map[string]string{
		good: "another address", strings.Replace(good, `"minor":1`, `"minor":1.5`, 1): "whole number", strings.Replace(good, "2026-03-02T10:00:00Z", "soon", 1): "no moment",
		strings.Replace(good, `"GBP"`, `"POUND"`, 1): "POUND", strings.Replace(good, `"money":{`, `"money":3,"x":{`, 1): "goes on below",
	} {
		err := feedtest.Refused(t, one(text), func(base string, now func() time.Time) feed.Source {
			return open(t, base, parse(t, recipe(paging["link"])), now, map[string]string{"token": "t"})
		})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

func TestEachWayOfBeingLetIn(t *testing.T) {
	t.Parallel()
	var asked []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			user, password, _ := r.BasicAuth()
			if user != "id" || password != "right" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"access_token":"given","token_type":"Bearer","expires_in":3600}`)) // the test reads what arrives
			return
		}
		asked = append(asked, r.Header.Get("Authorization")+r.Header.Get("X-Key"))
		_, _ = w.Write([]byte(`[]`)) // the test reads what arrives
	}))
	t.Cleanup(api.Close)
	list := "\nlists: [{path: /v1/moves, movement: {unit: decimal, key: /id, at: /at, amount: /amount}}]"
	for i, c := range []struct {
		auth    string
		secrets map[string]string
		want    string
		denied  bool
	}{
		{"auth: {kind: bearer}", map[string]string{"token": "t"}, "Bearer t", false},
		{"auth: {kind: header, header: X-Key}", map[string]string{"token": "t"}, "t", false},
		{"auth: {kind: basic}", map[string]string{"user": "u", "password": "p"}, "Basic dTpw", false},
		{"auth: {kind: oauth, token_url: '" + api.URL + "/token'}", map[string]string{"client_id": "id", "client_secret": "right"}, "Bearer given", false},
		{"auth: {kind: oauth, token_url: '" + api.URL + "/token'}", map[string]string{"client_id": "id", "client_secret": "wrong"}, "", true},
	} {
		asked = nil
		s := open(t, api.URL, parse(t, c.auth+list), func() time.Time { return feedtest.Noon }, c.secrets)
		_, err := s.Pull(t.Context(), "")
		if errors.Is(err, feed.ErrDenied) != c.denied || !c.denied && (err != nil || len(asked) != 1 || asked[0] != c.want) {
			t.Errorf("%d: %v, asked with %q", i, err, asked)
		}
		if err != nil && strings.Contains(err.Error(), "wrong") {
			t.Errorf("the secret is in the error: %v", err)
		}
	}
	if _, err := declared.Open(declared.Options{Base: api.URL, Recipe: parse(t, "auth: {kind: basic}"+list), Secrets: map[string]string{"user": "u"}}); !errors.Is(err, feed.ErrDenied) {
		t.Errorf("without a password: %v", err)
	}
}

func TestARecipeThatCannotWorkIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	good := recipe(paging["cursor"])
	for _, c := range []struct{ old, new, says string }{
		{"kind: bearer", "kind: magic", "auth.kind"},
		{"path: /v1/moves", "path: v1?x", "lists[0].path"},
		{"items: /data/list", "items: data", "lists[0].items"},
		{"{kind: cursor, param: cursor, next: /next}", "{kind: cursor}", "lists[0].paging"},
		{"unit: minor", "unit: pence", "movement.unit"},
		{"key: /id", "key: ''", "movement.key"},
		{"SALE: charge", "SALE: sale", "kinds.SALE"},
		{"SENT: on_the_way", "SENT: gone", "states.SENT"},
		{"format: unix", "format: stardate", "since.format"},
		{"auth:", "colour: red\nauth:", "colour"},
		{"    document: {", "    payout: {unit: minor, key: /a, amount: /b, created: /c}\n    document: {", "one of movement"},
	} {
		if !strings.Contains(good, c.old) {
			t.Fatalf("%q is not in the recipe", c.old)
		}
		if _, err := declared.Parse([]byte(strings.Replace(good, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.new, err, c.says)
		}
	}
}
