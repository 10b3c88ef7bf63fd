package settle_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/money"
)

func TestAMovementChangesTheBalanceByItsAmountLessItsFee(t *testing.T) {
	t.Parallel()
	m := settle.Movement{Kind: settle.Charge, Amount: money.MustParse("100.00"), Fee: money.MustParse("1.75")}
	if got, err := m.Change(); err != nil || got != money.MustParse("98.25") {
		t.Errorf("change is %s, %v; want 98.25", got, err)
	}
	m = settle.Movement{Amount: money.Max, Fee: -money.Max}
	if _, err := m.Change(); err == nil {
		t.Error("a change that does not fit is no error")
	}
}

func TestAMovementIsReadBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 10, 0, 0, 123456000, time.UTC)
	want := settle.Movement{
		Provider: "acquirer", Account: "77", Key: "tx_1", Kind: settle.Refund, At: at, Available: at.Add(time.Hour), Currency: "GBP",
		Amount: money.MustParse("-12.50"), Fee: money.MustParse("0.1"), FeeTax: money.MustParse("0.02"),
		Presented: &settle.Presented{Currency: "EUR", Amount: money.MustParse("-14"), Rate: money.MustParse("0.892857")},
		Payout:    "po_1", Of: "tx_0", Batch: "9", Receipt: "1001", Terminal: "1", Store: "S1", Authorisation: "A", LastFour: "4242", Brand: "VISA", Raw: "refund",
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got settle.Movement
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s is read back as %+v, %v", text, got, err)
	}
}
