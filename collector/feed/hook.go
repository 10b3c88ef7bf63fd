package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// ErrSignature: a notification is not signed as its source signs, or too old.
var ErrSignature = errors.New("the signature does not fit")

// Limits of notifications.
const (
	maxNotification = 1 << 20 // bytes
	// nudgeEvery is how seldom one feed is woken: it is asked for all that is new
	// anyway.
	nudgeEvery = 2 * time.Second
)

// Hook takes notifications that something is new at a source. They only have the
// feed asked sooner: what they say is not read, for it may be old, doubled, out of
// order or missing.
type Hook struct {
	// Verify says whether a notification is from a feed's source; ErrUnknown where
	// there is no such feed or it has no secret for notifications.
	Verify func(ctx context.Context, id ID, header http.Header, body []byte) error
	// Nudge has a feed asked at once, unless its source wants to be left alone.
	Nudge  func(ctx context.Context, id ID) error
	Now    func() time.Time
	Logger *slog.Logger

	mu     sync.Mutex
	nudged map[ID]time.Time // feeds whose notifications are signed, so few
}

// ErrUnknown: there is no such feed.
var ErrUnknown = errors.New("no such feed")

// ServeHTTP takes a notification at PREFIX/{merchant}/{feed}.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := ID{r.PathValue("merchant"), r.PathValue("feed")}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotification))
	if err != nil {
		http.Error(w, fmt.Sprintf("a notification has at most %d bytes", maxNotification), http.StatusRequestEntityTooLarge)
		return
	}
	switch err := h.Verify(r.Context(), id, r.Header, body); {
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrSignature): // which of them is nobody's business
		http.Error(w, "this is not from the source of a feed", http.StatusUnauthorized)
		return
	case err != nil:
		h.failed(w, id, err)
		return
	}
	if h.due(id) {
		if err := h.Nudge(r.Context(), id); err != nil {
			h.failed(w, id, err)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Hook) failed(w http.ResponseWriter, id ID, err error) {
	h.Logger.Error("notification of a feed", "feed", id.String(), "error", err)
	http.Error(w, "try again later", http.StatusServiceUnavailable)
}

// due says whether a feed was not woken just now.
func (h *Hook) due(id ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Now()
	if now.Before(h.nudged[id].Add(nudgeEvery)) {
		return false
	}
	if h.nudged == nil {
		h.nudged = map[ID]time.Time{}
	}
	h.nudged[id] = now
	return true
}
