package xero

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/shared/money"
)

// journalForm posts a day as one manual journal. Xero works the tax of its lines
// out from their tax types and takes no other; what the tills printed differently
// stands on a line of its own, on the account for rounding.
type journalForm struct{ b *Books }

const manualJournals = "ManualJournals"

// maxNote bounds a note and a line's text, in characters.
const maxNote = 4000

// roundingText is the text of the line that the tills' tax differs by.
const roundingText = "Tax that the tills printed, less tax as Xero works it out"

type wireJournal struct {
	ManualJournalID string     `json:"ManualJournalID,omitempty"`
	Narration       string     `json:"Narration"`
	Date            string     `json:"Date,omitempty"`
	LineAmountTypes string     `json:"LineAmountTypes,omitempty"`
	Status          string     `json:"Status"`
	JournalLines    []wireLine `json:"JournalLines"`
}

type journalElement struct {
	wireJournal
	wireVerdict
}

func (journalForm) kind(document) string { return manualJournals }

func (journalForm) partOf(_, _ []document) bool { return false }

func (f journalForm) render(p target.Payload, s *setup, strict bool) ([]document, error) {
	d := document{date: p.Date, number: p.Reference, note: memo.Note(p, f.b.places, isControl)}
	if len(d.note) > maxNote {
		return nil, fmt.Errorf("the texts of %s have %d bytes; Xero takes %d", p.Reference, len(d.note), maxNote)
	}
	var sum, allowed money.Minor
	for i, l := range p.Lines {
		if l.Control {
			continue
		}
		out, tax, _, err := f.b.resolve(l, s, strict)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		worked, err := money.MulDiv(money.Decimal(l.Amount), tax.Rate, 100*money.One)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		out.tax, out.text = money.Minor(worked), memo.Text(l, f.b.places)
		sum += out.amount + out.tax
		if l.Tax != nil {
			allowed += 5 + money.Minor(max(l.Documents, -l.Documents)) // tills round each receipt
		}
		d.lines = append(d.lines, out)
	}
	if sum == 0 {
		return []document{d}, nil
	}
	if strict && (sum > allowed || -sum > allowed) {
		return nil, fmt.Errorf("the tills' tax and the tax by Xero's rates differ by %s, too much for rounding; check the tax codes of the mapping, or post invoices, which take the tills' tax", sum.Format(f.b.places))
	}
	if strict {
		if f.b.o.Rounding == "" {
			return nil, fmt.Errorf("the tills' tax and the tax by Xero's rates differ by %s and the connection names no account for it; set rounding", sum.Format(f.b.places))
		}
		if _, err := s.chart.ToPost(f.b.o.Rounding); err != nil {
			return nil, fmt.Errorf("rounding: %w", err)
		}
	}
	d.lines = append(d.lines, line{account: f.b.o.Rounding, amount: -sum, taxType: untaxed(s.country), text: roundingText})
	return []document{d}, nil
}

func isControl(l target.Line) bool { return l.Control }

func (f journalForm) read(found []document, _ *setup) (target.Payload, error) {
	if len(found) != 1 {
		return target.Payload{}, fmt.Errorf("%d journals stand under one reference; take all but one off the books", len(found))
	}
	d := found[0]
	lines := make([]target.Line, 0, len(d.lines))
	for _, at := range d.lines {
		if at.text == roundingText {
			continue
		}
		l, err := readLine(at, f.b.places)
		if err != nil {
			return target.Payload{}, err
		}
		lines = append(lines, l)
	}
	return payloadOf(d, lines, f.b.places)
}

// readLine reads a payload's line. A text that a person wrote stands as it is.
func readLine(at line, places int) (target.Line, error) {
	l, err := memo.ReadText(at.text, places)
	if errors.Is(err, memo.ErrNotOurs) {
		l, err = target.Line{Text: at.text}, nil
	}
	l.Account, l.Amount = at.account, at.amount
	return l, err
}

func payloadOf(d document, lines []target.Line, places int) (target.Payload, error) {
	p, err := memo.ReadNote(d.note, places, lines)
	p.Date = d.date
	return p, err
}

func (f journalForm) find(ctx context.Context, reference string) ([]document, error) {
	all, err := f.list(ctx, reference)
	if err != nil {
		return nil, err
	}
	var found []document
	for _, d := range all {
		if d.number == reference {
			found = append(found, d)
		}
	}
	return found, nil
}

func (f journalForm) list(ctx context.Context, prefix string) ([]document, error) {
	query := url.Values{"pageSize": {strconv.Itoa(pageSize)}}
	if d, known := dayIn(prefix); known {
		query.Set("where", "Date>="+dateTime(string(d)))
	}
	var found []document
	for page := 1; ; page++ {
		if page > maxPages {
			return nil, fmt.Errorf("%w: there are more than %d journals", target.ErrUnavailable, maxPages*pageSize)
		}
		query.Set("page", strconv.Itoa(page))
		var all struct{ ManualJournals []journalElement }
		if err := f.b.get(ctx, "/"+manualJournals, query, &all); err != nil {
			return nil, err
		}
		for _, e := range all.ManualJournals {
			if e.Status != "POSTED" && e.Status != "VOIDED" || !strings.HasPrefix(memo.ReferenceOf(e.Narration), prefix) || memo.ReferenceOf(e.Narration) == "" {
				continue
			}
			d, err := f.document(e)
			if err != nil {
				return nil, fmt.Errorf("journal %s: %w", e.ManualJournalID, err)
			}
			found = append(found, d)
		}
		if len(all.ManualJournals) < pageSize {
			return found, nil
		}
	}
}

// dateTime writes a day in a where clause.
func dateTime(d string) string {
	return "DateTime(" + d[:4] + "," + d[5:7] + "," + d[8:] + ")"
}

func (f journalForm) document(e journalElement) (document, error) {
	d := document{id: e.ManualJournalID, voided: e.Status == "VOIDED", note: e.Narration, number: memo.ReferenceOf(e.Narration)}
	var err error
	if d.date, err = dayOf(e.Date); err != nil {
		return d, err
	}
	for _, w := range e.JournalLines {
		l, err := f.b.lineOf(w, 1)
		if err != nil {
			return d, err
		}
		d.lines = append(d.lines, l)
	}
	return d, nil
}

func (f journalForm) send(ctx context.Context, reference string, want, _ []document) ([]document, error) {
	d := want[0]
	body := wireJournal{Narration: d.note, Date: string(d.date), LineAmountTypes: "Exclusive", Status: "POSTED"}
	for _, l := range d.lines {
		body.JournalLines = append(body.JournalLines, wireLine{
			Description: l.text, LineAmount: f.b.number(l.amount), AccountCode: l.account, TaxType: l.taxType, Tracking: options(l.tracking),
		})
	}
	var all []journalElement
	if err := f.b.write(ctx, http.MethodPut, "/"+manualJournals, manualJournals, f.b.key(reference, ""), map[string]any{manualJournals: []wireJournal{body}}, &all); err != nil {
		return nil, f.met(ctx, reference, err)
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("the answer of Xero has %d journals", len(all))
	}
	return f.b.booked(all[0].wireVerdict, func() (document, error) { return f.document(all[0]) }, func(d document) error { return f.void(ctx, d) })
}

// met looks whether a refusal is one of the key: another payload was sent with
// it, which stands now.
func (f journalForm) met(ctx context.Context, reference string, refused error) error {
	if !errors.Is(refused, target.ErrRefused) {
		return refused
	}
	found, err := f.find(ctx, reference)
	switch {
	case err != nil:
		return errors.Join(refused, err)
	case len(found) > 0:
		return errNumber
	}
	return refused
}

// booked reads what was booked. What was booked with a warning is voided again.
func (b *Books) booked(v wireVerdict, read func() (document, error), void func(document) error) ([]document, error) {
	err := v.err()
	var warned *warning
	if err != nil && !errors.As(err, &warned) {
		return nil, err
	}
	d, readErr := read()
	if readErr != nil {
		return nil, errors.Join(err, fmt.Errorf("read what was booked: %w", readErr))
	}
	if warned == nil {
		return []document{d}, nil
	}
	if err := void(d); err != nil {
		return nil, fmt.Errorf("%w; it stands at Xero and could not be voided: %w", warned, err)
	}
	return nil, fmt.Errorf("%w: %w; it was voided again", target.ErrRefused, warned)
}

func (f journalForm) void(ctx context.Context, d document) error {
	var all []journalElement
	body := wireJournal{ManualJournalID: d.id, Narration: d.note, Status: "VOIDED", JournalLines: []wireLine{}}
	if err := f.b.write(ctx, http.MethodPost, "/"+manualJournals+"/"+d.id, manualJournals, "", map[string]any{manualJournals: []wireJournal{body}}, &all); err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("the answer of Xero has %d journals", len(all))
	}
	return all[0].err()
}

// options reads back what trackingOf wrote.
func options(tracking string) []wireOption {
	var all []wireOption
	for tracking != "" {
		var pair [2]string
		for i := range pair {
			quoted, err := strconv.QuotedPrefix(tracking)
			if err != nil {
				return all // trackingOf writes nothing else
			}
			pair[i], _ = strconv.Unquote(quoted)
			tracking = tracking[len(quoted):]
		}
		all = append(all, wireOption{pair[0], pair[1]})
	}
	return all
}
