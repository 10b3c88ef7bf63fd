package diagnose

import (
	"bytes"
	_ "embed"
	"fmt"
	"html"
	"io"
	"net/http"
	"time"
)

//go:embed page.css
var pageStyle []byte

// titles are the three questions as the page puts them.
var titles = map[string]string{Arriving: "Do sales arrive?", Leaving: "Do they leave?", Closing: "Does the day close?"}

// policy lets a page show itself and its style, and nothing else: no script, no
// frame, no form, nobody else's content.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page shows the three questions to whoever stands at the machine. It changes
// nothing and shows no document.
func Page(look func() Status) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		writePage(&b, look())
		secure(w, "text/html; charset=utf-8")
		_, _ = w.Write(b.Bytes()) // nothing can be told to a browser that is gone
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

// put writes markup with each argument but numbers escaped as text. The markup is a constant
// of this file, so that nothing that was told can become markup.
func put(w io.Writer, markup string, args ...any) {
	for i, a := range args {
		switch a.(type) {
		case int, int64:
		default:
			args[i] = html.EscapeString(fmt.Sprint(a))
		}
	}
	fmt.Fprintf(w, markup, args...)
}

// writePage writes the page. It is written by hand and not by html/template:
// that package calls methods by their names, for which the linker keeps every
// method of every type, two megabytes of a program that has to be small.
func writePage(w io.Writer, s Status) {
	put(w, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="15">
<title>%s · Tillbook</title>
<link rel="stylesheet" href="/page.css">
</head>
<body>
<main>
<h1>Store %s</h1>
<p class="quiet">As of %s. This page looks again every 15 seconds.</p>
`, s.Store, s.Store, s.At.Local().Format(time.DateTime))
	for _, a := range s.Answers {
		put(w, "<section class=\"%s\">\n<h2>%s <span>%s</span></h2>\n<p>%s</p>\n", a.State, titles[a.Question], a.State, a.Text)
		if a.Next != "" {
			put(w, "<p><strong>What to do:</strong> %s</p>\n", a.Next)
		}
		if a.Code != "" {
			put(w, "<p class=\"quiet\">Code %s</p>\n", a.Code)
		}
		put(w, "</section>\n")
	}
	put(w, `<h2>Where sales come from</h2>
<table>
<tr><th scope="col">Source</th><th scope="col">Last</th><th scope="col">Files that wait</th></tr>
`)
	for _, source := range s.Sources {
		last, waiting := "none since the start", ""
		if !source.LastAt.IsZero() {
			last = ago(s.At, source.LastAt)
		}
		for _, f := range s.Folders {
			if f.Name == source.Name {
				waiting += fmt.Sprint(f.Waiting)
			}
		}
		put(w, "<tr><td>%s</td><td>%s</td><td>%s</td></tr>\n", source.Name, last, waiting)
	}
	put(w, "</table>\n<h2>The store's last days</h2>\n")
	if len(s.Days) == 0 {
		put(w, "<p>The collector has told of none yet.</p>")
	} else {
		put(w, `<table>
<tr><th scope="col">Day</th><th scope="col">State</th><th scope="col">Why it waits</th></tr>
`)
		for _, d := range s.Days {
			due := ""
			if d.Due > 0 {
				due = ", on its way"
			}
			put(w, "<tr><td>%s</td><td>%s%s</td><td>%s</td></tr>\n", d.Day, d.State, due, d.Hold)
		}
		put(w, "</table>\n")
	}
	put(w, `<p class="quiet">Agent %s of merchant %s, version %s, buffer %d of %d MiB, collector %s.
For more, run <code>tillbook-agent doctor</code> on this machine.</p>
</main>
</body>
</html>
`, s.Agent, s.Merchant, s.Version, s.Outbox.Bytes>>20, s.Outbox.MaxBytes>>20, s.Collector.Address)
}
