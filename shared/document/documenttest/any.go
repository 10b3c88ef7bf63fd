// Package documenttest generates documents for property tests (rapid).
//
// Any draws whatever a document may hold: every field, every word, awkward text
// and amounts up to the bounds; what it draws passes Check and can travel. Receipt
// draws receipts as tills print them, whose amounts add up. Neither draws a
// merchant, a content hash or settled totals: those are set by the code under
// test.
package documenttest

import (
	"time"
	"unicode"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Any generates documents of every kind that pass Check, in the form in which
// they come back from JSON and protobuf: moments in UTC to the microsecond, no
// empty lists. Amounts need not add up.
func Any() *rapid.Generator[*document.Document] {
	return rapid.Custom(func(t *rapid.T) *document.Document { return draw{t}.document() })
}

// Key generates whole keys without a merchant.
func Key() *rapid.Generator[document.Key] {
	return rapid.Custom(func(t *rapid.T) document.Key { return draw{t}.key() })
}

// Text generates text that any field of a document may hold, the empty text
// among it.
func Text() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "", "A", "7", "Pie", `back\slash`, "two\nlines", "tab\tand\r", "寿司 🍣", "<&>", "a|b/c", "null", "0"}),
		rapid.StringOfN(rapid.RuneFrom(nil, unicode.L, unicode.N, unicode.P, unicode.Zs, unicode.S), 0, 12, -1),
	)
}

// Amount generates decimals of every size, mostly whole cents.
func Amount() *rapid.Generator[money.Decimal] {
	const cent = money.One / 100
	return rapid.OneOf(
		rapid.Map(rapid.Int64Range(-100_000, 100_000), func(n int64) money.Decimal { return money.Decimal(n) * cent }),
		rapid.Map(rapid.Int64Range(int64(-money.Max), int64(money.Max)), func(n int64) money.Decimal { return money.Decimal(n) }),
		rapid.SampledFrom([]money.Decimal{0, 1, -1, money.One, money.Max, -money.Max}),
	)
}

// draw draws the parts of a document.
type draw struct{ t *rapid.T }

func (g draw) document() *document.Document {
	d := &document.Document{
		Key:     g.key(),
		Deleted: g.seldom("deleted"),
		Source: document.Source{
			Adapter: g.text("adapter"), Format: g.text("format"), Recipe: g.text("recipe"),
			Version: rapid.Uint32().Draw(g.t, "recipe version"), Raw: g.text("raw"),
			CapturedAt: g.moment("captured at"), Reason: g.text("reason"),
		},
		Kind:  word(g, "kind", document.Kinds),
		State: word(g, "state", document.States),
		Time: document.Time{
			AsGiven: g.text("as given"), Offset: optional(g, "offset", rapid.IntRange(-18*60, 18*60)), UTC: g.moment("utc"),
			ZoneFrom: maybe(g, "zone from", document.ZoneOrigins), Flags: list(g, "flags", 2, draw.name),
		},
		StatedDay: document.StatedDay{Date: g.date("stated day"), Session: g.text("session"), Z: g.text("z")},
		Place: document.Place{
			Store: g.text("place store"), Terminal: g.text("place terminal"), Drawer: g.text("drawer"),
			Session: g.text("session"), Operator: g.text("operator"),
		},
		Numbers:    document.Numbers{Receipt: g.text("receipt"), Sequence: g.text("sequence"), Z: g.text("z")},
		Fiscal:     list(g, "fiscal", 2, draw.fiscal),
		Currency:   g.currency(),
		PriceBasis: maybe(g, "price basis", document.PriceBases),
		Links:      list(g, "links", 2, draw.link),
		Lines:      list(g, "lines", 4, draw.line),
		Tenders:    list(g, "tenders", 3, draw.tender),
		Totals:     document.Totals{Stated: some(g, "stated", draw.amounts)},
	}
	d.Rate = some(g, "rate", func(g draw) document.Rate {
		return document.Rate{To: g.currency(), Value: g.amount("rate"), Source: g.text("rate source"), Date: g.date("rate date")}
	})
	d.Customer = some(g, "customer", draw.customer)
	d.Invoice = some(g, "invoice", func(g draw) document.Invoice {
		return document.Invoice{Number: g.text("invoice number"), BookedElsewhere: g.seldom("booked elsewhere")}
	})
	if d.Kind.Movement() || g.seldom("movement") {
		d.Movement = g.movement()
	}
	if d.Kind == document.TillCount || g.seldom("count") {
		d.Count = g.count()
	}
	if d.Kind == document.Batch || g.seldom("tender batch") {
		d.TenderBatch = &document.TenderBatch{
			Terminal: g.text("batch terminal"), Acquirer: g.text("acquirer"), Number: g.text("batch number"),
			ByBrand: list(g, "brands", 3, draw.batchAmount),
		}
	}
	if d.Kind == document.PeriodClose || d.Kind == document.PeriodRead || g.seldom("close") {
		d.Close = g.close()
	}
	return d
}

func (g draw) key() document.Key {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"1", "2", "Leeds", "a|b", `a\b`, "sales/2026.csv:17"}),
		rapid.StringOfN(rapid.RuneFrom(nil, unicode.L, unicode.N, unicode.P), 1, 10, -1),
	)
	k := document.Key{
		Store: part.Draw(g.t, "store"), Terminal: part.Draw(g.t, "terminal"),
		Space: word(g, "space", document.Spaces), Number: part.Draw(g.t, "number"),
	}
	if g.seldom("scoped") {
		k.Scope = part.Draw(g.t, "scope")
	}
	return k
}

func (g draw) fiscal() document.Fiscal {
	return document.Fiscal{Scheme: g.name(), ID: g.text("fiscal id"), Signature: g.text("signature")}
}

func (g draw) customer() document.Customer {
	return document.Customer{
		Key: g.text("customer"), AccountNo: g.text("account"), TaxClass: g.text("tax class"),
		Exemption: some(g, "exemption", func(g draw) document.Exemption {
			return document.Exemption{Reason: g.text("exemption"), Certificate: g.text("certificate")}
		}),
	}
}

func (g draw) link() document.Link {
	return document.Link{
		Relation: word(g, "relation", document.Relations), Key: some(g, "linked", draw.key),
		Number: g.text("linked number"), Line: rapid.IntRange(0, document.MaxLines).Draw(g.t, "linked line"),
	}
}

func (g draw) line() document.Line {
	l := document.Line{
		Kind: word(g, "line kind", document.LineKinds), Category: g.text("category"), SKU: g.text("sku"), Text: g.text("text"),
		Quantity: g.amount("quantity"), UnitPrice: g.amount("unit price"), Extended: g.amount("extended"),
		Adjustments: list(g, "adjustments", 2, draw.adjustment), Taxes: list(g, "taxes", 2, draw.tax),
		Consumption: maybe(g, "consumption", document.Consumptions), Voucher: some(g, "voucher", draw.voucher),
	}
	l.Cost = some(g, "cost", func(g draw) document.Money {
		return document.Money{Amount: g.amount("cost"), Currency: g.currency()}
	})
	l.Agency = some(g, "agency", func(g draw) document.Agency {
		return document.Agency{Principal: g.text("principal"), Part: word(g, "part", document.AgencyParts)}
	})
	return l
}

func (g draw) adjustment() document.Adjustment {
	return document.Adjustment{
		Kind: word(g, "adjustment", document.AdjustmentKinds), Level: word(g, "level", document.Levels),
		Amount: g.amount("adjustment"), Reason: g.text("reason"),
	}
}

func (g draw) tax() document.Tax {
	return document.Tax{
		Code: g.text("tax code"), Scheme: word(g, "scheme", document.TaxSchemes), Rate: g.amount("rate"), Base: g.amount("base"),
		Amount: g.amount("tax"), Jurisdiction: g.text("jurisdiction"), Liable: maybe(g, "liable", document.LiableParties),
		ExemptReason: g.text("exempt reason"),
	}
}

func (g draw) voucher() document.Voucher {
	return document.Voucher{
		Ref: g.text("ref"), Purpose: maybe(g, "purpose", document.VoucherPurposes), Issuer: g.text("issuer"),
		Funding: maybe(g, "funding", document.VoucherFundings), Expires: g.date("expires"),
	}
}

func (g draw) tender() document.Tender {
	return document.Tender{
		Kind: word(g, "tender", document.TenderKinds), Direction: word(g, "direction", document.Directions),
		Amount: g.amount("tender"), Label: g.text("label"), Tip: g.amount("tip"),
		Foreign: some(g, "foreign", func(g draw) document.Foreign {
			return document.Foreign{Currency: g.currency(), Amount: g.amount("foreign"), Rate: g.amount("foreign rate")}
		}),
		Acquirer: g.text("acquirer"), MID: g.text("mid"), Batch: g.text("batch"), Brand: g.text("brand"),
		Masked:  rapid.SampledFrom([]string{"", "1111", "************4444"}).Draw(g.t, "masked"),
		Voucher: some(g, "tender voucher", draw.voucher),
	}
}

func (g draw) movement() *document.Movement {
	return &document.Movement{
		Amount: g.amount("movement").Abs(), From: maybe(g, "from", document.MoneyPlaces), To: maybe(g, "to", document.MoneyPlaces),
		Reason: g.text("reason"), Counterparty: g.text("counterparty"), ReceiptRef: g.text("receipt ref"),
		Lines: list(g, "movement lines", 2, draw.line),
	}
}

func (g draw) count() *document.Count {
	return &document.Count{
		Stage: word(g, "stage", document.CountStages), Blind: g.seldom("blind"),
		ByTender: list(g, "counted", 3, draw.tenderAmount),
		Denominations: list(g, "denominations", 3, func(g draw) document.Denomination {
			return document.Denomination{Value: g.amount("value"), Quantity: rapid.Int64Range(0, 10_000).Draw(g.t, "quantity")}
		}),
		Left: optional(g, "left", Amount()), Removed: optional(g, "removed", Amount()),
	}
}

func (g draw) tenderAmount() document.TenderAmount {
	return document.TenderAmount{
		Kind: word(g, "tender", document.TenderKinds), Label: g.text("label"), Amount: g.amount("amount"), Count: g.number("count"),
	}
}

func (g draw) batchAmount() document.BatchAmount {
	return document.BatchAmount{
		Brand: g.text("brand"), Kind: maybe(g, "kind", document.TenderKinds), Count: g.number("count"),
		Amount: g.amount("amount"), Tips: g.amount("tips"),
	}
}

func (g draw) close() *document.Close {
	return &document.Close{
		Opened: g.text("opened"), Closed: g.text("closed"), FirstReceipt: g.text("first"), LastReceipt: g.text("last"),
		Receipts: optional(g, "receipts", rapid.Int64Range(0, 1_000_000)),
		Gross:    optional(g, "gross", Amount()), Net: optional(g, "net", Amount()), Tax: optional(g, "tax", Amount()),
		ByTax: list(g, "by tax", 2, draw.tax), ByTender: list(g, "by tender", 2, draw.tenderAmount),
		OpeningFloat: optional(g, "opening float", Amount()), Counted: optional(g, "counted", Amount()),
		Expected: optional(g, "expected", Amount()), OverShort: optional(g, "over short", Amount()),
		GrandTotal: optional(g, "grand total", Amount()),
	}
}

func (g draw) amounts() document.Amounts {
	return document.Amounts{
		Gross: optional(g, "gross", Amount()), Net: optional(g, "net", Amount()), Tax: optional(g, "tax", Amount()),
		Discount: optional(g, "discount", Amount()), Rounding: optional(g, "rounding", Amount()), Tip: optional(g, "tip", Amount()),
		Paid: optional(g, "paid", Amount()), Change: optional(g, "change", Amount()),
	}
}

func (g draw) text(label string) string          { return Text().Draw(g.t, label) }
func (g draw) amount(label string) money.Decimal { return Amount().Draw(g.t, label) }

// name draws text that is not empty.
func (g draw) name() string {
	return rapid.SampledFrom([]string{"OTHER", "x", "TSE"}).Draw(g.t, "name")
}

func (g draw) currency() string {
	return rapid.SampledFrom([]string{"EUR", "GBP", "USD", "JPY", "KWD"}).Draw(g.t, "currency")
}

func (g draw) number(label string) int64 { return rapid.Int64Range(-5, 1_000_000).Draw(g.t, label) }

func (g draw) seldom(label string) bool { return rapid.IntRange(0, 4).Draw(g.t, label) == 4 }

// moment draws no moment or one of the years that tills and broken clocks give.
func (g draw) moment(label string) time.Time {
	if g.seldom("no " + label) {
		return time.Time{}
	}
	from, to := time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC)
	return time.UnixMicro(rapid.Int64Range(from.UnixMicro(), to.UnixMicro()).Draw(g.t, label)).UTC()
}

func (g draw) date(label string) string {
	if g.seldom("no " + label) {
		return ""
	}
	return time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(g.t, label), 0).UTC().Format(time.DateOnly)
}

func word[T ~string](g draw, label string, words []T) T {
	return rapid.SampledFrom(words).Draw(g.t, label)
}

// maybe draws a word or none.
func maybe[T ~string](g draw, label string, words []T) T {
	if g.seldom("no " + label) {
		return ""
	}
	return word(g, label, words)
}

// some draws a part, seldom.
func some[T any](g draw, label string, part func(draw) T) *T {
	if !g.seldom(label) {
		return nil
	}
	v := part(g)
	return &v
}

// optional draws a value or none.
func optional[T any](g draw, label string, values *rapid.Generator[T]) *T {
	if rapid.Bool().Draw(g.t, "no "+label) {
		return nil
	}
	v := values.Draw(g.t, label)
	return &v
}

func list[T any](g draw, label string, most int, element func(draw) T) []T {
	var elements []T
	for range rapid.IntRange(0, most).Draw(g.t, label) {
		elements = append(elements, element(g))
	}
	return elements
}
