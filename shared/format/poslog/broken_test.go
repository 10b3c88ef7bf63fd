package poslog

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/poslog/poslogtest"
)

// day is a generated file.
func day(t testing.TB, transactions int) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := poslogtest.Write(&file, poslogtest.Config{Seed: 3, Transactions: transactions, Terminals: 3}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// refusals reads a file and returns what was refused and how many documents
// were read.
func refusals(t *testing.T, file []byte, o format.Options) ([]format.Result, int) {
	t.Helper()
	r, err := New(bytes.NewReader(file), o)
	if err != nil {
		t.Fatal(err)
	}
	var refused []format.Result
	documents := 0
	for _, result := range all(t, r) {
		if result.Refused != nil {
			refused = append(refused, result)
			continue
		}
		documents++
	}
	return refused, documents
}

func TestATruncatedFileGivesItsWholeTransactionsAndWaitsForTheRest(t *testing.T) {
	t.Parallel()
	file := day(t, 20)
	cut := bytes.LastIndex(file, []byte("<SequenceNumber>"))
	refused, documents := refusals(t, file[:cut], format.Options{})
	if len(refused) != 1 || documents != 19 {
		t.Fatalf("%d documents, refused %+v", documents, refused)
	}
	result := refused[0]
	if result.Refused.Code != format.Incomplete || result.Start != result.End || !bytes.HasPrefix(file[result.Start:], []byte("<Transaction")) {
		t.Errorf("%+v", result)
	}
	// Once the rest has come, reading resumes there and finds the last one.
	refused, documents = refusals(t, file, format.Options{Resume: result.End})
	if len(refused) != 0 || documents != 1 {
		t.Errorf("resumed: %d documents, refused %+v", documents, refused)
	}
	// A file that ends between two transactions is cut off all the same.
	refused, _ = refusals(t, file[:bytes.LastIndex(file, []byte("</POSLog>"))], format.Options{Final: true})
	if len(refused) != 1 || refused[0].Refused.Code != format.Incomplete {
		t.Errorf("without its end: %+v", refused)
	}
}

// Resumed at the end of every part, reading gives each document once.
func TestReadingMayStopAndResumeBehindEveryTransaction(t *testing.T) {
	t.Parallel()
	file := day(t, 40)
	var at int64
	var numbers []string
	for range 41 {
		r, err := New(bytes.NewReader(file), format.Options{Resume: at})
		if err != nil {
			t.Fatal(err)
		}
		result, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || result.Document == nil {
			t.Fatal(err, result.Refused)
		}
		at = result.End
		numbers = append(numbers, result.Document.Key.String())
	}
	if len(numbers) != 40 {
		t.Errorf("%d documents: %v", len(numbers), numbers)
	}
}

func TestABrokenTransactionIsRefusedAndTheRestIsRead(t *testing.T) {
	t.Parallel()
	file := string(day(t, 10))
	lines := strings.Split(file, "\n") // the generator writes a transaction a line
	for name, test := range map[string]struct{ broken, code, reason string }{
		"a tag that is not closed": {strings.Replace(lines[4], "</WorkstationID>", "", 1), format.Malformed, "closed by"},
		"an amount that is none":   {strings.Replace(lines[4], "<SequenceNumber>", "<ReceiptDateTime>yesterday</ReceiptDateTime><SequenceNumber>", 1), format.BadField, "is not a time"},
		"no number":                {strings.Replace(lines[4], "<SequenceNumber>1</SequenceNumber>", "", 1), format.BadField, "SequenceNumber is missing"},
		"a day that is none":       {strings.Replace(lines[4], "2026-03-02</Bus", "2026-02-30</Bus", 1), format.BadField, "is not a date"},
		"an entity":                {strings.Replace(lines[4], "<RetailStoreID>1", "<RetailStoreID>&lol9;", 1), format.NotAccepted, "entities"},
		"a byte of no encoding":    {strings.Replace(lines[4], "<RetailStoreID>1", "<RetailStoreID>\x81", 1), format.BadEncoding, "encoding"},
		"more than a transaction":  {strings.Replace(lines[4], "<RetailStoreID>1", "<RetailStoreID>"+strings.Repeat("x", 2<<20), 1), format.TooLong, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.broken == lines[4] {
				t.Fatal("the test changes nothing")
			}
			changed := append([]string(nil), lines...)
			changed[4] = test.broken
			refused, documents := refusals(t, []byte(strings.Join(changed, "\n")), format.Options{})
			if documents != 9 || len(refused) != 1 {
				t.Fatalf("%d documents, refused %+v", documents, refused)
			}
			r := refused[0].Refused
			if r.Code != test.code || !strings.Contains(r.Reason, test.reason) || r.Line != 5 || len(r.Raw) > format.MaxRaw {
				t.Errorf("%s in line %d: %s", r.Code, r.Line, r.Reason)
			}
			if r.Code != format.BadEncoding && r.Byte != refused[0].Start {
				t.Errorf("byte %d, part from %d", r.Byte, refused[0].Start)
			}
		})
	}
}

func TestAWrongEncodingIsRefusedWithLineAndByte(t *testing.T) {
	t.Parallel()
	file := retail("\n"+strings.Replace(sale("A", "1.00"), "<ItemID>A", "<Description>K\xE4se</Description><ItemID>A", 1), cash("1.00"))
	declared := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + file
	refused, documents := refusals(t, []byte(declared), format.Options{})
	if documents != 0 || len(refused) != 1 {
		t.Fatalf("%d documents, refused %+v", documents, refused)
	}
	r := refused[0].Refused
	if r.Code != format.BadEncoding || r.Line != 3 || r.Byte != int64(strings.Index(declared, "\xE4")) {
		t.Errorf("%+v", r)
	}
	// The same bytes are read where the encoding is known or is not declared.
	for _, o := range []format.Options{{Encoding: "windows-1252"}, {}} {
		text := file
		if o.Encoding != "" {
			text = declared
		}
		if d := one(t, text, o); d.Lines[0].Text != "Käse" {
			t.Errorf("encoding %q: text %q", o.Encoding, d.Lines[0].Text)
		}
	}
}

func TestANegativeTaxRateIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	file := retail(sale("A", "12.00"), `<Tax TaxType="VAT"><TaxableAmount>10.00</TaxableAmount><Amount>2.00</Amount><Percent>-20</Percent></Tax>`, cash("12.00"))
	refused, _ := refusals(t, []byte(file), format.Options{})
	if len(refused) != 1 || refused[0].Refused.Code != format.BadField || !strings.Contains(refused[0].Refused.Reason, "negative") {
		t.Errorf("%+v", refused)
	}
}

func TestAReceiptThatDoesNotAddUpTravelsWithADifference(t *testing.T) {
	t.Parallel()
	d := one(t, retail(sale("A", "12.00"), cash("12.50"), grand("12.10")))
	want := map[string]string{document.RuleGross: "0.10", document.RuleTenders: "0.50"}
	for _, difference := range d.Totals.Differences {
		if want[difference.Rule] != difference.Amount.String() {
			t.Errorf("%s: %s", difference.Rule, difference.Amount)
		}
		delete(want, difference.Rule)
	}
	if len(want) > 0 || d.ContentHash == "" {
		t.Errorf("missing %v", want)
	}
}

func TestOtherFilesAreToldByName(t *testing.T) {
	t.Parallel()
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	inside, err := w.Create("bomb.xml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inside.Write(make([]byte, 8<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><POSLog><Transaction>&b;</Transaction></POSLog>`
	for name, test := range map[string]struct {
		file         []byte
		code, reason string
	}{
		"a zip bomb renamed":  {archive.Bytes(), format.WrongFormat, "not POSLog: this is a zip archive"},
		"an XML bomb":         {[]byte(bomb), format.NotAccepted, "document type declarations and entities are not accepted"},
		"CSV":                 {[]byte("a,b\n1,2\n"), format.WrongFormat, "not POSLog: this is not XML"},
		"another kind of XML": {[]byte("<Invoice><Line/></Invoice>"), format.WrongFormat, "not POSLog: the file's element is Invoice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused, documents := refusals(t, test.file, format.Options{Final: true})
			if documents != 0 || len(refused) != 1 || refused[0].Refused.Code != test.code || refused[0].Refused.Reason != test.reason {
				t.Errorf("%d documents, %+v", documents, refused)
			}
		})
	}
}

func TestAFileThatVanishesIsAnErrorAndWhatWasReadStands(t *testing.T) {
	t.Parallel()
	file := day(t, 10)
	gone := errors.New("the file vanished")
	r, err := New(io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(gone)), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	documents := 0
	for {
		result, err := r.Next()
		if err != nil {
			if !errors.Is(err, gone) {
				t.Errorf("got %v, want the source's own error", err)
			}
			break
		}
		if result.Refused != nil {
			t.Fatalf("refused: %v", result.Refused)
		}
		documents++
	}
	if documents == 0 || documents == 10 {
		t.Errorf("%d documents of half a file", documents)
	}
}

// This test is not parallel: it looks at the memory of the whole process.
func TestATransactionOf200MBIsOneRefusalInBoundedMemory(t *testing.T) {
	body := bytes.Repeat([]byte("<a>x</a>"), 1<<17) // 1 MiB
	src := io.MultiReader(strings.NewReader("<POSLog><Transaction>"), &endless{body: body, times: 200, stage: 1}, strings.NewReader("</Transaction>"),
		strings.NewReader(strings.TrimPrefix(retail(sale("A", "1.00"), cash("1.00")), "<POSLog>")))
	r, err := New(src, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	results := all(t, r)
	runtime.ReadMemStats(&after)
	if len(results) != 2 || results[0].Refused == nil || results[0].Refused.Code != format.TooLong || results[1].Document == nil {
		t.Fatalf("%+v", results)
	}
	if total := after.TotalAlloc - before.TotalAlloc; total > 48<<20 {
		t.Errorf("%d MiB were allocated for a transaction of 200 MiB", total>>20)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(day(f, 2))
	f.Add([]byte(retail(sale("A", "12.00"), cash("12.50"), grand("12.10"))))
	f.Add([]byte(wrap(`<TenderControlTransaction><TillSettle><Actual TenderType="Cash"><Amount>6.00</Amount></Actual></TillSettle></TenderControlTransaction>`)))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := New(bytes.NewReader(file), format.Options{Currency: "GBP"})
		if err != nil {
			return // an encoding that is not known
		}
		for i := 0; ; i++ {
			result, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if (result.Document == nil) == (result.Refused == nil) {
				t.Fatalf("%+v", result)
			}
			if i > len(file)+1 {
				t.Fatal("the reader does not end")
			}
			if d := result.Document; d != nil {
				if err := d.Check(); err != nil {
					t.Fatal(err)
				}
				if d.ContentHash != document.HashString(d) {
					t.Fatal("the hash is not that of the content")
				}
			}
		}
	})
}
