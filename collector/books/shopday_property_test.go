package books_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func TestAnyShopDayIsBookedWithoutAQuestionAndBalances(t *testing.T) {
	t.Parallel()
	wide(t, func(t *rapid.T, d shopDay) {
		m := d.mapping(t)
		entry, problems := books.Build(day(m, d.documents...))
		if err := sound(entry); err != nil {
			t.Fatal(err)
		}
		if len(problems) > 0 {
			t.Fatalf("asked are %+v", problems)
		}
		for _, l := range entry.Lines {
			if l.Role == books.Suspense && l.Account != "acct suspense" || l.Account == "" {
				t.Fatalf("line %+v has no place", l)
			}
		}
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle(len(d.documents), func(i, j int) {
			d.documents[i], d.documents[j] = d.documents[j], d.documents[i]
		})
		if again, _ := books.Build(day(m, d.documents...)); !bytes.Equal(again.Canonical(), entry.Canonical()) {
			t.Fatal("another order, another entry")
		}
	})
}

// TestTheRevisionsOfADayAddUpToItsDocuments revises a day again and again and
// adds up what each revision changes: in the end that is what each document does
// by itself.
func TestTheRevisionsOfADayAddUpToItsDocuments(t *testing.T) {
	t.Parallel()
	wide(t, func(t *rapid.T, d shopDay) {
		m := d.mapping(t)
		live := map[string]*document.Document{}
		posted := map[string]money.Minor{}
		add := func(entry books.Entry, sign money.Minor) {
			for account, amount := range accountsOf(entry) {
				if posted[account] += sign * amount; posted[account] == 0 {
					delete(posted, account)
				}
			}
		}
		build := func(documents ...*document.Document) books.Entry {
			entry, _ := books.Build(day(m, documents...))
			return entry
		}
		var stands books.Entry
		for _, document := range d.documents {
			key := d.documents[rapid.IntRange(0, len(d.documents)-1).Draw(t, "key")].Key
			revision := *document
			revision.Key = key
			if live[key.String()] = &revision; rapid.IntRange(0, 4).Draw(t, "gone") == 0 {
				delete(live, key.String())
			}
			entry := build(values(live)...)
			add(entry, 1)
			add(stands, -1)
			stands = entry
		}
		want := map[string]money.Minor{}
		for _, document := range live {
			for account, amount := range accountsOf(build(document)) {
				if want[account] += amount; want[account] == 0 {
					delete(want, account)
				}
			}
		}
		if diff := cmp.Diff(want, posted); diff != "" {
			t.Fatalf("documents (-) and revisions (+):\n%s", diff)
		}
	})
}

// TestVoidsTakeBackWhatTheirReceiptsDid voids some receipts of a day: on the same
// day nothing of them is left, on a later day their accounts get it back.
func TestVoidsTakeBackWhatTheirReceiptsDid(t *testing.T) {
	t.Parallel()
	wide(t, func(t *rapid.T, d shopDay) {
		m := d.mapping(t)
		var kept, undone, voidings []*document.Document
		originals := map[string]*document.Document{}
		for _, r := range d.documents {
			if r.Movement != nil || rapid.Bool().Draw(t, "kept") {
				kept = append(kept, r)
				continue
			}
			undone = append(undone, r)
			originals[r.Key.String()] = r
			key := r.Key
			v := receipt(document.PostVoid, "V"+key.Number, document.Link{Relation: document.Voids, Key: &key})
			v.Currency = r.Currency
			voidings = append(voidings, v)
		}
		whole, problems := books.Build(day(m, append(append(voidings, undone...), kept...)...))
		without, _ := books.Build(day(m, kept...))
		if !bytes.Equal(whole.Canonical(), without.Canonical()) || len(problems) > 0 {
			t.Fatalf("voided on the same day, something is left: %+v", problems)
		}
		later := day(m, voidings...)
		later.Originals = originals
		back, problems := books.Build(later)
		sums := accountsOf(back)
		for account, amount := range accountsOf(first(books.Build(day(m, undone...)))) {
			if sums[account] += amount; sums[account] == 0 {
				delete(sums, account)
			}
		}
		if len(sums) > 0 || len(problems) > 0 {
			t.Fatalf("voided later, %v is left: %+v", sums, problems)
		}
	})
}

// accountsOf is what an entry does to each account.
func accountsOf(entry books.Entry) map[string]money.Minor {
	sums := map[string]money.Minor{}
	for _, l := range entry.Lines {
		if sums[l.Account] += l.Signed(); sums[l.Account] == 0 {
			delete(sums, l.Account)
		}
	}
	return sums
}

func first(entry books.Entry, _ []books.Problem) books.Entry { return entry }

func values(live map[string]*document.Document) []*document.Document {
	list := make([]*document.Document, 0, len(live))
	for _, d := range live {
		list = append(list, d)
	}
	return list
}

// TestAShopDayHasTheTaxAndTheMoneyThatTheTillsPrinted compares the entry with
// sums taken straight from the receipts.
func TestAShopDayHasTheTaxAndTheMoneyThatTheTillsPrinted(t *testing.T) {
	t.Parallel()
	wide(t, func(t *rapid.T, d shopDay) {
		own := map[string]money.Decimal{}
		var documents []*document.Document
		for _, r := range d.documents {
			if r.Currency != d.currency {
				continue // converted amounts are rounded
			}
			documents = append(documents, r)
			for _, p := range r.Tenders {
				own[string(p.Kind)] += p.Amount
				own["tips"] += p.Tip
			}
			single := len(r.Tenders) == 1 && r.Tenders[0].Voucher != nil && r.Tenders[0].Voucher.Purpose == "SINGLE"
			for _, l := range r.Lines {
				for _, x := range l.Taxes {
					if x.Liable != "FACILITATOR" && !single { // a single-purpose voucher's tax was due when it was sold
						own["tax"] += x.Amount
					}
				}
				switch l.Kind {
				case document.TipStaff:
					own["tips"] += l.Extended
				case document.CashRounding:
					own["rounding"] += l.Extended
				}
			}
			if r.Movement != nil {
				for _, l := range r.Movement.Lines {
					own["input"] += l.Taxes[0].Amount
				}
			}
		}
		m := d.mapping(t)
		m.ServiceCharge = "house"
		m.Accounts[books.FacilitatorTax] = "acct facilitator_tax"
		entry, _ := books.Build(day(m, documents...))
		booked := map[books.Role]money.Minor{}
		for _, l := range entry.Lines {
			booked[l.Role] += l.Signed()
			for _, s := range l.Documents {
				if (l.Role == books.Sales || l.Role == books.Returns) && s.Amount < 0 {
					t.Fatalf("a %s line nets %+v", l.Role, s)
				}
			}
			if l.Role == books.Sales && l.Side != books.Credit || l.Role == books.Returns && l.Side != books.Debit {
				t.Fatalf("a %s line is a %s", l.Role, l.Side)
			}
		}
		for name, want := range map[books.Role]money.Decimal{
			books.OutputTax: -own["tax"], books.InputTax: own["input"], books.TipsPayable: -own["tips"], books.CashRounding: -own["rounding"],
			books.CardClearing: own["CARD_CREDIT"] + own["CARD_DEBIT"], books.ForeignCash: own["FOREIGN_CASH"], books.StoreCredit: own["STORE_CREDIT"],
			books.MealVouchers: own["MEAL_VOUCHER"], books.Marketplace: own["MARKETPLACE"],
		} {
			minor, rest := money.ToMinor(want, d.places)
			if rest != 0 || booked[name] != minor {
				t.Fatalf("%s: booked is %d, the tills say %s", name, booked[name], want)
			}
		}
	})
}
