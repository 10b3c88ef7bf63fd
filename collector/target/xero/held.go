package xero

import (
	"context"
	"fmt"

	"tillbook.example/tillbook/collector/target"
)

var _ target.Inspector = (*Books)(nil)

// Held returns the documents under all references with a prefix, also those that
// were voided.
func (b *Books) Held(ctx context.Context, prefix string) ([]target.Held, error) {
	s, err := b.known(ctx)
	if err != nil {
		return nil, err
	}
	f := b.form(s)
	found, err := f.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	all := make([]target.Held, 0, len(found))
	for _, d := range found {
		one := target.Held{Reference: d.number, RemoteID: d.id, Voided: d.voided}
		// What cannot be read is not ours, or not any more.
		if p, part, err := b.payload(f, s, []document{d}); err == nil {
			if part {
				p.Lines = standingLines([]document{d})
			}
			one.Payload = &p
		}
		all = append(all, one)
	}
	return all, nil
}

// Remove voids one document.
func (b *Books) Remove(ctx context.Context, reference, remoteID string) error {
	s, err := b.known(ctx)
	if err != nil {
		return err
	}
	return b.takeOff(ctx, s, reference, func(d document) bool { return d.id == remoteID })
}

// takeOff voids what stands under a reference and is meant.
func (b *Books) takeOff(ctx context.Context, s *setup, reference string, meant func(document) bool) error {
	f := b.form(s)
	found, err := f.find(ctx, reference)
	if err != nil {
		return err
	}
	for _, d := range standingOf(found) {
		if !meant(d) {
			continue
		}
		if err := s.open(d.date); err != nil {
			return fmt.Errorf("reverse %s: %w: %w", reference, target.ErrRefused, err)
		}
		if err := f.void(ctx, d); err != nil {
			return fmt.Errorf("reverse %s: %w", reference, err)
		}
	}
	return nil
}
