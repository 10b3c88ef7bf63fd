package books

import (
	"cmp"
	"slices"

	"tillbook.example/tillbook/shared/document"
)

// Effect is what one document of a subject does: the lines, tenders or movement
// of Facts count once, with the sign turned where a void undoes them.
type Effect struct {
	Key      string             // of By
	By       *document.Document // the document of this subject
	Facts    *document.Document // By itself, or the stored original that By voids
	Negate   bool               // the facts count backwards
	Reversal bool               // By undoes a receipt of an earlier day
}

// Unclear is a document whose effect cannot be told.
type Unclear struct {
	Key  string
	Code string // OriginalMissing, UnknownKind, Duplicate
	What string // the unknown word
}

// Effects says which of the documents move money, sorted by key. Only COMPLETED
// receipts and cash movements do, and of two bills that were put together only
// the one that was paid. A void and its original that are both among the
// documents do nothing; a void of an older receipt undoes that receipt, by its
// own amounts where the till states them, else by those of the original.
func Effects(documents []*document.Document, originals map[string]*document.Document) ([]Effect, []Unclear) {
	r := resolver{byKey: make(map[string]*document.Document, len(documents)), originals: originals}
	r.keys = make([]string, 0, len(documents))
	for _, d := range documents {
		if d == nil {
			continue
		}
		key := d.Key.String()
		if other, twice := r.byKey[key]; twice {
			was, is := document.HashString(other), document.HashString(d)
			if was != is {
				r.unclear = append(r.unclear, Unclear{Key: key, Code: Duplicate})
			}
			if was <= is {
				continue
			}
		} else {
			r.keys = append(r.keys, key)
		}
		r.byKey[key] = d
	}
	slices.Sort(r.keys)
	r.findVoids()
	effects := make([]Effect, 0, len(r.keys))
	for _, key := range r.keys {
		if e, ok := r.effect(key); ok {
			effects = append(effects, e)
		}
	}
	return effects, r.unclear
}

type resolver struct {
	keys      []string
	byKey     map[string]*document.Document
	originals map[string]*document.Document
	unclear   []Unclear

	byNumber map[number][]string // receipts by their number, built when a link needs it
	targets  map[string]string   // void: what it voids as a whole
	voids    map[string][]string // original: the voids of the subject that name it
}

type number struct{ store, terminal, number string }

// counts reports whether the till finished the document and it still exists.
func counts(d *document.Document) bool { return d.State == document.Completed && !d.Deleted }

func stated(d *document.Document) bool {
	return len(d.Lines) > 0 || len(d.Tenders) > 0 || d.Movement != nil
}

// merged reports whether a receipt was put on another one that is known and paid:
// its lines count there. Where the other is not known it counts as any receipt.
func (r *resolver) merged(d *document.Document) bool {
	return len(d.Tenders) == 0 && slices.ContainsFunc(d.Links, func(l document.Link) bool {
		if l.Relation != document.MergedInto {
			return false
		}
		into := r.document(r.find(d, l))
		return into != nil && counts(into) && len(into.Tenders) > 0
	})
}

func (r *resolver) findVoids() {
	r.targets, r.voids = map[string]string{}, map[string][]string{}
	for _, key := range r.keys {
		d := r.byKey[key]
		if d.Kind != document.PostVoid || !counts(d) {
			continue
		}
		if link := voidLink(d); link != nil && link.Line == 0 {
			if target := r.find(d, *link); target != "" && target != key {
				r.targets[key] = target
				r.voids[target] = append(r.voids[target], key)
			}
		}
	}
}

func voidLink(d *document.Document) *document.Link {
	for i := range d.Links {
		if d.Links[i].Relation == document.Voids {
			return &d.Links[i]
		}
	}
	return nil
}

// find returns the key of the document a link names, or "" where none or more
// than one is known.
func (r *resolver) find(from *document.Document, link document.Link) string {
	if link.Key != nil {
		key := link.Key.String()
		if r.document(key) != nil {
			return key
		}
		return ""
	}
	if link.Number == "" {
		return ""
	}
	if r.byNumber == nil {
		r.byNumber = map[number][]string{}
		add := func(key string, d *document.Document) {
			if d == nil {
				return
			}
			n := number{d.Key.Store, d.Key.Terminal, cmp.Or(d.Numbers.Receipt, d.Key.Number)}
			if !slices.Contains(r.byNumber[n], key) {
				r.byNumber[n] = append(r.byNumber[n], key)
			}
		}
		for _, key := range r.keys {
			add(key, r.byKey[key])
		}
		for _, d := range r.originals {
			if d != nil {
				add(d.Key.String(), d)
			}
		}
	}
	own := from.Key.String()
	candidates := slices.DeleteFunc(slices.Clone(r.byNumber[number{from.Key.Store, from.Key.Terminal, link.Number}]),
		func(key string) bool { return key == own })
	// A number that starts again each day names the one of today first.
	today := slices.DeleteFunc(slices.Clone(candidates), func(key string) bool { return r.byKey[key] == nil })
	switch {
	case len(today) == 1:
		return today[0]
	case len(today) == 0 && len(candidates) == 1:
		return candidates[0]
	}
	return ""
}

func (r *resolver) document(key string) *document.Document {
	if d := r.byKey[key]; d != nil {
		return d
	}
	return r.originals[key]
}

// undone reports whether a void of the subject, itself not undone, names the
// document. The depth ends voids that name each other.
func (r *resolver) undone(key string, depth int) bool {
	for _, void := range r.voids[key] {
		if depth > 8 || !r.undone(void, depth+1) {
			return true
		}
	}
	return false
}

func (r *resolver) effect(key string) (Effect, bool) {
	d := r.byKey[key]
	no := func(code, what string) (Effect, bool) {
		r.unclear = append(r.unclear, Unclear{Key: key, Code: code, What: what})
		return Effect{}, false
	}
	switch {
	case d.Deleted:
		return Effect{}, false
	case !slices.Contains(document.Kinds, d.Kind):
		return no(UnknownKind, string(d.Kind))
	case !slices.Contains(document.States, d.State):
		return no(UnknownKind, string(d.State))
	case !counts(d):
		return Effect{}, false
	case d.Kind == document.OtherKind && stated(d):
		return no(UnknownKind, string(d.Kind))
	case !d.Kind.Receipt() && !d.Kind.Movement(), r.undone(key, 0), r.merged(d):
		return Effect{}, false
	case d.Kind.Movement() && d.Movement == nil:
		return no(UnknownKind, string(d.Kind)+" without a movement")
	case d.Kind != document.PostVoid:
		return Effect{Key: key, By: d, Facts: d}, true
	}
	// A void that counts.
	target := r.targets[key]
	original := r.document(target)
	switch {
	case target != "" && r.byKey[target] != nil:
		return Effect{}, false // both of this subject: nothing happened
	case original != nil && r.voids[target][0] != key && !r.undone(r.voids[target][0], 0):
		return no(Duplicate, target) // voided twice
	case original != nil && !counts(original):
		return Effect{}, false // it moves no money, or its own revision took that back
	case stated(d):
		return Effect{Key: key, By: d, Facts: d, Reversal: true}, true
	case original == nil || original.Kind == document.PostVoid:
		return no(OriginalMissing, "")
	}
	return Effect{Key: key, By: d, Facts: original, Negate: true, Reversal: true}, true
}
