// Package memo writes into the texts of an accounting system what it has no
// field for, so that people can read it there and a posting can be read back
// whole: "Food 20 % [3 documents; tax OUTPUT2 SALE of -100.00 is -20.00]".
//
// Whatever Text and Note write, ReadText and ReadNote read back exactly. They
// are no proof of what stands in a system's own fields: a target compares those
// by itself.
package memo

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/money"
)

// ErrNotOurs: the text is not one that this package wrote.
var ErrNotOurs = errors.New("this was not written by Tillbook, or was changed")

// Text returns the text of a line: its own, and in brackets what else it says.
// Account and amount are left to the target's own fields. It is never empty.
func Text(l target.Line, places int) string {
	var parts []string
	add := func(format string, arguments ...any) { parts = append(parts, fmt.Sprintf(format, arguments...)) }
	if l.Documents != 0 {
		add("%d documents", l.Documents)
	}
	if t := l.Tax; t != nil {
		add("tax %s %s %s of %s is %s", word(t.Code), word(t.Direction), word(t.Jurisdiction), t.Base.Format(places), t.Amount.Format(places))
	}
	if f := l.Foreign; f != nil {
		add("%s %s at %s", word(f.Currency), f.Amount.Format(placesOf(f.Currency)), f.Rate)
	}
	for _, name := range slices.Sorted(maps.Keys(l.Dimensions)) {
		add("by %s %s", word(name), word(l.Dimensions[name]))
	}
	if l.Control {
		add("control")
	}
	if len(parts) == 0 && l.Text != "" && !strings.HasSuffix(l.Text, "]") && strings.TrimSpace(l.Text) == l.Text {
		return l.Text
	}
	return l.Text + " [" + strings.Join(parts, "; ") + "]"
}

// ReadText reads what Text wrote: a line without account and amount.
func ReadText(text string, places int) (target.Line, error) {
	inside, bracketed := strings.CutSuffix(text, "]")
	if !bracketed {
		return target.Line{Text: text}, nil
	}
	at := strings.LastIndex(inside, " [")
	if at < 0 {
		return target.Line{}, fmt.Errorf("%q: %w", text, ErrNotOurs)
	}
	l := target.Line{Text: inside[:at]}
	words, err := split(inside[at+len(" ["):])
	if err != nil {
		return target.Line{}, fmt.Errorf("%q: %w", text, err)
	}
	for _, part := range words {
		if err := readPart(&l, part, places); err != nil {
			return target.Line{}, fmt.Errorf("%q: %w", text, err)
		}
	}
	return l, nil
}

func readPart(l *target.Line, part []string, places int) (err error) {
	amount := func(s string, places int) money.Minor {
		d, parseErr := money.Parse(s)
		if parseErr != nil {
			err = errors.Join(err, parseErr)
		}
		m, rest := money.ToMinor(d, places)
		if rest != 0 {
			err = errors.Join(err, ErrNotOurs)
		}
		return m
	}
	switch {
	case len(part) == 2 && part[1] == "documents":
		l.Documents, err = strconv.ParseInt(part[0], 10, 64)
	case len(part) == 8 && part[0] == "tax" && part[4] == "of" && part[6] == "is":
		l.Tax = &target.Tax{Code: part[1], Direction: part[2], Jurisdiction: part[3], Base: amount(part[5], places), Amount: amount(part[7], places)}
	case len(part) == 4 && part[2] == "at":
		l.Foreign = &target.Foreign{Currency: part[0], Amount: amount(part[1], placesOf(part[0]))}
		l.Foreign.Rate, err = money.Parse(part[3])
	case len(part) == 3 && part[0] == "by":
		if l.Dimensions == nil {
			l.Dimensions = map[string]string{}
		}
		l.Dimensions[part[1]] = part[2]
	case len(part) == 1 && part[0] == "control":
		l.Control = true
	default:
		return ErrNotOurs
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	return nil
}

// The lines of a note.
const (
	reasonMark = "Reason: "
	keyMark    = "Key: "
	leftMark   = "Also: " // a line that the target has no line for: its place, account, amount and text
)

// Note returns the note of a payload: its reference and narration, the reason,
// the key, and the lines that left reports true for, which the target works out
// by itself.
func Note(p target.Payload, places int, left func(target.Line) bool) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s: %s\n%s%s\n%s%s", p.Reference, p.Narration, reasonMark, p.Reason, keyMark, p.Key)
	for i, l := range p.Lines {
		if left(l) {
			fmt.Fprintf(&w, "\n%s%d %s %s %s", leftMark, i+1, word(l.Account), l.Amount.Format(places), Text(l, places))
		}
	}
	return w.String()
}

// ReadNote reads what Note wrote, without date and currency. Lines are those
// that the target has, in order.
func ReadNote(note string, places int, lines []target.Line) (target.Payload, error) {
	var p target.Payload
	rows := strings.Split(note, "\n")
	if len(rows) < 3 {
		return p, ErrNotOurs
	}
	var ours [3]bool
	p.Reference, p.Narration, ours[0] = strings.Cut(rows[0], ": ")
	p.Reason, ours[1] = strings.CutPrefix(rows[1], reasonMark)
	p.Key, ours[2] = strings.CutPrefix(rows[2], keyMark)
	if ours != [3]bool{true, true, true} || target.CheckReference(p.Reference) != nil {
		return p, ErrNotOurs
	}
	p.Lines = slices.Clone(lines)
	for _, row := range rows[3:] {
		l, at, err := readLeft(row, places)
		if err != nil {
			return p, fmt.Errorf("%q: %w", row, err)
		}
		if at < 0 || at > len(p.Lines) {
			return p, fmt.Errorf("%q: there are only %d lines before it: %w", row, len(p.Lines), ErrNotOurs)
		}
		p.Lines = slices.Insert(p.Lines, at, l)
	}
	return p, nil
}

func readLeft(row string, places int) (target.Line, int, error) {
	row, marked := strings.CutPrefix(row, leftMark)
	place, row, _ := strings.Cut(row, " ")
	at, err := strconv.Atoi(place)
	if !marked || err != nil {
		return target.Line{}, 0, ErrNotOurs
	}
	account, row, err := first(row)
	if err != nil {
		return target.Line{}, 0, err
	}
	amount, text, _ := strings.Cut(strings.TrimPrefix(row, " "), " ")
	d, err := money.Parse(amount)
	if err != nil {
		return target.Line{}, 0, fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	l, err := ReadText(text, places)
	if err != nil {
		return target.Line{}, 0, err
	}
	l.Account = account
	l.Amount, _ = money.ToMinor(d, places)
	return l, at - 1, nil
}

// ReferenceOf returns the reference that a note begins with; empty if it is none
// of ours.
func ReferenceOf(note string) string {
	reference, _, found := strings.Cut(note, ": ")
	if !found || target.CheckReference(reference) != nil || !strings.Contains(note, "\n"+keyMark) {
		return ""
	}
	return reference
}

var bare = regexp.MustCompile(`^[A-Za-z0-9_.%/:+-]+$`)

// word writes a word so that it can be told from its neighbours: as it is, or
// quoted, without brackets.
func word(s string) string {
	if bare.MatchString(s) {
		return s
	}
	return strings.NewReplacer("[", `\x5b`, "]", `\x5d`).Replace(strconv.Quote(s))
}

// first cuts the first word off a text.
func first(s string) (string, string, error) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", "", ErrNotOurs
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return "", "", ErrNotOurs
		}
		return word, s[len(quoted):], nil
	}
	end := strings.IndexAny(s, " ;")
	if end < 0 {
		end = len(s)
	}
	if end == 0 {
		return "", "", ErrNotOurs
	}
	return s[:end], s[end:], nil
}

// split reads words that stand in parts between semicolons.
func split(s string) ([][]string, error) {
	if s == "" {
		return nil, nil
	}
	parts := [][]string{nil}
	for {
		word, rest, err := first(s)
		if err != nil {
			return nil, err
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], word)
		switch {
		case rest == "":
			return parts, nil
		case strings.HasPrefix(rest, "; "):
			parts = append(parts, nil)
			s = rest[2:]
		case strings.HasPrefix(rest, " "):
			s = rest[1:]
		default:
			return nil, ErrNotOurs
		}
	}
}

func placesOf(currency string) int {
	places, err := money.Places(currency)
	if err != nil {
		return 2
	}
	return places
}
