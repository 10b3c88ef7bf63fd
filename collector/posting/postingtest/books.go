package postingtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/target"
)

// Fault is what goes wrong with one request to Books.
type Fault int

// Faults of a post.
const (
	None          Fault = iota
	BookThenFail        // booked, but the answer is lost
	FailUnbooked        // not booked, and nobody can tell
	Down                // definitely not booked, try later
	Refuse              // definitely not booked
	CannotBeFound       // a find fails
	Throttle            // definitely not booked, try after ThrottleRest
)

// ErrLost: the answer did not arrive.
var ErrLost = errors.New("connection reset")

// Books are accounting books in memory. They are unique by reference only if
// Unique is set; otherwise a second post of a reference books it twice, as a
// careless system would.
//
// They take postings off only if Reverses is set; of what was taken off a unique
// reference stays used.
type Books struct {
	Unique, Reverses bool

	mu     sync.Mutex
	faults []Fault
	booked []target.Payload
	gone   map[string]bool
	posts  int
	period target.Period
}

var _ target.Target = (*Books)(nil)

// ThrottleRest is what a Throttle asks for.
const ThrottleRest = 10 * time.Minute

// LongestRequest is what Books state.
const LongestRequest = 10 * time.Second

// Fail queues faults: each request takes the next.
func (b *Books) Fail(faults ...Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, faults...)
}

// Booked returns all that was booked, in order.
func (b *Books) Booked() []target.Payload {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.booked)
}

// Posts returns how many posts arrived.
func (b *Books) Posts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.posts
}

// Edit changes what is booked under a reference, as an accountant might.
func (b *Books) Edit(reference string, change func(*target.Payload)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.booked {
		if b.booked[i].Reference == reference {
			b.booked[i].Lines = slices.Clone(b.booked[i].Lines)
			change(&b.booked[i])
		}
	}
}

func (b *Books) next() Fault {
	if len(b.faults) == 0 {
		return None
	}
	f := b.faults[0]
	b.faults = b.faults[1:]
	return f
}

// Capabilities implements target.Target.
func (b *Books) Capabilities() target.Capabilities {
	c := target.Capabilities{Uniqueness: target.LookUpOnly, LongestRequest: LongestRequest, Reverses: b.Reverses}
	if b.Unique {
		c.Uniqueness = target.UniqueForEver
	}
	return c
}

// Post implements target.Target.
func (b *Books) Post(ctx context.Context, p target.Payload) (target.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.posts++
	if err := p.Validate(); err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	fault := b.next()
	switch fault {
	case FailUnbooked:
		return target.Receipt{}, ErrLost
	case Down:
		return target.Receipt{}, target.ErrUnavailable
	case Throttle:
		return target.Receipt{}, &target.Later{Rest: ThrottleRest, Err: errors.New("too many requests")}
	case Refuse:
		return target.Receipt{}, target.ErrRefused
	}
	if b.Unique && b.gone[p.Reference] {
		return target.Receipt{}, target.ErrTaken
	}
	i := slices.IndexFunc(b.booked, func(q target.Payload) bool { return q.Reference == p.Reference })
	switch {
	case i < 0 || !b.Unique:
		b.booked = append(b.booked, p)
	case !b.booked[i].Equal(p):
		return target.Receipt{}, target.ErrTaken
	}
	if fault == BookThenFail {
		return target.Receipt{}, ErrLost
	}
	return target.Receipt{RemoteID: p.Reference}, nil
}

// Find implements target.Target.
func (b *Books) Find(_ context.Context, reference string) (*target.Payload, target.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.faults) > 0 && b.faults[0] == CannotBeFound {
		b.next()
		return nil, target.Receipt{}, ErrLost
	}
	for _, p := range b.booked {
		if p.Reference == reference {
			return &p, target.Receipt{RemoteID: reference}, nil
		}
	}
	return nil, target.Receipt{}, nil
}

// List implements target.Target.
func (b *Books) List(_ context.Context, prefix string) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var references []string
	for _, p := range b.booked {
		if strings.HasPrefix(p.Reference, prefix) {
			references = append(references, p.Reference)
		}
	}
	slices.Sort(references)
	return slices.Compact(references), nil
}

// Chart implements target.Target: these books have none.
func (b *Books) Chart(context.Context) (target.Chart, error) {
	return target.Chart{}, target.ErrNotOffered
}

// Period implements target.Target.
func (b *Books) Period(context.Context) (target.Period, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.period, nil
}

// SetPeriod closes the books.
func (b *Books) SetPeriod(p target.Period) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.period = p
}

// Reverse implements target.Target.
func (b *Books) Reverse(_ context.Context, reference string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.Reverses {
		return target.ErrNotOffered
	}
	fault := b.next()
	switch fault {
	case FailUnbooked:
		return ErrLost
	case Down:
		return target.ErrUnavailable
	case Throttle:
		return &target.Later{Rest: ThrottleRest, Err: errors.New("too many requests")}
	case Refuse:
		return target.ErrRefused
	}
	b.booked = slices.DeleteFunc(b.booked, func(p target.Payload) bool { return p.Reference == reference })
	if b.gone == nil {
		b.gone = map[string]bool{}
	}
	b.gone[reference] = true
	if fault == BookThenFail {
		return ErrLost
	}
	return nil
}

// Attach implements target.Target: these books do not.
func (b *Books) Attach(context.Context, string, target.Attachment) error { return target.ErrNotOffered }
