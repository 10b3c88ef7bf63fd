package recipe

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

// shipped parses a recipe of the project.
func shipped(t *testing.T, name string) *Recipe {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../recipes", name))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// reference opens a reference file.
func reference(t *testing.T, name string) format.Input {
	t.Helper()
	dir := os.Getenv("TILLBOOK_REFERENCE")
	if dir == "" {
		t.Skip("reference data: TILLBOOK_REFERENCE is not set")
	}
	f, err := os.Open(filepath.Join(dir, "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return format.Input{Name: name, Reader: f, Size: info.Size()}
}

// documents reads inputs to their end; a refusal fails the test.
func documents(t *testing.T, r *Recipe, o format.Options, inputs ...format.Input) []*document.Document {
	t.Helper()
	reader, err := r.Open(inputs, o)
	if err != nil {
		t.Fatal(err)
	}
	var all []*document.Document
	for {
		result, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if result.Refused != nil {
			t.Fatalf("refused: %v", result.Refused)
		}
		all = append(all, result.Document)
	}
}

func TestThreeDaysOfAWebShopGiveTheirKnownTotals(t *testing.T) {
	t.Parallel()
	recipe := shipped(t, "online-retail.yaml")
	for _, day := range []struct {
		file                 string
		sales, cancellations int
		sold, taken          string
	}{
		{"online-retail/2010-12-01.csv", 137, 6, "58960.79", "-325.23"},
		{"online-retail/2010-12-02.csv", 144, 23, "47748.38", "-1541.10"},
		{"online-retail/2010-12-03.csv", 101, 7, "46943.71", "-1323.25"},
	} {
		t.Run(day.file, func(t *testing.T) {
			t.Parallel()
			var sold, taken money.Decimal
			count := map[document.Kind]int{}
			for _, d := range documents(t, recipe, format.Options{Final: true}, reference(t, day.file)) {
				count[d.Kind]++
				if d.Kind == document.Return {
					taken += *d.Totals.Computed.Gross
				} else {
					sold += *d.Totals.Computed.Gross
				}
				if len(d.Totals.Differences) != 0 {
					t.Errorf("%s: differences %v", d.Key, d.Totals.Differences)
				}
				if d.Source.Recipe != "online-retail" || d.Source.Version != 1 || d.Time.ZoneFrom != document.ZoneFromConfig {
					t.Errorf("%s: source %+v, time %+v", d.Key, d.Source, d.Time)
				}
			}
			if count[document.Sale] != day.sales || count[document.Return] != day.cancellations {
				t.Errorf("counts %v, want %d sales and %d cancellations", count, day.sales, day.cancellations)
			}
			if sold != money.MustParse(day.sold) || taken != money.MustParse(day.taken) {
				t.Errorf("sold %s, taken back %s, want %s and %s", sold, taken, day.sold, day.taken)
			}
		})
	}
}

func TestOrdersAreJoinedWithTheirPayments(t *testing.T) {
	t.Parallel()
	recipe := shipped(t, "jaffle-shop.yaml")
	// The order in which the files are given does not matter.
	orders := documents(t, recipe, format.Options{Final: true}, reference(t, "jaffle-shop/raw_payments.csv"), reference(t, "jaffle-shop/raw_orders.csv"))
	var gross money.Decimal
	payments := 0
	byTender := map[document.TenderKind]money.Decimal{}
	for _, d := range orders {
		gross += *d.Totals.Computed.Gross
		payments += len(d.Tenders)
		for _, tender := range d.Tenders {
			byTender[tender.Kind] += tender.Amount
		}
	}
	t.Log(payments, "payments that are not nothing")
	if len(orders) != 99 || gross != money.MustParse("1672.00") {
		t.Errorf("%d orders, %s", len(orders), gross)
	}
	for kind, want := range map[document.TenderKind]string{
		document.BankTransfer: "411.00", document.CouponTender: "185.00", document.CardCredit: "871.00", document.GiftCard: "205.00",
	} {
		if byTender[kind] != money.MustParse(want) {
			t.Errorf("%s: %s, want %s", kind, byTender[kind], want)
		}
	}
}
