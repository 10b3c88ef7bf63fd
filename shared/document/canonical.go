package document

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"tillbook.example/tillbook/shared/money"
)

// canonicalForm is the first line of every canonical text. It changes when, and
// only when, the text of a document that could be written before would change.
const canonicalForm = "tillbook-document/1\n"

// Canonical returns the document's accounting content as text, one line a
// field, in the form that docs/canonical-form.md describes: the first line names
// the form, each further line is a path, a tab and the value. Two texts that
// differ can be compared line by line to see what changed.
//
// Left out is what does not change what happened or what no agent may vouch for:
// the content hash, the source, the key's merchant, operator, customer and
// counterparty, the text of lines, masked card numbers, and all that is worked
// out from the rest.
func Canonical(d *Document) []byte { return AppendCanonical(make([]byte, 0, 2048), d) }

// AppendCanonical appends what Canonical returns, for those who hash many.
func AppendCanonical(b []byte, d *Document) []byte {
	w := writer{b: append(b, canonicalForm...), path: make([]byte, 0, 64)}
	w.document(d)
	return w.b
}

// Hash returns the content hash: the SHA-256 of Canonical.
func Hash(d *Document) [sha256.Size]byte { return sha256.Sum256(Canonical(d)) }

// HashString returns the content hash in lower-case hex, as Document.ContentHash
// holds it.
func HashString(d *Document) string {
	hash := Hash(d)
	return hex.EncodeToString(hash[:])
}

// writer appends lines. Each type of the document has a method that writes its
// fields in the order of the Go struct: those that the JSON form always carries
// are always written, the others where they are present.
type writer struct {
	b    []byte
	path []byte // of the struct that is being written, with its last slash
}

func (w *writer) document(d *Document) {
	w.in("key", func() { w.key(&d.Key) })
	w.flag("deleted", d.Deleted)
	w.must("kind", string(d.Kind))
	w.must("state", string(d.State))
	w.in("time", func() { w.time(&d.Time) })
	w.in("stated_day", func() {
		w.text("date", d.StatedDay.Date)
		w.text("session", d.StatedDay.Session)
		w.text("z", d.StatedDay.Z)
	})
	w.in("place", func() {
		w.text("store", d.Place.Store)
		w.text("terminal", d.Place.Terminal)
		w.text("drawer", d.Place.Drawer)
		w.text("session", d.Place.Session)
	})
	w.in("numbers", func() {
		w.text("receipt", d.Numbers.Receipt)
		w.text("sequence", d.Numbers.Sequence)
		w.text("z", d.Numbers.Z)
	})
	list(w, "fiscal", d.Fiscal, (*writer).fiscal)
	w.must("currency", d.Currency)
	w.text("price_basis", string(d.PriceBasis))
	one(w, "rate", d.Rate, (*writer).rate)
	one(w, "customer", d.Customer, (*writer).customer)
	one(w, "invoice", d.Invoice, (*writer).invoice)
	list(w, "links", d.Links, (*writer).link)
	list(w, "lines", d.Lines, (*writer).line)
	list(w, "tenders", d.Tenders, (*writer).tender)
	one(w, "movement", d.Movement, (*writer).movement)
	one(w, "count", d.Count, (*writer).count)
	one(w, "tender_batch", d.TenderBatch, (*writer).tenderBatch)
	one(w, "close", d.Close, (*writer).close)
	w.in("totals", func() { one(w, "stated", d.Totals.Stated, (*writer).amounts) })
}

func (w *writer) key(k *Key) {
	w.must("store", k.Store)
	w.must("terminal", k.Terminal)
	w.must("space", string(k.Space))
	w.must("number", k.Number)
	w.text("scope", k.Scope)
}

func (w *writer) time(t *Time) {
	w.must("as_given", t.AsGiven)
	if t.Offset != nil {
		w.integer("offset", int64(*t.Offset))
	}
	w.moment("utc", t.UTC)
	w.text("zone_from", t.ZoneFrom)
	w.in("flags", func() {
		for i, flag := range t.Flags {
			w.must(strconv.Itoa(i+1), flag)
		}
	})
}

func (w *writer) fiscal(f *Fiscal) {
	w.must("scheme", f.Scheme)
	w.text("id", f.ID)
	w.text("signature", f.Signature)
}

func (w *writer) rate(r *Rate) {
	w.must("to", r.To)
	w.amount("value", r.Value)
	w.text("source", r.Source)
	w.text("date", r.Date)
}

func (w *writer) customer(c *Customer) {
	w.text("tax_class", c.TaxClass)
	one(w, "exemption", c.Exemption, (*writer).exemption)
}

func (w *writer) exemption(e *Exemption) {
	w.must("reason", e.Reason)
	w.text("certificate", e.Certificate)
}

func (w *writer) invoice(i *Invoice) {
	w.text("number", i.Number)
	w.flag("booked_elsewhere", i.BookedElsewhere)
}

func (w *writer) link(l *Link) {
	w.must("relation", string(l.Relation))
	one(w, "key", l.Key, (*writer).key)
	w.text("number", l.Number)
	w.counter("line", int64(l.Line))
}

func (w *writer) line(l *Line) {
	w.must("kind", string(l.Kind))
	w.text("category", l.Category)
	w.text("sku", l.SKU)
	w.nonzero("quantity", l.Quantity)
	w.nonzero("unit_price", l.UnitPrice)
	w.amount("extended", l.Extended)
	list(w, "adjustments", l.Adjustments, (*writer).adjustment)
	list(w, "taxes", l.Taxes, (*writer).tax)
	w.text("consumption", l.Consumption)
	one(w, "cost", l.Cost, (*writer).money)
	one(w, "voucher", l.Voucher, (*writer).voucher)
	one(w, "agency", l.Agency, (*writer).agency)
}

func (w *writer) adjustment(a *Adjustment) {
	w.must("kind", string(a.Kind))
	w.must("level", a.Level)
	w.amount("amount", a.Amount)
	w.text("reason", a.Reason)
}

func (w *writer) tax(t *Tax) {
	w.must("code", t.Code)
	w.must("scheme", t.Scheme)
	w.amount("rate", t.Rate)
	w.amount("base", t.Base)
	w.amount("amount", t.Amount)
	w.text("jurisdiction", t.Jurisdiction)
	w.text("liable", t.Liable)
	w.text("exempt_reason", t.ExemptReason)
}

func (w *writer) money(m *Money) {
	w.amount("amount", m.Amount)
	w.must("currency", m.Currency)
}

func (w *writer) voucher(v *Voucher) {
	w.text("ref", v.Ref)
	w.text("purpose", v.Purpose)
	w.text("issuer", v.Issuer)
	w.text("funding", v.Funding)
	w.text("expires", v.Expires)
}

func (w *writer) agency(a *Agency) {
	w.must("principal", a.Principal)
	w.must("part", a.Part)
}

func (w *writer) tender(t *Tender) {
	w.must("kind", string(t.Kind))
	w.must("direction", string(t.Direction))
	w.amount("amount", t.Amount)
	w.text("label", t.Label)
	one(w, "foreign", t.Foreign, (*writer).foreign)
	w.nonzero("tip", t.Tip)
	w.text("acquirer", t.Acquirer)
	w.text("mid", t.MID)
	w.text("batch", t.Batch)
	w.text("brand", t.Brand)
	one(w, "voucher", t.Voucher, (*writer).voucher)
}

func (w *writer) foreign(f *Foreign) {
	w.must("currency", f.Currency)
	w.amount("amount", f.Amount)
	w.amount("rate", f.Rate)
}

func (w *writer) movement(m *Movement) {
	w.amount("amount", m.Amount)
	w.text("from", string(m.From))
	w.text("to", string(m.To))
	w.text("reason", m.Reason)
	w.text("receipt_ref", m.ReceiptRef)
	list(w, "lines", m.Lines, (*writer).line)
}

func (w *writer) count(c *Count) {
	w.must("stage", c.Stage)
	w.flag("blind", c.Blind)
	list(w, "by_tender", c.ByTender, (*writer).tenderAmount)
	list(w, "denominations", c.Denominations, (*writer).denomination)
	w.optional("left", c.Left)
	w.optional("removed", c.Removed)
}

func (w *writer) tenderAmount(t *TenderAmount) {
	w.must("kind", string(t.Kind))
	w.text("label", t.Label)
	w.amount("amount", t.Amount)
	w.counter("count", t.Count)
}

func (w *writer) denomination(d *Denomination) {
	w.amount("value", d.Value)
	w.integer("quantity", d.Quantity)
}

func (w *writer) tenderBatch(b *TenderBatch) {
	w.text("terminal", b.Terminal)
	w.text("acquirer", b.Acquirer)
	w.text("number", b.Number)
	list(w, "by_brand", b.ByBrand, (*writer).batchAmount)
}

func (w *writer) batchAmount(b *BatchAmount) {
	w.text("brand", b.Brand)
	w.text("kind", string(b.Kind))
	w.counter("count", b.Count)
	w.amount("amount", b.Amount)
	w.nonzero("tips", b.Tips)
}

func (w *writer) close(c *Close) {
	w.text("opened", c.Opened)
	w.text("closed", c.Closed)
	w.text("first_receipt", c.FirstReceipt)
	w.text("last_receipt", c.LastReceipt)
	if c.Receipts != nil {
		w.integer("receipts", *c.Receipts)
	}
	w.optional("gross", c.Gross)
	w.optional("net", c.Net)
	w.optional("tax", c.Tax)
	list(w, "by_tax", c.ByTax, (*writer).tax)
	list(w, "by_tender", c.ByTender, (*writer).tenderAmount)
	w.optional("opening_float", c.OpeningFloat)
	w.optional("counted", c.Counted)
	w.optional("expected", c.Expected)
	w.optional("over_short", c.OverShort)
	w.optional("grand_total", c.GrandTotal)
}

func (w *writer) amounts(a *Amounts) {
	w.optional("gross", a.Gross)
	w.optional("net", a.Net)
	w.optional("tax", a.Tax)
	w.optional("discount", a.Discount)
	w.optional("rounding", a.Rounding)
	w.optional("tip", a.Tip)
	w.optional("paid", a.Paid)
	w.optional("change", a.Change)
}

// in writes fields below a name.
func (w *writer) in(name string, fields func()) {
	outer := len(w.path)
	w.path = append(append(w.path, name...), '/')
	fields()
	w.path = w.path[:outer]
}

// one writes a struct that may be absent.
func one[T any](w *writer, name string, v *T, fields func(*writer, *T)) {
	if v == nil {
		return
	}
	outer := len(w.path)
	w.path = append(append(w.path, name...), '/')
	fields(w, v)
	w.path = w.path[:outer]
}

// list writes the elements of a list under name/1, name/2, ...
func list[T any](w *writer, name string, elements []T, fields func(*writer, *T)) {
	outer := len(w.path)
	for i := range elements {
		w.path = append(append(w.path[:outer], name...), '/')
		w.path = append(strconv.AppendInt(w.path, int64(i)+1, 10), '/')
		fields(w, &elements[i])
	}
	w.path = w.path[:outer]
}

// start appends a line up to its value.
func (w *writer) start(name string) {
	w.b = append(append(append(w.b, w.path...), name...), '\t')
}

// must writes text that every document has, even where it is empty.
func (w *writer) must(name, value string) {
	w.start(name)
	w.b = append(appendEscaped(w.b, value, 0), '\n')
}

func (w *writer) text(name, value string) {
	if value != "" {
		w.must(name, value)
	}
}

func (w *writer) flag(name string, value bool) {
	if value {
		w.must(name, "true")
	}
}

func (w *writer) integer(name string, value int64) {
	w.start(name)
	w.b = append(strconv.AppendInt(w.b, value, 10), '\n')
}

func (w *writer) counter(name string, value int64) {
	if value != 0 {
		w.integer(name, value)
	}
}

// amount writes a number that every struct of its kind has, even zero.
func (w *writer) amount(name string, value money.Decimal) {
	w.start(name)
	w.b, _ = value.AppendText(w.b) // never fails
	w.b = append(w.b, '\n')
}

func (w *writer) nonzero(name string, value money.Decimal) {
	if value != 0 {
		w.amount(name, value)
	}
}

func (w *writer) optional(name string, value *money.Decimal) {
	if value != nil {
		w.amount(name, *value)
	}
}

// moment writes UTC to the microsecond, without needless zeros.
func (w *writer) moment(name string, value time.Time) {
	if value.IsZero() {
		return
	}
	w.start(name)
	w.b = append(value.UTC().AppendFormat(w.b, "2006-01-02T15:04:05.999999Z"), '\n')
}
