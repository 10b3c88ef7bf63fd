// Package text keeps books as plain text: a folder of journal files that
// hledger or beancount reads, with nothing between them and the accountant.
//
// Each posting is a file of its own, named by its reference. It appears whole
// or not at all and is never written again: it is put together beside its place,
// synced, and linked there, which the file system refuses if the name is taken.
// That makes a reference unique for ever, also among several collectors that
// share the folder. A file that was edited by hand is read as it now stands, so
// that the difference shows.
//
//	main.journal                       reads all the rest; include it in your own
//	accounts/Assets-Cash-1f2e3d4c.journal
//	postings/POS-S1-20261103.journal
//
// On a file system without links a reference is only as unique as posting's own
// look-up makes it, and Capabilities says so.
package text

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/internal/durable"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Formats.
const (
	Hledger   = "hledger"
	Beancount = "beancount"
)

const (
	postings = "postings"
	accounts = "accounts"
	// about holds a comment, so that a folder without postings can be included
	// too. Its name is not a reference.
	about = "_about"
)

// longestRequest bounds how long a write to a folder on a network may take.
const longestRequest = 30 * time.Second

// Options say which books.
type Options struct {
	Folder   string
	Format   string     // Hledger or Beancount
	Currency string     // of the books, ISO 4217
	Filed    bizday.Day // tax returns were filed up to this day; may be empty
}

// Books is one folder of books. Its methods may be called at the same time.
type Books struct {
	folder   string
	currency string
	places   int
	format   format
	filed    bizday.Day
	disk     disk
}

var _ target.Target = (*Books)(nil)

// Open makes the folder and what is in every set of books, where they are not
// there yet, and clears away what a crash left half written.
func Open(o Options) (*Books, error) { return open(o, disk{link: os.Link}) }

func open(o Options, d disk) (*Books, error) {
	if !filepath.IsAbs(o.Folder) {
		return nil, fmt.Errorf("books folder %q must be an absolute path", o.Folder)
	}
	places, err := money.Places(o.Currency)
	if err != nil {
		return nil, fmt.Errorf("books in %s: %w", o.Folder, err)
	}
	var f format
	switch o.Format {
	case Hledger:
		f = hledger{}
	case Beancount:
		f = beancount{}
	default:
		return nil, fmt.Errorf("books in %s: format %q is not known; use %s or %s", o.Folder, o.Format, Hledger, Beancount)
	}
	b := &Books{folder: filepath.Clean(o.Folder), currency: o.Currency, places: places, format: f, filed: o.Filed, disk: d}
	for _, dir := range []string{b.folder, b.path(accounts), b.path(postings)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("open books: %w", err)
		}
	}
	if err := b.disk.clear(b.folder); err != nil {
		return nil, fmt.Errorf("open books in %s: %w", b.folder, err)
	}
	if b.disk.links, err = b.disk.probe(b.folder); err != nil {
		return nil, fmt.Errorf("open books in %s: %w", b.folder, err)
	}
	for _, file := range []struct{ name, text string }{
		{filepath.Join(accounts, about), "; One file per account that was posted to. Written by Tillbook.\n"},
		{filepath.Join(postings, about), "; One file per posting, named by its reference. Written by Tillbook, never changed by it.\n"},
		{"main", f.main(b.currency, places)},
	} {
		if err := b.ensure(file.name, file.text); err != nil {
			return nil, fmt.Errorf("open books: %w", err)
		}
	}
	return b, nil
}

// Capabilities: a reference is unique for ever where the file system has links.
func (b *Books) Capabilities() target.Capabilities {
	if !b.disk.links {
		return target.Capabilities{Uniqueness: target.LookUpOnly, LongestRequest: longestRequest}
	}
	return target.Capabilities{Uniqueness: target.UniqueForEver, LongestRequest: longestRequest}
}

// Post writes the payload's file. An account that the format cannot hold, or
// another currency than the books', is ErrRefused with the reason.
func (b *Books) Post(ctx context.Context, p target.Payload) (target.Receipt, error) {
	if err := b.check(p); err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	if err := ctx.Err(); err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrUnavailable, err)
	}
	if receipt, stands, err := b.stands(p); stands || err != nil {
		return receipt, err
	}
	for _, name := range accountsOf(p) {
		if err := b.ensure(filepath.Join(accounts, accountFile(name)), b.format.account(name)); err != nil {
			return target.Receipt{}, fmt.Errorf("%w: declare account %s: %w", target.ErrUnavailable, name, err)
		}
	}
	body, err := b.render(p)
	if err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	switch err := b.disk.create(b.folder, b.postingPath(p.Reference), body); {
	case errors.Is(err, fs.ErrExist):
		receipt, stands, err := b.stands(p)
		if err == nil && !stands {
			err = fmt.Errorf("posting %s appeared and went away again", p.Reference)
		}
		return receipt, err
	case err != nil:
		return target.Receipt{}, fmt.Errorf("write posting %s: %w", p.Reference, err)
	}
	return b.receipt(p.Reference), nil
}

// Find reads a posting's file back. A file that was edited by hand is given
// with the date and the lines it has now.
func (b *Books) Find(ctx context.Context, reference string) (*target.Payload, target.Receipt, error) {
	if err := target.CheckReference(reference); err != nil {
		return nil, target.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, target.Receipt{}, err
	}
	body, err := readFile(b.postingPath(reference))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, target.Receipt{}, nil
	case err != nil:
		return nil, target.Receipt{}, fmt.Errorf("find posting %s: %w", reference, err)
	case len(body) == 0: // claimed, never written: see disk.create
		return nil, target.Receipt{}, nil
	}
	p, err := parse(body, b.places, b.format)
	if err != nil {
		return nil, target.Receipt{}, fmt.Errorf("find posting %s: %s: %w", reference, b.postingPath(reference), err)
	}
	// A crash may have come between the link and its sync: what is found lasts.
	if err := durable.SyncFolder(b.path(postings)); err != nil {
		return nil, target.Receipt{}, fmt.Errorf("find posting %s: %w", reference, err)
	}
	return &p, b.receipt(reference), nil
}

// List returns the references with the prefix, sorted.
func (b *Books) List(ctx context.Context, prefix string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(b.path(postings))
	if err != nil {
		return nil, fmt.Errorf("list postings: %w", err)
	}
	var references []string
	for _, file := range files {
		reference, ok := strings.CutSuffix(file.Name(), b.format.extension())
		if !ok || !strings.HasPrefix(reference, prefix) || target.CheckReference(reference) != nil {
			continue
		}
		if info, err := file.Info(); err != nil || info.Size() == 0 {
			continue // gone since, or only claimed
		}
		references = append(references, reference)
	}
	slices.Sort(references)
	return references, nil
}

// Chart is not offered: an account is declared when it is first posted to.
func (b *Books) Chart(context.Context) (target.Chart, error) {
	return target.Chart{}, fmt.Errorf("chart of %s: %w", b.folder, target.ErrNotOffered)
}

// Period: the books cannot be closed.
func (b *Books) Period(context.Context) (target.Period, error) {
	return target.Period{Filed: b.filed}, nil
}

// Reverse is not offered: what was written stays, and a later revision corrects
// it.
func (b *Books) Reverse(_ context.Context, reference string) error {
	return fmt.Errorf("reverse posting %s: %w", reference, target.ErrNotOffered)
}

// Attach is not offered: what is behind a posting stands in its file.
func (b *Books) Attach(_ context.Context, reference string, _ target.Attachment) error {
	return fmt.Errorf("attach to posting %s: %w", reference, target.ErrNotOffered)
}

// stands tells whether the payload's reference is booked already: as the same
// payload (its receipt), or as another (ErrTaken).
func (b *Books) stands(p target.Payload) (target.Receipt, bool, error) {
	found, receipt, err := b.Find(context.Background(), p.Reference)
	switch {
	case err != nil:
		return target.Receipt{}, false, err
	case found == nil:
		return target.Receipt{}, false, nil
	case !found.Equal(p):
		return target.Receipt{}, false, fmt.Errorf("%w: %s holds another posting, of %s", target.ErrTaken, b.postingPath(p.Reference), found.Key)
	}
	return receipt, true, nil
}

func (b *Books) check(p target.Payload) error {
	if err := p.Fits(b.currency); err != nil {
		return err
	}
	for _, name := range accountsOf(p) {
		if err := b.format.checkAccount(name); err != nil {
			return fmt.Errorf("account %q: %w", name, err)
		}
	}
	return nil
}

// ensure creates a file that is the same for everyone who creates it.
func (b *Books) ensure(name, text string) error {
	path := b.path(name + b.format.extension())
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		return nil
	}
	if err := b.disk.create(b.folder, path, []byte(text)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func (b *Books) path(name string) string { return filepath.Join(b.folder, name) }

func (b *Books) postingPath(reference string) string {
	return b.path(filepath.Join(postings, reference+b.format.extension()))
}

func (b *Books) receipt(reference string) target.Receipt {
	return target.Receipt{RemoteID: postings + "/" + reference + b.format.extension()}
}

func accountsOf(p target.Payload) []string {
	var names []string
	for _, l := range p.Lines {
		names = append(names, l.Account)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
