package books

import (
	"cmp"
	"slices"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// draft is the postings of one document before they are brought to minor units.
type draft struct {
	effect  Effect
	foreign string        // the document's currency, where it is not the books'
	rate    money.Decimal // to the books' currency
	items   []item
	parts   []part
	taxOff  bool // some tax has more places than the currency
	err     error
}

// item is what one document gives to one bucket, debit-positive. Its taxes are
// the parts from first on, one for each code of the bucket's tax set.
type item struct {
	bucket  *bucket
	amount  money.Decimal
	foreign money.Decimal
	first   int
	minor   money.Minor
}

// part is one tax of an item. foreign is its amount before conversion.
type part struct{ base, amount, foreign money.Decimal }

// maxMinor bounds an amount of one document, so that a day of a hundred thousand
// of them can be added up.
const maxMinor money.Minor = 10_000_000_000_000

// begin starts the draft of a document; it reports false, with a problem raised,
// where the document is in another currency and states no rate.
func (b *builder) begin(e Effect) bool {
	b.doc = draft{effect: e, items: b.doc.items[:0], parts: b.doc.parts[:0]}
	currency := cmp.Or(e.Facts.Currency, b.currency)
	if currency == b.currency {
		return true
	}
	if r := e.Facts.Rate; r != nil && r.To == b.currency && r.Value > 0 {
		b.doc.foreign, b.doc.rate = currency, r.Value
		return true
	}
	b.noRate(currency, e.Key)
	return false
}

func (b *builder) noRate(currency, key string) {
	b.problem(question{ConversionMissing, "rate:" + currency,
		"At which rate is " + currency + " booked in " + b.currency + "? The till states none."}, key, 0)
}

// add adds an amount of the document to a group, debit-positive, with one part
// for each code of the group's tax set.
func (b *builder) add(g group, amount money.Decimal, parts ...part) {
	if b.doc.foreign != "" {
		g.foreign, g.rate = b.doc.foreign, b.doc.rate
	}
	b.put(g, amount, amount, parts)
}

// addForeign is add for an amount that was taken in another currency.
func (b *builder) addForeign(g group, amount money.Decimal, f *document.Foreign, foreign money.Decimal) {
	if b.doc.foreign == "" {
		g.foreign, g.rate = f.Currency, f.Rate
		b.put(g, amount, foreign, nil)
		return
	}
	b.add(g, amount)
}

func (b *builder) put(g group, amount, foreign money.Decimal, parts []part) {
	k, doc := b.bucket(g), &b.doc
	at := -1
	for i := range doc.items {
		if doc.items[i].bucket == k {
			at = i
			break
		}
	}
	if at < 0 {
		at = len(doc.items)
		doc.items = append(doc.items, item{bucket: k, first: len(doc.parts)})
		for range k.parts {
			doc.parts = append(doc.parts, part{})
		}
	}
	it := &doc.items[at]
	it.amount = doc.sum(it.amount, amount)
	if g.foreign != "" {
		it.foreign = doc.sum(it.foreign, foreign)
	}
	for i, p := range parts {
		sum := &doc.parts[it.first+i]
		sum.base, sum.amount = doc.sum(sum.base, p.base), doc.sum(sum.amount, p.amount)
	}
}

func (d *draft) sum(x, y money.Decimal) money.Decimal {
	z, err := money.Add(x, y)
	if err != nil && d.err == nil {
		d.err = err
	}
	return z
}

// finish brings the draft to minor units and adds it to the buckets. Every sum
// of the document is rounded once; what the roundings leave stands on a rounding
// line, so that the document balances by itself.
func (b *builder) finish() {
	doc := &b.doc
	b.convert()
	for i := range doc.items {
		if minor, _ := money.ToMinor(doc.items[i].amount, b.places); abs(minor) > maxMinor && doc.err == nil {
			doc.err = money.ErrRange
		}
	}
	if doc.err != nil {
		b.problem(question{OutOfRange, "document:" + doc.effect.Key, "An amount of " + doc.effect.Key + " is too large: is it right?"}, doc.effect.Key, 0)
		return
	}
	var off money.Minor
	for i := range doc.items {
		it := &doc.items[i]
		it.minor, _ = money.ToMinor(it.amount, b.places)
		off += it.minor
	}
	controls := b.controls()
	for _, c := range controls {
		off += c.minor
	}
	if off != 0 {
		role := ConversionRound
		rule := "What was left when amounts were brought to whole minor units."
		if doc.foreign == "" && doc.taxOff {
			role, rule = TaxRounding, "What was left when printed tax was brought to whole minor units."
		}
		account, ask := b.need(role)
		doc.items = append(doc.items, item{bucket: b.bucket(group{role: role, account: account, ask: ask, rule: rule}), minor: -off})
	}
	for i := range doc.items {
		b.give(&doc.items[i])
	}
	for i := range controls {
		b.give(&controls[i].item)
	}
}

// convert brings a draft in another currency into that of the books.
func (b *builder) convert() {
	doc := &b.doc
	if doc.foreign == "" {
		return
	}
	to := func(d *money.Decimal) {
		v, err := money.Mul(*d, doc.rate)
		if err != nil && doc.err == nil {
			doc.err = err
		}
		*d = v
	}
	for i := range doc.items {
		to(&doc.items[i].amount)
	}
	for i := range doc.parts {
		doc.parts[i].foreign = doc.parts[i].amount
		to(&doc.parts[i].base)
		to(&doc.parts[i].amount)
	}
}

// control is the tax of one control line in one document.
type control struct {
	item
	rest    money.Decimal // what rounding its parts left
	others  bool          // a marketplace's tax, not the merchant's
	sources []source
}

// source is one taxed line's part of a control line.
type source struct {
	part int
	to   *minorTax // where the minor units are added in the end
	tax  minorTax
	rest money.Decimal
}

// controls derives the tax control lines of the draft from its taxed lines. The
// tax of the document under one code is rounded once and spread over the lines
// by largest remainder, so that the till's printed tax stands as printed.
func (b *builder) controls() []control {
	doc := &b.doc
	var controls []control
	for i := range doc.items {
		k := doc.items[i].bucket
		for j := range k.parts {
			p := doc.parts[doc.items[i].first+j]
			s := source{part: doc.items[i].first + j, to: &k.parts[j]}
			s.tax.base, _ = money.ToMinor(p.base, b.places)
			s.tax.amount, s.rest = money.ToMinor(p.amount, b.places)
			doc.taxOff = doc.taxOff || s.rest != 0
			if p.amount == 0 { // zero rated or exempt: the base is still reported
				s.to.base += s.tax.base
				continue
			}
			c := b.control(&controls, k, k.taxes.codes[j])
			c.minor += s.tax.amount
			c.rest += s.rest
			c.foreign = doc.sum(c.foreign, p.foreign)
			c.sources = append(c.sources, s)
		}
	}
	unit := unitOf(b.places)
	for i := range controls {
		c := &controls[i]
		for n := c.rest.RoundTo(b.places) / unit; n != 0; {
			step := money.Minor(1)
			if n < 0 {
				step = -1
			}
			best := 0
			for j := range c.sources {
				if c.sources[j].rest*money.Decimal(step) > c.sources[best].rest*money.Decimal(step) {
					best = j
				}
			}
			c.sources[best].tax.amount += step
			c.sources[best].rest -= money.Decimal(step) * unit
			c.minor += step
			n -= money.Decimal(step)
		}
		for _, s := range c.sources {
			s.to.base += s.tax.base
			if !c.others { // another's tax is reported as 0
				s.to.amount += s.tax.amount
			}
		}
	}
	return controls
}

// control returns the document's control line of a tax of a taxed line.
func (b *builder) control(controls *[]control, k *bucket, code *taxCode) *control {
	g := group{
		role: code.role, account: code.control, ask: code.controlAsk, direction: k.direction, reversal: k.reversal,
		foreign: k.group.foreign, rate: k.rate, rule: code.rule,
	}
	if code.jurisdiction != "" {
		g.dims = dim("jurisdiction", code.jurisdiction)
	}
	if code.facilitator {
		g.direction, g.reversal = "", false
	}
	if code.netted {
		g = b.owedBy(k)
	}
	to := b.bucket(g)
	for i := range *controls {
		if (*controls)[i].bucket == to && (*controls)[i].others == code.facilitator {
			return &(*controls)[i]
		}
	}
	*controls = append(*controls, control{item: item{bucket: to}, others: code.facilitator})
	return &(*controls)[len(*controls)-1]
}

// owedBy is the group of what the marketplace of the document owes.
func (b *builder) owedBy(k *bucket) group {
	d := b.doc.effect.Facts
	t := marketplace()
	for i := range d.Tenders {
		if d.Tenders[i].Kind == document.Marketplace {
			t = d.Tenders[i]
		}
	}
	g := group{
		role: Marketplace, account: b.m.tenderAccount(t, Marketplace), rule: tenderRules[Marketplace], dims: b.dims(d, nil, ""),
		foreign: k.group.foreign, rate: k.rate,
	}
	if b.m.Labels[t.Label] != "" && t.Label != "" {
		g.rule = labelRule(t.Label)
	}
	return g
}

// give adds a finished item to its bucket.
func (b *builder) give(it *item) {
	k := it.bucket
	k.amount += it.minor
	foreign, _ := money.ToMinor(it.foreign, k.foreignPlaces)
	k.foreign += foreign
	if it.minor == 0 && it.foreign == 0 && !b.doc.taxed(it) {
		return
	}
	key := b.doc.effect.Key
	if n := len(k.shares); n > 0 && k.shares[n-1].Key == key {
		k.shares[n-1].Amount += it.minor
		return
	}
	k.shares = append(k.shares, Share{key, it.minor})
}

// taxed reports whether an item has a base or a tax, if no amount.
func (d *draft) taxed(it *item) bool {
	return slices.ContainsFunc(d.parts[it.first:it.first+len(it.bucket.parts)], func(p part) bool { return p.base != 0 || p.amount != 0 })
}

func unitOf(places int) money.Decimal {
	unit := money.Decimal(1)
	for range money.Scale - places {
		unit *= 10
	}
	return unit
}
