package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/cli"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/exit"
)

const previewMapping = `
currency: GBP
accounts: {cash: Cash, card_clearing: Card, sales: Sales, tax: VAT, over_short: Over/short}
taxes: [{till: A, rate: 20, code: STD}]
`

// soldAt is a sale of 12.00 in cash, at a time as given.
func soldAt(number, time, more string) string {
	return `{"key":{"store":"S1","terminal":"1","space":"RECEIPT","number":"` + number + `"},"kind":"SALE","state":"COMPLETED",` +
		`"time":{"as_given":"` + time + `"},"currency":"GBP","price_basis":"TAX_INCLUDED",` + more +
		`"lines":[{"kind":"ITEM","extended":"12.00","taxes":[{"code":"A","scheme":"VAT","rate":"20","base":"10.00","amount":"2.00"}]}],` +
		`"tenders":[{"kind":"CASH","direction":"PAID","amount":"12.00"}]}`
}

type shown struct {
	Entries  []books.Entry              `json:"entries"`
	Problems []map[string]any           `json:"problems"`
	Proof    map[string]reconcile.Proof `json:"proof"`
}

func runPreview(t *testing.T, mapping string, documents []string, flags ...string) (shown, int, error) {
	t.Helper()
	folder := t.TempDir()
	mappingFile, documentFile := filepath.Join(folder, "mapping.yaml"), filepath.Join(folder, "documents.jsonl")
	for path, text := range map[string]string{mappingFile: mapping, documentFile: strings.Join(documents, "\n") + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := cli.Preview()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"--mapping", mappingFile, documentFile}, flags...))
	var out bytes.Buffer
	cmd.SetOut(&out)
	err := cmd.Execute()
	var s shown
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			t.Fatalf("the output is not one JSON object: %v\n%s", err, out.String())
		}
	}
	return s, exit.Code(err), err
}

func subjects(s shown) string {
	var names []string
	for _, e := range s.Entries {
		names = append(names, e.Subject)
	}
	return strings.Join(names, " ")
}

func TestPreviewShowsADayThatIsAllRight(t *testing.T) {
	t.Parallel()
	s, code, err := runPreview(t, previewMapping, []string{soldAt("1", "2026-11-03T12:00:00", ""), soldAt("2", "2026-11-03T13:00:00", "")})
	if code != exit.OK {
		t.Fatalf("exit code %d (%v), want 0", code, err)
	}
	if got, want := subjects(s), "store-day/S1/2026-11-03"; got != want {
		t.Fatalf("entries are for %q, want %q", got, want)
	}
	if l := s.Entries[0].Lines[0]; l.Account != "Cash" || l.Amount != 2400 || len(l.Documents) != 2 {
		t.Errorf("the first line is %+v, want 24.00 of cash from two documents", l)
	}
	if !s.Proof["store-day/S1/2026-11-03"].Proven {
		t.Error("the day is not proven")
	}
}

func TestPreviewGroupsByTheBusinessDay(t *testing.T) {
	t.Parallel()
	night := []string{
		soldAt("1", "2026-11-04T01:30:00", ""), soldAt("2", "2026-11-04T12:00:00", ""),
		soldAt("3", "2026-11-04T12:30:00", `"stated_day":{"date":"2026-11-09"},`),
	}
	s, _, _ := runPreview(t, previewMapping, night, "--zone", "Europe/London", "--cutoff", "04:00")
	if got, want := subjects(s), "store-day/S1/2026-11-03 store-day/S1/2026-11-04 store-day/S1/2026-11-09"; got != want {
		t.Errorf("with a cut-off the days are %q, want %q", got, want)
	}
	s, _, _ = runPreview(t, previewMapping, night)
	if got, want := subjects(s), "store-day/S1/2026-11-04 store-day/S1/2026-11-09"; got != want {
		t.Errorf("as given the days are %q, want %q", got, want)
	}
}

func TestPreviewEndsWithOneWhereADayWouldBeHeld(t *testing.T) {
	t.Parallel()
	s, code, _ := runPreview(t, strings.Replace(previewMapping, "cash: Cash, ", "", 1), []string{soldAt("1", "2026-11-03", "")})
	if code != exit.Degraded || len(s.Problems) != 1 || s.Problems[0]["subject"] != "store-day/S1/2026-11-03" {
		t.Errorf("exit code %d with problems %v, want 1 with one problem", code, s.Problems)
	}
	_, code, _ = runPreview(t, previewMapping, []string{soldAt("1", "2026-11-03", ""), soldAt("3", "2026-11-03", "")})
	if code != exit.Degraded {
		t.Errorf("exit code %d for a day with a receipt missing, want 1", code)
	}
}

func TestPreviewTakesTheLaterOfTwoLinesWithOneKey(t *testing.T) {
	t.Parallel()
	s, _, _ := runPreview(t, previewMapping, []string{soldAt("1", "2026-11-03", ""), soldAt("1", "2026-11-05", "")})
	if got, want := subjects(s), "store-day/S1/2026-11-05"; got != want {
		t.Errorf("entries are for %q, want %q", got, want)
	}
}

func TestPreviewSaysWhatItCannotReadAndWhere(t *testing.T) {
	t.Parallel()
	good := soldAt("1", "2026-11-03", "")
	for name, c := range map[string]struct {
		mapping   string
		documents []string
		flags     []string
		want      string
	}{
		"a misspelt field of the mapping":  {"currency: GBP\nacounts: {}\n", []string{good}, nil, `did you mean "accounts"?`},
		"a misspelt field of a document":   {previewMapping, []string{good, strings.Replace(good, `"state"`, `"stat"`, 1)}, nil, "line 2"},
		"a document without a store":       {previewMapping, []string{strings.Replace(good, `"S1"`, `""`, 1)}, nil, "line 1"},
		"a zone that is none":              {previewMapping, []string{good}, []string{"--zone", "Mars"}, "Europe/London"},
		"a cut-off without a zone":         {previewMapping, []string{good}, []string{"--cutoff", "04:00"}, "needs --zone"},
		"a time that cannot be understood": {previewMapping, []string{soldAt("1", "yesterday", "")}, nil, "--zone"},
	} {
		s, code, err := runPreview(t, c.mapping, c.documents, c.flags...)
		if code != exit.Failed || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: exit code %d, %v; want 2 and %q", name, code, err, c.want)
		}
		if s.Entries != nil {
			t.Errorf("%s: entries are printed", name)
		}
	}
}
