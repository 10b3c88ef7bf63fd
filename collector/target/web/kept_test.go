package web_test

import (
	"errors"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/target/web"
)

func TestWhatIsKeptIsAskedAgainWhenItIsOldForgottenOrWasNotHeard(t *testing.T) {
	t.Parallel()
	var kept web.Kept[int]
	now, asked := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), 0
	get := func(after time.Duration, fails error) (int, error) {
		v, err := kept.Get(now.Add(after), time.Minute, func() (*int, error) {
			asked++
			value := asked
			return &value, fails
		})
		if err != nil {
			return 0, err
		}
		return *v, nil
	}
	broken := errors.New("no line")
	if _, err := get(0, broken); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	for i, step := range []struct {
		after  time.Duration
		forget bool
		want   int
	}{{0, false, 2}, {time.Minute - 1, false, 2}, {time.Minute, false, 3}, {time.Minute, true, 4}, {time.Minute, false, 4}} {
		if step.forget {
			kept.Forget()
		}
		if got, err := get(step.after, nil); err != nil || got != step.want {
			t.Errorf("step %d: %d, %v; want %d", i, got, err, step.want)
		}
	}
}
