package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/money"
)

// explain writes entries for people: each line with the sentence that says how it
// came to be, and the documents that it is made of.
func explain(w io.Writer, shown previewed, mapping books.Mapping) error {
	out := &strings.Builder{}
	for _, e := range shown.Entries {
		places, err := money.Places(e.Currency)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s, in %s\n", e.Subject, e.Currency)
		for _, l := range e.Lines {
			explainLine(out, l, mapping, places)
		}
		for _, p := range shown.Problems {
			if p.Subject == e.Subject {
				fmt.Fprintf(out, "  the day waits: %s\n", p.Text)
			}
		}
		for _, d := range shown.Proof[e.Subject].Differences {
			if d.State == reconcile.Opened {
				fmt.Fprintf(out, "  not proven: %s\n", d.Text)
			}
		}
		out.WriteString("\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func explainLine(out *strings.Builder, l books.Line, mapping books.Mapping, places int) {
	account := l.Account
	if account == "" {
		account = "no account for " + string(l.Role)
	}
	fmt.Fprintf(out, "  %-6s %12s  %s", strings.ToLower(string(l.Side)), l.Amount.Format(places), account)
	for _, name := range slices.Sorted(maps.Keys(l.Dimensions)) {
		fmt.Fprintf(out, ", %s %s", name, l.Dimensions[name])
	}
	fmt.Fprintf(out, "\n         %s\n", l.Rule)
	if l.Tax != nil {
		fmt.Fprintf(out, "         tax code %s: %s on %s, %s", l.Tax.Code, l.Tax.Amount.Format(places), l.Tax.Base.Format(places), strings.ToLower(l.Tax.Direction))
		if why := whyCode(mapping, l.Tax.Code); why != "" {
			fmt.Fprintf(out, " (%s)", why)
		}
		out.WriteString("\n")
	}
	for _, d := range l.Documents {
		fmt.Fprintf(out, "         %12s  %s\n", d.Amount.Format(places), d.Key)
	}
}

// whyCode is what the mapping says of a tax code, if it does.
func whyCode(m books.Mapping, code string) string {
	for _, r := range m.Taxes {
		if r.Code == code && r.Why != "" {
			return r.Why
		}
	}
	return ""
}
