package intake

import (
	"errors"
	"sync"
	"time"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// errDeaf: more answers wait for the agent than it has credit to ask for. It takes
// none, though its line holds.
var errDeaf = errors.New("the agent takes no answers")

// moreAnswers wait beside those to the batches that an agent has credit for.
const moreAnswers = 16

// sender sends answers on a stream in their order, so that nobody waits for an
// agent that takes none.
type sender struct {
	Stream
	limit time.Duration
	out   chan *tillbookv1.Down
	shut  sync.Once
	ended chan struct{}
	err   error // once ended is closed
}

func newSender(stream Stream, credits uint32, limit time.Duration) *sender {
	s := &sender{Stream: stream, limit: limit, out: make(chan *tillbookv1.Down, credits+moreAnswers), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for m := range s.out {
			if s.err = stream.Send(m); s.err != nil {
				return
			}
		}
	}()
	return s
}

// Send has a message sent behind those before. It fails where an earlier one did,
// and never waits.
func (s *sender) Send(m *tillbookv1.Down) error {
	select {
	case s.out <- m:
		return nil
	case <-s.ended:
		return s.err
	default:
		return errDeaf
	}
}

// close waits until all is sent, the stream has ended, or the limit has passed.
// Nothing may be sent after it; it may be called again.
func (s *sender) close() { s.shut.Do(s.flush) }

func (s *sender) flush() {
	close(s.out)
	limit := time.NewTimer(s.limit)
	defer limit.Stop()
	select {
	case <-s.ended:
	case <-limit.C:
	}
}
