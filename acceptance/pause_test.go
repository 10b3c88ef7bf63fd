package acceptance

import (
	"context"
	"time"
)

// pause lets real time pass for real processes; nothing is concluded from its
// length.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
