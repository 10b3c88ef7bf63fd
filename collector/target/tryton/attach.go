package tryton

import (
	"context"
	"encoding/base64"
	"fmt"

	"tillbook.example/tillbook/collector/target"
)

// Attach adds a file to what stands, or replaces the one of the same name.
func (b *Books) Attach(ctx context.Context, reference string, a target.Attachment) error {
	if err := a.Validate(); err != nil {
		return fmt.Errorf("attach to %s: %w: %w", reference, target.ErrRefused, err)
	}
	s, err := b.known(ctx)
	if err != nil {
		return err
	}
	found, err := b.heads(ctx, s, reference)
	if err != nil {
		return err
	}
	for _, m := range standingOf(found) {
		if m.reference() == reference {
			return b.attach(ctx, s, m, a)
		}
	}
	return fmt.Errorf("attach to %s: %w: nothing stands under it", reference, target.ErrRefused)
}

func (b *Books) attach(ctx context.Context, s *setup, m move, a target.Attachment) error {
	resource := fmt.Sprint(cancelOf, m.id)
	data := map[string]string{"__class__": "bytes", "base64": base64.StdEncoding.EncodeToString(a.Body)}
	type attachment struct {
		ID int64 `json:"id"`
	}
	there, err := readAll[attachment](ctx, b, "ir.attachment", []any{where("resource", "=", resource), where("name", "=", a.Name)}, s.context, "name")
	if err == nil && len(there) > 0 {
		err = b.call(ctx, true, nil, "model.ir.attachment.write", []int64{there[0].ID}, map[string]any{"data": data}, s.context)
	} else if err == nil {
		values := map[string]any{"resource": resource, "name": a.Name, "type": "data", "data": data}
		err = b.call(ctx, true, nil, "model.ir.attachment.create", []any{values}, s.context)
	}
	if err != nil {
		return fmt.Errorf("attach to %s: %w", m.reference(), err)
	}
	return nil
}
