package reconcile

import (
	"strings"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// NotReceived works out what the Zs of a day count beyond the receipts that were
// received, by tax. ok is false where that is not all that keeps the day from
// being proven: where a difference has another cause than receipts that are
// missing, where their terminal has no Z, or where a Z does not say by tax what
// it says in all.
func NotReceived(p Proof, documents []*document.Document) (found []books.NotReceived, ok bool) {
	byKey := map[string]*document.Document{}
	for _, d := range documents {
		byKey[d.Key.String()] = d
	}
	explained := map[string]bool{} // terminals
	for _, c := range p.Closes {
		z := byKey[c.Key]
		if z == nil || z.Close == nil {
			return nil, false
		}
		n, whole := notReceived(c, z)
		if !whole {
			continue
		}
		explained[c.Terminal] = true
		if len(n.Taxes) > 0 {
			found = append(found, n)
		}
	}
	for _, d := range p.Differences {
		missing := d.Cause == ReceiptGap || d.Cause == SequenceGap || d.Cause == ReceiptsMissing
		if d.State == Opened && (!missing || !explained[d.Terminal]) {
			return nil, false
		}
	}
	return found, len(found) > 0
}

// notReceived compares one Z; whole is false where its taxes do not add up to
// what it says is missing.
func notReceived(c Close, z *document.Document) (n books.NotReceived, whole bool) {
	n = books.NotReceived{Key: c.Key, Store: z.Key.Store, Till: z.Key.Terminal, Taxes: []document.Tax{}}
	amounts, bases := map[string]money.Decimal{}, map[string]money.Decimal{}
	var gross *money.Decimal
	for _, claim := range c.Claims {
		missing := claim.Claimed - claim.Computed
		if claim.Basis != "" {
			missing = 0 // the till counts otherwise, and nothing is missing
		}
		if code, is := strings.CutPrefix(claim.What, "tax:"); is {
			amounts[code] = missing
		}
		if code, is := strings.CutPrefix(claim.What, "base:"); is {
			bases[code] = missing
		}
		if claim.What == "gross" {
			gross = &missing
		}
	}
	var sum money.Decimal
	for _, t := range z.Close.ByTax {
		base, amount := bases[t.Code], amounts[t.Code]
		if base < 0 || amount < 0 {
			return n, false
		}
		sum += base + amount
		if base != 0 || amount != 0 {
			missing := t
			missing.Base, missing.Amount = base, amount
			n.Taxes = append(n.Taxes, missing)
		}
	}
	return n, gross != nil && *gross == sum
}
