package document

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tillbook.example/tillbook/shared/money"
)

// Limits of text, in bytes.
const (
	MaxText    = 1024 // any text
	MaxKeyPart = 200  // each part of a key
)

// maxOffset is the widest distance from UTC that a time may state, in minutes;
// the widest in use is 14 hours.
const maxOffset = 18 * 60

// maxProblems bounds how many problems a CheckError lists.
const maxProblems = 10

// CheckError says why a document does not hold together.
type CheckError struct {
	Problems []string // each begins with the path of its field; the first few
}

func (e *CheckError) Error() string { return strings.Join(e.Problems, "; ") }

// Check reports whether the document holds together as a record of its kind: a
// whole key, the words that decide what amounts mean, currencies, dates, the part
// that its kind needs, and text and lists within their limits. The error is a
// *CheckError. A tombstone (Deleted) needs nothing but its key.
//
// Check does not judge amounts: those that do not add up are Differences. Nor is
// a kind of document, line or tender that this version does not know an error:
// such a document is kept and holds its day (see Unknown).
func (d *Document) Check() error {
	c := checker{}
	c.values(reflect.ValueOf(d).Elem())
	c.key(&d.Key)
	if _, err := hashBytes(d.ContentHash); err != nil {
		c.problems = append(c.problems, err.Error())
	}
	if !d.Deleted || d.State != "" {
		known(&c, "state", d.State, States)
	}
	if !d.Deleted || d.Currency != "" {
		c.currency("currency", d.Currency)
	}
	if d.PriceBasis != "" {
		known(&c, "price_basis", d.PriceBasis, PriceBases)
	}
	if offset := d.Time.Offset; offset != nil && (*offset < -maxOffset || *offset > maxOffset) {
		c.add("time/offset", "%d minutes, more than 18 hours", *offset)
	}
	if date := d.StatedDay.Date; date != "" {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			c.add("stated_day/date", "%q is not a date (YYYY-MM-DD)", clip(date))
		}
	}
	if d.Rate != nil {
		c.currency("rate/to", d.Rate.To)
	}
	for i, l := range d.Links {
		at := "links/" + strconv.Itoa(i+1)
		c.word(at+"/relation", string(l.Relation))
		if l.Line < 0 || l.Line > MaxLines {
			c.add(at+"/line", "%d is not the number of a line", l.Line)
		}
	}
	for i, f := range d.Fiscal {
		c.word("fiscal/"+strconv.Itoa(i+1)+"/scheme", f.Scheme)
	}
	c.lines("lines/", d.Lines)
	for i := range d.Tenders {
		c.tender("tenders/"+strconv.Itoa(i+1), &d.Tenders[i])
	}
	if !d.Deleted {
		c.word("kind", string(d.Kind))
		c.parts(d)
	}
	if len(c.problems) == 0 {
		return nil
	}
	return &CheckError{Problems: c.problems}
}

type checker struct {
	path     []string // of values
	elements int
	problems []string
}

func (c *checker) add(path, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, path+": "+fmt.Sprintf(format, args...))
	}
}

// known adds a problem where word is not one of those that are known.
func known[T ~string](c *checker, path string, word T, words []T) {
	switch {
	case word == "":
		c.add(path, "the field is empty")
	case !slices.Contains(words, word):
		c.add(path, "%q is not one of %v", clip(string(word)), words)
	}
}

// word adds a problem where there is none; an unknown one is for Unknown.
func (c *checker) word(path, word string) {
	if word == "" {
		c.add(path, "the field is empty")
	}
}

func (c *checker) currency(path, code string) {
	if _, err := money.Places(code); err != nil {
		c.add(path, "%v", err)
	}
}

func (c *checker) key(k *Key) {
	c.word("key/store", k.Store)
	c.word("key/terminal", k.Terminal)
	c.word("key/number", k.Number)
	known(c, "key/space", k.Space, Spaces)
}

func (c *checker) lines(prefix string, lines []Line) {
	if len(lines) > MaxLines {
		c.add(strings.TrimSuffix(prefix, "/"), "%d, more than %d", len(lines), MaxLines)
		return
	}
	for i := range lines {
		l := &lines[i]
		if l.Kind == "" {
			c.word(prefix+strconv.Itoa(i+1)+"/kind", "")
		}
		if l.Cost != nil {
			c.currency(prefix+strconv.Itoa(i+1)+"/cost/currency", l.Cost.Currency)
		}
		for j, a := range l.Adjustments {
			if a.Kind == "" || a.Level == "" {
				at := fmt.Sprintf("%s%d/adjustments/%d/", prefix, i+1, j+1)
				c.word(at+"kind", string(a.Kind))
				c.word(at+"level", a.Level)
			}
		}
		for j, t := range l.Taxes {
			if t.Scheme == "" {
				c.word(fmt.Sprintf("%s%d/taxes/%d/scheme", prefix, i+1, j+1), "")
			}
		}
	}
}

func (c *checker) tender(at string, t *Tender) {
	c.word(at+"/kind", string(t.Kind))
	known(c, at+"/direction", t.Direction, Directions)
	if t.Foreign != nil {
		c.currency(at+"/foreign/currency", t.Foreign.Currency)
	}
	if MaskCard(t.Masked) != t.Masked {
		c.add(at+"/masked", "a card number shows more than its last four digits")
	}
}

// parts checks the part of the document that its kind is about.
func (c *checker) parts(d *Document) {
	completed := d.State == Completed
	switch m := d.Movement; {
	case m == nil && completed && d.Kind.Movement():
		c.add("movement", "missing from a completed %s", d.Kind)
	case m != nil:
		if m.Amount < 0 {
			c.add("movement/amount", "%s is negative; from and to say which way the money went", m.Amount)
		}
		c.lines("movement/lines/", m.Lines)
	}
	switch n := d.Count; {
	case n == nil && completed && d.Kind == TillCount:
		c.add("count", "missing from a completed %s", d.Kind)
	case n != nil:
		c.word("count/stage", n.Stage)
		for i, t := range n.ByTender {
			c.word("count/by_tender/"+strconv.Itoa(i+1)+"/kind", string(t.Kind))
		}
		for i, row := range n.Denominations {
			if row.Quantity < 0 {
				c.add("count/denominations/"+strconv.Itoa(i+1)+"/quantity", "%d is negative", row.Quantity)
			}
		}
	}
	if d.TenderBatch == nil && completed && d.Kind == Batch {
		c.add("tender_batch", "missing from a completed %s", d.Kind)
	}
	if d.Close != nil {
		for i, t := range d.Close.ByTender {
			c.word("close/by_tender/"+strconv.Itoa(i+1)+"/kind", string(t.Kind))
		}
	}
}

// values walks every field there is, so that none that is added later goes
// unchecked: text within its limits, numbers and moments in range, and not more
// parts than a document may have.
func (c *checker) values(v reflect.Value) {
	if len(c.problems) >= maxProblems {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c.values(v.Elem())
		}
	case reflect.String:
		c.text(v.String())
	case reflect.Int64:
		if v.Type() == decimalType && !money.Decimal(v.Int()).InRange() {
			c.add(strings.Join(c.path, "/"), "%v", money.ErrRange)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if c.elements++; c.elements > MaxParts {
				if c.elements == MaxParts+1 {
					c.add(strings.Join(c.path, "/"), "more than %d parts in all", MaxParts)
				}
				return
			}
			c.path = append(c.path, strconv.Itoa(i+1))
			c.values(v.Index(i))
			c.path = c.path[:len(c.path)-1]
		}
	case reflect.Struct:
		if v.Type() == momentType {
			if t := v.Interface().(time.Time); !t.IsZero() {
				if _, err := instant(strings.Join(c.path, "/"), t); err != nil {
					c.problems = append(c.problems, err.Error())
				}
			}
			return
		}
		for i, f := range fields()[v.Type()] {
			c.path = append(c.path, f.name)
			c.values(v.Field(i))
			c.path = c.path[:len(c.path)-1]
		}
	}
}

// text checks the text at the present path. Parts of a key are one line each,
// other text may have several.
func (c *checker) text(s string) {
	if s == "" {
		return
	}
	limit, lines := MaxText, true
	if len(c.path) > 1 && c.path[len(c.path)-2] == "key" {
		limit, lines = MaxKeyPart, false
	}
	if len(s) > limit {
		c.add(strings.Join(c.path, "/"), "%d bytes of text, more than %d", len(s), limit)
		return
	}
	if !utf8.ValidString(s) {
		c.add(strings.Join(c.path, "/"), "the text is not UTF-8")
		return
	}
	for _, r := range s {
		if unicode.IsControl(r) && !(lines && (r == '\t' || r == '\n' || r == '\r')) {
			c.add(strings.Join(c.path, "/"), "the text has the control character %U", r)
			return
		}
	}
}
