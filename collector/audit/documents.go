package audit

import (
	"context"
	"errors"
	"fmt"

	"tillbook.example/tillbook/shared/document"
)

// key is all revisions of one key, while they are read.
type key struct {
	text               string
	revisions, current int
	conflicts          int
	marked             bool // the current one is marked as contradicted
	currentHash        [32]byte
	contradicting      bool // a conflict says otherwise than the current one
	hashes             [][32]byte
}

// documents reads every revision and checks that each key has one current
// document (P2), that contradictions are marked (P3), and whose they are (P10).
func (r *reading) documents(ctx context.Context, l *ledger) error {
	var k key
	err := r.Source.EachDocument(ctx, l.merchant.ID, func(d Document) error {
		if d.Key != k.text {
			r.key(l, k)
			k = key{text: d.Key}
		}
		k.revisions++
		if d.Revision != k.revisions {
			r.broken(p2, r.document(d), "revision %d follows %d", d.Revision, k.revisions-1)
			k.revisions = d.Revision
		}
		switch d.Standing {
		case "current":
			k.current++
			k.marked, k.currentHash = d.Conflict, d.Hash
			c := l.documents[d.Ref]
			c.documents++
			if d.Conflict {
				c.conflicts++
			}
			l.documents[d.Ref] = c
		case "conflict":
			k.conflicts++
			k.hashes = append(k.hashes, d.Hash)
		}
		r.whose(l, d)
		r.content(d)
		return nil
	})
	r.key(l, k)
	return err
}

func (r *reading) document(d Document) string {
	return fmt.Sprintf("merchant %s, document %s, revision %d", d.Merchant, d.Key, d.Revision)
}

// key checks a key whose revisions are all read.
func (r *reading) key(l *ledger, k key) {
	if k.text == "" {
		return
	}
	at := fmt.Sprintf("merchant %s, document %s", l.merchant.ID, k.text)
	r.checked(p2)
	if k.current != 1 {
		r.broken(p2, at, "%d of its %d revisions are current", k.current, k.revisions)
		return
	}
	if k.conflicts == 0 {
		return
	}
	r.checked(p3)
	for _, hash := range k.hashes {
		if hash != k.currentHash {
			k.contradicting = true
		}
	}
	switch {
	case k.contradicting && !k.marked:
		r.broken(p3, at, "another agent says otherwise, but the current document is not marked")
	case k.marked:
		r.state(p3)
	}
}

// whose checks for whom a document speaks.
func (r *reading) whose(l *ledger, d Document) {
	r.checked(p10)
	agent, known := l.agents[d.Agent]
	switch {
	case d.Merchant != l.merchant.ID:
		r.broken(p10, r.document(d), "it is read as one of merchant %s", l.merchant.ID)
	case !known:
		r.broken(p10, r.document(d), "agent %s is not one of the merchant's", d.Agent)
	case agent.Store != d.Store:
		r.broken(p10, r.document(d), "agent %s speaks for store %s, not %s", d.Agent, agent.Store, d.Store)
	}
	c := l.chains[numbering{d.Agent, d.Epoch}]
	r.checked(p9)
	if known && (c == nil || !c.holds(d.Number)) {
		r.broken(p9, r.document(d), "number %d of epoch %d of agent %s is not among what is stored of it", d.Number, d.Epoch, d.Agent)
	}
}

// content checks that a document's bytes are what its hash and key say.
func (r *reading) content(d Document) {
	if d.Standing == "copy" && len(d.Body) == 0 {
		return
	}
	if d.Body == nil {
		r.skip(p2, "documents whose month was taken out of the database")
		return
	}
	r.checked(p2)
	read, err := document.Unmarshal(d.Body)
	switch {
	case errors.Is(err, document.ErrNewer):
		r.skip(p2, "documents of a newer version of the product")
	case err != nil:
		r.broken(p2, r.document(d), "its bytes cannot be read: %v", err)
	case document.Hash(read) != d.Hash:
		r.broken(p2, r.document(d), "its bytes do not have its content hash")
	case read.Key.String() != d.Key:
		r.broken(p2, r.document(d), "its bytes are of document %s", read.Key)
	case read.Key.Store != d.Store || read.Key.Merchant != "" && read.Key.Merchant != d.Merchant:
		r.broken(p10, r.document(d), "its bytes are of store %s, merchant %q", read.Key.Store, read.Key.Merchant)
	}
}
