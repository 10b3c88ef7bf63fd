// Package recipe reads CSV and JSON files of any till by a recipe: a small YAML
// file that says what the till's columns mean.
//
// A recipe names the files, how their rows are grouped to receipts, and what
// each row is: a line, a tender, a discount, a movement, a count, a part of a
// period close. Its names and words are checked when it is parsed, its columns
// when a file is opened, each with the line of the recipe and the name that was
// most likely meant. The recipe's name and version travel in each document's
// source. docs/recipes.md is the reference of the keys.
//
// Rows that cannot be read are refused with their line, together with the
// receipt that they belong to, since a receipt that lacks a row is a wrong one.
package recipe

import (
	"fmt"
	"slices"

	"tillbook.example/tillbook/shared/bizday"
)

// MaxSize bounds a recipe's text.
const MaxSize = 256 << 10

// Recipe says what the files of one kind of till mean.
type Recipe struct {
	Name    string `yaml:"name"`
	Version uint32 `yaml:"version"`
	About   string `yaml:"about"`
	Format  string `yaml:"format"` // csv, json

	Files   []File       `yaml:"files"`
	CSV     CSV          `yaml:"csv"`
	JSON    JSON         `yaml:"json"`
	Numbers Numbers      `yaml:"numbers"`
	Dates   Dates        `yaml:"dates"`
	Group   Group        `yaml:"group"`
	Receipt Receipt      `yaml:"receipt"`
	Kinds   []KindRule   `yaml:"kinds"`
	Rows    []RowRule    `yaml:"rows"`
	Tenders []TenderName `yaml:"tenders"`
	Items   []ItemRule   `yaml:"items"`
	Fill    *Fill        `yaml:"fill"`
	Private []string     `yaml:"private"`
	zone    *bizday.Rule // of Dates.Zone
	layouts []layout     // of Dates.Formats
	uses    []columnUse  // every column that is named
}

// File is one of the files that belong together. The first is the main one.
type File struct {
	Role  string `yaml:"role"`
	Match string `yaml:"match"` // a pattern of file names, as in path.Match
	Key   string `yaml:"key"`   // the column by which the files are joined
	line  int
}

// CSV is how a CSV file is written.
type CSV struct {
	Delimiter string   `yaml:"delimiter"` // one character or tab; comma
	Quote     string   `yaml:"quote"`     // one character or none; double quote
	Encoding  string   `yaml:"encoding"`
	Header    *bool    `yaml:"header"`     // whether the first row names the columns; yes
	Columns   []string `yaml:"columns"`    // the names, where it does not
	ShortRows string   `yaml:"short_rows"` // refuse, fill
}

// JSON is how a JSON file is built.
type JSON struct {
	Receipts string `yaml:"receipts"` // path to the list of receipts
	Encoding string `yaml:"encoding"`
}

// Numbers is how numbers are written.
type Numbers struct {
	Decimal   string `yaml:"decimal"`   // "." or ","
	Thousands string `yaml:"thousands"` // a character to leave out
	Strip     string `yaml:"strip"`     // more of them, such as currency signs
	Amounts   string `yaml:"amounts"`   // units, minor: whole cents
}

// Dates is how times are written.
type Dates struct {
	Formats []string `yaml:"formats"` // such as YYYY-MM-DD HH:mm:ss
	Zone    string   `yaml:"zone"`    // for times without one, where none is configured
	line    int
}

// Group is how rows make up receipts.
type Group struct {
	By     []string `yaml:"by"`
	Order  string   `yaml:"order"`  // contiguous, window
	Window int      `yaml:"window"` // rows after which a receipt is taken to be whole
	line   int
}

// Receipt is what is stated once for each receipt.
type Receipt struct {
	Store      Value    `yaml:"store"`
	Terminal   Value    `yaml:"terminal"`
	Number     Value    `yaml:"number"`
	Scope      Value    `yaml:"scope"`
	Space      string   `yaml:"space"`
	Time       Value    `yaml:"time"`
	Day        Value    `yaml:"day"`
	Session    Value    `yaml:"session"`
	Z          Value    `yaml:"z"`
	Drawer     Value    `yaml:"drawer"`
	Operator   Value    `yaml:"operator"`
	Sequence   Value    `yaml:"sequence"`
	ReceiptNo  Value    `yaml:"receipt_no"`
	Currency   Value    `yaml:"currency"`
	PriceBasis string   `yaml:"price_basis"`
	Stated     Stated   `yaml:"stated"`
	Invoice    Invoice  `yaml:"invoice"`
	Fiscal     []Fiscal `yaml:"fiscal"`
}

// Stated are the totals that the till printed.
type Stated struct {
	Gross    Value  `yaml:"gross"`
	Net      Value  `yaml:"net"`
	Tax      Value  `yaml:"tax"`
	Discount Value  `yaml:"discount"`
	Rounding Value  `yaml:"rounding"`
	Tip      Value  `yaml:"tip"`
	Paid     Value  `yaml:"paid"`
	Change   Value  `yaml:"change"`
	Sign     string `yaml:"sign"` // as_given, kind: printed without a sign, negative on returns
}

// Invoice is the invoice that a receipt was issued as.
type Invoice struct {
	Number          Value `yaml:"number"`
	BookedElsewhere bool  `yaml:"booked_elsewhere"`
}

// Fiscal is a fiscal number on the receipt.
type Fiscal struct {
	Scheme    string `yaml:"scheme"`
	ID        Value  `yaml:"id"`
	Signature Value  `yaml:"signature"`
}

// KindRule says what a receipt is when one of its rows meets a condition.
type KindRule struct {
	When  Condition `yaml:"when"`
	Kind  string    `yaml:"kind"` // a document's kind, or auto: by the signs of the lines
	State string    `yaml:"state"`
	Space string    `yaml:"space"`
	line  int
}

// RowRule says what rows are that meet a condition; the first that fits counts.
type RowRule struct {
	From     string    `yaml:"from"` // the file's role or, in JSON, the path of a list in the receipt
	When     Condition `yaml:"when"`
	Line     *Line     `yaml:"line"`
	Tender   *Tender   `yaml:"tender"`
	Tenders  []Tender  `yaml:"tenders"`
	Discount *Discount `yaml:"discount"`
	Link     *Link     `yaml:"link"`
	Movement *Movement `yaml:"movement"`
	Count    *Count    `yaml:"count"`
	Close    *Close    `yaml:"close"`
	Skip     bool      `yaml:"skip"` // nothing but the receipt's own fields
	line     int
}

// Line is an article or another charge.
type Line struct {
	Kind        Value      `yaml:"kind"`
	Category    Value      `yaml:"category"`
	SKU         Value      `yaml:"sku"`
	Text        Value      `yaml:"text"`
	Quantity    Value      `yaml:"quantity"`
	UnitPrice   Value      `yaml:"unit_price"`
	Amount      Value      `yaml:"amount"`
	Sign        string     `yaml:"sign"`
	AmountIs    string     `yaml:"amount_is"` // before_discount, after_discount
	Discounts   []Discount `yaml:"discounts"`
	Taxes       []Tax      `yaml:"taxes"`
	Consumption Value      `yaml:"consumption"`
	Voucher     *Voucher   `yaml:"voucher"`
}

// Discount is a reduction of a line or, as a row of its own, of the receipt.
type Discount struct {
	Kind   Value  `yaml:"kind"`
	Amount Value  `yaml:"amount"`
	Reason Value  `yaml:"reason"`
	Sign   string `yaml:"sign"` // taken_off: a positive number reduces; as_given
}

// Tax is a tax on a line.
type Tax struct {
	Scheme       string `yaml:"scheme"`
	Code         Value  `yaml:"code"`
	Rate         Value  `yaml:"rate"`
	Amount       Value  `yaml:"amount"`
	Base         Value  `yaml:"base"`
	Jurisdiction Value  `yaml:"jurisdiction"`
	Exempt       Value  `yaml:"exempt"`
}

// Voucher is the gift card or voucher of a line or tender.
type Voucher struct {
	Number  Value  `yaml:"number"` // only its hash is carried
	Purpose string `yaml:"purpose"`
	Funding string `yaml:"funding"`
	Issuer  Value  `yaml:"issuer"`
	Expires Value  `yaml:"expires"`
}

// Tender is a payment.
type Tender struct {
	Name      Value    `yaml:"name"` // the till's word, looked up in tenders
	Kind      Value    `yaml:"kind"`
	Direction Value    `yaml:"direction"`
	Amount    Value    `yaml:"amount"`
	Sign      string   `yaml:"sign"`
	Tip       Value    `yaml:"tip"`
	Card      Value    `yaml:"card"`
	Brand     Value    `yaml:"brand"`
	Acquirer  Value    `yaml:"acquirer"`
	MID       Value    `yaml:"mid"`
	Batch     Value    `yaml:"batch"`
	Voucher   *Voucher `yaml:"voucher"`
	Foreign   *Foreign `yaml:"foreign"`
	wide      bool     // one of several in a row, each perhaps 0
}

// Foreign is what was handed over in another currency.
type Foreign struct {
	Currency Value `yaml:"currency"`
	Amount   Value `yaml:"amount"`
	Rate     Value `yaml:"rate"`
}

// Link ties the receipt to another.
type Link struct {
	Relation Value `yaml:"relation"`
	Number   Value `yaml:"number"`
	Store    Value `yaml:"store"`
	Terminal Value `yaml:"terminal"`
	Scope    Value `yaml:"scope"`
}

// Movement is money that moves without a sale.
type Movement struct {
	Amount     Value `yaml:"amount"`
	From       Value `yaml:"from"`
	To         Value `yaml:"to"`
	Reason     Value `yaml:"reason"`
	ReceiptRef Value `yaml:"receipt_ref"`
	Category   Value `yaml:"category"` // of its line, where it has taxes
	Taxes      []Tax `yaml:"taxes"`
}

// Count is what was found in the drawer; each row adds to it.
type Count struct {
	Stage        Value         `yaml:"stage"`
	Tender       Value         `yaml:"tender"`
	Amount       Value         `yaml:"amount"`
	Number       Value         `yaml:"number"`
	Left         Value         `yaml:"left"`
	Removed      Value         `yaml:"removed"`
	Blind        bool          `yaml:"blind"`
	Denomination *Denomination `yaml:"denomination"`
}

// Denomination is a row of a cash count.
type Denomination struct {
	Value    Value `yaml:"value"`
	Quantity Value `yaml:"quantity"`
}

// Close is what the till claims at the end of a period; each row adds to it.
type Close struct {
	Opened       Value `yaml:"opened"`
	Closed       Value `yaml:"closed"`
	First        Value `yaml:"first"`
	Last         Value `yaml:"last"`
	Receipts     Value `yaml:"receipts"`
	Gross        Value `yaml:"gross"`
	Net          Value `yaml:"net"`
	Tax          Value `yaml:"tax"`
	OpeningFloat Value `yaml:"opening_float"`
	Counted      Value `yaml:"counted"`
	Expected     Value `yaml:"expected"`
	OverShort    Value `yaml:"over_short"`
	GrandTotal   Value `yaml:"grand_total"`
	ByTax        *Tax  `yaml:"by_tax"`
	ByTender     *struct {
		Name   Value `yaml:"name"`
		Amount Value `yaml:"amount"`
		Number Value `yaml:"number"`
	} `yaml:"by_tender"`
}

// TenderName says what a till's word for a tender means.
type TenderName struct {
	Name      string `yaml:"name"`
	Kind      string `yaml:"kind"`
	Direction string `yaml:"direction"`
	line      int
}

// ItemRule says what some articles are that are none.
type ItemRule struct {
	SKU      []string `yaml:"sku"`
	Text     string   `yaml:"text"` // a regular expression
	Kind     string   `yaml:"kind"`
	Category string   `yaml:"category"`
	line     int
	pattern  pattern
}

// Fill completes receipts of tills that state only one side of them.
type Fill struct {
	Tender *FillTender `yaml:"tender"` // where there is none: the receipt was paid like this
	Line   *FillLine   `yaml:"line"`   // where there is none: this was sold, for what was paid
}

// FillTender is the tender of a receipt without tenders.
type FillTender struct {
	Kind  string `yaml:"kind"`
	Label string `yaml:"label"`
}

// FillLine is the line of a receipt without lines.
type FillLine struct {
	Kind     string `yaml:"kind"`
	Category string `yaml:"category"`
	Text     string `yaml:"text"`
}

// role returns the number of the file with a role, or -1.
func (r *Recipe) role(name string) int {
	return slices.IndexFunc(r.Files, func(f File) bool { return f.Role == name })
}

// String names the recipe for messages.
func (r *Recipe) String() string { return fmt.Sprintf("recipe %s (version %d)", r.Name, r.Version) }
