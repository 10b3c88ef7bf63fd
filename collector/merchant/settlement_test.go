package merchant

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

const settlements = `settlements:
  - provider: stripe
    currency: NOK
    from: 2026-03-01
    opening: "-12.50"
    zone: Europe/Oslo
    takes:
      - kind: CARD_DEBIT
        label: Visa
    payer: [STRIPE]
    window: 4
mappings:
`

func TestWhatProvidersOweIsConfiguredPerMerchant(t *testing.T) {
	t.Parallel()
	m, err := Parse([]byte(strings.Replace(example, "mappings:\n", settlements, 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := []settle.Account{{
		Provider: "stripe", Currency: "NOK", From: "2026-03-01", Opening: money.MustParse("-12.50"), Zone: "Europe/Oslo",
		Takes: []settle.Rule{{Kind: document.CardDebit, Label: "Visa"}}, Payer: []string{"STRIPE"}, Window: 4,
	}}
	if diff := cmp.Diff(want, m[0].Settlements); diff != "" {
		t.Errorf("settlements differ (-want +got):\n%s", diff)
	}
}

func TestEachMistakeInASettlementIsNamed(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		"provider: stripe => provider: a/b":     "settlements[0].provider",
		"currency: NOK => currency: crowns":     "settlements[0].currency",
		"from: 2026-03-01 => from: soon":        "settlements[0].from",
		"zone: Europe/Oslo => zone: Oslo":       "settlements[0].zone",
		"kind: CARD_DEBIT => kind: CARD_DEBITS": `did you mean "CARD_DEBIT"`,
		"window: 4 => window: 90":               "settlements[0].window",
		"payer: [STRIPE] => payers: [STRIPE]":   `did you mean "payer"`,
		"  - provider: stripe => " + `  - {provider: stripe, currency: NOK, from: 2026-03-01, zone: UTC}` + "\n  - provider: stripe": "stand here twice",
	} {
		was, is, _ := strings.Cut(change, " => ")
		text := strings.Replace(settlements, was, is, 1)
		if text == settlements {
			t.Fatalf("%q changes nothing", change)
		}
		if _, err := Parse([]byte(strings.Replace(example, "mappings:\n", text, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", change, err, want)
		}
	}
}
