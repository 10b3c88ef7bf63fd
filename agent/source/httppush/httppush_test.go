package httppush_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source"
	"tillbook.example/tillbook/agent/source/httppush"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/problem"
)

const token = "s3cret"

// desk remembers what it was given, or fails.
type desk struct {
	captures []source.Capture
	fail     error
}

func (d *desk) Take(_ context.Context, _ string, captures []source.Capture, _ map[string][]byte) (outbox.Appended, error) {
	if d.fail != nil {
		return outbox.Appended{}, d.fail
	}
	d.captures = append(d.captures, captures...)
	return outbox.Appended{Numbers: make([]uint64, len(captures)), Duplicate: make([]bool, len(captures))}, nil
}

const sale = `{"key":{"store":"S1","terminal":"1","space":"RECEIPT","number":"%s"},"kind":"SALE","state":"COMPLETED","time":{"as_given":"2026-11-03T10:00:00"},"currency":"GBP"}`

func push(d *desk, body string, header ...string) (*httptest.ResponseRecorder, problem.Problem) {
	r := httptest.NewRequest(http.MethodPost, "/v1/documents", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	httppush.Handler(d, token).ServeHTTP(w, r)
	var p problem.Problem
	if w.Code != http.StatusCreated {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			p.Detail = "not a problem: " + w.Body.String()
		}
	}
	return w, p
}

func TestADurableDocumentIsAnswered201(t *testing.T) {
	t.Parallel()
	d := &desk{}
	w, p := push(d, fmt.Sprintf(sale, "7"), "Idempotency-Key", "k1")
	if w.Code != http.StatusCreated {
		t.Fatalf("%d %+v", w.Code, p)
	}
	c := d.captures[0]
	if c.Document.Key.Number != "7" || c.IdempotencyKey != "k1" || !c.StatesOrder {
		t.Errorf("%+v of %+v", c, c.Document.Key)
	}
}

func TestABatchIsTakenWholeWithAKeyForEachDocument(t *testing.T) {
	t.Parallel()
	d := &desk{}
	if w, p := push(d, "["+fmt.Sprintf(sale, "7")+","+fmt.Sprintf(sale, "8")+"]", "Idempotency-Key", "k1"); w.Code != http.StatusCreated {
		t.Fatalf("%d %+v", w.Code, p)
	}
	if len(d.captures) != 2 || d.captures[0].IdempotencyKey == d.captures[1].IdempotencyKey {
		t.Errorf("%+v", d.captures)
	}
	if w, p := push(d, "["+fmt.Sprintf(sale, "9")+`,{"knd":1}]`); w.Code != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, "document 2") {
		t.Errorf("a batch with a bad document: %d %+v", w.Code, p)
	}
	if len(d.captures) != 2 {
		t.Error("part of a bad batch was taken")
	}
}

func TestADocumentWithoutANumberNeedsAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	d := &desk{}
	if w, p := push(d, fmt.Sprintf(sale, "")); w.Code != http.StatusUnprocessableEntity || p.Code != "no_number" {
		t.Errorf("%d %+v", w.Code, p)
	}
	if w, p := push(d, fmt.Sprintf(sale, ""), "Idempotency-Key", "k9"); w.Code != http.StatusCreated {
		t.Fatalf("%d %+v", w.Code, p)
	}
	if key := d.captures[0].Document.Key; key.Number != "k9" || key.Space != document.SpacePush {
		t.Errorf("key %+v", key)
	}
}

func TestEachRefusalSaysItsCodeAndWhetherToRetry(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf(sale, "7")
	for name, c := range map[string]struct {
		body   string
		fail   error
		header []string
		status int
		code   string
		retry  bool
	}{
		"no token":      {body: good, header: []string{"Authorization", ""}, status: 401, code: "unauthorized"},
		"wrong token":   {body: good, header: []string{"Authorization", "Bearer x"}, status: 401, code: "unauthorized"},
		"empty":         {body: " ", status: 422, code: "bad_json"},
		"not JSON":      {body: "{", status: 422, code: "bad_json"},
		"unknown field": {body: `{"kinds":"SALE"}`, status: 422, code: "bad_json"},
		"bad document":  {body: good, fail: fmt.Errorf("document 1: %w", &document.CheckError{Problems: []string{"key.terminal is missing"}}), status: 422, code: "bad_document"},
		"too large":     {body: strings.Repeat(" ", httppush.MaxBody+1), status: 413, code: "body_too_large"},
		"too many":      {body: "[" + strings.Repeat("{},", httppush.MaxDocuments) + "{}]", status: 413, code: "body_too_large"},
		"no room":       {body: good, fail: fmt.Errorf("append: %w", outbox.ErrFull), status: 507, code: "no_room", retry: true},
		"key reused":    {body: good, fail: outbox.ErrKeyReused, status: 409, code: "key_reused"},
		"stopping":      {body: good, fail: outbox.ErrClosed, status: 503, code: "stopping", retry: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := push(&desk{fail: c.fail}, c.body, c.header...)
			if w.Code != c.status || p.Code != c.code || p.Retry != c.retry {
				t.Errorf("%d %+v, want %d %s retry %t", w.Code, p, c.status, c.code, c.retry)
			}
			if c.retry != (w.Header().Get("Retry-After") != "") {
				t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
			}
			if strings.Contains(w.Body.String(), token) {
				t.Error("the answer contains the token")
			}
		})
	}
}
