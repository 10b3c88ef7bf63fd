package target

import (
	"context"
	"fmt"
	"time"
)

// Held is a document that is in the books under a reference.
type Held struct {
	Reference string
	RemoteID  string // as in the receipt
	// Voided: it was taken off, and the system still shows it.
	Voided bool
	// Payload is what it says now; its Key is empty where we did not write it. Nil:
	// it cannot be read as one of ours.
	Payload *Payload
}

// Inspector is a target that shows everything that is in the books under a
// reference, also more than one document, and what was taken off.
type Inspector interface {
	// Held returns the documents under all references with a prefix.
	Held(ctx context.Context, prefix string) ([]Held, error)
	// Remove takes one document off the books, as Reverse does with all of a
	// reference. Not there is no error; a closed period is ErrRefused.
	Remove(ctx context.Context, reference, remoteID string) error
}

// Follower is a target that tells what was changed in the books since a moment.
type Follower interface {
	// Changed returns the remote ids and references of documents that were made,
	// changed or deleted since then, whoever did it. The moment is at most 30 days
	// ago; of what is older nothing is told.
	Changed(ctx context.Context, since time.Time) (remoteIDs, references []string, err error)
}

// HeldBy returns the documents under all references with a prefix: as the target
// shows them or, where it does not, one for each reference.
func HeldBy(ctx context.Context, t Target, prefix string) ([]Held, error) {
	if i, ok := t.(Inspector); ok {
		return i.Held(ctx, prefix)
	}
	references, err := t.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list what stands: %w", err)
	}
	var all []Held
	for _, reference := range references {
		p, receipt, err := t.Find(ctx, reference)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", reference, err)
		}
		if p != nil {
			all = append(all, Held{Reference: reference, RemoteID: receipt.RemoteID, Payload: p})
		}
	}
	return all, nil
}
