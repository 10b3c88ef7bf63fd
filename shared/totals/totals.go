// Package totals adds documents up to the object that `tillbook-agent read
// --totals` prints: what a person compares with the till's own paper.
//
// Only completed receipts are counted in amounts; training, suspended, voided
// and control documents count as documents. A POST_VOID without amounts takes
// back its original if that was added before, and is counted in voids_unresolved
// if not. Amounts are exact; a sum that does not fit is an error of Result. All
// documents should be of one currency: of several the amounts are still added,
// and currencies lists them.
package totals

import (
	"fmt"
	"slices"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// maxOriginals bounds the receipts that are remembered for a later void.
const maxOriginals = 200_000

// Result is the object of totals. Amounts are decimal strings.
type Result struct {
	Receipts        int                       `json:"receipts"`  // completed
	Documents       int                       `json:"documents"` // of every kind, receipts among them
	Refused         int                       `json:"refused"`   // parts that could not be read
	Gross           money.Decimal             `json:"gross"`     // with tax, after reductions
	Net             money.Decimal             `json:"net"`
	Tax             money.Decimal             `json:"tax"`
	TaxByRate       map[string]money.Decimal  `json:"tax_by_rate"` // by percent: "20.00"
	Reductions      money.Decimal             `json:"reductions"`  // what was taken off, positive
	Tenders         map[string]money.Decimal  `json:"tenders"`     // by kind, net of change, cash-back and refunds
	Rounding        money.Decimal             `json:"rounding"`
	ByDay           map[string]Part           `json:"by_day"`
	ByTerminal      map[string]Part           `json:"by_terminal"`
	Differences     map[string]DifferencePart `json:"differences"` // by rule
	VoidsUnresolved int                       `json:"voids_unresolved,omitzero"`
	Currencies      []string                  `json:"currencies"`
}

// Part is a day's or terminal's share.
type Part struct {
	Receipts int           `json:"receipts"`
	Gross    money.Decimal `json:"gross"`
}

// DifferencePart is how often a rule was broken and by how much in all.
type DifferencePart struct {
	Count  int           `json:"count"`
	Amount money.Decimal `json:"amount"`
}

// Totals adds documents up. Use New.
type Totals struct {
	rule      *bizday.Rule
	documents int
	receipts  int
	refused   int
	lost      int

	sum         share
	byDay       map[string]*share
	byTerminal  map[string]*share
	differences map[string]*broken
	currencies  map[string]bool
	originals   map[document.Key]effect
	order       []document.Key // of originals, oldest first
}

// share is the sum of some receipts.
type share struct {
	receipts                              int
	gross, net, tax, reductions, rounding money.Sum
	taxByRate                             map[string]*money.Sum
	tenders                               map[string]*money.Sum
}

type broken struct {
	count  int
	amount money.Sum
}

// effect is what one receipt adds.
type effect struct {
	gross, net, tax, reductions, rounding money.Decimal
	rates, tenders                        []named
}

type named struct {
	name   string
	amount money.Decimal
}

// New returns empty totals. The rule, which may be nil, gives the day of
// receipts that state none.
func New(rule *bizday.Rule) *Totals {
	return &Totals{rule: rule, byDay: map[string]*share{}, byTerminal: map[string]*share{}, differences: map[string]*broken{},
		currencies: map[string]bool{}, originals: map[document.Key]effect{}}
}

// Refused counts a part that could not be read.
func (t *Totals) Refused() { t.refused++ }

// Add takes a document in. It must have been settled.
func (t *Totals) Add(d *document.Document) error {
	t.documents++
	for _, difference := range d.Totals.Differences {
		b := t.differences[difference.Rule]
		if b == nil {
			b = &broken{}
			t.differences[difference.Rule] = b
		}
		b.count++
		b.amount.Add(difference.Amount)
	}
	if !d.Kind.Receipt() || d.State != document.Completed {
		return nil
	}
	t.currencies[d.Currency] = true
	e, err := t.effect(d)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Key, err)
	}
	t.receipts++
	t.sum.add(e)
	part(t.byDay, t.day(d)).add(e)
	part(t.byTerminal, d.Key.Terminal).add(e)
	return nil
}

// effect works out what a receipt adds.
func (t *Totals) effect(d *document.Document) (effect, error) {
	if d.Kind == document.PostVoid && len(d.Lines) == 0 && len(d.Tenders) == 0 {
		return t.void(d), nil
	}
	var e effect
	if c := d.Totals.Computed; c != nil {
		for _, f := range []struct {
			to   *money.Decimal
			from *money.Decimal
		}{{&e.gross, c.Gross}, {&e.net, c.Net}, {&e.tax, c.Tax}, {&e.reductions, c.Discount}, {&e.rounding, c.Rounding}} {
			if f.from != nil {
				*f.to = *f.from
			}
		}
	}
	e.reductions = -e.reductions
	rates, tenders := map[string]*money.Sum{}, map[string]*money.Sum{}
	for _, l := range d.Lines {
		for _, tax := range l.Taxes {
			sumOf(rates, rateName(tax.Rate)).Add(tax.Amount)
		}
	}
	for _, row := range d.Tenders {
		sumOf(tenders, string(row.Kind)).Add(row.Amount)
	}
	var err error
	if e.rates, err = flat(rates); err != nil {
		return e, err
	}
	if e.tenders, err = flat(tenders); err != nil {
		return e, err
	}
	t.remember(d.Key, e)
	return e, nil
}

// void is the opposite of the receipt that a POST_VOID names.
func (t *Totals) void(d *document.Document) effect {
	for _, l := range d.Links {
		if l.Relation != document.Voids || l.Key == nil {
			continue
		}
		if e, ok := t.originals[*l.Key]; ok {
			delete(t.originals, *l.Key) // it is taken back once
			return e.negative()
		}
	}
	t.lost++
	return effect{}
}

func (t *Totals) remember(k document.Key, e effect) {
	if _, again := t.originals[k]; !again {
		t.order = append(t.order, k)
	}
	t.originals[k] = e
	if len(t.order) > maxOriginals {
		delete(t.originals, t.order[0])
		t.order = t.order[1:]
	}
}

// day is the stated day, else the rule's, else the date as given.
func (t *Totals) day(d *document.Document) string {
	switch {
	case d.StatedDay.Date != "":
		return d.StatedDay.Date
	case t.rule != nil && !d.Time.UTC.IsZero():
		return string(t.rule.Of(d.Time.UTC))
	}
	given := d.Time.AsGiven
	if len(given) >= 10 {
		if day, err := bizday.Parse(given[:10]); err == nil {
			return string(day)
		}
	}
	if !d.Time.UTC.IsZero() {
		return d.Time.UTC.Format("2006-01-02")
	}
	return "unknown"
}

// Result returns the totals so far, or an error if one does not fit.
func (t *Totals) Result() (Result, error) {
	r := Result{Receipts: t.receipts, Documents: t.documents, Refused: t.refused, VoidsUnresolved: t.lost,
		ByDay: map[string]Part{}, ByTerminal: map[string]Part{}, Differences: map[string]DifferencePart{}, Currencies: []string{}}
	a := adder{}
	r.Gross, r.Net, r.Tax = a.value(&t.sum.gross), a.value(&t.sum.net), a.value(&t.sum.tax)
	r.Reductions, r.Rounding = a.value(&t.sum.reductions), a.value(&t.sum.rounding)
	r.TaxByRate, r.Tenders = a.values(t.sum.taxByRate), a.values(t.sum.tenders)
	for day, s := range t.byDay {
		r.ByDay[day] = Part{s.receipts, a.value(&s.gross)}
	}
	for terminal, s := range t.byTerminal {
		r.ByTerminal[terminal] = Part{s.receipts, a.value(&s.gross)}
	}
	for rule, b := range t.differences {
		r.Differences[rule] = DifferencePart{b.count, a.value(&b.amount)}
	}
	for currency := range t.currencies {
		r.Currencies = append(r.Currencies, currency)
	}
	slices.Sort(r.Currencies)
	return r, a.err
}

// adder reads sums and keeps the first error.
type adder struct{ err error }

func (a *adder) value(s *money.Sum) money.Decimal {
	d, err := s.Value()
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("totals: %w", err)
	}
	return d
}

func (a *adder) values(sums map[string]*money.Sum) map[string]money.Decimal {
	values := map[string]money.Decimal{}
	for name, s := range sums {
		values[name] = a.value(s)
	}
	return values
}

func (s *share) add(e effect) {
	s.receipts++
	s.gross.Add(e.gross)
	s.net.Add(e.net)
	s.tax.Add(e.tax)
	s.reductions.Add(e.reductions)
	s.rounding.Add(e.rounding)
	if s.taxByRate == nil {
		s.taxByRate, s.tenders = map[string]*money.Sum{}, map[string]*money.Sum{}
	}
	for _, n := range e.rates {
		sumOf(s.taxByRate, n.name).Add(n.amount)
	}
	for _, n := range e.tenders {
		sumOf(s.tenders, n.name).Add(n.amount)
	}
}

func (e effect) negative() effect {
	n := effect{gross: -e.gross, net: -e.net, tax: -e.tax, reductions: -e.reductions, rounding: -e.rounding}
	for _, r := range e.rates {
		n.rates = append(n.rates, named{r.name, -r.amount})
	}
	for _, r := range e.tenders {
		n.tenders = append(n.tenders, named{r.name, -r.amount})
	}
	return n
}

func part(of map[string]*share, name string) *share {
	if of[name] == nil {
		of[name] = &share{}
	}
	return of[name]
}

func sumOf(sums map[string]*money.Sum, name string) *money.Sum {
	if sums[name] == nil {
		sums[name] = &money.Sum{}
	}
	return sums[name]
}

func flat(sums map[string]*money.Sum) ([]named, error) {
	var list []named
	for name, s := range sums {
		amount, err := s.Value()
		if err != nil {
			return nil, err
		}
		list = append(list, named{name, amount})
	}
	return list, nil
}

// rateName writes a percentage with two places at least.
func rateName(rate money.Decimal) string { return rate.String() }
