package reconcile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/document/documenttest"
	"tillbook.example/tillbook/shared/money"
)

// want proves a day and compares its differences, each as `of cause amount
// state` (and a count where there is no amount).
func want(t *testing.T, in reconcile.Input, proven bool, differences ...string) reconcile.Proof {
	t.Helper()
	proof := reconcile.Prove(in)
	got := []string{}
	for _, d := range proof.Differences {
		amount := d.Amount.String()
		if d.Amount == 0 {
			amount = fmt.Sprintf("#%d", d.Count)
		}
		got = append(got, strings.Join([]string{d.Of, string(d.Cause), amount, d.State}, " "))
		if d.Text == "" || d.ID == "" {
			t.Errorf("difference %v has no text or no ID", d)
		}
	}
	if differences == nil {
		differences = []string{}
	}
	if diff := cmp.Diff(differences, got); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if proof.Proven != proven {
		t.Errorf("proven is %t, want %t", proof.Proven, proven)
	}
	if _, err := json.Marshal(proof); err != nil {
		t.Error(err)
	}
	return proof
}

func docs(documents ...*document.Document) reconcile.Input {
	return reconcile.Input{Documents: documents}
}

func TestADayWithoutDocumentsIsProven(t *testing.T) {
	t.Parallel()
	want(t, reconcile.Input{}, true)
}

func TestACountThatIsShortIsExplainedAndGoesToOverShort(t *testing.T) {
	t.Parallel()
	proof := want(t, docs(sale("1", "120.00", document.Cash), tillCount("9", "CLOSE", "118.00")), true,
		"drawer:1/GBP cash_short -2.00 explained")
	found := reconcile.OverShort(proof)
	if diff := cmp.Diff([]books.DrawerDifference{{
		Cause: books.Counted, Drawer: "1", Currency: "GBP", Amount: dec("-2.00"), Documents: []string{"S1|1|EVENT|9"},
	}}, found); diff != "" {
		t.Error(diff)
	}
}

func TestTheDayOfCashOfTheScenarioIsTwoShort(t *testing.T) {
	t.Parallel()
	documents := []*document.Document{
		move("1", document.Float, "200.00", document.Bank, document.Drawer, seq(1)),
		sale("1", "480.00", document.Cash, seq(2)),
		move("2", document.PayOut, "25.00", document.Drawer, "", seq(3)),
		tillCount("3", "CLOSE", "653.00", seq(4), leaving("200.00", "453.00")),
		move("4", document.Banking, "453.00", document.Drawer, document.Transit, seq(5)),
	}
	proof := want(t, docs(documents...), true, "drawer:1/GBP cash_short -2.00 explained")
	if got := proof.Drawers[0].Expected; got != dec("655.00") {
		t.Errorf("expected is %s, want 655.00", got)
	}
	t.Run("also where no sequence tells that the bag was filled after the count", func(t *testing.T) {
		t.Parallel()
		plain := []*document.Document{
			move("a", document.Float, "200.00", document.Bank, document.Drawer),
			sale("1", "480.00", document.Cash),
			move("b", document.PayOut, "25.00", document.Drawer, ""),
			tillCount("c", "CLOSE", "653.00", leaving("200.00", "453.00")),
			move("d", document.Banking, "453.00", document.Drawer, document.Transit),
		}
		want(t, docs(plain...), true, "drawer:1/GBP cash_short -2.00 explained")
	})
}

func TestADropBeforeTheCountIsNotExpectedInTheDrawer(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "480.00", document.Cash, seq(1)),
		move("2", document.SafeDrop, "300.00", document.Drawer, document.Safe, seq(2)),
		tillCount("3", "CLOSE", "180.00", seq(3)),
	), true)
}

func TestWhatWasLeftInTheEveningIsExpectedInTheMorning(t *testing.T) {
	t.Parallel()
	in := docs(
		tillCount("1", "OPEN", "99.00", seq(1)), sale("1", "12.00", document.Cash, seq(2)), tillCount("2", "CLOSE", "111.00", seq(3)),
	)
	in.Previous = []*document.Document{tillCount("0", "CLOSE", "480.00", leaving("100.00", "380.00"))}
	proof := want(t, in, true, "drawer:1/GBP/opening opening_difference -1.00 explained")
	if got := reconcile.OverShort(proof); len(got) != 1 || got[0].Cause != books.Opening || got[0].Amount != dec("-1.00") {
		t.Errorf("over/short is %+v, want the opening difference", got)
	}
}

func TestAFloatBroughtBeforeTheOpeningCountIsPartOfIt(t *testing.T) {
	t.Parallel()
	in := docs(
		move("1", document.Float, "100.00", document.Safe, document.Drawer, seq(1)),
		tillCount("2", "OPEN", "200.00", seq(2)), sale("1", "12.00", document.Cash, seq(3)), tillCount("3", "CLOSE", "212.00", seq(4)),
	)
	in.Previous = []*document.Document{tillCount("0", "CLOSE", "480.00", leaving("100.00", "380.00"))}
	want(t, in, true)
}

func TestWhatIsLeftAndRemovedMustBeWhatWasCounted(t *testing.T) {
	t.Parallel()
	want(t, docs(sale("1", "120.00", document.Cash), tillCount("9", "CLOSE", "120.00", leaving("50.00", "60.00"))), false,
		"drawer:1/GBP/split count_split -10.00 opened")
}

func TestSessionsOfADrawerAreProvenApart(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "12.00", document.Cash, in("D", "1")), tillCount("1", "CLOSE", "12.00", in("D", "1"), leaving2("D", "1", "0.00", "12.00")),
		sale("2", "24.00", document.Cash, in("D", "2")), tillCount("2", "CLOSE", "25.00", in("D", "2")),
	), true, "drawer:D/2/GBP cash_over 1.00 explained")
}

func leaving2(drawer, session, left, removed string) func(*document.Document) {
	return func(d *document.Document) {
		leaving(left, removed)(d)
		in(drawer, session)(d)
	}
}

func TestForeignCashIsCountedInItsOwnCurrency(t *testing.T) {
	t.Parallel()
	d := sale("1", "24.00", document.ForeignCash)
	d.Tenders[0].Foreign = &document.Foreign{Currency: "USD", Amount: dec("30.00"), Rate: dec("0.80")}
	c := tillCount("9", "CLOSE", "0.00")
	c.Count.ByTender = append(c.Count.ByTender, document.TenderAmount{Kind: document.ForeignCash, Label: "USD", Amount: dec("29.00")})
	proof := want(t, docs(d, c), true, "drawer:1/USD cash_short -1.00 explained")
	if got := reconcile.OverShort(proof); len(got) != 1 || got[0].Rate != dec("0.80") {
		t.Errorf("over/short is %+v, want the till's rate with it", got)
	}
}

func TestACardBatchThatIsShortByWhatADrawerIsOverIsAWrongTender(t *testing.T) {
	t.Parallel()
	proof := want(t, docs(
		sale("1", "984.00", document.CardCredit), sale("2", "16.00", document.CardDebit), sale("3", "120.00", document.Cash),
		batch("77", "985.00"), tillCount("9", "CLOSE", "135.00"),
	), false, "drawer:1/GBP wrong_tender 15.00 opened", "tender:CARD/GBP wrong_tender -15.00 opened")
	got := reconcile.OverShort(proof)
	if len(got) != 1 || got[0].Cause != books.WrongTender || got[0].Amount != dec("15.00") || got[0].Tender != document.CardUnknown {
		t.Errorf("over/short is %+v, want the proposal", got)
	}
	t.Run("and a person's yes proves the day", func(t *testing.T) {
		t.Parallel()
		in := docs(
			sale("1", "984.00", document.CardCredit), sale("2", "16.00", document.CardDebit), sale("3", "120.00", document.Cash),
			batch("77", "985.00"), tillCount("9", "CLOSE", "135.00"),
		)
		for _, d := range proof.Differences {
			in.Accepted = append(in.Accepted, d.ID)
		}
		want(t, in, true, "drawer:1/GBP wrong_tender 15.00 accepted", "tender:CARD/GBP wrong_tender -15.00 accepted")
	})
}

func TestABatchThatNothingExplainsIsOpened(t *testing.T) {
	t.Parallel()
	want(t, docs(sale("1", "120.00", document.CardCredit), batch("77", "108.00")), false,
		"tender:CARD/GBP not_captured -12.00 opened")
	want(t, docs(sale("1", "120.00", document.CardCredit), batch("77", "132.00")), false,
		"tender:CARD/GBP not_rung 12.00 opened")
	want(t, docs(sale("1", "120.00", document.CardCredit), batch("77", "120.00")), true)
	want(t, docs(sale("1", "100.00", document.CardCredit), sale("2", "20.00", document.Wallet), batch("77", "120.00")), true)
}

func TestAZThatClaimsWhatTheReceiptsShowIsProven(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "120.00", document.Cash), sale("2", "60.00", document.CardCredit),
		z("12", document.Close{
			FirstReceipt: "1", LastReceipt: "2", Receipts: count(2), Gross: ptr("180.00"), Net: ptr("150.00"), Tax: ptr("30.00"),
			ByTax:    []document.Tax{{Code: "A", Base: dec("150.00"), Amount: dec("30.00")}},
			ByTender: []document.TenderAmount{{Kind: document.Cash, Amount: dec("120.00"), Count: 1}, {Kind: document.CardUnknown, Amount: dec("60.00"), Count: 1}},
		}),
	), true)
}

func TestAZThatClaimsOtherTotalsIsNot(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "120.00", document.Cash), sale("2", "60.00", document.CardCredit),
		z("12", document.Close{Receipts: count(3), Gross: ptr("204.00"), ByTender: []document.TenderAmount{{Kind: document.Cash, Amount: dec("144.00")}}}),
	), false,
		"close:1/12/gross close_differs 24.00 opened", "close:1/12/receipts close_differs #1 opened", "close:1/12/tender:CASH close_differs 24.00 opened")
}

func TestAZThatCountsAVoidedReceiptSaysSo(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "120.00", document.Cash), sale("2", "60.00", document.Cash, state(document.Voided)),
		z("12", document.Close{Receipts: count(2), Gross: ptr("190.00")}),
	), false, "close:1/12/gross close_differs 70.00 opened")
	want(t, docs(
		sale("1", "120.00", document.Cash), sale("2", "60.00", document.Cash, state(document.Voided)),
		z("12", document.Close{Receipts: count(2), Gross: ptr("180.00")}),
	), false, "close:1/12/gross voided_in_close 60.00 opened")
}

func TestAReceiptThatIsMissingIsAGapAndExplainsTheZ(t *testing.T) {
	t.Parallel()
	proof := want(t, docs(
		sale("0001", "120.00", document.Cash), sale("0003", "60.00", document.Cash),
		z("12", document.Close{FirstReceipt: "0001", LastReceipt: "0004", Gross: ptr("204.00")}),
	), false,
		"close:1/12/gross receipts_missing 24.00 opened",
		"numbers:1/receipt//0002 receipt_gap #1 opened", "numbers:1/receipt//0004 receipt_gap #1 opened")
	if g := proof.Gaps[0]; g.First != "0002" || g.Last != "0002" || g.Count != 1 || g.Terminal != "1" {
		t.Errorf("gap is %+v", g)
	}
}

func TestAGapOfATerminalWhoseNumbersHaveThemIsExplained(t *testing.T) {
	t.Parallel()
	in := docs(sale("1", "12.00", document.Cash), sale("3", "12.00", document.Cash))
	if want(t, in, false, "numbers:1/receipt//2 receipt_gap #1 opened"); t.Failed() {
		return
	}
	in.Gapped = []string{"1"}
	want(t, in, true, "numbers:1/receipt//2 receipt_gap #1 explained")
}

func TestNumbersOfWhatIsNoSaleAreAccountedFor(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "12.00", document.Cash), sale("2", "12.00", document.Cash, state(document.Voided)),
		sale("3", "12.00", document.Cash, state(document.Suspended)),
		made(document.SpaceReceipt, "4", document.Training, nil), made(document.SpaceEvent, "5", document.NoSale, nil),
		sale("6", "12.00", document.Cash),
	), true)
}

func TestEventsWithNumbersOfTheirOwnDoNotHideAGap(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "12.00", document.Cash), sale("3", "12.00", document.Cash),
		made(document.SpaceEvent, "1", document.NoSale, nil), made(document.SpaceEvent, "2", document.NoSale, nil),
	), false, "numbers:1/receipt//2 receipt_gap #1 opened")
}

func TestACounterThatStartsAgainHasNoGap(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("9998", "12.00", document.Cash), sale("9999", "12.00", document.Cash), sale("0001", "12.00", document.Cash), sale("0002", "12.00", document.Cash),
	), true)
}

func TestAGapInTheSequenceIsOpened(t *testing.T) {
	t.Parallel()
	want(t, docs(sale("1", "12.00", document.Cash, seq(10)), sale("2", "12.00", document.Cash, seq(12))), false,
		"numbers:1/sequence//11 sequence_gap #1 opened")
}

func TestReceiptsOfAZWithoutOneReceiptAreAllMissing(t *testing.T) {
	t.Parallel()
	want(t, docs(z("12", document.Close{FirstReceipt: "7", LastReceipt: "9", Receipts: count(3), Gross: ptr("36.00")})), false,
		"close:1/12/gross receipts_missing 36.00 opened", "close:1/12/receipts receipts_missing #3 opened",
		"numbers:1/receipt//7 receipt_gap #3 opened")
}

func TestLinesAndTendersThatDifferAreOpened(t *testing.T) {
	t.Parallel()
	d := sale("1", "12.00", document.Cash)
	d.Tenders[0].Amount = dec("10.00")
	want(t, docs(d), false, "receipts document_tenders -2.00 opened")
}

func TestPrintedTaxThatIsNotRateTimesBaseIsExplained(t *testing.T) {
	t.Parallel()
	d := sale("1", "12.00", document.Cash)
	d.Lines[0].Taxes[0].Base, d.Lines[0].Taxes[0].Amount = dec("9.99"), dec("2.01")
	want(t, docs(d), true, "receipts tax_rate 0.01 explained")
}

func TestPrintedTotalsThatAreNotTheLinesAreOpened(t *testing.T) {
	t.Parallel()
	d := sale("1", "12.00", document.Cash)
	d.Totals.Stated = &document.Amounts{Gross: ptr("13.00"), Tax: ptr("2.10")}
	want(t, docs(d), false, "receipts document_gross 1.00 opened", "receipts document_tax 0.10 opened")
}

func TestCashRoundingWithinTheStepIsNoDifference(t *testing.T) {
	t.Parallel()
	rounded := func(rounding string) *document.Document {
		d := sale("1", "19.98", document.Cash)
		d.Lines = append(d.Lines, document.Line{Kind: document.CashRounding, Extended: dec(rounding)})
		d.Tenders[0].Amount += dec(rounding)
		return d
	}
	unstated := sale("1", "19.98", document.Cash)
	unstated.Tenders[0].Amount = dec("20.00")
	for _, d := range []*document.Document{rounded("0.02"), unstated} {
		in := docs(d)
		in.Rounding = &books.Rounding{Step: dec("0.05")}
		want(t, in, true)
	}
	in := docs(rounded("0.12"))
	in.Rounding = &books.Rounding{Step: dec("0.05")}
	want(t, in, false, "receipts rounding_beyond_step 0.12 opened")
}

func TestAVoidOfAnEarlierDayTakesItsCashOutOfTheDrawer(t *testing.T) {
	t.Parallel()
	void := made(document.SpaceReceipt, "41", document.PostVoid, nil)
	void.Links = []document.Link{{Relation: document.Voids, Number: "40"}}
	original := sale("40", "120.00", document.Cash)
	in := docs(tillCount("1", "OPEN", "200.00"), void, tillCount("2", "CLOSE", "80.00"))
	in.Originals = map[string]*document.Document{original.Key.String(): original}
	want(t, in, true)
}

func TestTheGrandTotalRisesByWhatTheNextZClaims(t *testing.T) {
	t.Parallel()
	day := func(total string) reconcile.Input {
		return docs(
			sale("1", "12.00", document.Cash, withZ("12")), sale("2", "24.00", document.Cash, withZ("13")),
			z("12", document.Close{Gross: ptr("12.00"), GrandTotal: ptr("1012.00")}), z("13", document.Close{Gross: ptr("24.00"), GrandTotal: ptr(total)}),
		)
	}
	want(t, day("1036.00"), true)
	want(t, day("1046.00"), false, "close:1/13/grand_total close_differs 10.00 opened")
}

func withZ(number string) func(*document.Document) {
	return func(d *document.Document) { d.Numbers.Z = number }
}

func TestAmountsTooLargeToAddAreNotProven(t *testing.T) {
	t.Parallel()
	want(t, docs(sale("1", "6000000000000.00", document.Cash)), false, "day out_of_range #0 opened")
}

func TestTwoDrawersThatAreOverByTheSameAreNoProofOfAWrongTender(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "1000.00", document.CardCredit), batch("77", "985.00"),
		sale("2", "12.00", document.Cash, in("A", "")), tillCount("8", "CLOSE", "27.00", in("A", "")),
		sale("3", "12.00", document.Cash, in("B", "")), tillCount("9", "CLOSE", "27.00", in("B", "")),
	), false,
		"drawer:A/GBP cash_over 15.00 explained", "drawer:B/GBP cash_over 15.00 explained", "tender:CARD/GBP not_captured -15.00 opened")
}

func TestABatchMayStateItsTipsBesideItsAmount(t *testing.T) {
	t.Parallel()
	d := sale("1", "120.00", document.CardCredit)
	d.Tenders[0].Amount, d.Tenders[0].Tip = dec("132.00"), dec("12.00")
	b := batch("77", "120.00")
	b.TenderBatch.ByBrand[0].Tips = dec("12.00")
	want(t, docs(d, b), true)
}

func TestSlipsThatAreCountedAreComparedWhereThereIsNoBatch(t *testing.T) {
	t.Parallel()
	c := tillCount("9", "CLOSE", "0.00")
	c.Count.ByTender = append(c.Count.ByTender, document.TenderAmount{Kind: document.MealVoucher, Amount: dec("8.00")})
	want(t, docs(sale("1", "12.00", document.MealVoucher), c), false, "tender:MEAL_VOUCHER/GBP tender_count -4.00 opened")
}

func TestAZThatCountsTrainingSaysSo(t *testing.T) {
	t.Parallel()
	training := sale("2", "24.00", document.Cash)
	training.Kind = document.Training
	want(t, docs(sale("1", "12.00", document.Cash), training, z("12", document.Close{Gross: ptr("36.00")})), false,
		"close:1/12/gross training_in_close 24.00 opened")
}

func TestEachZHasTheReceiptsOfItsRange(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "12.00", document.Cash), sale("2", "24.00", document.Cash), sale("3", "36.00", document.Cash),
		z("12", document.Close{FirstReceipt: "1", LastReceipt: "2", Gross: ptr("36.00")}),
		z("13", document.Close{FirstReceipt: "3", LastReceipt: "3", Gross: ptr("36.00")}),
	), true)
}

func TestACountWithoutASessionIsOfTheWholeDrawer(t *testing.T) {
	t.Parallel()
	want(t, docs(
		sale("1", "12.00", document.Cash, in("D", "1")), sale("2", "24.00", document.Cash, in("D", "2")),
		tillCount("1", "CLOSE", "36.00", in("D", "")),
	), true)
}

func TestTheGrandTotalMayRiseByWhatIsSoldOnly(t *testing.T) {
	t.Parallel()
	back := sale("3", "6.00", document.Cash, withZ("13"))
	back.Kind = document.Return
	l := &back.Lines[0]
	l.Extended, l.Quantity, l.Taxes[0].Base, l.Taxes[0].Amount = -l.Extended, -l.Quantity, -l.Taxes[0].Base, -l.Taxes[0].Amount
	back.Tenders[0].Amount, back.Tenders[0].Direction = -back.Tenders[0].Amount, document.Refund
	want(t, docs(
		sale("1", "12.00", document.Cash, withZ("12")), sale("2", "24.00", document.Cash, withZ("13")), back,
		z("12", document.Close{Gross: ptr("12.00"), GrandTotal: ptr("1012.00")}), z("13", document.Close{Gross: ptr("18.00"), GrandTotal: ptr("1036.00")}),
	), true)
}

func TestAGapOfLessThanAPennyIsRoundingAndNoDifference(t *testing.T) {
	t.Parallel()
	d := sale("1", "12.00", document.Cash)
	d.PriceBasis = document.TaxExcluded
	d.Lines[0].Extended, d.Lines[0].Taxes[0].Base, d.Lines[0].Taxes[0].Amount = dec("10.003"), dec("10.003"), dec("2.00")
	want(t, docs(d), true)
}

func TestAnyDocumentsAreProvenAlikeInAnyOrder(t *testing.T) {
	t.Parallel()
	for name, generator := range map[string]*rapid.Generator[*document.Document]{"receipts": documenttest.Receipt(), "anything": documenttest.Any()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				documents := rapid.SliceOfN(generator, 0, 12).Draw(t, "documents")
				for i, d := range documents {
					d.Key.Number += "/" + strconv.Itoa(i)
				}
				first, err := json.Marshal(reconcile.Prove(docs(documents...)))
				if err != nil {
					t.Fatal(err)
				}
				rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle(len(documents), func(i, j int) {
					documents[i], documents[j] = documents[j], documents[i]
				})
				second, err := json.Marshal(reconcile.Prove(docs(append(documents, nil)...)))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(first, second) {
					t.Fatalf("another order, another proof:\n%s\n%s", first, second)
				}
			})
		})
	}
}

// The differences with one Of add up to the difference they take apart, and what
// over/short hands on is what the drawers are over or short by.
func TestCausesAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := func(label string) string {
			return money.Decimal(rapid.Int64Range(0, 5).Draw(t, label) * 10 * int64(money.One)).String()
		}
		documents := []*document.Document{
			sale("1", amount("cash"), document.Cash), sale("2", amount("card"), document.CardCredit),
			sale("3", amount("voided"), document.Cash, state(document.Voided)),
			batch("77", amount("batch")), tillCount("8", "OPEN", amount("opening")), tillCount("9", "CLOSE", amount("counted")),
			z("12", document.Close{Gross: ptr(amount("claimed"))}),
		}
		proof := reconcile.Prove(docs(documents...))
		sums := map[string]money.Decimal{}
		for _, d := range proof.Differences {
			sums[d.Of] += d.Amount
		}
		var over money.Decimal
		for _, d := range reconcile.OverShort(proof) {
			over += d.Amount
		}
		drawer, cards := proof.Drawers[0], proof.Tenders[0]
		if *drawer.OverShort != sums["drawer:1/GBP"] || over != *drawer.OverShort {
			t.Fatalf("drawer is over by %s, causes add up to %s, over/short to %s", *drawer.OverShort, sums["drawer:1/GBP"], over)
		}
		if got := sums["tender:CARD/GBP"]; got != *cards.Batch-cards.Till {
			t.Fatalf("batch − till is %s, causes add up to %s", *cards.Batch-cards.Till, got)
		}
		claim := proof.Closes[0].Claims[0]
		if got := sums["close:1/12/gross"]; claim.Basis == "" && got != claim.Claimed-claim.Computed {
			t.Fatalf("claim %+v, causes add up to %s", claim, got)
		}
	})
}

func TestReceiptsWithoutASessionAreOfTheWholeDrawerToo(t *testing.T) {
	t.Parallel()
	want(t, docs(sale("1", "12.00", document.Cash, in("D", "")), tillCount("1", "CLOSE", "12.00", in("D", "1"))), true)
}
