package day

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"tillbook.example/tillbook/shared/bizday"
)

// queued is a store that notes which days are read, and can read none.
type queued struct {
	Store
	refs []Ref
	read []Ref
}

var errUnread = errors.New("cannot be read")

func (s *queued) Unsettled(context.Context) ([]Ref, error) { return s.refs, nil }

func (s *queued) Facts(_ context.Context, ref Ref) (Facts, error) {
	s.read = append(s.read, ref)
	return Facts{}, errUnread
}

func TestAMerchantWithManyOldDaysKeepsAnotherWaitingForOneAtMost(t *testing.T) {
	t.Parallel()
	s := &queued{}
	for i := range 5 {
		s.refs = append(s.refs, Ref{"behind", "s", bizday.Day("2026-10-01").Add(i)})
	}
	s.refs = append(s.refs, Ref{"live", "s", "2026-11-02"}, Ref{"live", "s", "2026-11-03"}, Ref{"other", "s", "2026-11-03"})
	c := &Closer{Store: s, Now: func() time.Time { return morning }}
	if _, err := c.Sweep(t.Context()); !errors.Is(err, errUnread) {
		t.Fatal(err)
	}
	var order []string
	for _, ref := range s.read {
		order = append(order, ref.Merchant+" "+string(ref.Day)[5:])
	}
	want := []string{"behind 10-01", "live 11-02", "other 11-03", "behind 10-02", "live 11-03", "behind 10-03", "behind 10-04", "behind 10-05"}
	if !slices.Equal(order, want) {
		t.Errorf("read in the order %q, want %q", order, want)
	}
}
