package app

import (
	"fmt"
	"sync"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/text"
)

// Targets returns how the books of a connection are opened. Opened books are
// kept until their settings change.
func Targets() func(m merchant.Merchant, c merchant.Connection) (target.Target, error) {
	var mu sync.Mutex
	open := map[text.Options]target.Target{}
	return func(m merchant.Merchant, c merchant.Connection) (target.Target, error) {
		if c.Target != "text" {
			return nil, fmt.Errorf("%w: this collector has no target %q", target.ErrUnavailable, c.Target)
		}
		options := text.Options{Folder: c.Settings["folder"], Format: c.Settings["format"], Currency: m.Currency}
		mu.Lock()
		defer mu.Unlock()
		if t, ok := open[options]; ok {
			return t, nil
		}
		t, err := text.Open(options)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", target.ErrUnavailable, err)
		}
		open[options] = t
		return t, nil
	}
}
