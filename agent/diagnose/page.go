package diagnose

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"time"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle []byte

// titles are the three questions as the page puts them.
var titles = map[string]string{Arriving: "Do sales arrive?", Leaving: "Do they leave?", Closing: "Does the day close?"}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"title": func(question string) string { return titles[question] },
	"time":  func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") },
	"ago":   func(now, t time.Time) string { return ago(now, t) },
	"mib":   func(bytes int64) int64 { return bytes >> 20 },
}).Parse(pageText))

// policy lets a page show itself and its style, and nothing else: no script, no
// frame, no form, nobody else's content.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page shows the three questions to whoever stands at the machine. It changes
// nothing and shows no document.
func Page(look func() Status) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		if err := page.Execute(&b, look()); err != nil {
			http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
			return
		}
		secure(w, "text/html; charset=utf-8")
		fmt.Fprint(w, b.String()) // nothing can be told to a browser that is gone
	})
}

// Style is what the page looks like.
func Style() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		secure(w, "text/css; charset=utf-8")
		_, _ = w.Write(pageStyle) // as above
	})
}

func secure(w http.ResponseWriter, kind string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}
