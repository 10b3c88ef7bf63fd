package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/csv"
	"tillbook.example/tillbook/shared/format/text"
)

// maxJoined bounds the rows of a file that is joined: of each, its place is
// held.
const maxJoined = 5_000_000

// joined is a file whose rows belong to those of the main file. Only their
// places are held; the rows are read again when their receipt is made.
type joined struct {
	*table
	key    int
	places map[uint64][]place
	bad    map[uint64]*format.Refusal // rows that cannot be read, by their key
	loose  []format.Result            // those whose key cannot be read either
}

type place struct {
	start, end int64
	line       int
	used       bool
}

// join reads through a file once.
func (t *table) join() (*joined, error) {
	j := &joined{table: t, key: t.columns.index[t.file.Key], places: map[uint64][]place{}, bad: map[uint64]*format.Refusal{}}
	for n := 0; ; n++ {
		record, err := t.next()
		if errors.Is(err, io.EOF) {
			return j, nil
		}
		if bad := refusal(err); bad != nil {
			bad.Raw = t.mask(record)
			bad.Reason = t.input.Name + ": " + bad.Reason
			if j.key < len(record.Fields) {
				j.bad[hash(record.Fields[j.key])] = bad
			} else {
				j.loose = append(j.loose, format.Result{Refused: bad})
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", t.input.Name, err)
		}
		if n >= maxJoined {
			return nil, &format.Refusal{Code: format.TooLong, Reason: fmt.Sprintf("%s has more than %d rows", t.input.Name, maxJoined)}
		}
		id := hash(record.Fields[j.key])
		j.places[id] = append(j.places[id], place{start: record.Start, end: record.End, line: record.Line})
	}
}

// rows reads the rows that belong to a key.
func (j *joined) rows(key string, parent row) ([]part, error) {
	id := hash(key)
	if bad := j.bad[id]; bad != nil {
		return nil, bad
	}
	var parts []part
	places := j.places[id]
	for i := range places {
		p := &places[i]
		record, err := j.at(p)
		if err != nil {
			return nil, err
		}
		if record.Fields[j.key] != key {
			continue // another key of the same hash
		}
		p.used = true
		parts = append(parts, part{from: j.file.Role, row: j.row(record, parent), line: p.line})
	}
	return parts, nil
}

// at reads the row at a place.
func (j *joined) at(p *place) (csv.Record, error) {
	raw := make([]byte, p.end-p.start)
	if _, err := j.input.Reader.ReadAt(raw, p.start); err != nil && !errors.Is(err, io.EOF) {
		return csv.Record{}, fmt.Errorf("read %s: %w", j.input.Name, err)
	}
	t, err := text.Open(bytes.NewReader(raw), j.text.Encoding(), nil)
	if err != nil {
		return csv.Record{}, fmt.Errorf("read %s: %w", j.input.Name, err)
	}
	record, err := csv.New(t, j.recipe.dialect()).Next()
	if err == nil && j.key >= len(record.Fields) {
		err = errors.New("the file has changed while it was read")
	}
	if err != nil {
		return record, fmt.Errorf("read %s again: %w", j.input.Name, err)
	}
	return record, nil
}

// orphans are the rows that belong to no receipt.
func (j *joined) orphans() []format.Result {
	results := j.loose
	for _, places := range j.places {
		for i := range places {
			p := &places[i]
			if p.used {
				continue
			}
			record, err := j.at(p)
			if err != nil {
				continue
			}
			results = append(results, format.Result{Refused: &format.Refusal{
				Code: format.BadField, Line: p.line, Byte: p.start, Raw: j.mask(record),
				Reason: fmt.Sprintf("%s: %s %s is in no row of %s", j.input.Name, j.file.Key, format.Clip(record.Fields[j.key]), j.recipe.Files[0].Role),
			}})
		}
	}
	return results
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
