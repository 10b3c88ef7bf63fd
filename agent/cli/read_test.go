package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/exit"
)

// readTill runs the command and returns what it printed and its exit code.
func readTill(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	c := Read()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&errs)
	err := c.Execute()
	if err != nil {
		errs.WriteString(err.Error() + "\n")
	}
	return out.String(), errs.String(), exit.Code(err)
}

// write puts a file into a folder of the test.
func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const transaction = `<Transaction><RetailStoreID>1</RetailStoreID><WorkstationID>2</WorkstationID><SequenceNumber>3</SequenceNumber><EndDateTime>2026-03-02T01:30:00</EndDateTime>` +
	`<CurrencyCode>GBP</CurrencyCode><RetailTransaction><LineItem><Sale><ItemID>A</ItemID><ExtendedAmount>5.00</ExtendedAmount></Sale></LineItem>` +
	`<LineItem><Tender TenderType="Cash"><Amount>5.00</Amount></Tender></LineItem></RetailTransaction></Transaction>`

func TestReadPrintsADocumentALine(t *testing.T) {
	t.Parallel()
	file := write(t, "journal.xml", "<POSLog>"+transaction+"</POSLog>")
	stdout, stderr, code := readTill(t, file)
	if code != exit.OK || stderr != "" || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("code %d, %q, %q", code, stdout, stderr)
	}
	d, err := document.ParseJSON([]byte(strings.TrimSpace(stdout)))
	if err != nil {
		t.Fatal(err)
	}
	if d.Key.String() != "1|2|RECEIPT|3" || d.ContentHash != document.HashString(d) {
		t.Errorf("%s %s", d.Key, d.ContentHash)
	}
	// What it prints it reads.
	again, stderr, code := readTill(t, "--totals", write(t, "documents.jsonl", stdout))
	first, _, _ := readTill(t, "--totals", file)
	if code != exit.OK || again != first {
		t.Errorf("code %d, %s: %s\nfirst %s", code, stderr, again, first)
	}
}

func TestReadAddsUpByTheStoresDay(t *testing.T) {
	t.Parallel()
	file := write(t, "journal.xml", "<POSLog>"+transaction+"</POSLog>")
	stdout, _, code := readTill(t, "--totals", "--zone", "Europe/London", "--cutoff", "04:00", file)
	var got struct {
		ByDay map[string]struct{ Gross string } `json:"by_day"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if code != exit.OK || len(got.ByDay) != 1 || got.ByDay["2026-03-01"].Gross != "5.00" {
		t.Errorf("code %d, %s", code, stdout)
	}
}

func TestReadTellsWhatItRefusesAndReadsTheRest(t *testing.T) {
	t.Parallel()
	file := write(t, "journal.xml", "<POSLog>\n"+strings.Replace(transaction, "5.00", "five", 1)+"\n"+transaction+"</POSLog>")
	stdout, stderr, code := readTill(t, file)
	if code != exit.Degraded || strings.Count(stdout, "\n") != 1 || !strings.Contains(stderr, `journal.xml: line 2: ExtendedAmount: "five" is not a decimal number [field]`) {
		t.Errorf("code %d, %q, %q", code, stdout, stderr)
	}
	_, stderr, _ = readTill(t, "--json", "--totals", file)
	line, _, _ := strings.Cut(stderr, "\n")
	var refused map[string]any
	if err := json.Unmarshal([]byte(line), &refused); err != nil || refused["code"] != "field" || refused["line"] != float64(2) {
		t.Errorf("%v: %s", err, stderr)
	}
}

func TestReadJoinsTheFilesOfARecipe(t *testing.T) {
	t.Parallel()
	orders := write(t, "raw_orders.csv", "id,user_id,order_date,status\n1,7,2026-03-02,completed\n")
	payments := write(t, "raw_payments.csv", "id,order_id,payment_method,amount\n1,1,credit_card,1000\n2,1,coupon,50\n")
	stdout, stderr, code := readTill(t, "--recipe", "../../recipes/jaffle-shop.yaml", "--totals", payments, orders)
	var got struct {
		Receipts int
		Gross    string
		Tenders  map[string]string
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err, stderr)
	}
	if diff := cmp.Diff(map[string]string{"CARD_CREDIT": "10.00", "COUPON": "0.50"}, got.Tenders); diff != "" || got.Gross != "10.50" || got.Receipts != 1 || code != exit.OK {
		t.Errorf("code %d, %+v\n%s", code, got, diff)
	}
}

func TestReadFailsWithAReasonAndWhatToDo(t *testing.T) {
	t.Parallel()
	csv := write(t, "day.csv", "a,b\n")
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no such file":           {[]string{"--format", "poslog", "none.xml"}, "none.xml"},
		"a folder":               {[]string{"--format", "poslog", t.TempDir()}, "no file"},
		"an unknown format":      {[]string{"--format", "dbf", csv}, `format "dbf" is not known; it is one of poslog, document`},
		"CSV without a recipe":   {[]string{"--format", "csv", csv}, "needs a recipe"},
		"no format":              {[]string{csv}, "give its --format"},
		"format and recipe":      {[]string{"--format", "poslog", "--recipe", "x", csv}, "format recipe"},
		"a zone that is none":    {[]string{"--format", "poslog", "--zone", "Mars", csv}, "not a time zone"},
		"a cut-off without zone": {[]string{"--format", "poslog", "--cutoff", "04:00", csv}, "--cutoff needs --zone"},
		"a missing column":       {[]string{"--recipe", "../../recipes/online-retail.yaml", csv}, `the column "InvoiceNo" is not in`},
		"no path":                {[]string{"--format", "poslog"}, "at least 1 arg"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := readTill(t, test.args...)
			if code != exit.Failed || !strings.Contains(stderr, test.want) {
				t.Errorf("code %d, %q, want %q; printed %q", code, stderr, test.want, stdout)
			}
		})
	}
}

func TestReadGivesTheKnownTotalsOfRealFiles(t *testing.T) {
	t.Parallel()
	reference := os.Getenv("TILLBOOK_REFERENCE")
	if reference == "" {
		t.Skip("reference data: TILLBOOK_REFERENCE is not set")
	}
	samples := filepath.Join(reference, "samples")
	for name, test := range map[string]struct {
		args []string
		want map[string]string
	}{
		"POSLog":       {[]string{"--format", "poslog", samples + "/poslog-2.1/SMALL.xml"}, map[string]string{"gross": "1.07", "reductions": "0.19", "tax": "0.00"}},
		"a web shop":   {[]string{"--recipe", "../../recipes/online-retail.yaml", samples + "/online-retail/2010-12-01.csv"}, map[string]string{"gross": "58635.56"}},
		"joined files": {[]string{"--recipe", "../../recipes/jaffle-shop.yaml", samples + "/jaffle-shop/raw_orders.csv", samples + "/jaffle-shop/raw_payments.csv"}, map[string]string{"gross": "1672.00"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := readTill(t, append(test.args, "--totals")...)
			var got map[string]any
			if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exit.OK {
				t.Fatal(err, code, stderr)
			}
			for key, want := range test.want {
				if got[key] != want {
					t.Errorf("%s: %v, want %s", key, got[key], want)
				}
			}
		})
	}
}
