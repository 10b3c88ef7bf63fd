package day

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/document"
)

// Proof is what is kept beside an entry: the proof of its day, what closed it,
// what was missing, and exactly which documents it was made of. Together with
// the mapping and the rules that the entry names this is enough to make the
// entry again, byte for byte.
type Proof struct {
	reconcile.Proof
	// NotReceived is what the day's Zs count beyond its receipts and was booked by them.
	NotReceived []books.NotReceived `json:"not_received,omitempty"`

	By        string     `json:"closed_by"`         // ByZ, ByCutoff, ByDeadline
	Missing   []string   `json:"missing,omitempty"` // gaps that the day was closed with
	Documents []Revision `json:"documents"`         // by key
	Originals []Original `json:"originals,omitempty"`
	Earlier   []Revision `json:"earlier,omitempty"` // documents of days before that a period close of this one counts
}

// Original names a document of another day that one of this day refers to, by
// what it said.
type Original struct {
	Key  string `json:"key"`
	Hash string `json:"hash"` // content hash
}

// Revision names one stored document for ever.
type Revision struct {
	Key      string `json:"key"`
	Revision int    `json:"revision"`
}

// JSON returns the proof as it is kept.
func (p Proof) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("write proof: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Read reads what JSON wrote; nothing is the empty proof.
func (p *Proof) Read(text []byte) error {
	*p = Proof{}
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, p); err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	return nil
}

// Summary says in a few words what the entry is made of: "Z 17, 18; 143 documents".
func (p Proof) Summary() string {
	var numbers []string
	for _, c := range p.Closes {
		if c.Z != "" {
			numbers = append(numbers, c.Z)
		}
	}
	documents := plural(len(p.Documents), "document", "documents")
	if len(numbers) == 0 {
		return documents
	}
	more := ""
	if len(numbers) > 6 {
		more = fmt.Sprintf(" and %d more", len(numbers)-6)
		numbers = numbers[:6]
	}
	return "Z " + strings.Join(numbers, ", ") + more + "; " + documents
}

// originals names what documents of other days said, by key.
func originals(documents map[string]*document.Document) []Original {
	var all []Original
	for _, key := range slices.Sorted(maps.Keys(documents)) {
		all = append(all, Original{key, documents[key].ContentHash})
	}
	return all
}

// revisions names the documents of facts, by key.
func revisions(documents []Stored) []Revision {
	all := make([]Revision, 0, len(documents))
	for _, s := range documents {
		all = append(all, Revision{s.Key, s.Revision})
	}
	slices.SortFunc(all, func(a, b Revision) int { return strings.Compare(a.Key, b.Key) })
	return all
}
