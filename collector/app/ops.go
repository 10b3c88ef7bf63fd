package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tillbook.example/tillbook/collector/storage"
)

// Limits of the operations service.
const (
	headerTimeout = 5 * time.Second
	stopTimeout   = 2 * time.Second
)

// serveOps answers metrics and health until ctx ends. It is meant for the
// operator's network, not for agents or merchants.
func (a *App) serveOps(ctx context.Context) error {
	registry, err := a.registry()
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ready, text := a.ready(r.Context())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "%s", text)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(limit)
	}()
	if err := server.Serve(a.ops); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("operations service: %w", err)
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop operations service: %w", err)
	}
	return nil
}

// ready says whether this process can do what its roles say, a line for each
// thing that they need.
func (a *App) ready(ctx context.Context) (ready bool, text string) {
	type need struct {
		name string
		err  error
	}
	err := a.db.Fits(ctx)
	if err != nil && !errors.Is(err, storage.ErrNewer) {
		err = errors.New("does not answer")
	}
	needs := []need{{"database", err}}
	if a.stopping.Load() {
		needs = append(needs, need{"running", errors.New("it is being stopped")})
	}
	if a.entrance != nil {
		needs = append(needs, need{"certificate for agents", a.entrance.ready()})
	}
	ready, text = true, "role: "+a.roles.String()+"\n"
	for _, n := range needs {
		said := "ok"
		if n.err != nil {
			ready, said = false, n.err.Error()
		}
		text += n.name + ": " + said + "\n"
	}
	return ready, text
}
