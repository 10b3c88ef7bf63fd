package diagnose_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tillbook.example/tillbook/agent/diagnose"
)

// What a store, a source or a collector is called comes from outside.
func TestNothingThatThePageIsToldBecomesMarkup(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert('x')</script>&`
	s := running()
	s.Agent, s.Merchant, s.Store, s.Version, s.Collector.Address = evil, evil, evil, evil, evil
	s.Sources = append(s.Sources, s.Sources...)
	for i := range s.Sources {
		s.Sources[i].Name = evil
	}
	for i := range s.Days {
		s.Days[i].Day, s.Days[i].State, s.Days[i].Hold = evil, evil, evil
	}
	s.Answers = []diagnose.Answer{{Question: diagnose.Arriving, State: evil, Text: evil, Next: evil, Code: evil}}
	w := httptest.NewRecorder()
	diagnose.Page(func() diagnose.Status { return *s }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	page := w.Body.String()
	const escaped = `&#34;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;`
	if strings.Contains(page, "<script") || strings.Count(page, escaped) < 5+5+2 || strings.Contains(page, "%!") {
		t.Errorf("%d times escaped in:\n%s", strings.Count(page, escaped), page)
	}
	if !strings.Contains(page, "Do sales arrive?") || !strings.HasSuffix(page, "</html>\n") || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("the page is not whole:\n%s", page)
	}
}
