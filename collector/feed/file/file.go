// Package file reads the files in which payment providers and banks state what
// happened: settlement reports of Adyen and PayPal, bank statements as CAMT.053,
// MT940 and OFX, and any CSV by a few named columns.
//
// A file is streamed: memory is bounded by its longest record. It is right as a
// whole or not at all: Read says where the first thing stands that cannot be read,
// so that its caller reads a file once to see and once to keep. Statements that say
// what the balance was before and after must add up to the cent.
//
// The keys of what is read depend on the file's content alone, so that the same
// file read again states the same. It opens no files and keeps nothing.
package file

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/csv"
	"tillbook.example/tillbook/shared/format/text"
	"tillbook.example/tillbook/shared/money"
)

// MaxSize bounds a file, in bytes.
const MaxSize = 256 << 20

// maxRecord bounds one record, in bytes.
const maxRecord = 256 << 10

// perPage is how many facts are handed over at once.
const perPage = 500

// Formats lists what can be read.
var Formats = []string{"adyen", "paypal", "camt053", "mt940", "ofx", "columns"}

// Options say what a file itself does not.
type Options struct {
	Provider string   // name of the provider of movements; of columns
	Account  string   // where the file names none
	Currency string   // where the file states none
	Columns  *Columns // of the format columns
}

// Refusal says what cannot be read and where.
type Refusal struct {
	Line   int // 1-based; 0: the file as a whole
	Reason string
}

func (r *Refusal) Error() string {
	if r.Line == 0 {
		return r.Reason
	}
	return fmt.Sprintf("line %d: %s", r.Line, r.Reason)
}

func refuse(line int, reason string, args ...any) error {
	return &Refusal{line, format.Mask(fmt.Sprintf(reason, args...))}
}

// Read reads a file of a format and hands over what it states, some hundred facts
// at once. It ends at the first thing that cannot be read, with a *Refusal, or that
// cannot be handed over.
func Read(kind string, in io.Reader, o Options, take func(feed.Page) error) error {
	limited := &io.LimitedReader{R: in, N: MaxSize + 1}
	out := &sink{take: take}
	var err error
	switch kind {
	case "adyen":
		err = readAdyen(limited, o, out)
	case "paypal":
		err = readPayPal(limited, o, out)
	case "camt053":
		err = readCAMT(limited, o, out)
	case "mt940":
		err = readMT940(limited, o, out)
	case "ofx":
		err = readOFX(limited, o, out)
	case "columns":
		err = readColumns(limited, o, out)
	default:
		return fmt.Errorf("%q is no format; there is %s", kind, strings.Join(Formats, ", "))
	}
	switch {
	case limited.N <= 0:
		return refuse(0, "the file has more than %d bytes", MaxSize)
	case err != nil:
		return err
	case out.facts == 0 && !out.empty:
		return refuse(0, "nothing of the format %s is in the file", kind)
	}
	return out.flush()
}

// sink gathers facts to pages.
type sink struct {
	take  func(feed.Page) error
	page  feed.Page
	facts int
	empty bool // the file may hold no fact
}

func (s *sink) movement(m settle.Movement) error {
	s.page.Movements = append(s.page.Movements, feed.Movement{Movement: m})
	return s.count()
}

func (s *sink) payout(p settle.Payout) error {
	s.page.Payouts = append(s.page.Payouts, feed.Payout{Payout: p})
	return s.count()
}

func (s *sink) line(l settle.BankLine) error {
	s.page.Lines = append(s.page.Lines, l)
	return s.count()
}

func (s *sink) count() error {
	if s.facts++; len(s.page.Movements)+len(s.page.Payouts)+len(s.page.Lines) < perPage {
		return nil
	}
	return s.flush()
}

func (s *sink) flush() error {
	page := s.page
	s.page = feed.Page{}
	if len(page.Movements)+len(page.Payouts)+len(page.Lines) == 0 {
		return nil
	}
	return s.take(page)
}

// table reads rows of delimited text by the names of their columns.
type table struct {
	rows   *csv.Reader
	names  map[string]int
	fields []string
	line   int
}

// openTable opens delimited text in an encoding; empty: found by its signs.
func openTable(in io.Reader, encoding string, delimiter byte) (*table, error) {
	t, err := text.Open(in, encoding, nil)
	if err != nil {
		return nil, refuse(0, "%v", err)
	}
	return &table{rows: csv.New(t, csv.Dialect{Delimiter: delimiter, Quote: '"', MaxRecord: maxRecord})}, nil
}

// next reads the next row; io.EOF ends it.
func (t *table) next() error {
	record, err := t.rows.Next()
	if !errors.Is(err, io.EOF) {
		t.line = record.Line
	}
	var refusal *format.Refusal
	switch {
	case errors.As(err, &refusal):
		return refuse(max(refusal.Line, record.Line), "%s", refusal.Reason)
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("read the file: %w", err)
	case err != nil:
		return io.EOF
	}
	t.fields = record.Fields
	return nil
}

// head takes the present row as the names of the columns, of which some must be
// there.
func (t *table) head(needed ...string) error {
	t.names = map[string]int{}
	for i, name := range t.fields {
		name = strings.TrimSpace(name)
		if _, twice := t.names[name]; !twice {
			t.names[name] = i
		}
	}
	for _, name := range needed {
		if _, ok := t.names[name]; !ok && name != "" {
			return refuse(t.line, "there is no column %q", name)
		}
	}
	return nil
}

// get returns a field of the present row, "" where there is no such column.
func (t *table) get(name string) string {
	i, ok := t.names[name]
	if !ok || name == "" || i >= len(t.fields) {
		return ""
	}
	return strings.TrimSpace(t.fields[i])
}

// amount reads a field as an amount; an empty one is 0.
func (t *table) amount(name string) (money.Decimal, error) {
	value := t.get(name)
	if value == "" {
		return 0, nil
	}
	d, err := money.Parse(value)
	if err != nil {
		return 0, refuse(t.line, "column %s: %v", name, err)
	}
	return d, nil
}

// keys makes keys of what has none of its own: the same words get a number each.
type keys map[string]int

// of returns a key. Some hundred thousand different ones are remembered.
func (k keys) of(line int, parts ...string) (string, error) {
	key := strings.Join(parts, " ")
	if len(k) > 500_000 {
		return "", refuse(line, "the file has too many rows without a reference of their own")
	}
	k[key]++
	if n := k[key]; n > 1 {
		key += " #" + strconv.Itoa(n)
	}
	return key, nil
}

// add adds amounts that come from one place.
func add(line int, all ...money.Decimal) (money.Decimal, error) {
	var sum money.Sum
	for _, d := range all {
		sum.Add(d)
	}
	d, err := sum.Value()
	if err != nil {
		return 0, refuse(line, "%v", err)
	}
	return d, nil
}

// aDay reads a day in one of Go's layouts.
func aDay(line int, value string, layouts ...string) (bizday.Day, error) {
	for _, layout := range layouts {
		if at, err := time.Parse(layout, value); err == nil && at.Year() > 1970 {
			return bizday.Day(at.Format(time.DateOnly)), nil
		}
	}
	return "", refuse(line, "%.40q is no day", value)
}
