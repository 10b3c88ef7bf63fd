package text

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// format is how one program writes its journals.
type format interface {
	extension() string
	checkAccount(name string) error
	main(currency string, places int) string
	account(name string) string
	transaction(p target.Payload, places int) string
	// line matches one line of a transaction: account, amount, currency.
	line() *regexp.Regexp
}

const (
	hashMark    = "; sha256 "
	payloadMark = "; payload "
)

// render writes a posting's file: comments with the whole payload, from which
// it is read back, and the transaction.
func (b *Books) render(p target.Payload) ([]byte, error) {
	canonical, err := p.Canonical()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(canonical)
	var w strings.Builder
	fmt.Fprintf(&w, "; %s, posted by Tillbook. To correct it, correct the till's documents or add a transaction of your own.\n", p.Reference)
	fmt.Fprintf(&w, "%s%s\n%s%s\n\n", hashMark, hex.EncodeToString(sum[:]), payloadMark, canonical)
	w.WriteString(b.format.transaction(p, b.places))
	return []byte(w.String()), nil
}

var headLine = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})\s`)

// parse reads a posting's file. The payload's comment says what was posted;
// date and lines are those of the transaction where they say otherwise.
func parse(body []byte, places int, f format) (target.Payload, error) {
	var p target.Payload
	var sum, payload string
	var dates []bizday.Day
	var lines []target.Line
	currency := ""
	scanner := bufio.NewScanner(bytes.NewReader(body))
	scanner.Buffer(nil, largestLog)
	for scanner.Scan() {
		line := scanner.Text()
		if text, ok := strings.CutPrefix(line, hashMark); ok {
			sum = strings.TrimSpace(text)
		} else if text, ok := strings.CutPrefix(line, payloadMark); ok {
			payload = strings.TrimSpace(text)
		} else if m := headLine.FindStringSubmatch(line); m != nil {
			dates = append(dates, bizday.Day(m[1]))
		} else if m := f.line().FindStringSubmatch(line); m != nil {
			amount, err := minor(m[2], places)
			if err != nil {
				return p, err
			}
			lines = append(lines, target.Line{Account: m[1], Amount: amount})
			if !strings.HasSuffix(currency, m[3]) {
				currency += m[3] // more than one stands as what it is: not a currency
			}
		}
	}
	if err := scanner.Err(); err != nil {
		return p, err
	}
	if sum == "" || payload == "" {
		return p, fmt.Errorf("the file was changed: its payload comment is missing; restore it from a copy")
	}
	if got := sha256.Sum256([]byte(payload)); hex.EncodeToString(got[:]) != sum {
		return p, fmt.Errorf("the file was changed: its payload comment does not have the stated SHA-256; restore it from a copy")
	}
	p, err := target.ParsePayload([]byte(payload))
	if err != nil {
		return p, err
	}
	if len(dates) != 1 {
		return p, fmt.Errorf("the file was changed: it has %d transactions instead of one; restore it from a copy", len(dates))
	}
	p.Date = dates[0]
	p.Currency = currency
	same := len(lines) == len(p.Lines)
	for i := range lines {
		same = same && lines[i].Account == p.Lines[i].Account && lines[i].Amount == p.Lines[i].Amount
	}
	if !same {
		p.Lines = lines
	}
	return p, nil
}

// minor reads an amount as it stands in a journal.
func minor(s string, places int) (money.Minor, error) {
	_, fraction, _ := strings.Cut(s, ".")
	if len(fraction) > places {
		return 0, fmt.Errorf("amount %s has more than %d decimal places", s, places)
	}
	whole := strings.Replace(s, ".", "", 1) + strings.Repeat("0", places-len(fraction))
	var n money.Minor
	if _, err := fmt.Sscanf(whole, "%d", &n); err != nil {
		return 0, fmt.Errorf("amount %s: %w", s, err)
	}
	return n, nil
}

// accountFile names an account's file: readable, and its own also where the file
// system does not tell capitals apart.
func accountFile(name string) string {
	var w strings.Builder
	for _, r := range name {
		if w.Len() > 60 {
			break
		}
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			w.WriteRune(r)
		} else {
			w.WriteByte('-')
		}
	}
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%s-%x", w.String(), sum[:4])
}

// foreign writes an amount in the currency it was taken in.
func foreign(f *target.Foreign) string {
	places, err := money.Places(f.Currency)
	if err != nil {
		places = 2
	}
	return f.Amount.Format(places) + " " + f.Currency
}

// column pads accounts so that amounts stand in one column.
func column(p target.Payload, places int) (account, amount int) {
	for _, l := range p.Lines {
		account = max(account, utf8.RuneCountInString(l.Account))
		amount = max(amount, len(l.Amount.Format(places)))
	}
	return account, amount
}
