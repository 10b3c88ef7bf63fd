package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/uplink"
)

// Unsent counts what a stopped agent holds that the collector has not
// acknowledged. It returns outbox.ErrLocked if the agent runs: then its status
// says.
func Unsent(data string) (n uint64, err error) {
	folder := filepath.Join(data, OutboxFolder)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return 0, nil // it has never run
	}
	log := slog.New(slog.DiscardHandler)
	buffer, err := outbox.Open(folder, outbox.Options{Ballast: -1, Logger: log})
	if err != nil {
		return 0, fmt.Errorf("count unsent documents: %w", err)
	}
	defer func() { err = errors.Join(err, buffer.Close()) }()
	link, err := uplink.New(uplink.Options{Outbox: buffer, Carrier: nobody{}, Logger: log})
	if err != nil {
		return 0, fmt.Errorf("count unsent documents: %w", err)
	}
	return link.Status().Unsent, nil
}

// nobody is the carrier of an uplink that is only asked how it stands.
type nobody struct{}

func (nobody) Dial(context.Context) (uplink.Session, error) { return nil, errors.ErrUnsupported }
