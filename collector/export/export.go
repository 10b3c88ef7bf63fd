// Package export writes everything of a merchant into a folder that other
// programs can read without this one: a file of JSON lines for each kind of row,
// and a manifest with what each file holds and its checksum (docs/export.md). All
// of it is as of one moment, and the folder is there whole and on disk or not at
// all.
//
// What was worked out is written beside what it was worked out from: documents
// both as received and as JSON, entries with their proofs, postings with what was
// sent. It leaves out what opens something (tokens, join codes) and what only the
// programs need to send on. It reads through Source and changes nothing.
package export

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tillbook.example/tillbook/internal/durable"
)

const (
	// ManifestName is the file that says what is in a folder.
	ManifestName = "manifest.json"
	// Format is the version of all files.
	Format = 1
)

// ErrThere: something stands where the folder should go.
var ErrThere = errors.New("it is there already")

// Kinds of rows, each in the file KIND.jsonl, in the order in which they come.
const (
	Configurations = "configurations"
	Mappings       = "mappings"
	Agents         = "agents"
	Documents      = "documents"
	Rejected       = "rejected"
	Days           = "days"
	Entries        = "entries"
	Postings       = "postings"
	Settlements    = "settlements"
	Decisions      = "decisions"
	Log            = "log"
)

// Kinds are all of them.
var Kinds = []string{Configurations, Mappings, Agents, Documents, Rejected, Days, Entries, Postings, Settlements, Decisions, Log}

// Source reads what is stored.
type Source interface {
	// Everything calls f for each row of a merchant, in one snapshot, kind by kind in
	// the order of Kinds. The row is one of the types of this package.
	Everything(ctx context.Context, merchantID string, f func(kind string, row any) error) error
}

// File is what one file holds.
type File struct {
	Name   string `json:"name"`
	Rows   int    `json:"rows"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // lower-case hex
}

// Manifest says what a folder holds.
type Manifest struct {
	Format   int       `json:"format"`
	Merchant string    `json:"merchant"`
	At       time.Time `json:"at"`
	Program  string    `json:"program"` // version that wrote it
	Files    []File    `json:"files"`
}

// What says of whom to write what, as which program and when.
type What struct {
	Source   Source
	Merchant string
	Program  string
	Now      time.Time
}

// Write writes everything of a merchant into a folder that must not be there.
func Write(ctx context.Context, w What, folder string) (_ Manifest, err error) {
	fail := func(err error) (Manifest, error) {
		return Manifest{}, fmt.Errorf("export merchant %s to %s: %w", w.Merchant, folder, err)
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return fail(err)
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return fail(errors.Join(err, ErrThere))
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(folder), filepath.Base(folder)+".unfinished-") // made 0700
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(unfinished)) }()
	m := Manifest{Format: Format, Merchant: w.Merchant, At: w.Now.UTC(), Program: w.Program}
	if m.Files, err = w.files(ctx, unfinished); err != nil {
		return fail(err)
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fail(err)
	}
	if err := durable.Replace(filepath.Join(unfinished, ManifestName), append(text, '\n')); err != nil {
		return fail(err)
	}
	if err := durable.SyncFolder(unfinished); err != nil {
		return fail(err)
	}
	if err := os.Rename(unfinished, folder); err != nil {
		return fail(err)
	}
	if err := durable.SyncFolder(filepath.Dir(folder)); err != nil {
		return fail(err)
	}
	return m, nil
}

// files writes one file for each kind, also where there is no row.
func (w What) files(ctx context.Context, folder string) (all []File, err error) {
	writers := map[string]*lines{}
	defer func() {
		for _, l := range writers {
			err = errors.Join(err, l.file.Close())
		}
	}()
	for _, kind := range Kinds {
		l, err := create(filepath.Join(folder, kind+".jsonl"))
		if err != nil {
			return nil, err
		}
		writers[kind] = l
	}
	if err := w.Source.Everything(ctx, w.Merchant, func(kind string, row any) error {
		l := writers[kind]
		if l == nil {
			return fmt.Errorf("rows of the unknown kind %q", kind)
		}
		return l.add(row)
	}); err != nil {
		return nil, err
	}
	for _, kind := range Kinds {
		f, err := writers[kind].end()
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// lines is a file that is being written.
type lines struct {
	file   *os.File
	buffer *bufio.Writer
	sum    hash.Hash
	row    bytes.Buffer
	is     File
}

func create(path string) (*lines, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &lines{file: file, buffer: bufio.NewWriterSize(file, 256<<10), sum: sha256.New(), is: File{Name: filepath.Base(path)}}, nil
}

// add writes a row as one line.
func (l *lines) add(row any) error {
	l.row.Reset()
	encoder := json.NewEncoder(&l.row) // ends the line
	encoder.SetEscapeHTML(false)       // an entry stays as it was made, byte for byte
	if err := encoder.Encode(row); err != nil {
		return err
	}
	l.is.Rows++
	l.is.Size += int64(l.row.Len())
	_, _ = l.sum.Write(l.row.Bytes()) // never fails
	_, err := l.buffer.Write(l.row.Bytes())
	return err
}

// end brings it to the disk.
func (l *lines) end() (File, error) {
	l.is.SHA256 = fmt.Sprintf("%x", l.sum.Sum(nil))
	return l.is, errors.Join(l.buffer.Flush(), l.file.Sync())
}
