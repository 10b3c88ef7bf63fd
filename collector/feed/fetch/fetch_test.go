package fetch_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/fetch"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func ask(t *testing.T, handler http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client := fetch.New(fetch.Options{Base: server.URL, Now: func() time.Time { return noon }, Header: http.Header{"Authorization": {"Bearer s3cret"}}})
	var into map[string]any
	_, err := client.Get(t.Context(), "/x", map[string][]string{"cursor": {"c0ffee"}}, &into)
	return err
}

func TestASourceThatIsBusySaysForHowLong(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0.5": time.Second, "": 0, "soon": 0, "-1": 0, "Mon, 02 Mar 2026 12:01:30 GMT": 90 * time.Second, "Mon, 02 Mar 2026 11:00:00 GMT": time.Second,
	} {
		for _, status := range []int{429, 503} {
			err := ask(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(status)
			})
			var later *feed.Later
			if !errors.As(err, &later) || later.Rest != want {
				t.Errorf("%d, Retry-After %q: %v, want %s", status, header, err, want)
			}
		}
	}
}

func TestWhatIsNotAnAnswerIsAnErrorWithoutSecretOrCursor(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"broken": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"a":`)) // the test reads what arrives
		},
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"half":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a":1`)) },
		"sent on": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/y", http.StatusFound)
		},
		"not let in": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`"` + strings.Repeat("x", 17<<20) + `"`))
		},
	} {
		err := ask(t, handler)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if text := err.Error(); strings.Contains(text, "s3cret") || strings.Contains(text, "c0ffee") || len(text) > 600 {
			t.Errorf("%s: %s", name, text)
		}
		if errors.Is(err, feed.ErrDenied) != (name == "not let in") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswersThatSayNoAreToldWithTheirStatus(t *testing.T) {
	t.Parallel()
	err := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"error": "no such cursor"}`))
	})
	var status *fetch.Status
	if !errors.As(err, &status) || status.Code != 400 || !strings.Contains(string(status.Body), "no such cursor") {
		t.Errorf("%v", err)
	}
}
