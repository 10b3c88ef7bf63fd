package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source/httppush"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/problem"
)

// Limits of the local service.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 30 * time.Second
	stopTimeout   = 2 * time.Second
	tailMost      = 500
)

// pushSource is the name of the way in that is always there.
const pushSource = "push"

// serve answers on loopback until ctx ends: pushes, status, metrics, health.
func (a *App) serve(ctx context.Context) error {
	registry := prometheus.NewRegistry()
	if err := a.register(registry); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	push := httppush.Handler(a.captures.desk(pushSource, a.desk), a.token)
	mux := http.NewServeMux()
	mux.Handle("POST /v1/documents", push)
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) { answer(w, a.Status()) })
	mux.HandleFunc("GET /v1/tail", a.owner(a.tail))
	mux.HandleFunc("GET /v1/log", a.owner(func(w http.ResponseWriter, r *http.Request) { answer(w, a.kept.Lines()) }))
	mux.HandleFunc("GET /v1/outbox", a.owner(func(w http.ResponseWriter, r *http.Request) { answer(w, a.outbox.Stats()) }))
	mux.HandleFunc("POST /v1/drill", a.owner(func(w http.ResponseWriter, r *http.Request) { a.drill(ctx, w, r) }))
	mux.HandleFunc("POST /v1/reread", a.owner(a.reread))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if a.Status().Work == diagnose.WorkFailed {
			httppush.Problem(w, problem.New("no_room", "new sales are refused"))
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /{$}", diagnose.Page(a.Status))
	mux.Handle("GET /page.css", diagnose.Style())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		httppush.Problem(w, problem.New("not_found", r.URL.Path))
	})
	server := &http.Server{Handler: a.local(mux), ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) }}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(limit)
	}()
	if err := server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("local service: %w", err)
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop local service: %w", err)
	}
	return nil
}

// local refuses requests that a web page in somebody's browser could make: a
// host name that is not this machine's means that a name was pointed here.
func (a *App) local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			httppush.Problem(w, problem.New("not_found", "the local service answers to loopback names only"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// owner lets only whoever can read the token file in.
func (a *App) owner(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !httppush.Authorized(r, a.token) {
			httppush.Problem(w, problem.New("unauthorized", ""))
			return
		}
		next(w, r)
	}
}

// drill cuts the line for the time that is asked for, and answers when it is
// back. It comes back as well when the asker goes away or the agent stops.
func (a *App) drill(stopping context.Context, w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil || d < time.Second || d > diagnose.MaxCut {
		httppush.Problem(w, problem.New("drill", "for must be between 1s and 10m"))
		return
	}
	if !a.uplink.Status().Connected {
		httppush.Problem(w, problem.New("drill", "the agent is not connected; there is nothing to cut"))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	// Else the time for reading a request would end the wait for its answer.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
		httppush.Problem(w, problem.New("internal", err.Error()))
		return
	}
	a.log.Warn("drill: the line is cut", "for", d)
	cut, before := time.Now(), a.outbox.Next()
	if err := a.line.Cut(ctx, d); err != nil {
		httppush.Problem(w, problem.New("drill", err.Error()))
		return
	}
	a.log.Info("drill: the line is back", "after", time.Since(cut).Round(time.Millisecond))
	answer(w, diagnose.Cut{At: cut, Back: time.Now(), Taken: a.outbox.Next() - before})
}

// Captured is one record as tail shows it.
type Captured struct {
	Number   uint64             `json:"number"`
	Document *document.Document `json:"document,omitzero"`
	Refused  string             `json:"refused,omitzero"`
}

// tail answers with the newest records that are still kept: the last n, or those
// after a number.
func (a *App) tail(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.URL.Query().Get("n"), 10, 32)
	if err != nil || n == 0 || n > tailMost {
		n = 20
	}
	next := a.outbox.Next()
	from := max(a.outbox.First(), next-min(n, next))
	if after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64); err == nil {
		from, n = max(a.outbox.First(), min(after, next)+1), tailMost
	}
	stored, err := a.outbox.Read(from, int(n), 8<<20)
	if err != nil && !errors.Is(err, outbox.ErrReleased) {
		httppush.Problem(w, problem.New("internal", err.Error()))
		return
	}
	out := make([]Captured, 0, len(stored))
	for _, s := range stored {
		var record tillbookv1.Record
		if err := proto.Unmarshal(s.Bytes, &record); err != nil {
			httppush.Problem(w, problem.New("internal", err.Error()))
			return
		}
		c := Captured{Number: s.Number, Refused: record.GetReason()}
		if !record.GetRaw() {
			c.Refused = ""
			if c.Document, err = document.Unmarshal(record.GetDocument()); err != nil {
				c.Refused = err.Error()
			}
		}
		out = append(out, c)
	}
	answer(w, out)
}

// reread has the sources read their files again.
func (a *App) reread(w http.ResponseWriter, r *http.Request) {
	name, version := r.URL.Query().Get("source"), r.URL.Query().Get("recipe_version")
	var names []string
	for i, drop := range a.drops {
		if name != "" && a.config.Sources[i].Name != name {
			continue
		}
		if err := a.reloadRecipe(drop, a.config.Sources[i], version); err != nil {
			httppush.Problem(w, problem.New("recipe_version", err.Error()))
			return
		}
		names = append(names, a.config.Sources[i].Name)
	}
	if len(names) == 0 {
		httppush.Problem(w, problem.New("not_found", fmt.Sprintf("there is no source %q", name)))
		return
	}
	answer(w, map[string][]string{"rereading": names})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) // nothing can be told to a client that is gone
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
