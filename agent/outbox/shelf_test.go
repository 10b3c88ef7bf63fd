package outbox

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"tillbook.example/tillbook/agent/outbox/index"
)

// shelf stands in for Badger: rows in memory that outlive their index as the
// files of Badger do, and of which a power cut takes the newest.
type shelf struct {
	mu      sync.Mutex
	rows    map[uint64]index.Row
	damaged bool // the next call fails, then it is replaced by an empty one
	size    int64
	touched int64
	opened  int
	mode    index.Mode
	stacked bool // until it is opened at work
}

func newShelf() *shelf { return &shelf{rows: map[uint64]index.Row{}} }

// open is an Options.openIndex.
func (s *shelf) open(_ string, mode index.Mode, _ *slog.Logger) (indexer, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	s.touched, s.mode = 0, mode
	s.stacked = s.stacked && mode == index.AtRest
	return s, "", nil
}

// cut takes the newest rows, as many as given.
func (s *shelf) cut(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := slices.Sorted(maps.Keys(s.rows))
	for _, number := range numbers[max(len(numbers)-n, 0):] {
		delete(s.rows, number)
	}
}

func (s *shelf) Touched() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.touched
}

func (s *shelf) Mode() index.Mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode
}

func (s *shelf) Stacked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stacked
}

func (s *shelf) Applied() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var last uint64
	for n := range s.rows {
		last = max(last, n)
	}
	return last
}

var errShelf = errors.New("the shelf fell down")

func (s *shelf) Apply(rows []index.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged {
		return errShelf
	}
	for _, r := range rows {
		s.rows[r.Number] = r
	}
	return nil
}

func (s *shelf) Read(from, to uint64, maxRecords, maxBytes int) ([]index.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged {
		return nil, errShelf
	}
	var out []index.Row
	for n := from; n <= to && len(out) < maxRecords; n++ {
		if r, ok := s.rows[n]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

func (s *shelf) Digest(n uint64) ([32]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[n]
	return r.Digest, ok, nil
}

func (s *shelf) Seen(key string) (uint64, [32]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged {
		return 0, [32]byte{}, false, errShelf
	}
	for n, r := range s.rows {
		if r.IdempotencyKey == key {
			return n, r.Hash, true, nil
		}
	}
	return 0, [32]byte{}, false, nil
}

func (s *shelf) Last(string) (uint64, bool, error) { return 0, false, nil }

func (s *shelf) Trim(first uint64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.rows {
		if n < first {
			delete(s.rows, n)
		}
	}
	return false, nil
}

func (s *shelf) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Close empties a damaged or outgrown shelf: the next open finds a new one.
func (s *shelf) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged || s.size > 0 {
		s.damaged, s.size = false, 0
		clear(s.rows)
	}
	return nil
}

var _ indexer = (*shelf)(nil)
