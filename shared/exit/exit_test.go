package exit_test

import (
	"errors"
	"fmt"
	"testing"

	"tillbook.example/tillbook/shared/exit"
)

func TestTheCodeIsFoundThroughWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("no answer")
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"none":    {nil, exit.OK},
		"plain":   {cause, exit.Failed},
		"wrapped": {fmt.Errorf("status: %w", exit.With(exit.Unreachable, cause)), exit.Unreachable},
		"silent":  {exit.With(exit.Degraded, nil), exit.Degraded},
	} {
		if got := exit.Code(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if !errors.Is(exit.With(exit.Failed, cause), cause) {
		t.Error("the cause is lost")
	}
}
