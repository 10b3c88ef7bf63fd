package web

import (
	"sync"
	"time"
)

// Kept is what is known of somebody's books and believed for a time. Its methods
// may be called at the same time.
type Kept[T any] struct {
	mu    sync.Mutex
	value *T
	until time.Time
}

// Get returns what is kept, asking again if it is not believed any more; what was
// asked is believed for life from before the question on.
func (k *Kept[T]) Get(now time.Time, life time.Duration, ask func() (*T, error)) (*T, error) {
	k.mu.Lock()
	value, until := k.value, k.until
	k.mu.Unlock()
	if value != nil && now.Before(until) {
		return value, nil
	}
	value, err := ask() // not under mu: others need not wait for an old answer
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.value, k.until = value, now.Add(life)
	k.mu.Unlock()
	return value, nil
}

// Forget has the next Get ask.
func (k *Kept[T]) Forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.value = nil
}
