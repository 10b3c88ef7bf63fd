// Package document holds the one form in which every fact from a till travels:
// a receipt, a cash movement, a till count, a period close, and the key, the
// hash and the equation that belong to it.
//
// A Document carries only what the till stated. What Tillbook works out (the
// business day, an entry, a match) is never written into it, save Totals.Computed
// and Differences, which are worked out from the document alone. There is one
// JSON form (the struct tags here, described by schema.json), one protobuf form
// (proto/document.proto; see Marshal) and one canonical text (see Canonical),
// whose SHA-256 is the content hash: two documents with the same key and hash
// say the same thing, whatever route they came by.
//
// Amounts are signed as the till's drawer and shelves see them: a sold line, a
// sale's tax and a payment into the till are positive, a returned line, a
// refund and change given are negative.
package document

import (
	"time"

	"tillbook.example/tillbook/shared/money"
)

// Document is one immutable fact from a till.
type Document struct {
	Key         Key    `json:"key"`
	ContentHash string `json:"content_hash,omitzero"` // hex SHA-256 of Canonical
	Deleted     bool   `json:"deleted,omitzero"`      // the source no longer has it: a tombstone revision
	Source      Source `json:"source,omitzero"`       // outside the hash

	Kind       Kind       `json:"kind"`
	State      State      `json:"state"`
	Time       Time       `json:"time"`
	StatedDay  StatedDay  `json:"stated_day,omitzero"`
	Place      Place      `json:"place,omitzero"`
	Numbers    Numbers    `json:"numbers,omitzero"`
	Fiscal     []Fiscal   `json:"fiscal,omitzero"`
	Currency   string     `json:"currency"` // ISO 4217
	PriceBasis PriceBasis `json:"price_basis,omitzero"`
	Rate       *Rate      `json:"rate,omitzero"` // only where the till states one
	Customer   *Customer  `json:"customer,omitzero"`
	Invoice    *Invoice   `json:"invoice,omitzero"`
	Links      []Link     `json:"links,omitzero"`

	Lines       []Line       `json:"lines,omitzero"`
	Tenders     []Tender     `json:"tenders,omitzero"`
	Movement    *Movement    `json:"movement,omitzero"`     // PAY_IN PAY_OUT FLOAT SAFE_DROP BANKING TILL_TRANSFER
	Count       *Count       `json:"count,omitzero"`        // TILL_COUNT
	TenderBatch *TenderBatch `json:"tender_batch,omitzero"` // TENDER_BATCH
	Close       *Close       `json:"close,omitzero"`        // PERIOD_CLOSE, PERIOD_READ

	Totals Totals `json:"totals,omitzero"`
}

// Key says which fact this is. Two documents with equal keys are revisions of
// one fact. The source, the kind and the business day are never part of it.
type Key struct {
	Merchant string `json:"merchant,omitzero"` // set by the collector from the agent's identity
	Store    string `json:"store"`
	Terminal string `json:"terminal"`
	Space    Space  `json:"space"`
	Number   string `json:"number"`         // as given, or the push's idempotency key, or file identity and position
	Scope    string `json:"scope,omitzero"` // the till's own restart scope where numbers restart: Z, session or printed date
}

// Space is the number space a key's number counts in.
type Space string

const (
	SpaceReceipt Space = "RECEIPT"
	SpaceEvent   Space = "EVENT"
	SpaceZ       Space = "Z"
	// SpacePush and SpaceFile are for facts without a number of their own.
	SpacePush Space = "PUSH"
	SpaceFile Space = "FILE"
)

// Spaces lists every number space.
var Spaces = []Space{SpaceReceipt, SpaceEvent, SpaceZ, SpacePush, SpaceFile}

// Source says how a document was captured. It lies outside the hash.
type Source struct {
	Adapter    string    `json:"adapter,omitzero"` // filedrop, httppush, ...
	Format     string    `json:"format,omitzero"`  // poslog, csv, json, document
	Recipe     string    `json:"recipe,omitzero"`
	Version    uint32    `json:"version,omitzero"`     // of the recipe
	Raw        string    `json:"raw,omitzero"`         // file and byte offset, or idempotency key
	CapturedAt time.Time `json:"captured_at,omitzero"` // UTC
	Reason     string    `json:"reason,omitzero"`      // why a revision was made on purpose: recipe
}

// Time is when the till says it happened.
type Time struct {
	AsGiven  string    `json:"as_given"`
	Offset   *int      `json:"offset,omitzero"`    // minutes east of UTC
	UTC      time.Time `json:"utc,omitzero"`       // where derivable
	ZoneFrom string    `json:"zone_from,omitzero"` // DATA, CONFIG, GUESS
	Flags    []string  `json:"flags,omitzero"`     // DST_AMBIGUOUS, DST_GAP, DATE_ONLY
}

// StatedDay is the accounting day as the till printed it.
type StatedDay struct {
	Date    string `json:"date,omitzero"` // YYYY-MM-DD
	Session string `json:"session,omitzero"`
	Z       string `json:"z,omitzero"`
}

// Place is where in the shop, as the till stated it.
type Place struct {
	Store    string `json:"store,omitzero"`
	Terminal string `json:"terminal,omitzero"`
	Drawer   string `json:"drawer,omitzero"`
	Session  string `json:"session,omitzero"`
	Operator string `json:"operator,omitzero"` // a number or code, never a name; outside the hash
}

// Numbers are the till's own counters. Receipt and Sequence are the numbers
// whose gaps are looked for.
type Numbers struct {
	Receipt  string `json:"receipt,omitzero"`
	Sequence string `json:"sequence,omitzero"`
	Z        string `json:"z,omitzero"`
}

// Fiscal is one fiscal signature or device number on the receipt.
type Fiscal struct {
	Scheme    string `json:"scheme"` // TSE, RKSV, NF525, SAFT_NO, ATCUD, RT, OTHER
	ID        string `json:"id,omitzero"`
	Signature string `json:"signature,omitzero"`
}

// Rate is an exchange rate stated by the till: amount × Value is in To.
type Rate struct {
	To     string        `json:"to"`
	Value  money.Decimal `json:"value"`
	Source string        `json:"source,omitzero"`
	Date   string        `json:"date,omitzero"`
}

// Customer refers to a customer by pseudonym. Key and AccountNo lie outside the
// hash.
type Customer struct {
	Key       string     `json:"key,omitzero"`
	AccountNo string     `json:"account_no,omitzero"`
	TaxClass  string     `json:"tax_class,omitzero"`
	Exemption *Exemption `json:"exemption,omitzero"`
}

// Exemption is why no tax was charged.
type Exemption struct {
	Reason      string `json:"reason"`
	Certificate string `json:"certificate,omitzero"`
}

// Invoice is set when the receipt was issued as an invoice too, or, on an
// ACCOUNT_PAYMENT, names the invoice that is paid.
type Invoice struct {
	Number          string `json:"number,omitzero"`
	BookedElsewhere bool   `json:"booked_elsewhere,omitzero"`
}

// Link ties a document to another. Number is the other's receipt number where
// the till states only that.
type Link struct {
	Relation Relation `json:"relation"`
	Key      *Key     `json:"key,omitzero"`
	Number   string   `json:"number,omitzero"`
	Line     int      `json:"line,omitzero"` // 1-based; 0: the whole document
}

// Line is one line of a receipt. Extended is quantity × unit price as the till
// printed it, before Adjustments, with or without tax by the price basis.
type Line struct {
	Kind        LineKind      `json:"kind"`
	Category    string        `json:"category,omitzero"`
	SKU         string        `json:"sku,omitzero"`
	Text        string        `json:"text,omitzero"` // outside the hash
	Quantity    money.Decimal `json:"quantity,omitzero"`
	UnitPrice   money.Decimal `json:"unit_price,omitzero"`
	Extended    money.Decimal `json:"extended"`
	Adjustments []Adjustment  `json:"adjustments,omitzero"`
	Taxes       []Tax         `json:"taxes,omitzero"`
	Consumption string        `json:"consumption,omitzero"` // EAT_IN, TAKE_AWAY, NA
	Cost        *Money        `json:"cost,omitzero"`
	Voucher     *Voucher      `json:"voucher,omitzero"`
	Agency      *Agency       `json:"agency,omitzero"`
}

// Adjustment changes the line it stands on: a discount is negative. One that
// the till gave on the whole receipt has level DOCUMENT and is split over the
// lines by largest remainder.
type Adjustment struct {
	Kind   AdjustmentKind `json:"kind"`
	Level  string         `json:"level"` // LINE, DOCUMENT
	Amount money.Decimal  `json:"amount"`
	Reason string         `json:"reason,omitzero"`
}

// Tax is one tax on a line, as the till printed it. Base is without this tax
// and after adjustments. An exempt or zero-rated line keeps its entry with its
// base and amount 0.
type Tax struct {
	Code         string        `json:"code"`
	Scheme       string        `json:"scheme"` // VAT, SALES, EXCISE, MARGIN, NONE
	Rate         money.Decimal `json:"rate"`   // percent: 20 is 20 %
	Base         money.Decimal `json:"base"`
	Amount       money.Decimal `json:"amount"`
	Jurisdiction string        `json:"jurisdiction,omitzero"`
	Liable       string        `json:"liable,omitzero"` // MERCHANT (or empty), FACILITATOR
	ExemptReason string        `json:"exempt_reason,omitzero"`
}

// Money is an amount in a currency of its own.
type Money struct {
	Amount   money.Decimal `json:"amount"`
	Currency string        `json:"currency"`
}

// Voucher describes a gift card or voucher that is sold, loaded or redeemed.
// Ref is a hash, never the number.
type Voucher struct {
	Ref     string `json:"ref,omitzero"`
	Purpose string `json:"purpose,omitzero"` // SINGLE, MULTI
	Issuer  string `json:"issuer,omitzero"`
	Funding string `json:"funding,omitzero"` // PAID, PROMOTIONAL
	Expires string `json:"expires,omitzero"`
}

// Agency marks money that is taken or paid for somebody else.
type Agency struct {
	Principal string `json:"principal"`
	Part      string `json:"part"` // SALE, PRIZE, COMMISSION
}

// Tender is one payment row. Amount is signed into the till: PAID positive,
// CHANGE, CASHBACK and REFUND negative.
type Tender struct {
	Kind      TenderKind    `json:"kind"`
	Direction Direction     `json:"direction"`
	Amount    money.Decimal `json:"amount"`
	Label     string        `json:"label,omitzero"` // the till's own name of it, as given
	Foreign   *Foreign      `json:"foreign,omitzero"`
	Tip       money.Decimal `json:"tip,omitzero"` // contained in Amount and on no line
	Acquirer  string        `json:"acquirer,omitzero"`
	MID       string        `json:"mid,omitzero"`
	Batch     string        `json:"batch,omitzero"`
	Brand     string        `json:"brand,omitzero"`
	Masked    string        `json:"masked,omitzero"` // at most the last four digits; outside the hash
	Voucher   *Voucher      `json:"voucher,omitzero"`
}

// Foreign is what was handed over in another currency; Amount × Rate is the
// tender's amount.
type Foreign struct {
	Currency string        `json:"currency"`
	Amount   money.Decimal `json:"amount"`
	Rate     money.Decimal `json:"rate"`
}

// Movement is money that moves without a sale. Amount is positive; From and To
// say which way it went.
type Movement struct {
	Amount       money.Decimal `json:"amount"`
	From         MoneyPlace    `json:"from,omitzero"`
	To           MoneyPlace    `json:"to,omitzero"`
	Reason       string        `json:"reason,omitzero"`
	Counterparty string        `json:"counterparty,omitzero"` // outside the hash
	ReceiptRef   string        `json:"receipt_ref,omitzero"`
	Lines        []Line        `json:"lines,omitzero"` // with taxes, where there is a tax receipt
}

// Count is what was found in a drawer.
type Count struct {
	Stage         string         `json:"stage"` // OPEN, SPOT, CLOSE
	Blind         bool           `json:"blind,omitzero"`
	ByTender      []TenderAmount `json:"by_tender,omitzero"`
	Denominations []Denomination `json:"denominations,omitzero"`
	Left          *money.Decimal `json:"left,omitzero"`
	Removed       *money.Decimal `json:"removed,omitzero"`
}

// TenderAmount is an amount of one kind of tender, and how many there were
// where that is stated.
type TenderAmount struct {
	Kind   TenderKind    `json:"kind"`
	Label  string        `json:"label,omitzero"`
	Amount money.Decimal `json:"amount"`
	Count  int64         `json:"count,omitzero"`
}

// Denomination is one row of a cash count.
type Denomination struct {
	Value    money.Decimal `json:"value"`
	Quantity int64         `json:"quantity"`
}

// TenderBatch is what a payment terminal says it took.
type TenderBatch struct {
	Terminal string        `json:"terminal,omitzero"`
	Acquirer string        `json:"acquirer,omitzero"`
	Number   string        `json:"number,omitzero"`
	ByBrand  []BatchAmount `json:"by_brand,omitzero"`
}

// BatchAmount is one brand's part of a terminal batch.
type BatchAmount struct {
	Brand  string        `json:"brand,omitzero"`
	Kind   TenderKind    `json:"kind,omitzero"`
	Count  int64         `json:"count,omitzero"`
	Amount money.Decimal `json:"amount"`
	Tips   money.Decimal `json:"tips,omitzero"`
}

// Close is a period close (Z) or read (X): a claim to prove against, never a
// source of sales.
type Close struct {
	Opened       string         `json:"opened,omitzero"` // as given
	Closed       string         `json:"closed,omitzero"`
	FirstReceipt string         `json:"first_receipt,omitzero"`
	LastReceipt  string         `json:"last_receipt,omitzero"`
	Receipts     *int64         `json:"receipts,omitzero"`
	Gross        *money.Decimal `json:"gross,omitzero"`
	Net          *money.Decimal `json:"net,omitzero"`
	Tax          *money.Decimal `json:"tax,omitzero"`
	ByTax        []Tax          `json:"by_tax,omitzero"`
	ByTender     []TenderAmount `json:"by_tender,omitzero"`
	OpeningFloat *money.Decimal `json:"opening_float,omitzero"`
	Counted      *money.Decimal `json:"counted,omitzero"`
	Expected     *money.Decimal `json:"expected,omitzero"`
	OverShort    *money.Decimal `json:"over_short,omitzero"`
	GrandTotal   *money.Decimal `json:"grand_total,omitzero"` // perpetual
}

// Totals are what the till printed, what the document adds up to, and each
// difference between them by rule. A difference travels as data.
type Totals struct {
	Stated      *Amounts     `json:"stated,omitzero"`
	Computed    *Amounts     `json:"computed,omitzero"`    // outside the hash
	Differences []Difference `json:"differences,omitzero"` // outside the hash
}

// Amounts are the totals of one receipt; what a till does not state is nil.
type Amounts struct {
	Gross    *money.Decimal `json:"gross,omitzero"` // with tax, after adjustments
	Net      *money.Decimal `json:"net,omitzero"`
	Tax      *money.Decimal `json:"tax,omitzero"`
	Discount *money.Decimal `json:"discount,omitzero"`
	Rounding *money.Decimal `json:"rounding,omitzero"`
	Tip      *money.Decimal `json:"tip,omitzero"`
	Paid     *money.Decimal `json:"paid,omitzero"`
	Change   *money.Decimal `json:"change,omitzero"`
}

// Difference is one broken rule and by how much.
type Difference struct {
	Rule   string        `json:"rule"`
	Amount money.Decimal `json:"amount"`
}
