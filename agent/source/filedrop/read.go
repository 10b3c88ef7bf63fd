package filedrop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"tillbook.example/tillbook/agent/source"
	"tillbook.example/tillbook/shared/format"
)

// read reads a file (or a set of them) from where its mark says and takes what
// it finds, group by group, each with the mark moved.
func (d *Drop) read(ctx context.Context, group []fs.FileInfo, m mark, known, again, final bool) error {
	inputs := make([]format.Input, len(group))
	for i, info := range group {
		file, err := open(filepath.Join(d.config.Folder, info.Name()))
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		defer file.Close()
		inputs[i] = format.Input{Name: info.Name(), Reader: file, Size: info.Size()}
	}
	name, main := group[0].Name(), inputs[0]
	forgotten := map[string][]byte{}
	if !known {
		present, err := d.present()
		if err != nil {
			return err
		}
		adopted, from, err := d.identify(main.Reader, main.Size, present)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m = adopted
		if from != "" {
			known = true
			forgotten[d.key(from)] = nil
		}
	}
	grew := false
	if known && !again && len(group) == 1 {
		var err error
		if grew, err = m.grew(main.Reader, main.Size); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if !grew {
		m.Resume = 0
		if known && !again { // other content under a known name
			id, err := digest(main.Reader, 0, min(main.Size, probe))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if m.HeadLen == 0 || main.Size < m.HeadLen || !sameHead(m, main.Reader) {
				m.ID = id[:16]
			}
		}
	}
	options := d.config.Options
	options.Resume, options.FileID, options.Final = m.Resume, m.ID, final
	reader, err := d.config.Open(inputs, options)
	if err != nil {
		return d.refuseWhole(ctx, group, m, err, final)
	}
	t := taking{drop: d, name: name, group: group, mark: m, forgotten: forgotten, reason: reasonFor(again), ordered: known && !grew || again, final: final}
	for {
		result, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return t.finish(ctx, main)
		}
		if err != nil {
			return errors.Join(t.flush(ctx, main), fmt.Errorf("read %s: %w", name, err))
		}
		if err := t.add(ctx, result, main); err != nil {
			return err
		}
	}
}

// taking collects what is read of one file until it is worth a group.
type taking struct {
	drop      *Drop
	name      string
	group     []fs.FileInfo
	mark      mark
	forgotten map[string][]byte
	reason    string
	ordered   bool // read before: the file's present content is the newest
	final     bool
	captures  []source.Capture
	bytes     int64
	waits     bool // a part is cut off
}

func (t *taking) add(ctx context.Context, r format.Result, main format.Input) error {
	if r.Refused != nil {
		if r.Refused.Code == format.Incomplete && !t.final {
			t.waits = true
			return nil
		}
		t.drop.refused(1)
		t.drop.log.Warn("part refused", "file", t.name, "line", r.Refused.Line, "byte", r.Refused.Byte, "code", r.Refused.Code, "reason", r.Refused.Reason)
		t.captures = append(t.captures, source.Capture{
			Raw: r.Refused.Raw, Reason: fmt.Sprintf("%s: %s: line %d, byte %d: %s", r.Refused.Code, t.name, r.Refused.Line, r.Refused.Byte, r.Refused.Reason),
			IdempotencyKey: fmt.Sprintf("refused/%s/%d/%s", t.mark.ID, r.Refused.Byte, r.Refused.Code),
		})
		if r.Refused.Code != format.Incomplete {
			t.mark.Resume = max(t.mark.Resume, r.End)
		}
	} else {
		t.captures = append(t.captures, source.Capture{Document: r.Document, Reason: t.reason, StatesOrder: t.ordered})
		t.mark.Resume = max(t.mark.Resume, r.End)
	}
	t.bytes += r.End - r.Start
	if len(t.captures) >= takeDocs || t.bytes >= takeBytes {
		return t.flush(ctx, main)
	}
	return nil
}

// flush takes what was collected together with the mark so far.
func (t *taking) flush(ctx context.Context, main format.Input) error {
	if err := t.mark.remember(main); err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	text, err := json.Marshal(t.mark)
	if err != nil {
		return fmt.Errorf("mark of %s: %w", t.name, err)
	}
	marks := map[string][]byte{t.drop.key(t.name): text}
	for key := range t.forgotten {
		marks[key] = nil
	}
	if _, err := t.drop.desk.Take(ctx, Adapter, t.captures, marks); err != nil {
		return fmt.Errorf("take %s: %w", t.name, err)
	}
	t.captures, t.bytes = nil, 0
	return nil
}

// finish takes the rest and marks the file as read.
func (t *taking) finish(ctx context.Context, main format.Input) error {
	t.mark.Files, t.mark.Final, t.mark.Recipe = states(t.group), t.final && !t.waits, t.drop.config.Recipe
	return t.flush(ctx, main)
}

// refuseWhole keeps a file that no reader can be made for as one refusal, once
// it is finished: until then it may still become readable.
func (d *Drop) refuseWhole(ctx context.Context, group []fs.FileInfo, m mark, cause error, final bool) error {
	name := group[0].Name()
	if !final {
		return nil
	}
	refusal := format.AsRefusal(cause, format.WrongFormat)
	d.refused(1)
	d.log.Warn("file refused", "file", name, "reason", cause)
	m.Files, m.Final, m.Recipe = states(group), true, d.config.Recipe
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("mark of %s: %w", name, err)
	}
	capture := source.Capture{
		Raw: refusal.Raw, Reason: fmt.Sprintf("%s: %s: line %d, byte %d: %s", refusal.Code, name, refusal.Line, refusal.Byte, refusal.Reason),
		IdempotencyKey: fmt.Sprintf("refused/%s/%s/%d", m.ID, group[0].ModTime().UTC(), d.config.Recipe),
	}
	_, err = d.desk.Take(ctx, Adapter, []source.Capture{capture}, map[string][]byte{d.key(name): text})
	return err
}

// remember notes the bytes by which a grown file is known again.
func (m *mark) remember(main format.Input) error {
	m.HeadLen = min(main.Size, probe)
	head, err := digest(main.Reader, 0, m.HeadLen)
	if err != nil {
		return err
	}
	tail, err := digest(main.Reader, max(0, m.Resume-probe), m.Resume)
	if err != nil {
		return err
	}
	m.Head, m.Tail = head, tail
	return nil
}

func sameHead(m mark, file io.ReaderAt) bool {
	head, err := digest(file, 0, m.HeadLen)
	return err == nil && head == m.Head
}

func reasonFor(again bool) string {
	if again {
		return "recipe"
	}
	return ""
}

func (d *Drop) refused(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.Refused += n
}

func (d *Drop) present() (map[string]bool, error) {
	entries, err := os.ReadDir(d.config.Folder)
	if err != nil {
		return nil, fmt.Errorf("read folder: %w", err)
	}
	names := make(map[string]bool, len(entries))
	for _, entry := range entries {
		names[entry.Name()] = true
	}
	return names, nil
}
