package books_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/document/documenttest"
	"tillbook.example/tillbook/shared/money"
)

// drawDocuments draws documents under keys of their own. Those in another
// currency mostly state a rate.
func drawDocuments(t *rapid.T, generator *rapid.Generator[*document.Document]) []*document.Document {
	documents := rapid.SliceOfN(generator, 0, 12).Draw(t, "documents")
	for i, d := range documents {
		d.Key.Number += "/" + strconv.Itoa(i)
		if d.Currency != "GBP" && rapid.IntRange(0, 3).Draw(t, "rate") > 0 {
			d.Rate = &document.Rate{To: "GBP", Value: money.Decimal(rapid.Int64Range(1, 3_000_000).Draw(t, "value"))}
		}
	}
	return documents
}

// drawMapping draws mappings from empty to whole.
func drawMapping(t *rapid.T) books.Mapping {
	m := books.Mapping{Currency: "GBP", Accounts: map[books.Role]string{}}
	keep := rapid.IntRange(0, 2).Draw(t, "accounts")
	for i, r := range books.AllRoles() {
		if keep == 2 || keep == 1 && i%2 == 0 {
			m.Accounts[r] = "acct " + string(r)
		}
	}
	m.Discounts = rapid.SampledFrom([]string{"net", "gross"}).Draw(t, "discounts")
	m.ServiceCharge = rapid.SampledFrom([]string{"house", "staff"}).Draw(t, "service charge")
	m.PostBanking = rapid.Bool().Draw(t, "banking")
	m.CostOfGoods = rapid.Bool().Draw(t, "cost")
	if rapid.Bool().Draw(t, "tracking") {
		m.Tracking = []books.Tracking{{Name: "Class", By: "category", Else: "none"}, {Name: "Place", By: "consumption"}}
	}
	m.Suspense = rapid.SampledFrom([]string{"", "acct suspense"}).Draw(t, "suspense")
	m.Dimensions = rapid.SampledFrom([][]string{nil, {"store", "terminal", "category", "consumption"}}).Draw(t, "dimensions")
	if rapid.Bool().Draw(t, "rounding") {
		m.Rounding = &books.Rounding{Step: dec("0.05"), Scope: rapid.SampledFrom([]string{"cash", "all"}).Draw(t, "scope")}
	}
	if rapid.Bool().Draw(t, "taxes") {
		m.Taxes = []books.TaxRule{{Till: "S", Code: "STD"}, {Till: "R", Code: "RED", Account: "acct reduced"}, {Code: "ANY"}, {Till: books.NoTax, Code: "OUT"}}
		m.Categories = map[string]string{"Food": "acct food"}
	}
	return m
}

// both runs a property on receipts as tills print them and on anything at all.
func both(t *testing.T, property func(*rapid.T, *rapid.Generator[*document.Document])) {
	t.Helper()
	for name, generator := range map[string]*rapid.Generator[*document.Document]{"receipts": documenttest.Receipt(), "anything": documenttest.Any()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) { property(t, generator) })
		})
	}
}

// sound is wantSound for properties.
func sound(entry books.Entry) error {
	var sum money.Minor
	for _, l := range entry.Lines {
		sum += l.Signed()
		var shares money.Minor
		for _, s := range l.Documents {
			shares += s.Amount
		}
		if l.Amount < 0 || l.Rule == "" || shares != l.Amount {
			return fmt.Errorf("line %+v is negative, has no rule, or documents that do not add up to it", l)
		}
	}
	if sum != 0 {
		return fmt.Errorf("off balance by %d", sum)
	}
	return nil
}

func TestAnyDocumentsBalanceAndEveryLineIsItsDocuments(t *testing.T) {
	t.Parallel()
	both(t, func(t *rapid.T, g *rapid.Generator[*document.Document]) {
		entry, _ := books.Build(day(drawMapping(t), drawDocuments(t, g)...))
		if err := sound(entry); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheOrderOfDocumentsChangesNothing(t *testing.T) {
	t.Parallel()
	both(t, func(t *rapid.T, g *rapid.Generator[*document.Document]) {
		in := day(drawMapping(t), drawDocuments(t, g)...)
		in.OverShort = []books.DrawerDifference{
			{Cause: books.Counted, Drawer: "1", Currency: "GBP", Amount: dec("1.00"), Documents: []string{"a"}},
			{Cause: books.Counted, Drawer: "1", Currency: "GBP", Amount: dec("-2.00"), Documents: []string{"b"}},
		}
		entry, problems := books.Build(in)
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(in.Documents), func(i, j int) {
			in.Documents[i], in.Documents[j] = in.Documents[j], in.Documents[i]
		})
		in.OverShort[0], in.OverShort[1] = in.OverShort[1], in.OverShort[0]
		again, problemsAgain := books.Build(in)
		if !bytes.Equal(entry.Canonical(), again.Canonical()) || entry.Hash() != again.Hash() {
			t.Fatalf("another order, another entry:\n%s\n%s", entry.Canonical(), again.Canonical())
		}
		if diff := cmp.Diff(problems, problemsAgain); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestTheEntriesOfTwoPartsAddUpToTheEntryOfTheWhole(t *testing.T) {
	t.Parallel()
	both(t, func(t *rapid.T, g *rapid.Generator[*document.Document]) {
		m, documents := drawMapping(t), drawDocuments(t, g)
		cut := rapid.IntRange(0, len(documents)).Draw(t, "cut")
		originals := map[string]*document.Document{}
		for _, d := range documents {
			originals[d.Key.String()] = d
		}
		type account struct{ role, account, direction string }
		sums := func(parts ...[]*document.Document) map[account]money.Minor {
			sums := map[account]money.Minor{}
			for _, part := range parts {
				in := day(m, part...)
				in.Originals = originals
				entry, _ := books.Build(in)
				for _, l := range entry.Lines {
					a := account{role: string(l.Role), account: l.Account}
					if l.Tax != nil {
						a.direction = l.Tax.Direction
					}
					if sums[a] += l.Signed(); sums[a] == 0 {
						delete(sums, a)
					}
				}
			}
			return sums
		}
		if diff := cmp.Diff(sums(documents), sums(documents[:cut], documents[cut:])); diff != "" {
			t.Fatalf("whole (-) and parts (+):\n%s", diff)
		}
	})
}

func TestTaxIsWhatTheTillsPrintedAndReturnsAreNeverNetted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		documents := drawDocuments(t, documenttest.Receipt())
		type figure struct{ base, tax money.Minor }
		printed := map[string]figure{}
		for _, d := range documents {
			d.Currency, d.Rate = "GBP", nil
			for _, l := range d.Lines {
				direction := books.DirectionSale
				if l.Extended < 0 || l.Extended == 0 && l.Quantity < 0 {
					direction = books.DirectionReturn
				}
				for _, x := range l.Taxes {
					// What is printed to more places than pence is rounded elsewhere.
					base, rest := money.ToMinor(x.Base, 2)
					tax, taxRest := money.ToMinor(x.Amount, 2)
					if rest != 0 || taxRest != 0 {
						t.Skip("finer than pence")
					}
					f := printed[direction]
					printed[direction] = figure{f.base - base, f.tax - tax}
				}
			}
		}
		booked, control := map[string]figure{}, money.Minor(0)
		entry, _ := books.Build(day(drawMapping(t), documents...))
		for _, l := range entry.Lines {
			if l.Role == books.OutputTax {
				control += l.Signed()
			}
			if l.Tax == nil {
				continue
			}
			sign := money.Minor(1)
			if l.Side == books.Credit {
				sign = -1
			}
			f := booked[l.Tax.Direction]
			booked[l.Tax.Direction] = figure{f.base + sign*l.Tax.Base, f.tax + sign*l.Tax.Amount}
		}
		for _, figures := range []map[string]figure{printed, booked} {
			for direction, f := range figures {
				if f == (figure{}) {
					delete(figures, direction)
				}
			}
		}
		if diff := cmp.Diff(printed, booked, cmp.AllowUnexported(figure{})); diff != "" {
			t.Fatalf("printed (-) and booked (+):\n%s", diff)
		}
		var tax money.Minor
		for _, f := range printed {
			tax += f.tax
		}
		if control != tax {
			t.Fatalf("the control lines are %d, the printed tax is %d", control, tax)
		}
	})
}

func TestNoInputMakesBuildPanic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		documents := append(drawDocuments(t, documenttest.Any()), nil)
		for i, d := range documents[:len(documents)-1] {
			switch rapid.IntRange(0, 4).Draw(t, "harm") {
			case 0:
				d.Movement, d.Count, d.Close = nil, nil, nil
			case 1:
				d.Kind = document.PostVoid
				d.Links = []document.Link{{Relation: document.Voids, Key: &documents[rapid.IntRange(0, i).Draw(t, "target")].Key}}
			case 2:
				d.Currency = rapid.SampledFrom([]string{"", "xx", "JPY", "BHD"}).Draw(t, "currency")
			}
		}
		in := day(drawMapping(t), documents...)
		in.Mapping.Currency = rapid.SampledFrom([]string{"GBP", "", "JPY", "??"}).Draw(t, "books")
		in.Originals = map[string]*document.Document{"gone": nil}
		entry, _ := books.Build(in)
		if err := sound(entry); err != nil {
			t.Fatal(err)
		}
	})
}
