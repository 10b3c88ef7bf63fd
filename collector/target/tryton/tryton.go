// Package tryton posts to a company at a Tryton server, over its JSON-RPC: a day
// is one move, made as a draft and then posted.
//
// Tryton knows no reference that is unique. The draft is what keeps a day from
// being booked twice: nothing is in the books before the one step that posts a
// draft, and before that step all other drafts under its reference are deleted,
// which Tryton refuses for one that is posted. So of any number of collectors, and
// of requests that arrive late, one posts. What Tryton has no field for stands in
// texts (package memo); each move can be read back whole and compared.
//
// Moves are found by the reference that their description begins with. They are
// taken off the books by Tryton's own cancellation, which leaves both moves.
package tryton

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

const (
	// longestRequest is after what a request is given up. One that is carried out
	// later changes nothing that is not looked at again.
	longestRequest = 120 * time.Second
	// chartLife is how long accounts, taxes and periods are believed.
	chartLife = 10 * time.Minute
	pageSize  = 1000 // records of one request
	maxPages  = 100
	// rounds bounds how often a posting is looked at again because another one works
	// under its reference, and patience how many rounds another's draft is left alone.
	rounds   = 24
	patience = 6
	yields   = 50 * time.Millisecond
)

// Options say which books.
type Options struct {
	URL      string // of the server
	Database string
	Company  string // its name; empty: the user's own
	Journal  string // its code or name; empty: REV
	HTTP     *http.Client
	Access   web.Access // to the database; NewAccess returns one
	Currency string     // of the books, ISO 4217
	Filed    bizday.Day
	Now      func() time.Time
}

// Books is one company's books. Its methods may be called at the same time.
type Books struct {
	o      Options
	places int
	client *web.Client
	setup  web.Kept[setup]
}

var _ target.Target = (*Books)(nil)

// Open returns the books. It asks nothing of the server yet.
func Open(o Options) (*Books, error) {
	places, err := money.Places(o.Currency)
	if err != nil {
		return nil, fmt.Errorf("books at Tryton: %w", err)
	}
	if o.Journal == "" {
		o.Journal = "REV"
	}
	return &Books{o: o, places: places, client: web.NewClient(web.Options{
		Base: address(o.URL, o.Database), HTTP: o.HTTP, Access: o.Access, Scheme: "Session", InFlight: 4, Now: o.Now,
	})}, nil
}

// Capabilities: Tryton itself refuses no reference that was used.
func (b *Books) Capabilities() target.Capabilities {
	return target.Capabilities{Uniqueness: target.LookUpOnly, LongestRequest: longestRequest, Chart: true, Closes: true, Reverses: true, Attaches: true}
}

// Post makes a draft and posts it.
func (b *Books) Post(ctx context.Context, p target.Payload) (target.Receipt, error) {
	if err := p.Fits(b.o.Currency); err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	s, err := b.known(ctx)
	if err != nil {
		return target.Receipt{}, err
	}
	var refusal, kept error // why posting our draft, or deleting another, was refused
	for round := range rounds {
		found, err := b.find(ctx, s, p.Reference)
		if errors.Is(err, errSaid) && round < rounds-1 { // somebody deletes drafts
			if err := wait(ctx, yields); err != nil {
				return target.Receipt{}, err
			}
			continue
		}
		if err != nil {
			return target.Receipt{}, err
		}
		drafts := slices.DeleteFunc(slices.Clone(found), func(m move) bool { return m.state != draft })
		if len(drafts) < len(found) { // one was posted
			return b.stands(ctx, s, p, found, drafts)
		}
		want, err := b.render(p, s, true)
		if err != nil {
			return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
		}
		if refusal != nil {
			b.setup.Forget() // what was known may be what was wrong
			return target.Receipt{}, errors.Join(refusal, b.drop(ctx, s, drafts))
		}
		ours := slices.IndexFunc(drafts, func(m move) bool { return differs(want, m) == "" })
		switch {
		case ours < 0 && len(drafts) > 0 && round < patience, ours > 0 && round < patience:
			// Somebody else was first with another payload, or was interrupted.
			if err := wait(ctx, yields); err != nil {
				return target.Receipt{}, err
			}
			continue
		case ours < 0:
			if err := b.create(ctx, s, want); err != nil {
				if errors.Is(err, target.ErrRefused) {
					b.setup.Forget()
				}
				return target.Receipt{}, err
			}
			continue // there may be two by now
		}
		keep := drafts[ours]
		if err := b.drop(ctx, s, slices.Delete(drafts, ours, ours+1)); err != nil {
			if errors.Is(err, target.ErrRefused) {
				kept = err // posted meanwhile, gone, or not ours to delete
				continue
			}
			return target.Receipt{}, err
		}
		err = b.call(ctx, true, nil, "model.account.move.post", []int64{keep.id}, s.context)
		if err == nil {
			return receipt(keep), nil
		}
		if !errors.Is(err, target.ErrRefused) {
			return target.Receipt{}, fmt.Errorf("post %s: %w", p.Reference, err)
		}
		// Refused, or posted or deleted by another: what is there says which.
		if still, findErr := b.find(ctx, s, p.Reference); findErr != nil && !errors.Is(findErr, errSaid) {
			return target.Receipt{}, findErr
		} else if slices.ContainsFunc(still, func(m move) bool { return m.id == keep.id && m.state == draft }) {
			refusal = fmt.Errorf("post %s: %w", p.Reference, err)
		}
	}
	return target.Receipt{}, errors.Join(fmt.Errorf("%w: others keep working on %s at the same time", target.ErrUnavailable, p.Reference), kept)
}

// stands tells what is booked under a payload's reference, and deletes drafts that
// came too late.
func (b *Books) stands(ctx context.Context, s *setup, p target.Payload, found, drafts []move) (target.Receipt, error) {
	if err := b.drop(ctx, s, drafts); err != nil && !errors.Is(err, target.ErrRefused) {
		return target.Receipt{}, err
	}
	standing := standingOf(found)
	if len(standing) == 0 {
		return target.Receipt{}, fmt.Errorf("%w: %s was cancelled at Tryton", target.ErrTaken, p.Reference)
	}
	if len(standing) > 1 {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrTaken, several(standing, p.Reference))
	}
	want, err := b.render(p, s, false)
	if err == nil {
		if d := differs(want, standing[0]); d != "" {
			err = errors.New(d)
		}
	}
	if err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %s stands at Tryton otherwise: %w", target.ErrTaken, p.Reference, err)
	}
	return receipt(standing[0]), nil
}

// Find reads the payload back. Where a person changed what stands, the lines are
// those that stand.
func (b *Books) Find(ctx context.Context, reference string) (*target.Payload, target.Receipt, error) {
	if err := target.CheckReference(reference); err != nil {
		return nil, target.Receipt{}, err
	}
	s, err := b.known(ctx)
	if err != nil {
		return nil, target.Receipt{}, err
	}
	found, err := b.find(ctx, s, reference)
	if err != nil {
		return nil, target.Receipt{}, err
	}
	standing := standingOf(found)
	switch len(standing) {
	case 0:
		return nil, target.Receipt{}, nil
	case 1:
	default:
		return nil, target.Receipt{}, several(standing, reference)
	}
	p, err := b.payload(standing[0], s)
	if err != nil {
		return nil, target.Receipt{}, fmt.Errorf("read %s back: %w", reference, err)
	}
	return &p, receipt(standing[0]), nil
}

// List returns the references with the prefix, sorted.
func (b *Books) List(ctx context.Context, prefix string) ([]string, error) {
	s, err := b.known(ctx)
	if err != nil {
		return nil, err
	}
	found, err := b.heads(ctx, s, prefix)
	if err != nil {
		return nil, err
	}
	var references []string
	for _, m := range standingOf(found) {
		references = append(references, m.reference())
	}
	slices.Sort(references)
	return slices.Compact(references), nil
}

// Reverse cancels what stands, as Tryton does it: by a second move that takes
// back the first.
func (b *Books) Reverse(ctx context.Context, reference string) error {
	s, err := b.known(ctx)
	if err != nil {
		return err
	}
	found, err := b.find(ctx, s, reference)
	if err != nil {
		return err
	}
	for _, m := range standingOf(found) {
		err := s.open(m.date)
		if err != nil {
			return fmt.Errorf("reverse %s: %w: %w", reference, target.ErrRefused, err)
		}
		if err := b.cancel(ctx, s, m); err != nil {
			return fmt.Errorf("reverse %s: %w", reference, err)
		}
	}
	return nil
}

// standingOf are the moves that are in the books and were not cancelled.
func standingOf(found []move) []move {
	return slices.DeleteFunc(slices.Clone(found), func(m move) bool { return m.state == draft || m.cancelled() })
}

func several(standing []move, reference string) error {
	return fmt.Errorf("%d moves stand under %s at Tryton; cancel all but one", len(standing), reference)
}

func receipt(m move) target.Receipt { return target.Receipt{RemoteID: fmt.Sprint(m.id)} }

// wait waits, or says that there is no time left.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", target.ErrUnavailable, ctx.Err())
	}
}
