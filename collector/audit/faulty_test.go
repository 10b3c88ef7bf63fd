package audit_test

import (
	"context"

	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/target"
)

// faulty is books whose next answers are lost: what was sent is booked.
type faulty struct {
	target.Target
	fail int
}

func (f *faulty) Post(ctx context.Context, p target.Payload) (target.Receipt, error) {
	receipt, err := f.Target.Post(ctx, p)
	if f.fail > 0 {
		f.fail--
		return target.Receipt{}, postingtest.ErrLost
	}
	return receipt, err
}
