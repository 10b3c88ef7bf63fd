package text

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/money"
)

// hledger writes journals for hledger 1.25 and newer; `hledger check --strict`
// finds every account and the currency declared.
type hledger struct{}

func (hledger) extension() string { return ".journal" }

func (hledger) main(currency string, places int) string {
	sample := "1000."
	if places > 0 {
		sample = money.Minor(1000 * pow10(places)).Format(places)
	}
	return "; Books posted by Tillbook. Include this file in a journal of your own, or read it as it is.\n" +
		"decimal-mark .\n" +
		"commodity " + sample + " " + currency + "\n" +
		"include accounts/*.journal\n" +
		"include postings/*.journal\n"
}

func (hledger) account(name string) string { return "account " + name + "\n" }

// checkAccount: names are taken as given, if a journal can hold them.
func (hledger) checkAccount(name string) error {
	first := []rune(name)[0]
	switch {
	case !unicode.IsLetter(first) && !unicode.IsDigit(first):
		return fmt.Errorf("an hledger account must begin with a letter or digit")
	case strings.Contains(name, "  "), strings.TrimSpace(name) != name:
		return fmt.Errorf("an hledger account may not have two spaces together, nor one at its end")
	case strings.ContainsAny(name, ";"):
		return fmt.Errorf("an hledger account may not have a semicolon")
	}
	for _, r := range name {
		if unicode.IsSpace(r) && r != ' ' {
			return fmt.Errorf("an hledger account may only have plain spaces")
		}
	}
	for part := range strings.SplitSeq(name, ":") {
		if strings.TrimSpace(part) != part || part == "" {
			return fmt.Errorf("an hledger account may not have an empty part, nor spaces beside a colon")
		}
	}
	return nil
}

var hledgerLine = regexp.MustCompile(`^\s+([\p{L}\p{Nd}](?:.*?\S)?)\s{2,}(-?\d+(?:\.\d+)?) ([A-Z]{3})\s*(?:;.*)?$`)

func (hledger) line() *regexp.Regexp { return hledgerLine }

func (hledger) transaction(p target.Payload, places int) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s * (%s) %s\n", p.Date, p.Reference, plain(p.Narration))
	fmt.Fprintf(&w, "    ; reason:%s, key:%s\n", tag(p.Reason), tag(p.Key))
	account, amount := column(p, places)
	for _, l := range p.Lines {
		fmt.Fprintf(&w, "    %-*s  %*s %s", account, l.Account, amount, l.Amount.Format(places), p.Currency)
		var notes []string
		if text := plain(l.Text); text != "" {
			notes = append(notes, text)
		}
		if l.Documents != 0 {
			notes = append(notes, fmt.Sprintf("documents:%d", l.Documents))
		}
		for _, name := range slices.Sorted(maps.Keys(l.Dimensions)) {
			notes = append(notes, word(name)+":"+tag(l.Dimensions[name]))
		}
		if l.Tax != nil {
			notes = append(notes, fmt.Sprintf("tax:%s, direction:%s, tax_base:%s, tax_amount:%s",
				tag(l.Tax.Code), tag(l.Tax.Direction), l.Tax.Base.Format(places), l.Tax.Amount.Format(places)))
			if l.Tax.Jurisdiction != "" {
				notes = append(notes, "jurisdiction:"+tag(l.Tax.Jurisdiction))
			}
		}
		if l.Foreign != nil {
			notes = append(notes, fmt.Sprintf("foreign:%s, rate:%s", foreign(l.Foreign), l.Foreign.Rate))
		}
		if len(notes) > 0 {
			w.WriteString("  ; " + strings.Join(notes, ", "))
		}
		w.WriteByte('\n')
	}
	return w.String()
}

// plain writes text that hledger takes as words only: a semicolon begins a
// comment, a colon makes a tag (also one that changes the date), brackets a date.
// The exact text is in the payload's comment.
func plain(s string) string {
	s = strings.NewReplacer("; ", ", ", ";", ", ", ": ", " - ", ":", "-", "[", "(", "]", ")").Replace(s)
	return strings.TrimSpace(s)
}

// word writes a name as a tag's or a metadata key's: small letters, digits and
// hyphens, and not "date", which both programs act upon.
func word(s string) string {
	s = "by_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return '-'
	}, s)
	return s
}

// tag writes a tag's value, which ends at a comma.
func tag(s string) string { return strings.ReplaceAll(plain(s), ",", " ") }

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}
