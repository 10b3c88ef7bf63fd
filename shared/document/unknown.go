package document

import "slices"

// maxUnknown bounds what Unknown lists.
const maxUnknown = 20

// Unknown lists the words of the document that this version does not know, each
// once with the field it stands in, such as `lines/kind LOYALTY_FEE`. What such a
// word does to the books cannot be told, so the document is kept and its day is
// held until the collector has been upgraded. Words that only describe (where a
// zone came from, a flag, a fiscal scheme) are not listed.
func (d *Document) Unknown() []string {
	var u unknown
	look(&u, "kind", d.Kind, Kinds)
	look(&u, "state", d.State, States)
	look(&u, "price_basis", d.PriceBasis, PriceBases)
	for _, l := range d.Links {
		look(&u, "links/relation", l.Relation, Relations)
	}
	u.lines("lines", d.Lines)
	for i := range d.Tenders {
		t := &d.Tenders[i]
		look(&u, "tenders/kind", t.Kind, TenderKinds)
		look(&u, "tenders/direction", t.Direction, Directions)
		u.voucher("tenders/voucher", t.Voucher)
	}
	if m := d.Movement; m != nil {
		look(&u, "movement/from", m.From, MoneyPlaces)
		look(&u, "movement/to", m.To, MoneyPlaces)
		u.lines("movement/lines", m.Lines)
	}
	if c := d.Count; c != nil {
		look(&u, "count/stage", c.Stage, CountStages)
		u.amounts("count/by_tender", c.ByTender)
	}
	if b := d.TenderBatch; b != nil {
		for _, amount := range b.ByBrand {
			look(&u, "tender_batch/by_brand/kind", amount.Kind, TenderKinds)
		}
	}
	if c := d.Close; c != nil {
		u.taxes("close/by_tax", c.ByTax)
		u.amounts("close/by_tender", c.ByTender)
	}
	return u
}

type unknown []string

// look notes a word that is not known, once.
func look[T ~string](u *unknown, path string, word T, known []T) {
	if word == "" || slices.Contains(known, word) || len(*u) >= maxUnknown {
		return
	}
	if text := path + " " + clip(string(word)); !slices.Contains(*u, text) {
		*u = append(*u, text)
	}
}

func (u *unknown) lines(path string, lines []Line) {
	for i := range lines {
		l := &lines[i]
		look(u, path+"/kind", l.Kind, LineKinds)
		look(u, path+"/consumption", l.Consumption, Consumptions)
		for _, a := range l.Adjustments {
			look(u, path+"/adjustments/kind", a.Kind, AdjustmentKinds)
			look(u, path+"/adjustments/level", a.Level, Levels)
		}
		u.taxes(path+"/taxes", l.Taxes)
		u.voucher(path+"/voucher", l.Voucher)
		if l.Agency != nil {
			look(u, path+"/agency/part", l.Agency.Part, AgencyParts)
		}
	}
}

func (u *unknown) taxes(path string, taxes []Tax) {
	for i := range taxes {
		look(u, path+"/scheme", taxes[i].Scheme, TaxSchemes)
		look(u, path+"/liable", taxes[i].Liable, LiableParties)
	}
}

func (u *unknown) voucher(path string, v *Voucher) {
	if v != nil {
		look(u, path+"/purpose", v.Purpose, VoucherPurposes)
		look(u, path+"/funding", v.Funding, VoucherFundings)
	}
}

func (u *unknown) amounts(path string, amounts []TenderAmount) {
	for i := range amounts {
		look(u, path+"/kind", amounts[i].Kind, TenderKinds)
	}
}
