// Package reconcile proves a store-day: what was counted against what should be
// there, what the card batches say against what the tills say, what a Z claims
// against the receipts, lines against tenders, and the numbers of receipts
// against their gaps.
//
// Prove is a pure function, and permuting its documents changes nothing. Every
// difference it finds is taken apart into typed causes that add up to it
// exactly. A cause that is known to be ordinary (cash is short, tax was rounded
// otherwise by the till) is explained and goes into the books under its own
// name; one that may mean missing or wrong facts (a gap in the numbers, a Z that
// claims other totals) is opened, and leaves the day unproven until it is fixed
// or a person accepts it.
//
// The package does not decide whether a day is complete or held, which is the
// business of day, and books nothing: OverShort hands what the counts found to
// package books.
package reconcile

import (
	"cmp"
	"slices"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Input is all that a proof looks at.
type Input struct {
	Documents []*document.Document          // current revisions of the store-day, in any order
	Originals map[string]*document.Document // by key: what voids of other days refer to, where stored
	Previous  []*document.Document          // the till counts of the store's previous day
	Earlier   []*document.Document          // documents of days before that a Z of this day counts, too
	Rounding  *books.Rounding               // how the shop rounds; nil: it does not
	Accepted  []string                      // IDs of differences that a person accepted
	Gapped    []string                      // terminals whose numbers have gaps by nature, as a web shop's have
}

// Proof is the result, with everything that was compared.
type Proof struct {
	Drawers     []Drawer     `json:"drawers"`
	Tenders     []Tender     `json:"tenders"`
	Closes      []Close      `json:"closes"`
	Gaps        []Gap        `json:"gaps"`
	Differences []Difference `json:"differences"`
	Proven      bool         `json:"proven"` // no difference is opened
}

// Cause is why two figures differ.
type Cause string

// Causes.
const (
	CashOver          Cause = "cash_over"
	CashShort         Cause = "cash_short"
	OpeningDifference Cause = "opening_difference" // opening count ≠ what was left at the last close
	CountSplit        Cause = "count_split"        // left + removed ≠ counted
	WrongTender       Cause = "wrong_tender"       // a tender is short by exactly what a drawer is over
	NotCaptured       Cause = "not_captured"       // rung up, but not in the batch
	NotRung           Cause = "not_rung"           // in the batch, but not rung up
	TenderCount       Cause = "tender_count"       // slips or vouchers counted ≠ rung up
	ReceiptGap        Cause = "receipt_gap"        // receipt numbers that are missing
	SequenceGap       Cause = "sequence_gap"       // sequence numbers that are missing
	ReceiptsMissing   Cause = "receipts_missing"   // a Z differs, and numbers are missing
	VoidedInClose     Cause = "voided_in_close"    // a Z counts receipts that were voided
	TrainingInClose   Cause = "training_in_close"  // a Z counts training
	CloseDiffers      Cause = "close_differs"      // a Z claims what the receipts do not show
	RoundingBeyond    Cause = "rounding_beyond_step"
	DocumentTenders   Cause = "document_tenders"  // lines and tenders of a receipt differ
	DocumentGross     Cause = "document_gross"    // printed total ≠ lines
	DocumentNet       Cause = "document_net"      // printed net ≠ lines
	DocumentTax       Cause = "document_tax"      // printed tax ≠ taxes of the lines
	DocumentRounding  Cause = "document_rounding" // printed rounding ≠ rounding lines
	OutOfRange        Cause = "out_of_range"      // the day's amounts are too large to add
	TaxRate           Cause = "tax_rate"          // printed tax ≠ rate × base; the printed one stands
)

// States of a difference.
const (
	Opened    = "opened"
	Explained = "explained"
	Accepted  = "accepted"
)

// Difference is one cause of one difference. Those with the same Of add up to
// that difference.
type Difference struct {
	ID        string              `json:"id"` // stable while the facts are: acceptance names it
	Of        string              `json:"of"` // what differs: drawer:1, tender:CARD, close:1/Z12/gross, receipts
	Cause     Cause               `json:"cause"`
	Amount    money.Decimal       `json:"amount"`
	Currency  string              `json:"currency,omitzero"`
	Rate      money.Decimal       `json:"rate,omitzero"` // of a foreign currency, as the till used it
	Terminal  string              `json:"terminal,omitzero"`
	Drawer    string              `json:"drawer,omitzero"`
	Tender    document.TenderKind `json:"tender,omitzero"`
	Text      string              `json:"text"`      // one sentence
	Documents []string            `json:"documents"` // keys, sorted, at most MaxDocuments
	Count     int64               `json:"count"`     // of documents or numbers concerned
	State     string              `json:"state"`     // opened, explained, accepted
}

// MaxDocuments bounds how many documents a Difference names.
const MaxDocuments = 20

// Prove compares everything in the documents that can be compared.
func Prove(in Input) Proof {
	p := &prover{in: in}
	p.effects, _ = books.Effects(in.Documents, in.Originals) // what is unclear is asked about by books
	p.sortDocuments()
	if !p.fits() {
		return p.proof()
	}
	p.places()
	p.checkReceipts()
	p.checkNumbers()
	p.countDrawers()
	p.compareTenders()
	p.settleDrawers()
	p.compareCloses()
	return p.proof()
}

// prover holds the proof while it is made.
type prover struct {
	in        Input
	documents []*document.Document // by key, without nil
	keys      []string
	effects   []books.Effect

	drawerOf map[string]string // terminal: its only drawer
	drawers  []*drawer
	tenders  []Tender
	closes   []Close
	gaps     []Gap
	found    []Difference
}

func (p *prover) sortDocuments() {
	type keyed struct {
		key string
		d   *document.Document
	}
	all := make([]keyed, 0, len(p.in.Documents))
	for _, d := range p.in.Documents {
		if d != nil {
			all = append(all, keyed{d.Key.String(), d})
		}
	}
	slices.SortFunc(all, func(x, y keyed) int {
		return cmp.Or(cmp.Compare(x.key, y.key), cmp.Compare(x.d.ContentHash, y.d.ContentHash))
	})
	for _, k := range all {
		p.keys, p.documents = append(p.keys, k.key), append(p.documents, k.d)
	}
}

// differ notes one cause.
func (p *prover) differ(d Difference) {
	if d.Count == 0 {
		d.Count = int64(len(d.Documents))
	}
	slices.Sort(d.Documents)
	d.Documents = slices.Clone(d.Documents[:min(len(d.Documents), MaxDocuments)])
	if d.Documents == nil {
		d.Documents = []string{}
	}
	d.ID = d.Of + "/" + string(d.Cause) + "/" + d.Amount.String()
	if d.Amount == 0 && len(d.Documents) > 0 {
		d.ID += "/" + d.Documents[0]
	}
	p.found = append(p.found, d)
}

func (p *prover) proof() Proof {
	proof := Proof{Drawers: []Drawer{}, Tenders: p.tenders, Closes: p.closes, Gaps: p.gaps, Differences: p.found, Proven: true}
	for _, d := range p.drawers {
		proof.Drawers = append(proof.Drawers, d.Drawer)
	}
	slices.SortFunc(proof.Differences, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Of, y.Of), cmp.Compare(x.Cause, y.Cause), cmp.Compare(x.ID, y.ID))
	})
	for i := range proof.Differences {
		d := &proof.Differences[i]
		if d.State == Opened && slices.Contains(p.in.Accepted, d.ID) {
			d.State = Accepted
		}
		proof.Proven = proof.Proven && d.State != Opened
	}
	if proof.Tenders == nil {
		proof.Tenders = []Tender{}
	}
	if proof.Closes == nil {
		proof.Closes = []Close{}
	}
	if proof.Gaps == nil {
		proof.Gaps = []Gap{}
	}
	if proof.Differences == nil {
		proof.Differences = []Difference{}
	}
	return proof
}

// OverShort returns what the counts of a proof found, as books takes it in.
func OverShort(proof Proof) []books.DrawerDifference {
	var found []books.DrawerDifference
	for _, d := range proof.Differences {
		if d.Drawer == "" || d.Amount == 0 {
			continue
		}
		one := books.DrawerDifference{
			Drawer: d.Drawer, Currency: d.Currency, Amount: d.Amount, Rate: d.Rate, Documents: slices.Clone(d.Documents),
		}
		switch d.Cause {
		case CashOver, CashShort:
			one.Cause = books.Counted
		case OpeningDifference:
			one.Cause = books.Opening
		case WrongTender:
			one.Cause, one.Tender = books.WrongTender, d.Tender
		default:
			continue
		}
		found = append(found, one)
	}
	return found
}
