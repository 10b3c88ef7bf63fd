package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/file"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
)

// Imported is what a file came to.
type Imported struct {
	File      string `json:"file"`
	Movements int    `json:"movements"` // that it states
	Payouts   int    `json:"payouts"`
	Lines     int    `json:"lines"`
	New       int    `json:"new"` // of all of them those that were not known, or were known otherwise
}

// ImportFile keeps what a file of a feed states. It is read once to see whether all
// of it can be read, so that nothing of it is kept otherwise, and once more to keep
// it. What is known already changes nothing.
func ImportFile(ctx context.Context, db *storage.DB, m merchant.Merchant, f merchant.Feed, path string, now time.Time) (Imported, error) {
	out := Imported{File: path}
	o, err := fileOptions(m, f)
	if err != nil {
		return out, err
	}
	id := feed.ID{Merchant: m.ID, Feed: f.ID}
	look := func(p feed.Page) error {
		_, err := feed.Read(ctx, intake.Calendar{}, id, p, now)
		return err
	}
	if err := readFile(f.Source, path, o, look); err != nil {
		return out, err
	}
	return out, readFile(f.Source, path, o, func(p feed.Page) error {
		if err := look(p); err != nil {
			return err
		}
		kept, err := db.Take(ctx, id, feed.Taken{Page: p, At: now})
		out.Movements += len(p.Movements)
		out.Payouts += len(p.Payouts)
		out.Lines += len(p.Lines)
		out.New += kept.Movements + kept.Payouts + kept.Lines
		return err
	})
}

func readFile(kind, path string, o file.Options, take func(feed.Page) error) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := file.Read(kind, in, o, take); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// mostRecipe bounds the file of a recipe, in bytes; what is longer is refused.
const mostRecipe = 64<<10 + 1

func fileOptions(m merchant.Merchant, f merchant.Feed) (file.Options, error) {
	set := f.Settings
	o := file.Options{Provider: cmp.Or(set["provider"], f.ID), Account: set["account"], Currency: cmp.Or(set["currency"], m.Currency)}
	if f.Source != "columns" {
		return o, nil
	}
	text, err := readRecipe(f)
	if err != nil {
		return o, err
	}
	if o.Columns, err = file.ParseColumns(text); err != nil {
		return o, fmt.Errorf("recipe %s: %w", set["recipe"], err)
	}
	return o, nil
}

// readRecipe reads the file of a feed's recipe.
func readRecipe(f merchant.Feed) ([]byte, error) {
	in, err := os.Open(f.Settings["recipe"])
	if err != nil {
		return nil, fmt.Errorf("recipe of feed %s: %w", f.ID, err)
	}
	text, err := io.ReadAll(io.LimitReader(in, mostRecipe))
	if err := errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("recipe of feed %s: %w", f.ID, err)
	}
	return text, nil
}
