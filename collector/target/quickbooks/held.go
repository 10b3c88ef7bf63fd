package quickbooks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/target"
)

var (
	_ target.Inspector = (*Books)(nil)
	_ target.Follower  = (*Books)(nil)
)

// Held returns the documents under all references with a prefix, also receipts
// that were voided.
func (b *Books) Held(ctx context.Context, prefix string) ([]target.Held, error) {
	s, err := b.known(ctx)
	if err != nil {
		return nil, err
	}
	found, err := b.list(ctx, s, prefix)
	if err != nil {
		return nil, err
	}
	all := make([]target.Held, 0, len(found))
	for _, d := range found {
		one := target.Held{Reference: d.number, RemoteID: d.id, Voided: d.voided}
		// What cannot be read is not ours, or not any more.
		if p, err := b.payload(d, s); err == nil {
			one.Payload = &p
		}
		all = append(all, one)
	}
	return all, nil
}

// Remove deletes or voids one document.
func (b *Books) Remove(ctx context.Context, reference, remoteID string) error {
	s, err := b.known(ctx)
	if err != nil {
		return err
	}
	return b.takeOff(ctx, s, reference, func(d document) bool { return d.id == remoteID })
}

// Changed asks for the data that was changed. Of what was deleted QuickBooks tells
// the id alone.
func (b *Books) Changed(ctx context.Context, since time.Time) (remoteIDs, references []string, err error) {
	s, err := b.known(ctx)
	if err != nil {
		return nil, nil, err
	}
	var answer struct {
		CDCResponse []struct{ QueryResponse []map[string]json.RawMessage }
	}
	kinds := b.kinds(s)
	query := url.Values{"entities": {strings.Join(kinds, ",")}, "changedSince": {since.UTC().Format(time.RFC3339)}}
	if err := b.get(ctx, "/cdc", query, &answer); err != nil {
		return nil, nil, err
	}
	for _, response := range answer.CDCResponse {
		for _, query := range response.QueryResponse {
			for _, kind := range kinds {
				var changed []wireDocument
				if text, found := query[kind]; found {
					if err := json.Unmarshal(text, &changed); err != nil {
						return nil, nil, fmt.Errorf("%w: read what changed: %w", target.ErrUnavailable, err)
					}
				}
				for _, w := range changed {
					remoteIDs = append(remoteIDs, w.ID)
					if w.DocNumber != "" {
						references = append(references, w.DocNumber)
					}
				}
			}
		}
	}
	return remoteIDs, references, nil
}
