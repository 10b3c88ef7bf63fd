package filedrop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// probe is how many bytes at the beginning of a file, and before the place
// where reading resumes, tell whether it only grew.
const probe = 4096

// mark is how far a file was read. It is kept in the outbox.
type mark struct {
	ID      string      `json:"id"`     // identity of the content, kept over renames
	Files   []fileState `json:"files"`  // as they were when last read
	Resume  int64       `json:"resume"` // reading goes on here if the file only grew
	Head    string      `json:"head"`   // hash of the first HeadLen bytes
	HeadLen int64       `json:"head_len"`
	Tail    string      `json:"tail"`  // hash of the bytes before Resume
	Final   bool        `json:"final"` // read to its end, nothing waits
	Recipe  uint32      `json:"recipe"`
}

type fileState struct {
	Name  string    `json:"name"`
	Size  int64     `json:"size"`
	MTime time.Time `json:"mtime"`
}

func states(group []fs.FileInfo) []fileState {
	out := make([]fileState, len(group))
	for i, info := range group {
		out[i] = fileState{Name: info.Name(), Size: info.Size(), MTime: info.ModTime().UTC()}
	}
	return out
}

// same reports whether the files still look as they did when they were read.
func (m mark) same(group []fs.FileInfo) bool {
	now := states(group)
	if len(now) != len(m.Files) {
		return false
	}
	for i := range now {
		if now[i].Name != m.Files[i].Name || now[i].Size != m.Files[i].Size || !now[i].MTime.Equal(m.Files[i].MTime) {
			return false
		}
	}
	return true
}

func (d *Drop) key(name string) string { return "file/" + d.config.Name + "/" + name }

func (d *Drop) mark(name string) (mark, bool, error) {
	text, ok := d.desk.Mark(d.key(name))
	if !ok {
		return mark{}, false, nil
	}
	var m mark
	if err := json.Unmarshal(text, &m); err != nil {
		return mark{}, false, fmt.Errorf("mark of %s: %w", name, err)
	}
	return m, true, nil
}

func (d *Drop) allMarks() (map[string]mark, error) {
	all := map[string]mark{}
	for key, text := range d.desk.Marks(d.key("")) {
		var m mark
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("mark %s: %w", key, err)
		}
		all[strings.TrimPrefix(key, d.key(""))] = m
	}
	return all, nil
}

// forget drops the marks of files that have been gone for long.
func (d *Drop) forget(ctx context.Context, present map[string]bool, now time.Time) error {
	gone := map[string][]byte{}
	for name := range d.seen {
		if !present[name] {
			delete(d.seen, name)
		}
	}
	all, err := d.allMarks()
	if err != nil {
		return err
	}
	for name, m := range all {
		if !present[name] && len(m.Files) > 0 && now.Sub(m.Files[0].MTime) > forgetIn {
			gone[d.key(name)] = nil
		}
	}
	if len(gone) == 0 {
		return nil
	}
	_, err = d.desk.Take(ctx, Adapter, nil, gone)
	return err
}

// grew reports whether the file begins as it did and still has the bytes before
// Resume.
func (m mark) grew(file io.ReaderAt, size int64) (bool, error) {
	if size < m.Resume || m.HeadLen == 0 {
		return false, nil
	}
	head, err := digest(file, 0, m.HeadLen)
	if err != nil || head != m.Head {
		return false, err
	}
	tail, err := digest(file, max(0, m.Resume-probe), m.Resume)
	return tail == m.Tail, err
}

// identify gives a file that has no mark its identity: that of a known file with
// the same beginning (a copy, or one that was renamed), or a new one. A mark
// whose file is gone is taken over whole, so that nothing is read twice.
func (d *Drop) identify(file io.ReaderAt, size int64, present map[string]bool) (m mark, from string, err error) {
	all, err := d.allMarks()
	if err != nil {
		return mark{}, "", err
	}
	for name, known := range all {
		if known.HeadLen == 0 || known.HeadLen > size {
			continue
		}
		head, err := digest(file, 0, known.HeadLen)
		if err != nil {
			return mark{}, "", err
		}
		if head != known.Head {
			continue
		}
		if !present[name] {
			return known, name, nil
		}
		m = mark{ID: known.ID}
	}
	if m.ID == "" {
		id, err := digest(file, 0, min(size, probe))
		if err != nil {
			return mark{}, "", err
		}
		m.ID = id[:16]
	}
	return m, "", nil
}

func digest(file io.ReaderAt, from, to int64) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, from, to-from)); err != nil {
		return "", fmt.Errorf("read: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
