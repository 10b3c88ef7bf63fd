package reconcile_test

import (
	"testing"

	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/document"
)

// Scenario 78: the Z of 30 November was forgotten, that of 1 December counts both.
func TestAZThatSpansTwoDaysIsProvenOverTheReceiptsOfBoth(t *testing.T) {
	t.Parallel()
	before := []*document.Document{sale("1", "12.00", document.Cash), sale("2", "24.00", document.Cash)}
	in := docs(sale("3", "36.00", document.Cash),
		z("12", document.Close{FirstReceipt: "1", LastReceipt: "3", Receipts: count(3), Gross: ptr("72.00"), Tax: ptr("12.00"), Expected: ptr("72.00")}))
	if reconcile.Prove(in).Proven {
		t.Error("the receipts of the second day alone prove it")
	}
	in.Earlier = before
	proof := reconcile.Prove(in)
	if !proof.Proven || len(proof.Closes) != 1 || proof.Closes[0].Receipts != 3 {
		t.Errorf("proven %v, closes %+v, differences %+v", proof.Proven, proof.Closes, proof.Differences)
	}
	in.Earlier = before[:1]
	if proof := reconcile.Prove(in); proof.Proven || len(proof.Gaps) != 1 {
		t.Errorf("without receipt 2: proven %v, gaps %+v", proof.Proven, proof.Gaps)
	}
	if proof := reconcile.Prove(reconcile.Input{Documents: before}); !proof.Proven {
		t.Errorf("the day without a Z: %+v", proof.Differences)
	}
}
