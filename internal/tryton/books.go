package tryton

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// Books is one company.
type Books struct {
	*session
	Company string // its name
	User    string // who may keep its accounts, and no more; the session is another's
}

// session is what a user does.
type session struct {
	url     string
	key     string
	context map[string]any
}

// Date is a date as Tryton's protocol writes it.
func Date(year, month, day int) map[string]any {
	return map[string]any{"__class__": "date", "year": year, "month": month, "day": day}
}

// Decimal is an amount as Tryton's protocol writes it.
func Decimal(text string) map[string]any {
	return map[string]any{"__class__": "Decimal", "decimal": text}
}

// Row is one record.
type Row map[string]any

// ID is the record's own.
func (r Row) ID() int { return int(r["id"].(float64)) }

// Decimal is what a field of the record amounts to.
func (r Row) Decimal(field string) string {
	object, ok := r[field].(map[string]any)
	if !ok {
		return "0"
	}
	return object["decimal"].(string)
}

func (s *Server) login(t testing.TB, user string) *session {
	t.Helper()
	b := &session{url: s.URL + "/" + Database + "/", context: map[string]any{}}
	var answer []any
	if err := b.call(&answer, "common.db.login", user, map[string]string{"password": Password}, "en"); err != nil {
		t.Fatal(err)
	}
	b.key = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%.0f:%v", user, answer[0], answer[1]))
	b.call0(t, &b.context, "model.res.user.get_preferences", true, map[string]any{})
	return b
}

func (b *session) call(into any, method string, parameters ...any) error {
	body, err := json.Marshal(map[string]any{"id": 1, "method": method, "params": parameters})
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, b.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if b.key != "" {
		request.Header.Set("Authorization", "Session "+b.key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	var answer struct {
		Result json.RawMessage
		Error  any
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Error != nil {
		return fmt.Errorf("%s: status %d: %.2000s", method, response.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, into)
}

// call0 is call where nothing may go wrong.
func (b *session) call0(t testing.TB, into any, method string, parameters ...any) {
	t.Helper()
	if err := b.call(into, method, parameters...); err != nil {
		t.Fatal(err)
	}
}

// do runs a method in the user's context. Its answer goes into something, or
// nowhere.
func (b *session) do(t testing.TB, into any, method string, parameters ...any) {
	t.Helper()
	b.call0(t, into, method, append(parameters, b.context)...)
}

// Find returns the records of a model that a condition holds for, by their ids.
func (b *session) Find(t testing.TB, model string, condition []any, fields ...string) []Row {
	t.Helper()
	var rows []Row
	b.do(t, &rows, "model."+model+".search_read", condition, 0, nil, []any{[]any{"id", "ASC"}}, fields)
	return rows
}

// Create makes a record and returns its id.
func (b *session) Create(t testing.TB, model string, values map[string]any) int {
	t.Helper()
	return b.createAll(t, model, values)[0]
}

func (b *session) createAll(t testing.TB, model string, values ...map[string]any) []int {
	t.Helper()
	var ids []int
	b.do(t, &ids, "model."+model+".create", values)
	return ids
}

// Write changes a record.
func (b *session) Write(t testing.TB, model string, id int, values map[string]any) {
	t.Helper()
	b.do(t, nil, "model."+model+".write", []int{id}, values)
}

// Press runs a method on a record, as a button does.
func (b *session) Press(t testing.TB, method, model string, id int) {
	t.Helper()
	b.do(t, nil, "model."+model+"."+method, []int{id})
}

// Cancel takes a move off the books as a person does: by Tryton's assistant, and
// by posting what it makes.
func (b *session) Cancel(t testing.TB, move int) {
	t.Helper()
	about := map[string]any{"active_model": "account.move", "active_id": move, "active_ids": []int{move}}
	for k, v := range b.context {
		about[k] = v
	}
	var session []any
	b.call0(t, &session, "wizard.account.move.cancel.create", about)
	b.call0(t, nil, "wizard.account.move.cancel.execute", session[0], map[string]any{"default": map[string]any{"description": nil}}, "cancel", about)
	for _, made := range b.Find(t, "account.move", []any{[]any{"origin", "=", fmt.Sprint("account.move,", move)}}, "state") {
		b.Press(t, "post", "account.move", made.ID())
	}
}

// Close closes the periods that end by a day, such as 2026-11-30, and opens all
// others.
func (b *session) Close(t testing.TB, to string) {
	t.Helper()
	for _, p := range b.Find(t, "account.period", []any{[]any{"company", "=", b.context["company"]}}, "end_date", "state") {
		end := p["end_date"].(map[string]any)
		last := fmt.Sprintf("%04.0f-%02.0f-%02.0f", end["year"], end["month"], end["day"])
		switch {
		case last <= to && p["state"] == "open":
			b.Press(t, "close", "account.period", p.ID())
		case last > to && p["state"] != "open":
			b.Press(t, "reopen", "account.period", p.ID())
		}
	}
}

// Balances are what each account comes to, debits positive, as Tryton adds it up.
func (b *session) Balances(t testing.TB) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for _, a := range b.Find(t, "account.account", []any{[]any{"company", "=", b.context["company"]}}, "code", "balance") {
		if code, _ := a["code"].(string); code != "" {
			sums[code] = a.Decimal("balance")
		}
	}
	return sums
}
