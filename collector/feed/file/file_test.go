package file_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/file"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/money"
)

const adyen = `Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Batch Number
Co,Shop,8815658961765250,1001,visa,2026-03-01 23:30:00,CET,Settled,8825658961765999,EUR,,100.00,1,EUR,,98.60,,0.50,0.40,0.50,7
Co,Shop,8815658961765251,1002,mc,2026-03-01 12:00:00,CET,Settled,8825658961766000,USD,,50.00,0.912345678,EUR,,45.00,0.62,,,,7
Co,Shop,8815658961765250,1001,visa,2026-03-02 10:00:00,CET,Refunded,8835658961765999,EUR,20.00,,1,EUR,20.10,,0.10,,,,7
Co,Shop,,,,2026-03-02 10:00:00,CET,Fee,Transaction Fees March,,,,,EUR,3.00,,,,,,7
Co,Shop,,,,2026-03-02 10:00:00,CET,Fee,Transaction Fees March,,,,,EUR,1.00,,,,,,7
Co,Shop,,,,2026-03-02 11:00:00,CET,MerchantPayout,"TX1 batch 7, Shop",,,,,EUR,119.50,,,,,,7
`

const paypal = "\ufeff\"RH\",2026/03/03 10:00:00 +0100,\"A\",\"ACC1\",9\n" +
	"\"FH\",1\n\"SH\",2026/03/02 00:00:00 +0100,2026/03/02 23:59:59 +0100,\"ACC1\",\"\"\n" +
	"\"CH\",\"Transaction ID\",\"Invoice ID\",\"PayPal Reference ID\",\"PayPal Reference ID Type\",\"Transaction Event Code\",\"Transaction Initiation Date\",\"Transaction Completion Date\",\"Transaction Debit or Credit\",\"Gross Transaction Amount\",\"Gross Transaction Currency\",\"Fee Debit or Credit\",\"Fee Amount\",\"Fee Currency\"\n" +
	"\"SB\",\"1AB\",\"R-1\",\"\",\"\",\"T0006\",2026/03/02 10:00:00 +0100,2026/03/02 10:00:00 +0100,\"CR\",10000,\"GBP\",\"DR\",320,\"GBP\"\n" +
	"\"SB\",\"2AB\",\"\",\"1AB\",\"TXN\",\"T1107\",2026/03/02 11:00:00 +0100,2026/03/02 11:00:00 +0100,\"DR\",1000,\"GBP\",\"CR\",20,\"GBP\"\n" +
	"\"SB\",\"3AB\",\"\",\"\",\"\",\"T0400\",2026/03/02 12:00:00 +0100,2026/03/02 12:00:00 +0100,\"DR\",8700,\"GBP\",\"\",\"\",\"\"\n" +
	"\"SB\",\"4AB\",\"\",\"\",\"\",\"T0006\",2026/03/02 10:00:00 +0100,2026/03/02 10:00:00 +0100,\"CR\",500,\"JPY\",\"DR\",0,\"JPY\"\n" +
	"\"SF\",\"GBP\",10000,9700\n\"SC\",4\n\"RF\",\"GBP\"\n\"RC\",4\n\"FF\",4\n"

func camt(closing string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr>
<Stmt><Id>S1</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-02</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">` + closing + `</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-02</Dt></Dt></Bal>
<Ntry><Amt Ccy="EUR">119.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-03-02</Dt></BookgDt><ValDt><Dt>2026-03-03</Dt></ValDt><AcctSvcrRef>B-1</AcctSvcrRef>
<NtryDtls><TxDtls><Refs><EndToEndId>TX1 batch 7</EndToEndId></Refs><RltdPties><Dbtr><Pty><Nm>Adyen NV</Nm></Pty></Dbtr></RltdPties><RmtInf><Ustrd>Shop,</Ustrd><Ustrd>batch 7</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="EUR">19.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><DtTm>2026-03-02T10:00:00+01:00</DtTm></BookgDt><AddtlNtryInf>Charges</AddtlNtryInf></Ntry>
<Ntry><Amt Ccy="EUR">5.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts></Ntry>
</Stmt></BkToCstmrStmt></Document>`
}

const mt940 = "{1:F01BANK}{4:\r\n:20:START\r\n:25:37040044/0532013000\r\n:28C:42/1\r\n:60F:C260302EUR1000,00\r\n" +
	":61:2603030302C119,50NTRFNONREF//B1\r\n:86:166?00GUTSCHRIFT?20EREF+TX1 batch 7?21SVWZ+Shop?32Adyen?33 NV\r\n" +
	":61:2601021231D19,5NCHGREF7\r\n:86:Bank\r\ncharges\r\n:62F:C260302EUR1100,\r\n-}\r\n"

const ofx = `OFXHEADER:100
DATA:OFXSGML
CHARSET:1252

<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>GBP
<BANKACCTFROM><BANKID>1<ACCTID>12345678</BANKACCTFROM>
<BANKTRANLIST>
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260302120000[0:GMT]<TRNAMT>+119.50<FITID>F1<NAME>Adyen &amp; Co<MEMO>batch 7</STMTTRN>
<STMTTRN>
<TRNTYPE>DEBIT
<DTPOSTED>20260303
<TRNAMT>-3.00
<FITID>F2
<NAME>Bank
</STMTTRN>
</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>
`

const bankRecipe = `
of: lines
delimiter: ";"
decimal: ","
day: 02.01.2006
at: Buchungstag
value: Valuta
amount: Betrag
reference: Referenz
text: [Zweck, Art]
counterparty: Name
balance: Saldo
`

const bankCSV = "Buchungstag;Valuta;Betrag;Referenz;Zweck;Art;Name;Saldo\n" +
	"02.03.2026;03.03.2026;1.119,50;R1;Shop batch 7;GUT;Adyen NV;2.119,50\n" +
	"02.03.2026;02.03.2026;-3,00;;Entgelt;LAST;Bank;2.116,50\n02.03.2026;02.03.2026;-3,00;;Entgelt;LAST;Bank;2.116,50\n"

const acquirerRecipe = `
of: movements
delimiter: ";"
day: 2006-01-02 15:04:05
zone: Europe/London
key: [Id, Type]
at: Time
credit: In
debit: Out
fee: Charge
fee_sign: negative
currency: Cur
kind: Type
kinds: {PURCHASE: charge, REFUND: refund}
payout: Pay
receipt: Ref
terminal: TID
authorisation: Auth
card: Card
brand: Scheme
`

const acquirerCSV = "Id;Type;Time;In;Out;Charge;Cur;Pay;Ref;TID;Auth;Card;Scheme\n" +
	"1;PURCHASE;2026-07-02 10:00:00;12.00;;-0.24;GBP;P9;1001;77;A1;411111******1111;VISA\n2;REFUND;2026-07-02 11:00:00;;5.00;0;GBP;P9;;77;;;\n3;ODD;2026-07-02 11:00:00;1;;;GBP;;;;;;\n"

func columns(t testing.TB, text string) *file.Columns {
	t.Helper()
	c, err := file.ParseColumns([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// read reads a file whole.
func read(kind, text string, o file.Options) (all feed.Page, err error) {
	err = file.Read(kind, strings.NewReader(text), o, func(p feed.Page) error {
		all.Movements, all.Payouts, all.Lines = append(all.Movements, p.Movements...), append(all.Payouts, p.Payouts...), append(all.Lines, p.Lines...)
		return nil
	})
	return all, err
}

func mustRead(t *testing.T, kind, text string, o file.Options) feed.Page {
	t.Helper()
	page, err := read(kind, text, o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := read(kind, text, o)
	if err != nil || !reflect.DeepEqual(page, again) {
		t.Errorf("read again it states something else: %v", err)
	}
	if _, err := feed.Read(t.Context(), intake.Calendar{}, feed.ID{Merchant: "m", Feed: "f"}, page, time.Now()); err != nil {
		t.Errorf("no feed would take it: %v", err)
	}
	return page
}

func dec(s string) money.Decimal { return money.MustParse(s) }

func TestAdyensReportComesToItsPayout(t *testing.T) {
	t.Parallel()
	page := mustRead(t, "adyen", adyen, file.Options{})
	var sum money.Sum
	keys := map[string]bool{}
	for _, m := range page.Movements {
		change, err := m.Change()
		if err != nil {
			t.Fatal(err)
		}
		sum.Add(change)
		keys[m.Key] = true
		if m.Payout != "batch 7" || m.Account != "Shop" {
			t.Errorf("%+v", m)
		}
	}
	if left, err := sum.Value(); err != nil || left != 0 || len(keys) != 6 {
		t.Errorf("%s is left, %v, of %d keys", left, err, len(keys))
	}
	m := page.Movements[0]
	if m.Kind != settle.Charge || m.Amount != dec("100") || m.Fee != dec("1.40") || m.Receipt != "1001" || m.Brand != "visa" || !m.At.Equal(time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC)) {
		t.Errorf("%+v", m)
	}
	if m := page.Movements[1]; m.Presented == nil || m.Presented.Currency != "USD" || m.Presented.Amount != dec("50") || m.Amount != dec("45.62") {
		t.Errorf("%+v", m)
	}
	if m := page.Movements[2]; m.Kind != settle.Refund || m.Amount != dec("-20") || m.Fee != dec("0.10") || m.Of != "8815658961765250" {
		t.Errorf("%+v", m)
	}
	if p := page.Payouts; len(p) != 1 || p[0].Amount != dec("119.50") || p[0].Key != "batch 7" {
		t.Errorf("%+v", p)
	}
}

func TestPayPalsReportIsReadWithItsSigns(t *testing.T) {
	t.Parallel()
	page := mustRead(t, "paypal", paypal, file.Options{})
	want := []struct {
		kind        settle.Kind
		amount, fee string
	}{{settle.Charge, "100", "3.20"}, {settle.Refund, "-10", "-0.20"}, {settle.PaidOut, "-87", "0"}, {settle.Charge, "500", "0"}}
	for i, m := range page.Movements {
		if m.Kind != want[i].kind || m.Amount != dec(want[i].amount) || m.Fee != dec(want[i].fee) || m.Account != "ACC1" {
			t.Errorf("%+v, want %+v", m, want[i])
		}
	}
	if len(page.Movements) != 4 || len(page.Payouts) != 1 || page.Payouts[0].Amount != dec("87") || page.Movements[1].Of != "1AB" || page.Movements[0].Receipt != "R-1" {
		t.Errorf("%+v", page)
	}
}

func TestABanksStatementIsReadInEachFormat(t *testing.T) {
	t.Parallel()
	page := mustRead(t, "camt053", camt("1100.00"), file.Options{})
	want := settle.BankLine{Account: "DE89370400440532013000", Key: "B-1", Booked: "2026-03-02", Value: "2026-03-03", Currency: "EUR", Amount: dec("119.50"), Reference: "TX1 batch 7", Text: "Shop, batch 7", Counterparty: "Adyen NV"}
	if len(page.Lines) != 2 || !reflect.DeepEqual(page.Lines[0], want) || page.Lines[1].Key != "S1/2" || page.Lines[1].Amount != dec("-19.50") || page.Lines[1].Text != "Charges" {
		t.Errorf("camt053: %+v", page.Lines)
	}
	page = mustRead(t, "mt940", mt940, file.Options{})
	want = settle.BankLine{Account: "37040044/0532013000", Key: "260302 42/1/1", Booked: "2026-03-02", Value: "2026-03-03", Currency: "EUR", Amount: dec("119.50"), Reference: "TX1 batch 7", Text: "EREF+TX1 batch 7SVWZ+Shop", Counterparty: "Adyen NV"}
	if len(page.Lines) != 2 || !reflect.DeepEqual(page.Lines[0], want) {
		t.Errorf("mt940: %+v", page.Lines)
	}
	if l := page.Lines[1]; l.Booked != "2025-12-31" || l.Value != "2026-01-02" || l.Amount != dec("-19.50") || l.Reference != "REF7" || l.Text != "Bankcharges" {
		t.Errorf("mt940: %+v", l)
	}
	page = mustRead(t, "ofx", ofx, file.Options{})
	want = settle.BankLine{Account: "12345678", Key: "F1", Booked: "2026-03-02", Currency: "GBP", Amount: dec("119.50"), Text: "batch 7", Counterparty: "Adyen & Co"}
	if len(page.Lines) != 2 || !reflect.DeepEqual(page.Lines[0], want) || page.Lines[1].Amount != dec("-3") {
		t.Errorf("ofx: %+v", page.Lines)
	}
	page = mustRead(t, "columns", bankCSV, file.Options{Columns: columns(t, bankRecipe), Account: "DE1", Currency: "EUR"})
	balance := dec("2119.50")
	want = settle.BankLine{Account: "DE1", Key: page.Lines[0].Key, Booked: "2026-03-02", Value: "2026-03-03", Currency: "EUR", Amount: dec("1119.50"), Reference: "R1", Text: "Shop batch 7 GUT", Counterparty: "Adyen NV", Balance: &balance}
	if len(page.Lines) != 3 || !reflect.DeepEqual(page.Lines[0], want) || page.Lines[1].Key == page.Lines[2].Key {
		t.Errorf("columns: %+v", page.Lines)
	}
}

func TestAnAcquirersFileIsReadByItsColumns(t *testing.T) {
	t.Parallel()
	page := mustRead(t, "columns", acquirerCSV, file.Options{Columns: columns(t, acquirerRecipe), Provider: "acquirer"})
	m := page.Movements[0]
	if m.Kind != settle.Charge || m.Key != "1 PURCHASE" || m.Amount != dec("12") || m.Fee != dec("0.24") || m.Payout != "P9" || m.Authorisation != "A1" || !m.At.Equal(time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", m)
	}
	if feed.Mask(&m.Movement); m.LastFour != "1111" {
		t.Errorf("%+v", m)
	}
	if page.Movements[1].Amount != dec("-5") || page.Movements[2].Kind != settle.Other || page.Movements[2].Raw != "ODD" {
		t.Errorf("%+v", page.Movements)
	}
}

func TestWhatCannotBeReadIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	lines := columns(t, bankRecipe)
	for name, c := range map[string]struct {
		kind, text string
		line       int
		says       string
	}{
		"adyen: costs that do not add up":  {"adyen", strings.Replace(adyen, "98.60", "98.70", 1), 2, "gross amount"},
		"adyen: no such zone":              {"adyen", strings.Replace(adyen, "CET,Refunded", "XXT,Refunded", 1), 4, "time zone"},
		"adyen: a column is missing":       {"adyen", strings.Replace(adyen, "Batch Number", "Batch", 1), 1, `no column "Batch Number"`},
		"adyen: empty":                     {"adyen", "", 0, "empty"},
		"paypal: cut off":                  {"paypal", paypal[:strings.Index(paypal, "\"RF\"")], 10, "not whole"},
		"paypal: a row is missing":         {"paypal", strings.Replace(paypal, "\"SC\",4", "\"SC\",5", 1), 10, "5 rows"},
		"paypal: a word that is none":      {"paypal", strings.Replace(paypal, "\"FH\"", "\"XX\"", 1), 2, "XX"},
		"paypal: no direction":             {"paypal", strings.Replace(paypal, "\"CR\",10000", "\"\",10000", 1), 5, "neither CR nor DR"},
		"camt053: does not add up":         {"camt053", camt("1100.01"), 10, "does not add up"},
		"camt053: cut off":                 {"camt053", camt("1100.00")[:900], 6, "cannot be read"},
		"camt053: document type":           {"camt053", "<!DOCTYPE x [<!ENTITY a 'b'>]><Document/>", 1, "document type"},
		"camt053: another file":            {"camt053", "<html></html>", 0, "no bank statement"},
		"mt940: does not add up":           {"mt940", strings.Replace(mt940, "EUR1100,", "EUR1100,01", 1), 12, "does not add up"},
		"mt940: cut off":                   {"mt940", mt940[:strings.Index(mt940, ":62F:")], 10, "closing balance"},
		"mt940: a line that is none":       {"mt940", strings.Replace(mt940, "2603030302C119,50", "26030X", 1), 6, ":61:"},
		"mt940: another file":              {"mt940", "hello", 0, ":20:"},
		"ofx: cut off":                     {"ofx", ofx[:strings.Index(ofx, "</BANKTRANLIST>")], 16, "cut off"},
		"ofx: an amount that is none":      {"ofx", strings.Replace(ofx, "-3.00", "3 quid", 1), 9, "TRNAMT"},
		"columns: an amount that is none":  {"columns", strings.Replace(bankCSV, "-3,00", "3 Euro", 1), 3, "Betrag"},
		"columns: a day that is none":      {"columns", strings.Replace(bankCSV, "02.03.2026;03", "2026;03", 1), 2, "Buchungstag"},
		"columns: a column is missing":     {"columns", strings.Replace(bankCSV, "Saldo", "S", 1), 1, "Saldo"},
		"adyen: a number beyond the range": {"adyen", strings.Replace(adyen, "119.50,,,,,,7", "99999999999999,,,,,,7", 1), 7, "Net Debit"},
	} {
		_, err := read(c.kind, c.text, file.Options{Columns: lines, Currency: "EUR"})
		var refusal *file.Refusal
		if !errors.As(err, &refusal) || refusal.Line != c.line || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want line %d and %q", name, err, c.line, c.says)
		}
	}
}

func TestALongFileIsHandedOverInPages(t *testing.T) {
	t.Parallel()
	var w strings.Builder
	w.WriteString("Id;Type;Time;In;Out;Charge;Cur;Pay;Ref;TID;Auth;Card;Scheme\n")
	for i := range 1234 {
		fmt.Fprintf(&w, "%d;PURCHASE;2026-07-02 10:00:00;12.00;;-0.24;GBP;P9;;;;;\n", i)
	}
	var sizes []int
	err := file.Read("columns", strings.NewReader(w.String()), file.Options{Columns: columns(t, acquirerRecipe), Provider: "a"}, func(p feed.Page) error {
		sizes = append(sizes, len(p.Movements))
		return nil
	})
	if err != nil || !reflect.DeepEqual(sizes, []int{500, 500, 234}) {
		t.Errorf("%v, %v", sizes, err)
	}
	stop := errors.New("stop")
	if err := file.Read("adyen", strings.NewReader(adyen), file.Options{}, func(feed.Page) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of who takes it is %v", err)
	}
}

func TestARecipeThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"of: lines\nat: D": "amount",
		"of: lines\nat: D\namount: A\ncredit: C\ndebit: D": "amount",
		"of: rows\nat: D\namount: A":                       "of",
		"of: lines\namount: A":                             "at",
		"of: lines\nat: D\namount: A\nzone: Mars/X":        "zone",
		"of: lines\nat: D\namount: A\nbetrag: A":           "betrag",
		"of: movements\nat: D\namount: A\nkinds: {A: b}":   "kinds",
		"of: lines\nat: D\namount: A\ndelimiter: ab":       "delimiter",
	} {
		if _, err := file.ParseColumns([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzRead has nothing read that no feed would take, and nothing panic.
func FuzzRead(f *testing.F) {
	for i, text := range []string{adyen, paypal, camt("1100.00"), mt940, ofx, bankCSV, acquirerCSV} {
		f.Add(min(i, 5), text)
	}
	lines := columns(f, bankRecipe)
	f.Fuzz(func(t *testing.T, kind int, text string) {
		if kind < 0 {
			return
		}
		page, err := read(file.Formats[kind%len(file.Formats)], text, file.Options{Columns: lines, Provider: "p", Account: "a", Currency: "EUR"})
		if err == nil {
			again, err := read(file.Formats[kind%len(file.Formats)], text, file.Options{Columns: lines, Provider: "p", Account: "a", Currency: "EUR"})
			if err != nil || !reflect.DeepEqual(page, again) {
				t.Errorf("read again it states something else: %v", err)
			}
			seen := map[string]bool{}
			for _, l := range page.Lines {
				if seen[l.Account+"\x00"+l.Key] {
					t.Errorf("two lines have the key %q", l.Key)
				}
				seen[l.Account+"\x00"+l.Key] = true
			}
		}
	})
}
