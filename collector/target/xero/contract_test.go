package xero_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/collector/target/xero"
	"tillbook.example/tillbook/shared/bizday"
)

// published finds the routes of Xero's published contract, with each schema
// closed: a field that is not in it is an error.
var published = sync.OnceValues(func() (routers.Router, error) {
	file := filepath.Join(os.Getenv("TILLBOOK_REFERENCE"), "specs", "xero", "xero_accounting.yaml")
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, err
	}
	no := false
	for _, schema := range doc.Components.Schemas {
		if schema.Value.Type.Is("object") {
			schema.Value.AdditionalProperties = openapi3.AdditionalProperties{Has: &no}
		}
	}
	doc.Servers = nil
	return gorillamux.NewRouter(doc)
})

// contract checks what passes against the published contract.
type contract struct {
	t         *testing.T
	next      http.RoundTripper
	requests  atomic.Int64
	responses atomic.Int64
	undefined atomic.Int64 // answers that the contract does not describe: 401, 429, 500
}

func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	path, ours := strings.CutPrefix(r.URL.Path, "/api.xro/2.0")
	if !ours {
		return c.next.RoundTrip(r)
	}
	router, err := published()
	if err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	like := r.Clone(context.WithoutCancel(r.Context()))
	like.URL.Path, like.URL.Host, like.URL.Scheme = path, "", ""
	like.Body = io.NopCloser(bytes.NewReader(body))
	route, parameters, err := router.FindRoute(like)
	if err != nil {
		c.t.Errorf("%s %s is not in the contract: %v", r.Method, path, err)
		return c.next.RoundTrip(r)
	}
	in := &openapi3filter.RequestValidationInput{Request: like, Route: route, PathParams: parameters, Options: &openapi3filter.Options{
		SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
	}}
	if err := openapi3filter.ValidateRequest(like.Context(), in); err != nil && !attaches(r) {
		c.t.Errorf("%s %s: %v\n%s", r.Method, path, err, body)
	}
	c.requests.Add(1)
	checked.requests.Add(1)
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusBadRequest {
		c.undefined.Add(1)
		return answer, nil
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: answer.StatusCode, Header: answer.Header, Options: in.Options}
	out.SetBodyBytes(unwrapped(text))
	if err := openapi3filter.ValidateResponse(like.Context(), out); err != nil {
		c.t.Errorf("answer to %s %s: %v\n%s", r.Method, path, err, text)
	}
	c.responses.Add(1)
	checked.answers.Add(1)
	return answer, nil
}

// checked counts what all tests of this package had checked.
var checked struct{ requests, answers atomic.Int64 }

// TestMain says how much was checked against the published contract.
func TestMain(m *testing.M) {
	code := m.Run()
	fmt.Printf("%d requests and %d answers of all tests were checked against the published contract\n", checked.requests.Load(), checked.answers.Load())
	os.Exit(code)
}

// unwrapped takes off what Xero wraps each answer in. It stands in the contract's
// examples and not in its schemas.
func unwrapped(text []byte) []byte {
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) != nil {
		return text
	}
	for _, name := range []string{"Id", "Status", "ProviderName", "DateTimeUTC"} {
		delete(all, name)
	}
	bare, err := json.Marshal(all)
	if err != nil {
		return text
	}
	return bare
}

// attaches reports whether a request sends a file, of whose type the contract
// knows only one.
func attaches(r *http.Request) bool { return strings.Contains(r.URL.Path, "/Attachments/") }

func TestRequestsAndAnswersKeepToThePublishedContract(t *testing.T) {
	t.Parallel()
	if os.Getenv("TILLBOOK_REFERENCE") == "" {
		t.Skip("reference data: TILLBOOK_REFERENCE is not set")
	}
	if _, err := published(); err != nil {
		t.Fatal(err)
	}
	var requests, responses, undefined int64
	for _, form := range xero.Forms() {
		o := newOffice(t, form, british())
		check := o.http.Transport.(*contract)
		b := opened(t, o.options())
		h := o.harness()
		for n := range 5 {
			p := targettest.Sample(h, fmt.Sprintf("POS-S1-2026110%d", n+1))
			p.Date = bizday.Day(fmt.Sprintf("2026-11-0%d", n+1))
			if n == 1 { // more went out than came in
				for i := range p.Lines {
					p.Lines[i].Amount *= -1
				}
				p.Lines[1].Tax = &target.Tax{Code: "OUTPUT2", Base: 10000, Amount: 2000, Direction: "RETURN"}
			}
			if _, err := b.Post(t.Context(), p); err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			if found, _, err := b.Find(t.Context(), p.Reference); err != nil || found == nil || !found.Equal(p) {
				t.Fatalf("%s: found %+v, %v", form, found, err)
			}
			if err := b.Attach(t.Context(), p.Reference, target.Attachment{Name: "day.csv", Type: "text/csv", Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.List(t.Context(), "POS-S1-"); err != nil {
			t.Fatal(err)
		}
		for _, reference := range []string{"POS-S1-20261101", "POS-S1-20261102"} {
			if err := b.Reverse(t.Context(), reference); err != nil {
				t.Fatalf("%s: %v", form, err)
			}
		}
		o.SetLock("2026-11-30") // not known to the target yet: the server refuses
		refused := targettest.Sample(h, "POS-S1-20261109")
		refused.Date = "2026-11-09"
		if _, err := b.Post(t.Context(), refused); err == nil {
			t.Errorf("%s: booked in a locked period", form)
		}
		requests, responses, undefined = requests+check.requests.Load(), responses+check.responses.Load(), undefined+check.undefined.Load()
	}
	t.Logf("%d requests and %d answers checked against the published contract; %d answers of a status that it does not describe", requests, responses, undefined)
	if requests == 0 || responses == 0 {
		t.Error("nothing was checked")
	}
}
