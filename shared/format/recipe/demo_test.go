package recipe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

// input makes an input of a text.
func input(name, text string) format.Input {
	return format.Input{Name: name, Reader: strings.NewReader(text), Size: int64(len(text))}
}

// demoColumns are the columns of the demo's till.
const demoColumns = "row,store,till,receipt,time,day,z,session,operator,kind,gross,tax_total,ref,ref_day,item,text,category,quantity,price,amount,discount,reason," +
	"tax_code,tax_rate,tax,tender,tip,card,brand,voucher,from,to,stage,left,removed,first,last,float,counted,expected,over_short,grand_total"

// demo writes rows of the demo's till, each as "column=value ..." with | between.
func demo(rows ...string) string {
	names := strings.Split(demoColumns, ",")
	var b strings.Builder
	b.WriteString(demoColumns + "\n")
	for _, r := range rows {
		fields := map[string]string{"store": "leeds", "till": "1", "time": "2026-03-02T10:15:00Z", "day": "2026-03-02", "z": "41"}
		for pair := range strings.SplitSeq(r, "|") {
			name, value, _ := strings.Cut(pair, "=")
			fields[name] = value
		}
		for i, name := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(fields[name])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func dec(s string) money.Decimal { return money.MustParse(s) }

func TestTheDemoTillSaysEverythingThatHappens(t *testing.T) {
	t.Parallel()
	all := documents(t, shipped(t, "demo-till.yaml"), format.Options{Final: true}, input("till.csv", demo(
		// The float that lies in the drawer from yesterday.
		"row=H|receipt=1|kind=FLOAT", "row=M|receipt=1|kind=FLOAT|amount=200.00|from=CARRIED|to=DRAWER|reason=opening",
		// Two rates, a reduction, a split tender with change.
		"row=H|receipt=2|kind=SALE|gross=23.40|tax_total=3.15",
		"row=L|receipt=2|item=5010|text=Mug|category=HOME|quantity=2|price=9.00|amount=18.00|discount=3.60|reason=offer 7|tax_code=S|tax_rate=20|tax=2.40",
		"row=L|receipt=2|item=5020|text=Tea|category=FOOD|quantity=1|price=9.00|amount=9.00|tax_code=R|tax_rate=5|tax=0.43",
		"row=T|receipt=2|tender=CASH|amount=20.00", "row=T|receipt=2|tender=CHANGE|amount=5.00", "row=T|receipt=2|tender=CARD|amount=8.40|card=************4242|brand=VISA",
		// A tip on a card.
		"row=H|receipt=3|kind=SALE|gross=12.00", "row=L|receipt=3|item=1|quantity=1|amount=12.00|tax_code=S|tax_rate=20", "row=T|receipt=3|tender=CARD|amount=13.50|tip=1.50",
		// A gift card sold, and one used.
		"row=H|receipt=4|kind=SALE", "row=L|receipt=4|text=Gift card|quantity=1|amount=50.00|voucher=GC-1", "row=T|receipt=4|tender=CARD|amount=50.00",
		"row=H|receipt=5|kind=SALE", "row=L|receipt=5|item=1|quantity=1|amount=12.00|tax_code=S|tax_rate=20|tax=2.00", "row=T|receipt=5|tender=GIFT CARD|amount=12.00|voucher=GC-1",
		// A refund, a void, a rounded receipt.
		"row=H|receipt=6|kind=RETURN|ref=3|ref_day=", "row=L|receipt=6|item=1|quantity=-1|amount=12.00|tax_code=S|tax_rate=20|tax=2.00", "row=T|receipt=6|tender=CASH REFUND|amount=12.00",
		"row=H|receipt=7|kind=VOID|ref=5",
		"row=H|receipt=8|kind=SALE", "row=L|receipt=8|item=1|quantity=1|amount=19.98|tax_code=S|tax_rate=20|tax=3.33", "row=L|receipt=8|item=ROUNDING|amount=0.02", "row=T|receipt=8|tender=CASH|amount=20.00",
		// Money out with a tax receipt, the count, the close.
		"row=M|receipt=9|kind=PAY_OUT|amount=25.00|reason=window cleaner|ref=INV 7|tax_code=S|tax_rate=20|tax=4.17",
		"row=C|receipt=10|kind=COUNT|stage=CLOSE|tender=CASH|amount=198.00|quantity=21|left=150.00|removed=48.00", "row=C|receipt=10|kind=COUNT|tender=CARD|amount=71.90",
		"row=Z|receipt=11|kind=Z|quantity=7|amount=67.38|tax=9.90|first=2|last=8|float=200.00|expected=200.00|counted=198.00|over_short=-2.00",
		"row=X|receipt=11|kind=Z|tax_code=S|tax_rate=20|amount=50.00|tax=9.47", "row=Y|receipt=11|kind=Z|tender=CASH|amount=3.00|quantity=3",
	)))
	byNumber := map[string]*document.Document{}
	for _, d := range all {
		byNumber[d.Key.Number] = d
		for _, difference := range d.Totals.Differences {
			if d.Key.Number != "2" {
				t.Errorf("receipt %s: difference %v", d.Key.Number, difference)
			}
		}
		if d.StatedDay.Date != "2026-03-02" || d.StatedDay.Z != "41" || d.Time.UTC.IsZero() || d.Source.Recipe != "demo-till" {
			t.Errorf("receipt %s: %+v %+v", d.Key.Number, d.StatedDay, d.Time)
		}
	}
	kinds := ""
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"} {
		if byNumber[n] == nil {
			t.Fatalf("receipt %s is missing", n)
		}
		kinds += string(byNumber[n].Kind) + " "
	}
	if kinds != "FLOAT SALE SALE SALE SALE RETURN POST_VOID SALE PAY_OUT TILL_COUNT PERIOD_CLOSE " {
		t.Errorf("kinds %s", kinds)
	}
	if m := byNumber["1"].Movement; m.Amount != dec("200") || m.From != document.Carried || m.To != document.Drawer {
		t.Errorf("float %+v", m)
	}
	d := byNumber["2"]
	want := []document.Line{
		{Kind: document.Item, SKU: "5010", Text: "Mug", Category: "HOME", Quantity: dec("2"), UnitPrice: dec("9"), Extended: dec("18"),
			Adjustments: []document.Adjustment{{Kind: document.Discount, Level: document.LevelLine, Amount: dec("-3.60"), Reason: "offer 7"}},
			Taxes:       []document.Tax{{Code: "S", Scheme: "VAT", Rate: dec("20"), Base: dec("12"), Amount: dec("2.40")}}},
		{Kind: document.Item, SKU: "5020", Text: "Tea", Category: "FOOD", Quantity: dec("1"), UnitPrice: dec("9"), Extended: dec("9"),
			Taxes: []document.Tax{{Code: "R", Scheme: "VAT", Rate: dec("5"), Base: dec("8.57"), Amount: dec("0.43")}}},
	}
	if diff := cmp.Diff(want, d.Lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	wantTenders := []document.Tender{
		{Kind: document.Cash, Direction: document.Paid, Amount: dec("20"), Label: "CASH"},
		{Kind: document.Cash, Direction: document.Change, Amount: dec("-5"), Label: "CHANGE"},
		{Kind: document.CardUnknown, Direction: document.Paid, Amount: dec("8.40"), Label: "CARD", Brand: "VISA", Masked: "4242"},
	}
	if diff := cmp.Diff(wantTenders, d.Tenders); diff != "" {
		t.Errorf("tenders (-want +got):\n%s", diff)
	}
	// The till printed 3.15 of tax where its lines have 2.83: that is data.
	if diff := cmp.Diff([]document.Difference{{Rule: document.RuleTax, Amount: dec("0.32")}}, d.Totals.Differences); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if tip := byNumber["3"].Tenders[0].Tip; tip != dec("1.50") {
		t.Errorf("tip %s", tip)
	}
	if tax := byNumber["3"].Lines[0].Taxes[0]; tax.Amount != dec("2") || tax.Base != dec("10") {
		t.Errorf("a tax that is not printed: %+v", tax)
	}
	sold, used := byNumber["4"].Lines[0], byNumber["5"].Tenders[0]
	if sold.Kind != document.VoucherSell || used.Kind != document.GiftCard || sold.Voucher.Ref == "" || sold.Voucher.Ref != used.Voucher.Ref || sold.Voucher.Ref == "GC-1" {
		t.Errorf("gift card sold %+v, used %+v", sold.Voucher, used.Voucher)
	}
	if r := byNumber["6"]; r.Lines[0].Extended != dec("-12") || r.Lines[0].Taxes[0].Amount != dec("-2") || r.Tenders[0].Amount != dec("-12") || r.Tenders[0].Direction != document.Refund {
		t.Errorf("refund %+v %+v", r.Lines, r.Tenders)
	}
	for number, link := range map[string]document.Link{
		"6": {Relation: document.Returns, Key: &document.Key{Store: "leeds", Terminal: "1", Space: document.SpaceReceipt, Number: "3"}, Number: "3"},
		"7": {Relation: document.Voids, Key: &document.Key{Store: "leeds", Terminal: "1", Space: document.SpaceReceipt, Number: "5"}, Number: "5"},
	} {
		if diff := cmp.Diff([]document.Link{link}, byNumber[number].Links); diff != "" {
			t.Errorf("receipt %s: links (-want +got):\n%s", number, diff)
		}
	}
	if c := byNumber["8"].Totals.Computed; *c.Rounding != dec("0.02") || *c.Gross != dec("19.98") {
		t.Errorf("rounded: %+v", c)
	}
	if m := byNumber["9"].Movement; m.From != document.Drawer || m.Reason != "window cleaner" || m.ReceiptRef != "INV 7" || len(m.Lines) != 1 || m.Lines[0].Taxes[0].Base != dec("20.83") {
		t.Errorf("pay-out %+v", m)
	}
	if c := byNumber["10"].Count; c.Stage != "CLOSE" || len(c.ByTender) != 2 || c.ByTender[0].Count != 21 || *c.Left != dec("150") || *c.Removed != dec("48") {
		t.Errorf("count %+v", c)
	}
	if c := byNumber["11"].Close; *c.Receipts != 7 || *c.Gross != dec("67.38") || len(c.ByTax) != 1 || len(c.ByTender) != 1 || *c.OverShort != dec("-2") || c.LastReceipt != "8" {
		t.Errorf("close %+v", c)
	}
}
