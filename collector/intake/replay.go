package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/fleet"
)

// Shelved is a record that could not be read when it came and was kept raw.
type Shelved struct {
	From       fleet.Identity
	Epoch      uint64 // order
	Number     uint64 // wire number
	Capture    uint64
	Recipe     uint32
	Code, Text string
	Received   time.Time
	Bytes      []byte
}

// String names the record as people do.
func (s Shelved) String() string {
	return fmt.Sprintf("record %d of epoch %d of agent %s", s.Number, s.Epoch, s.From.Agent)
}

// ErrSettled: a shelved record was replayed or dismissed already.
var ErrSettled = errors.New("settled already")

// Shelf keeps records that could not be read. Each method is one transaction
// that may be run again with the same outcome.
type Shelf interface {
	// Shelved returns a merchant's records that are neither replayed nor
	// dismissed, in the order in which they came.
	Shelved(ctx context.Context, merchant string) ([]Shelved, error)
	// Replay stores a shelved record as the document that it is after all, as if it
	// had been read when it came, and takes it off the shelf (else ErrSettled).
	Replay(ctx context.Context, s Shelved, r Record, at time.Time) (Verdict, error)
	// Dismiss takes a record off the shelf because a person says that it is no
	// sale, or was sent again (else ErrSettled). The bytes stay.
	Dismiss(ctx context.Context, s Shelved, by string, at time.Time) error
}

// replayable are the codes of records that this side could not read: a newer
// version or another configuration may. What the agent could not read is a till's
// own bytes; its agent reads them again with a better recipe. Of a record whose
// hash was wrong the document cannot be believed.
var replayable = []string{CodeUnreadable, CodeInvalid, CodeStore, CodeNoDay}

// Replayed is what became of one shelved record.
type Replayed struct {
	Shelved
	Verdict Verdict // empty: it stays on the shelf
	Why     string  // it stays
}

// Replay reads a merchant's shelved records again and stores those that can be
// read now.
func Replay(ctx context.Context, shelf Shelf, calendar Calendar, merchant string, at time.Time) ([]Replayed, error) {
	shelved, err := shelf.Shelved(ctx, merchant)
	if err != nil {
		return nil, err
	}
	out := make([]Replayed, 0, len(shelved))
	for _, s := range shelved {
		if !slices.Contains(replayable, s.Code) {
			out = append(out, Replayed{Shelved: s, Why: "the agent has to read it again"})
			continue
		}
		r, err := Record{Capture: s.Capture, Bytes: s.Bytes, Recipe: s.Recipe, Reason: "replayed"}.read(ctx, calendar, s.From, nil)
		if err != nil {
			return out, fmt.Errorf("replay %s: %w", s, err)
		}
		if r.Document == nil {
			out = append(out, Replayed{Shelved: s, Why: r.Code + ": " + r.Text})
			continue
		}
		verdict, err := shelf.Replay(ctx, s, r, at)
		if errors.Is(err, ErrSettled) {
			continue
		}
		if err != nil {
			return out, fmt.Errorf("replay %s: %w", s, err)
		}
		out = append(out, Replayed{Shelved: s, Verdict: verdict})
	}
	return out, nil
}
