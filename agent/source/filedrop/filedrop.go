// Package filedrop is the way in for tills that write files into a folder: new
// files, files that grow, files that are rewritten, renamed into place, or
// written under the same name the next day.
//
// The folder is watched and also scanned, since events are not delivered on
// network shares. A file is read when its size and time have not changed for
// the settle time; a part that is cut off waits for more bytes until the file
// has been quiet for the quiet time, and is then kept as refused. What was read
// and how far is one durable mark, moved in the same group as the documents, so
// a crash neither loses nor repeats a part. A file that only grew is read from
// the mark on; any other change reads it again, and keys and hashes absorb what
// is already known. The till's file is never locked, changed or moved unless
// the configuration says so.
package filedrop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source"
	"tillbook.example/tillbook/shared/format"
)

// Adapter is the source's name in documents.
const Adapter = "filedrop"

// Limits of one folder.
const (
	maxFiles  = 100_000
	forgetIn  = 90 * 24 * time.Hour // a mark of a file that is gone
	takeDocs  = 500                 // documents in one group
	takeBytes = 1 << 20             // input bytes in one group, about
)

// Open makes a reader over the inputs: one file, or all files of a joined set.
type Open func(inputs []format.Input, o format.Options) (format.Reader, error)

// Config says which files and how they are read.
type Config struct {
	Name     string // of the source, unique
	Folder   string
	Patterns []string // of file names; more than one: files that are read together
	Open     Open
	Options  format.Options
	Recipe   uint32        // version of the recipe; a higher one reads every file again
	Settle   time.Duration // unchanged for this long: readable; default 2 s
	Quiet    time.Duration // unchanged for this long: finished; default 60 s
	Every    time.Duration // between scans; default 10 s
	MoveTo   string        // folder that finished files are moved to; empty: never touched
}

// Desk takes captures and keeps marks; source.Desk does.
type Desk interface {
	Take(ctx context.Context, adapter string, captures []source.Capture, marks map[string][]byte) (outbox.Appended, error)
	Mark(key string) ([]byte, bool)
	Marks(prefix string) map[string][]byte
	Progress(source string, at time.Time)
}

// Drop is one watched folder.
type Drop struct {
	config Config
	desk   Desk
	log    *slog.Logger

	mu     sync.Mutex
	seen   map[string]sighting // by name: since when a file has looked like this
	reread *recipeChange
	wake   chan struct{}
	status Status
}

// Status is what a person is told of the folder.
type Status struct {
	Name      string    `json:"name"`
	Folder    string    `json:"folder"`
	Files     int       `json:"files"`
	Waiting   int       `json:"waiting"` // not settled, or with a part that is cut off
	Refused   int       `json:"refused"` // parts kept as refused, since start
	ScannedAt time.Time `json:"scanned_at"`
	Error     string    `json:"error,omitempty"`
}

type recipeChange struct {
	open    Open
	version uint32
}

type sighting struct {
	size  int64
	mtime time.Time
	since time.Time
}

// New returns the drop; Run works it.
func New(config Config, desk Desk, log *slog.Logger) *Drop {
	config.Settle = cmp.Or(config.Settle, 2*time.Second)
	config.Quiet = cmp.Or(config.Quiet, time.Minute)
	config.Every = cmp.Or(config.Every, 10*time.Second)
	config.Options.Adapter = Adapter
	return &Drop{
		config: config, desk: desk, log: log.With("source", config.Name), seen: map[string]sighting{},
		wake: make(chan struct{}, 1), status: Status{Name: config.Name, Folder: config.Folder},
	}
}

// Run scans at every event and in any case regularly until ctx ends. Trouble
// with the folder or a file is in Status and is tried again.
func (d *Drop) Run(ctx context.Context) error {
	events := make(<-chan fsnotify.Event)
	if watcher, err := fsnotify.NewWatcher(); err == nil {
		defer watcher.Close()
		if err := watcher.Add(d.config.Folder); err == nil {
			events = watcher.Events
		} else {
			d.log.Info("folder cannot be watched, it is scanned only", "error", err)
		}
	}
	for {
		next, err := d.Scan(ctx, time.Now())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			d.log.Warn("scan", "error", err)
		}
		timer := time.NewTimer(max(time.Until(next), 10*time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-d.wake:
		case _, ok := <-events:
			if !ok {
				events = nil
			}
		}
		timer.Stop()
	}
}

// Reread has every file read again at the next scan, with the given recipe: what
// differs becomes a revision with the reason recipe.
func (d *Drop) Reread(open Open, recipe uint32) {
	d.mu.Lock()
	d.reread = &recipeChange{open, recipe}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Status returns what the last scan found.
func (d *Drop) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// Scan looks at the folder once and reads what can be read. It returns when to
// look again. One bad file does not keep the others from being read.
func (d *Drop) Scan(ctx context.Context, now time.Time) (next time.Time, err error) {
	d.mu.Lock()
	change := d.reread
	d.reread = nil
	d.mu.Unlock()
	if change != nil {
		d.config.Open, d.config.Recipe = change.open, change.version
	}
	reread := change != nil

	next = now.Add(d.config.Every)
	groups, files, err := d.list()
	waiting := 0
	if err == nil {
		var problems []error
		for _, group := range groups {
			when, problem := d.visit(ctx, group, now, reread)
			if !when.IsZero() {
				waiting++
				if when.Before(next) {
					next = when
				}
			}
			problems = append(problems, problem)
		}
		problems = append(problems, d.forget(ctx, files, now))
		err = errors.Join(problems...)
	}
	if err == nil && waiting == 0 {
		d.desk.Progress(d.config.Name, now)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil && d.reread == nil {
		d.reread = change
	}
	d.status.Files, d.status.Waiting, d.status.ScannedAt, d.status.Error = len(files), waiting, now, ""
	if err != nil {
		d.status.Error = err.Error()
	}
	return next, err
}

// visit looks at one file, or one set of files that are read together. It
// returns when to look again, zero if there is nothing to wait for.
func (d *Drop) visit(ctx context.Context, group []fs.FileInfo, now time.Time, reread bool) (time.Time, error) {
	var since time.Time
	for _, info := range group {
		s := d.seen[info.Name()]
		if s.size != info.Size() || !s.mtime.Equal(info.ModTime()) || s.since.IsZero() {
			s = sighting{size: info.Size(), mtime: info.ModTime(), since: now}
			d.seen[info.Name()] = s
		}
		if s.since.After(since) {
			since = s.since
		}
	}
	mark, known, err := d.mark(group[0].Name())
	if err != nil {
		return time.Time{}, err
	}
	again := reread || mark.Recipe < d.config.Recipe && known
	if known && !again && mark.Final && mark.same(group) {
		return time.Time{}, nil
	}
	final := now.Sub(since) >= d.config.Quiet
	switch {
	case now.Sub(since) < d.config.Settle:
		return since.Add(d.config.Settle), nil
	case known && !again && !final && mark.same(group):
		return since.Add(d.config.Quiet), nil // read; a cut-off part waits for more
	}
	if err := d.read(ctx, group, mark, known, again, final); err != nil {
		return now.Add(d.config.Settle), err
	}
	if !final {
		return since.Add(d.config.Quiet), nil
	}
	return time.Time{}, d.move(group)
}

// list returns the files to read, grouped where several are read together, in
// the order of their names, and all names that match.
func (d *Drop) list() ([][]fs.FileInfo, map[string]bool, error) {
	entries, err := os.ReadDir(d.config.Folder)
	if err != nil {
		return nil, nil, fmt.Errorf("read folder: %w", err)
	}
	names := map[string]bool{}
	matched := make([][]fs.FileInfo, len(d.config.Patterns))
	for _, entry := range entries {
		for i, pattern := range d.config.Patterns {
			match, err := filepath.Match(pattern, entry.Name())
			if err != nil {
				return nil, nil, fmt.Errorf("pattern %q: %w", pattern, err)
			}
			if !match || entry.IsDir() {
				continue
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				break // gone since
			}
			if err != nil {
				return nil, nil, fmt.Errorf("read folder: %w", err)
			}
			if !info.Mode().IsRegular() {
				break
			}
			matched[i] = append(matched[i], info)
			names[info.Name()] = true
			break
		}
	}
	if len(names) > maxFiles {
		return nil, nil, fmt.Errorf("folder %s has more than %d files: archive the old ones", d.config.Folder, maxFiles)
	}
	var groups [][]fs.FileInfo
	if len(matched) == 1 {
		for _, info := range matched[0] {
			groups = append(groups, []fs.FileInfo{info})
		}
	} else if set := newest(matched); set != nil {
		groups = append(groups, set)
	}
	return groups, names, nil
}

// newest returns the newest file of each pattern, or nil while one is missing.
func newest(matched [][]fs.FileInfo) []fs.FileInfo {
	var set []fs.FileInfo
	for _, infos := range matched {
		if len(infos) == 0 {
			return nil
		}
		set = append(set, slices.MaxFunc(infos, func(a, b fs.FileInfo) int {
			return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
		}))
	}
	return set
}

func (d *Drop) move(group []fs.FileInfo) error {
	if d.config.MoveTo == "" {
		return nil
	}
	for _, info := range group {
		if err := os.Rename(filepath.Join(d.config.Folder, info.Name()), filepath.Join(d.config.MoveTo, info.Name())); err != nil {
			return fmt.Errorf("move finished file: %w", err)
		}
	}
	return nil
}
