package books

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Build makes the entry of one subject, and the problems that keep it from being
// posted. It never fails: a document whose effect cannot be told is left out and
// asked about, a missing account leaves its line with an empty account, and the
// entry balances in any case. An entry with problems must not be posted.
func Build(in Input) (Entry, []Problem) {
	b := newBuilder(&in)
	effects, unclear := Effects(in.Documents, in.Originals)
	for _, u := range unclear {
		b.unclear(u)
	}
	for _, e := range effects {
		if b.begin(e) {
			b.document(e)
			b.finish()
		}
	}
	b.bookNotReceived(in.NotReceived)
	found := slices.Clone(in.OverShort)
	slices.SortFunc(found, compareFound)
	for _, d := range found {
		b.overShort(d)
	}
	entry := Entry{
		Merchant: in.Merchant, Subject: in.Subject, Store: in.Store, Day: in.Day, Currency: b.currency,
		Rules: Rules, MappingVersion: in.MappingVersion, Lines: b.lines(),
	}
	return entry, b.problemList()
}

// group is what lines are told apart by: everything that makes two amounts
// unfit to be added up.
type group struct {
	role      Role
	account   string
	direction string // SALE, RETURN, PURCHASE, or none where no tax and no turnover is concerned
	reversal  bool   // undoes receipts of earlier days
	taxes     *taxSet
	dims      string
	foreign   string // currency
	rate      money.Decimal
	rule      string
	ask       *question // what is missing, if something is
}

// bucket collects one line. Amounts are debit-positive.
type bucket struct {
	group
	amount        money.Minor
	foreign       money.Minor // of group.foreign
	foreignPlaces int
	parts         []minorTax // beside group.taxes.codes
	shares        []Share
}

type minorTax struct{ base, amount money.Minor }

// question is one thing that the mapping does not answer.
type question struct{ code, key, text string }

type builder struct {
	in       *Input
	m        *Mapping
	currency string
	places   int
	gross    bool // discounts stand apart from sales

	byConsumption bool            // some tax rule asks where it is eaten
	splits        map[string]bool // the words of a receipt that dimensions are made of

	buckets   map[group]*bucket
	questions map[string]*question
	problems  map[problemKey]*Problem
	codes     map[taxFact]*taxCode
	sets      map[string]*taxSet
	dimCache  map[dimKey]string
	doc       draft
}

func newBuilder(in *Input) *builder {
	b := &builder{
		in: in, m: &in.Mapping, currency: cmp.Or(in.Currency, in.Mapping.Currency), gross: in.Mapping.Discounts == "gross",
		buckets: map[group]*bucket{}, questions: map[string]*question{}, problems: map[problemKey]*Problem{},
		codes: map[taxFact]*taxCode{}, sets: map[string]*taxSet{}, dimCache: map[dimKey]string{}, splits: map[string]bool{},
	}
	b.byConsumption = slices.ContainsFunc(b.m.Taxes, func(t TaxRule) bool { return t.Consumption != "" })
	for _, name := range b.m.Dimensions {
		b.splits[name] = true
	}
	for _, t := range b.m.Tracking {
		b.splits[t.By] = true
	}
	var err error
	if b.places, err = money.Places(b.currency); err != nil {
		b.places = 2
		b.problem(question{BadMapping, "currency", "Which currency are the books kept in? " + err.Error() + "."}, "", 0)
	} else if b.m.Currency != "" && b.m.Currency != b.currency {
		b.problem(question{BadMapping, "currency", fmt.Sprintf(
			"The mapping is for books in %s, but these are kept in %s: which is right?", b.m.Currency, b.currency)}, "", 0)
	}
	return b
}

// ask returns the one question of a key, so that groups that lack the same thing
// compare equal.
func (b *builder) ask(code, key, text string) *question {
	id := code + "\x00" + key
	if q := b.questions[id]; q != nil {
		return q
	}
	q := &question{code, key, text}
	b.questions[id] = q
	return q
}

// need returns the account of a role, or the question for it.
func (b *builder) need(role Role) (string, *question) {
	if account := b.m.account(role); account != "" {
		return account, nil
	}
	return "", b.ask(MissingAccount, "account:"+string(role),
		fmt.Sprintf("Which account is for %s (accounts.%s)?", role.what(), role))
}

// bucket returns the bucket of a group, made if it is new.
func (b *builder) bucket(g group) *bucket {
	if k := b.buckets[g]; k != nil {
		return k
	}
	k := &bucket{group: g}
	if g.taxes != nil {
		k.parts = make([]minorTax, len(g.taxes.codes))
	}
	if g.foreign != "" {
		var err error
		if k.foreignPlaces, err = money.Places(g.foreign); err != nil {
			k.foreignPlaces = 2
		}
	}
	b.buckets[g] = k
	return k
}

// lines turns the buckets into the sorted lines of the entry and raises the
// questions of those that are used.
func (b *builder) lines() []Line {
	used := make([]*bucket, 0, len(b.buckets))
	for _, k := range b.buckets {
		if !k.empty() {
			used = append(used, k)
		}
	}
	slices.SortFunc(used, compareBuckets)
	lines := make([]Line, len(used))
	for i, k := range used {
		lines[i] = b.line(k)
		if k.ask != nil {
			b.askFor(*k.ask, k)
		}
		if k.taxes != nil {
			for _, code := range k.taxes.codes {
				if code.ask != nil {
					b.askFor(*code.ask, k)
				}
			}
		}
	}
	return lines
}

// empty reports whether the line says nothing: no amount, no base, no tax. A
// zero amount or base beside a fixed tax does say something.
func (k *bucket) empty() bool {
	if k.amount != 0 || k.foreign != 0 {
		return false
	}
	for _, p := range k.parts {
		if p.base != 0 || p.amount != 0 {
			return false
		}
	}
	return true
}

func (k *bucket) side() Side {
	switch {
	case k.amount > 0:
		return Debit
	case k.amount < 0:
		return Credit
	case (k.direction == DirectionSale) != k.reversal:
		return Credit
	}
	return Debit
}

func compareBuckets(x, y *bucket) int {
	return cmp.Or(
		-cmp.Compare(x.side(), y.side()), // debits first
		cmp.Compare(x.role.place(), y.role.place()),
		cmp.Compare(x.account, y.account),
		-cmp.Compare(x.direction, y.direction), // SALE, RETURN, PURCHASE
		compareBool(x.reversal, y.reversal),
		cmp.Compare(x.taxes.id(), y.taxes.id()),
		cmp.Compare(x.dims, y.dims),
		cmp.Compare(x.group.foreign, y.group.foreign),
		cmp.Compare(x.rate, y.rate),
		cmp.Compare(x.rule, y.rule),
		cmp.Compare(x.ask.id(), y.ask.id()),
	)
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case y:
		return -1
	}
	return 1
}

func (q *question) id() string {
	if q == nil {
		return ""
	}
	return q.code + q.key
}

func (b *builder) line(k *bucket) Line {
	side, sign := k.side(), money.Minor(1)
	if side == Credit {
		sign = -1
	}
	l := Line{
		Role: k.role, Account: k.account, Side: side, Amount: sign * k.amount, Currency: b.currency,
		Dimensions: splitDims(k.dims), Rule: k.rule, Documents: k.shares, Tax: k.tax(sign),
	}
	if k.group.foreign != "" {
		l.Foreign = &Foreign{Currency: k.group.foreign, Amount: sign * k.foreign, Rate: k.rate}
	}
	if sign < 0 {
		for i := range k.shares {
			k.shares[i].Amount = -k.shares[i].Amount
		}
	}
	if l.Documents == nil {
		l.Documents = []Share{}
	}
	return l
}

// tax is the tax detail of a line, on the line's side.
func (k *bucket) tax(sign money.Minor) *Tax {
	if k.taxes == nil {
		return nil
	}
	t := &Tax{Code: k.taxes.code, Direction: k.direction, Jurisdiction: k.taxes.jurisdiction}
	for i, p := range k.parts {
		t.Amount += sign * p.amount
		// Base is counted once, however many taxes lie on it: that of the first tax
		// that has one, since a tax on a tax has a larger one and a levy has none.
		if t.Base == 0 {
			t.Base = sign * p.base
		}
		if len(k.parts) > 1 {
			code, direction := k.taxes.codes[i], k.direction
			if direction == DirectionPurchase && code.role == OutputTax {
				direction = DirectionSale // reverse charge: owed on what was bought
			}
			t.Components = append(t.Components, Tax{
				Code: code.code, Base: sign * p.base, Amount: sign * p.amount, Direction: direction, Jurisdiction: code.jurisdiction,
			})
		}
	}
	return t
}

func abs(m money.Minor) money.Minor {
	if m < 0 {
		return -m
	}
	return m
}

type problemKey struct{ code, key string }

// problem notes that a document of an amount meets a question.
func (b *builder) problem(q question, key string, amount money.Minor) {
	id := problemKey{q.code, q.key}
	p := b.problems[id]
	if p == nil {
		p = &Problem{Code: q.code, Key: q.key, Text: q.text, Documents: []string{}}
		b.problems[id] = p
	}
	p.Amount += abs(amount)
	if key != "" {
		p.Documents = append(p.Documents, key)
	}
}

// askFor raises the question of a line for the documents it is made of. Of
// several lines that lack one account, the first says what it is needed for.
func (b *builder) askFor(q question, k *bucket) {
	if q.code == MissingAccount {
		q.text += " It is needed for this: " + lower(k.rule)
	}
	b.problem(q, "", k.amount)
	p := b.problems[problemKey{q.code, q.key}]
	for _, s := range k.shares {
		p.Documents = append(p.Documents, s.Key)
	}
}

func (b *builder) problemList() []Problem {
	list := make([]Problem, 0, len(b.problems))
	for _, p := range b.problems {
		slices.Sort(p.Documents)
		p.Documents = slices.Compact(p.Documents)
		p.Count = len(p.Documents)
		p.Documents = slices.Clip(p.Documents[:min(p.Count, MaxProblemDocuments)])
		list = append(list, *p)
	}
	slices.SortFunc(list, func(x, y Problem) int { return cmp.Or(cmp.Compare(x.Code, y.Code), cmp.Compare(x.Key, y.Key)) })
	return list
}

func (b *builder) unclear(u Unclear) {
	var q question
	switch u.Code {
	case Duplicate:
		q = question{u.Code, u.Key, "Two documents say different things under " + u.Key + ": which of them holds?"}
		if u.What != "" {
			q = question{u.Code, u.What, u.What + " is voided more than once: which of the voids holds?"}
		}
	case OriginalMissing:
		q = question{u.Code, u.Key, "The void " + u.Key + " names no amounts, and its original is not stored or not clear: which receipt does it undo?"}
	default:
		q = question{u.Code, "kind:" + u.What, fmt.Sprintf("What is a document of kind %q? This version does not know how to book it; an upgrade may.", u.What)}
	}
	b.problem(q, u.Key, 0)
}

// dimKey is what the dimensions of a line depend on.
type dimKey struct {
	store, terminal, category, consumption, extra string
	line                                          bool // of a receipt, so that it may have a category
}

// dims returns the dimensions the merchant chose, as one comparable text.
func (b *builder) dims(d *document.Document, l *document.Line, extra string) string {
	if len(b.splits) == 0 {
		return extra
	}
	key := dimKey{extra: extra, line: l != nil}
	if b.splits["store"] {
		key.store = d.Key.Store
	}
	if b.splits["terminal"] {
		key.terminal = d.Key.Terminal
	}
	if l != nil && b.splits["category"] {
		key.category = l.Category
	}
	if l != nil && b.splits["consumption"] {
		key.consumption = l.Consumption
	}
	if text, ok := b.dimCache[key]; ok {
		return text
	}
	text := ""
	words := []string{key.store, key.terminal, key.category, key.consumption}
	for i, name := range splits() {
		if words[i] != "" && slices.Contains(b.m.Dimensions, name) {
			text = joinDims(text, dim(name, words[i]))
		}
	}
	for _, t := range b.m.Tracking {
		if at := slices.Index(splits(), t.By); at >= 0 {
			if value := t.value(words[at]); value != "" && (l != nil || at < 2) {
				text = joinDims(text, dim(t.Name, value))
			}
		}
	}
	text = joinDims(text, extra)
	b.dimCache[key] = text
	return text
}

func dim(name, value string) string { return name + "\x01" + value }

func joinDims(x, y string) string {
	if x == "" || y == "" {
		return x + y
	}
	return x + "\x02" + y
}

// splitDims reads what dims wrote.
func splitDims(text string) map[string]string {
	if text == "" {
		return nil
	}
	dims := map[string]string{}
	for text != "" {
		pair, rest, _ := strings.Cut(text, "\x02")
		name, value, _ := strings.Cut(pair, "\x01")
		dims[name], text = value, rest
	}
	return dims
}
