package posting

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/money"
)

// maxNamed is how many documents of one line a sheet names; it counts all.
const maxNamed = 200

// Sheet is what an accountant is shown beside a posting: the day's entry, line by
// line, with tax and with the documents behind each line. It is the whole entry, also
// where the posting is only the difference to one.
func Sheet(p Posting, e day.Entry) (target.Attachment, error) {
	var entry books.Entry
	if err := json.Unmarshal(e.Body, &entry); err != nil {
		return target.Attachment{}, fmt.Errorf("read entry %d of day %s %s: %w", e.Version, e.Store, e.Day, err)
	}
	places, err := money.Places(p.Payload.Currency)
	if err != nil {
		return target.Attachment{}, fmt.Errorf("sheet of %s: %w", p.Reference, err)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"store", "business day", "posting", "change", "account", "debit", "credit", "currency", "tax code", "tax base", "tax", "what it is", "documents", "their numbers"}}
	for _, l := range entry.Lines {
		debit, credit := l.Amount.Format(places), ""
		if l.Side == books.Credit {
			debit, credit = credit, debit
		}
		row := []string{
			safe(e.Store), string(e.Day), p.Reference, safe(p.Payload.Reason), safe(l.Account), debit, credit, p.Payload.Currency, "", "", "",
			safe(l.Rule), fmt.Sprint(len(l.Documents)), "",
		}
		if l.Tax != nil {
			row[8], row[9], row[10] = safe(l.Tax.Code), l.Tax.Base.Format(places), l.Tax.Amount.Format(places)
		}
		var named []string
		for _, d := range l.Documents[:min(len(l.Documents), maxNamed)] {
			named = append(named, strings.TrimPrefix(d.Key, e.Store+"|"))
		}
		slices.Sort(named)
		if len(l.Documents) > maxNamed {
			named = append(named, "…")
		}
		row[13] = safe(strings.Join(slices.Compact(named), " "))
		rows = append(rows, row)
	}
	if err := w.WriteAll(rows); err != nil {
		return target.Attachment{}, fmt.Errorf("sheet of %s: %w", p.Reference, err)
	}
	a := target.Attachment{Name: p.Reference + ".csv", Type: "text/csv", Body: b.Bytes()}
	return a, a.Validate()
}

// safe keeps a spreadsheet from reading a text as a formula.
func safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
