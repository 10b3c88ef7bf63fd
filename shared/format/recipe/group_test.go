package recipe

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/format"
)

// outcomes reads inputs: a document as its number, gross and place, a refusal as ! and
// its code, line and the beginning of its reason.
func outcomes(t testing.TB, r *Recipe, o format.Options, inputs ...format.Input) []string {
	t.Helper()
	reader, err := r.Open(inputs, o)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for {
		result, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if f := result.Refused; f != nil {
			all = append(all, fmt.Sprintf("!%s %d: %s", f.Code, f.Line, f.Reason))
			continue
		}
		all = append(all, fmt.Sprintf("%s %s", result.Document.Key.Number, result.Document.Totals.Computed.Gross))
	}
}

const (
	head = "no,at,sku,amount\n"
	at   = "2026-03-02T10:00:00"
)

// rows makes lines of number, sku and amount, parted by spaces.
func rows(lines ...string) string {
	var b strings.Builder
	b.WriteString(head)
	for _, l := range lines {
		f := strings.Fields(l)
		b.WriteString(f[0] + "," + at + "," + strings.Join(f[1:], ",") + "\n")
	}
	return b.String()
}

func TestRowsOfOneNumberAreOneReceipt(t *testing.T) {
	t.Parallel()
	window := strings.Replace(minimal, "{by: [no]}", "{by: [no], order: window, window: 3}", 1)
	final := format.Options{Final: true}
	tests := map[string]struct {
		recipe  string
		file    string
		options format.Options
		want    []string
	}{
		"rows that follow each other":     {minimal, rows("1 a 1.00", "1 b 2.00", "2 a 5.00"), final, []string{"1 3.00", "2 5.00"}},
		"the last receipt may still grow": {minimal, rows("1 a 1.00", "1 b 2.00", "2 a 5.00"), format.Options{}, []string{"1 3.00"}},
		"the last row may still grow":     {minimal, strings.TrimSuffix(rows("1 a 1.00", "2 a 5.00", "3 a 5.00"), ".00\n"), format.Options{}, []string{"1 1.00"}},
		"a number that comes again": {minimal, rows("1 a 1.00", "2 a 5.00", "1 b 2.00"), final,
			[]string{"1 1.00", "2 5.00", "!field 4: rows of no 1 stand in another place too; set group: order: window, or group by more columns"}},
		"rows in another place, within a window": {window, rows("1 a 1.00", "2 a 5.00", "1 b 2.00"), final, []string{"1 3.00", "2 5.00"}},
		"rows in another place, behind a window": {window, rows("1 a 1.00", "2 a 1.00", "3 a 1.00", "4 a 1.00", "5 a 1.00", "1 b 2.00"), final,
			[]string{"1 1.00", "2 1.00", "3 1.00", "4 1.00", "5 1.00", "!field 7: rows of no 1 stand in another place too; set group: order: window, or group by more columns"}},
		"every row by itself": {strings.Replace(minimal, "group: {by: [no]}\n", "", 1), rows("1 a 1.00", "2 b 2.00"), final, []string{"1 1.00", "2 2.00"}},
		"a row that is too short spoils its receipt": {minimal, rows("1 a 1.00", "1 b", "2 a 5.00"), final,
			[]string{"!malformed 3: the row has 3 fields, not 4 (its receipt, from line 2 on, is refused whole)", "2 5.00"}},
		"a row that is too long at its receipt's beginning": {minimal, rows("1 a 1.00", "2 b 1.00 x", "2 a 5.00", "3 a 1.00"), final,
			[]string{"1 1.00", "!malformed 3: the row has 5 fields, not 4 (its receipt, from line 3 on, is refused whole)", "3 1.00"}},
		"empty fields behind the last mean nothing": {minimal, strings.ReplaceAll(rows("1 a 1.00"), "1.00\n", "1.00,,\n"), final, []string{"1 1.00"}},
		"short rows may be filled": {strings.Replace(minimal, "format: csv", "format: csv\ncsv: {short_rows: fill}", 1),
			rows("1 a 1.00") + "2," + at + "\n", final, []string{"1 1.00", "!field 3: the row has no amount, and not both a quantity and a unit price"}},
		"an amount that is none": {minimal, rows("1 a 1.00", "1 b one", "2 a 5.00"), final,
			[]string{`!field 3: amount: "one" is not a number as the recipe writes them (its receipt, from line 2 on, is refused whole)`, "2 5.00"}},
		"a line that is never closed, inside a receipt": {minimal, rows("1 a 1.00") + "\"1\n" + strings.TrimPrefix(rows("1 b 2.00", "2 a 5.00"), head), final,
			[]string{"!malformed 3: a quote is opened and not closed (its receipt, from line 2 on, is refused whole)", "2 5.00"}},
		"a line that is never closed, between receipts": {minimal, rows("1 a 1.00") + "\"1\n" + strings.TrimPrefix(rows("2 a 5.00"), head), final,
			[]string{"1 1.00", "!malformed 3: a quote is opened and not closed", "2 5.00"}},
		"a byte of no encoding": {minimal, rows("1 \x81 1.00", "2 a 5.00"), final,
			[]string{"!encoding 2: bytes that are not in the file's encoding; set the encoding in the recipe or for the source", "2 5.00"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, outcomes(t, parse(t, test.recipe), test.options, input("t.csv", test.file))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTaxesAreAsPrintedAndANegativeRateIsRefused(t *testing.T) {
	t.Parallel()
	taxed := parse(t, strings.Replace(strings.Replace(minimal, "      amount: amount\n", "      amount: amount\n      taxes: [{code: code, rate: rate, amount: tax}]\n", 1),
		"number: no\n", "number: no\n  stated: {gross: total}\n", 1)+"fill: {tender: {kind: CASH}}\n")
	file := "no,at,sku,amount,code,rate,tax,total\n"
	for _, r := range []string{"1,a,12.00,S,20,2.00,12.00", "2,a,12.00,S,20,2.01,12.05", "3,a,12.00,S,20,,12.00", "4,a,12.00,,,,12.00", "5,a,12.00,Z,0,,12.00", "6,a,12.00,S,,2.00,12.00", "7,a,12.00,S,-20,2.00,12.00"} {
		no, rest, _ := strings.Cut(r, ",")
		file += no + "," + at + "," + rest + "\n"
	}
	reader, err := taxed.Open([]format.Input{input("t.csv", file)}, format.Options{Final: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"S 20.00 10.00+2.00 []", "S 20.00 9.99+2.01 [{gross 0.05} {tax_rate 0.01}]", "S 20.00 10.00+2.00 []", " []", "Z 0.00 12.00+0.00 []", "S 20.00 10.00+2.00 []", "the tax rate -20.00 % is negative"} {
		result, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if result.Refused != nil {
			if !strings.Contains(result.Refused.Reason, want) {
				t.Errorf("refused %s, want %q", result.Refused.Reason, want)
			}
			continue
		}
		got := ""
		for _, tax := range result.Document.Lines[0].Taxes {
			got += fmt.Sprintf("%s %s %s+%s", tax.Code, tax.Rate, tax.Base, tax.Amount)
		}
		var rules []string
		for _, d := range result.Document.Totals.Differences {
			rules = append(rules, fmt.Sprintf("{%s %s}", d.Rule, d.Amount))
		}
		if got += " [" + strings.Join(rules, " ") + "]"; got != want {
			t.Errorf("receipt %s: %q, want %q", result.Document.Key.Number, got, want)
		}
	}
}

// A file that grows, read to its end again and again from where the last
// reading allows, gives the same receipts as the whole file at once.
func TestAGrowingFileGivesEachReceipt(t *testing.T) {
	t.Parallel()
	recipes := map[string]*Recipe{
		"contiguous": parse(t, minimal),
		"window":     parse(t, strings.Replace(minimal, "{by: [no]}", "{by: [no], order: window, window: 4}", 1)),
	}
	rapid.Check(t, func(r *rapid.T) {
		order := rapid.SampledFrom([]string{"contiguous", "window"}).Draw(r, "order")
		var lines []string
		for n := range rapid.IntRange(1, 8).Draw(r, "receipts") {
			for i := range rapid.IntRange(1, 3).Draw(r, "lines") {
				lines = append(lines, fmt.Sprintf("%d s%d 1.00", n, i))
			}
		}
		if order == "window" && len(lines) > 2 { // two neighbours change places
			i := rapid.IntRange(0, len(lines)-2).Draw(r, "swap")
			lines[i], lines[i+1] = lines[i+1], lines[i]
		}
		file := rows(lines...)
		whole := outcomes(t, recipes[order], format.Options{Final: true}, input("t.csv", file))
		seen := map[string]bool{}
		var got []string
		resume := int64(0)
		sizes := rapid.SliceOfN(rapid.IntRange(len(head), len(file)), 0, 4).Draw(r, "sizes")
		slices.Sort(sizes)
		for i, size := range append(sizes, len(file)) {
			reader, err := recipes[order].Open([]format.Input{input("t.csv", file[:size])}, format.Options{Resume: resume, Final: i == len(sizes)})
			if err != nil {
				r.Fatal(err)
			}
			for {
				result, err := reader.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil || result.Refused != nil {
					r.Fatal(err, result.Refused)
				}
				resume = max(resume, result.End)
				text := fmt.Sprintf("%s %s", result.Document.Key.Number, result.Document.Totals.Computed.Gross)
				if !seen[text] { // the same again is absorbed by its hash
					seen[text] = true
					got = append(got, text)
				}
			}
		}
		slices.Sort(whole)
		slices.Sort(got)
		if diff := cmp.Diff(whole, got); diff != "" {
			r.Fatalf("resumed differently (-whole +resumed):\n%s\n%s", diff, file)
		}
	})
}

// A receipt that is done but has rows behind those of one that is not is read
// again: reading may not resume between its rows.
func TestReadingDoesNotResumeBetweenTheRowsOfAReceipt(t *testing.T) {
	t.Parallel()
	r := parse(t, strings.Replace(minimal, "{by: [no]}", "{by: [no], order: window, window: 4}", 1))
	file := rows("1 a 1.00", "0 a 1.00", "1 b 1.00", "2 a 1.00", "3 a 1.00", "4 a 1.00")
	reader, err := r.Open([]format.Input{input("t.csv", file)}, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := reader.Next()
	if err != nil || result.Document == nil || result.Document.Key.Number != "1" {
		t.Fatal(err, result)
	}
	if result.End != int64(len(head)) {
		t.Errorf("reading resumes at byte %d, not at the first row", result.End)
	}
}

// joined is a recipe of orders and payments.
const joinedRecipe = `name: joined
version: 1
format: csv
files:
  - {role: orders, match: "orders*", key: id}
  - {role: payments, match: "payments*", key: order}
receipt: {store: {value: s}, terminal: {value: "1"}, number: id, time: at, currency: {value: GBP}}
rows:
  - from: orders
    line: {amount: total}
  - from: payments
    tender: {name: how, amount: amount}
tenders:
  - {name: cash, kind: CASH}
`

func TestRowsOfAnotherFileAreJoined(t *testing.T) {
	t.Parallel()
	orders := "id,at,total\n1,2026-03-02,5.00\n2,2026-03-02,7.00\n3,2026-03-02,9.00\n"
	payments := "order,how,amount\n2,cash,3.00\n9,cash,1.00\n1,cash,5.00\n2,CASH,4.00\n3,cash\n"
	r := parse(t, joinedRecipe)
	got := outcomes(t, r, format.Options{Final: true}, input("payments.csv", payments), input("orders.csv", orders))
	want := []string{"1 5.00", "2 7.00", "!malformed 6: payments.csv: the row has 2 fields, not 3", "!field 3: payments.csv: order 9 is in no row of orders"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, test := range map[string]struct {
		inputs []format.Input
		want   string
	}{
		"one is missing": {[]format.Input{input("orders.csv", orders)}, "no file for its payments (payments*)"},
		"one too many":   {[]format.Input{input("orders.csv", orders), input("payments.csv", payments), input("x.csv", "")}, "x.csv is none of its files"},
		"two of a kind":  {[]format.Input{input("orders.csv", orders), input("orders2.csv", orders)}, "could be its orders"},
	} {
		if _, err := r.Open(test.inputs, format.Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func TestARefusedRowKeepsOnlyWhatTheRecipeReads(t *testing.T) {
	t.Parallel()
	r := parse(t, minimal+"private: [sku]\n")
	file := "no,at,sku,amount,customer\n1," + at + ",secret,4111 1111 1111 1111 x,Jane Doe\n"
	reader, err := r.Open([]format.Input{input("t.csv", file)}, format.Options{Final: true})
	if err != nil {
		t.Fatal(err)
	}
	result, err := reader.Next()
	if err != nil || result.Refused == nil {
		t.Fatal(err, result)
	}
	text := string(result.Refused.Raw) + result.Refused.Reason
	for _, secret := range []string{"Jane", "secret", "4111 1111 1111 1111"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is kept: %s", secret, text)
		}
	}
	if !strings.Contains(text, at) {
		t.Errorf("what the recipe reads is not kept: %s", text)
	}
}

// failing is an input that cannot be read beyond a place.
type failing struct {
	text string
	at   int64
}

var errGone = errors.New("the file vanished")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, f.text[min(off, f.at):f.at])
	if n < len(p) {
		return n, errGone
	}
	return n, nil
}

func TestAFileThatVanishesIsAnErrorAndWhatWasReadStands(t *testing.T) {
	t.Parallel()
	var lines []string
	for n := range 5000 {
		lines = append(lines, fmt.Sprintf("%d a 1.00", n))
	}
	file := rows(lines...)
	reader, err := parse(t, minimal).Open([]format.Input{{Name: "t.csv", Reader: failing{file, int64(len(file) / 2)}, Size: int64(len(file))}}, format.Options{Final: true})
	if err != nil {
		t.Fatal(err)
	}
	documents := 0
	for {
		result, err := reader.Next()
		if err != nil {
			if !errors.Is(err, errGone) {
				t.Errorf("got %v", err)
			}
			break
		}
		if result.Refused != nil {
			t.Fatal(result.Refused)
		}
		documents++
	}
	if documents < 1000 || documents > 2600 {
		t.Errorf("%d documents of half a file", documents)
	}
}
