package file

import (
	"bufio"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/format/text"
	"tillbook.example/tillbook/shared/money"
)

var (
	mtTag     = regexp.MustCompile(`^:(\d{2}[A-Z]?):`)
	mtBalance = regexp.MustCompile(`^([CD])(\d{6})([A-Z]{3})(\d+,\d*)$`)
	// Value date, entry date, direction, funds code, amount, type, the customer's
	// reference, the bank's.
	mtLine = regexp.MustCompile(`^(\d{6})(\d{4})?(R?[CD])([A-Z])?(\d+,\d*)([A-Z][A-Z0-9]{3})([^/]*(?:/[^/]+)*)(?://(.*))?$`)
	mtSub  = regexp.MustCompile(`\?(\d{2})`)
	mtEREF = regexp.MustCompile(`(?:EREF\+|/EREF/)(.+?)(?:(?:KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|IBAN|BIC)\+|/|$)`)
)

// mtStatement is one statement while it is read.
type mtStatement struct {
	statement
	number string // of the statement
	seen   keys   // statements of the file
	line   *settle.BankLine
	info   []string
	at     int // line of the present line
}

// readMT940 reads bank statements as SWIFT's MT940.
func readMT940(in io.Reader, o Options, out *sink) error {
	reader, err := text.Open(in, "", nil)
	if err != nil {
		return refuse(0, "%v", err)
	}
	lines := bufio.NewScanner(reader)
	lines.Buffer(make([]byte, 0, 4096), maxRecord)
	out.empty = true
	s, found, n := &mtStatement{seen: keys{}}, false, 0
	s.account, s.currency = o.Account, o.Currency
	tag := ""
	for lines.Scan() {
		n++
		row := strings.TrimRight(strings.ToValidUTF8(lines.Text(), "?"), "\r \t")
		m := mtTag.FindStringSubmatch(row)
		switch {
		case m != nil:
			tag = m[1]
			row = row[len(m[0]):]
			found = true
			if tag == "20" {
				if err := s.begin(o, n, out); err != nil {
					return err
				}
			}
			if err := s.field(tag, row, n, out); err != nil {
				return err
			}
		case tag == "86" && !strings.HasPrefix(row, "-}") && row != "-":
			if len(s.info) > 200 {
				return refuse(n, "the information of one line goes on for too long")
			}
			s.info = append(s.info, row)
		case tag == "61" && s.line != nil && row != "-" && row != "":
			s.info = append(s.info, row) // supplementary details
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return refuse(n+1, "the line is too long")
	} else if err != nil {
		return refuse(n+1, "%v", err)
	}
	if !found {
		return refuse(0, "there is no field such as :20: in the file")
	}
	return s.begin(o, n, out)
}

// begin ends the statement before and begins another.
func (s *mtStatement) begin(o Options, line int, out *sink) error {
	if err := s.end(out); err != nil {
		return err
	}
	if s.entries > 0 && s.closing == nil {
		return refuse(line, "statement %.40s has no closing balance (:62F:): the file is cut off", s.number)
	}
	if err := s.check(line); err != nil {
		return err
	}
	*s = mtStatement{seen: s.seen}
	s.account, s.currency = o.Account, o.Currency
	return nil
}

func (s *mtStatement) field(tag, value string, line int, out *sink) error {
	switch tag {
	case "25":
		s.account = strings.TrimSpace(value)
	case "28C", "28":
		s.number = strings.TrimSpace(value)
	case "60F", "60M", "62F", "62M":
		m := mtBalance.FindStringSubmatch(strings.TrimSpace(value))
		if m == nil {
			return refuse(line, ":%s: %.40q is no balance", tag, value)
		}
		amount, err := mtAmount(line, m[4], m[1] == "D")
		if err != nil {
			return err
		}
		s.currency = m[3]
		if tag[0] == '6' && tag[1] == '0' {
			number := s.number
			if number == "" { // then what it begins with tells it from others of the day
				number = amount.String()
			}
			s.opening = &amount
			s.id, err = s.seen.of(line, m[2], number)
			return err
		}
		s.closing = &amount
		return s.end(out)
	case "61":
		if err := s.end(out); err != nil {
			return err
		}
		return s.begins(value, line)
	case "86":
		if s.line != nil {
			s.info = append(s.info, value)
		}
	}
	return nil
}

// begins reads a line's own field.
func (s *mtStatement) begins(value string, line int) error {
	m := mtLine.FindStringSubmatch(strings.TrimSpace(value))
	if m == nil {
		return refuse(line, ":61: %.60q is no line of a statement", value)
	}
	if s.opening == nil {
		return refuse(line, "a line comes before the opening balance (:60F:)")
	}
	l := settle.BankLine{Account: s.account, Currency: s.currency}
	var err error
	if l.Value, err = aDay(line, m[1], "060102"); err != nil {
		return err
	}
	l.Booked = l.Value
	if m[2] != "" {
		// The entry date has no year: that of the value date, or the one beside it.
		year, _ := strconv.Atoi(m[1][:2]) // two digits
		valueMonth, entryMonth := m[1][2:4], m[2][:2]
		switch {
		case valueMonth == "12" && entryMonth == "01":
			year++
		case valueMonth == "01" && entryMonth == "12":
			year--
		}
		if year = (year + 100) % 100; true {
			if l.Booked, err = aDay(line, strconv.Itoa(100 + year)[1:]+m[2], "060102"); err != nil {
				return err
			}
		}
	}
	// RC takes back a credit, RD a debit.
	if l.Amount, err = mtAmount(line, m[5], m[3] == "D" || m[3] == "RC"); err != nil {
		return err
	}
	s.entries++
	l.Key = s.id + "/" + strconv.Itoa(s.entries)
	if reference := strings.TrimSpace(m[7]); reference != "NONREF" {
		l.Reference = reference
	}
	if s.sum, err = add(line, s.sum, l.Amount); err != nil {
		return err
	}
	s.line, s.at = &l, line
	return nil
}

// end hands over the present line with its information.
func (s *mtStatement) end(out *sink) error {
	l, info := s.line, strings.Join(s.info, "")
	s.line, s.info = nil, nil
	if l == nil {
		return nil
	}
	if places := mtSub.FindAllStringSubmatchIndex(info, -1); places != nil {
		var about, who []string
		for i, p := range places {
			end := len(info)
			if i+1 < len(places) {
				end = places[i+1][0]
			}
			switch code, value := info[p[2]:p[3]], info[p[1]:end]; {
			case code >= "20" && code <= "29", code >= "60" && code <= "63":
				about = append(about, value)
			case code == "32" || code == "33":
				who = append(who, value)
			}
		}
		info = strings.Join(about, "")
		l.Counterparty = joined(strings.Join(who, ""))
	}
	if m := mtEREF.FindStringSubmatch(info); m != nil {
		l.Reference = strings.TrimSpace(m[1])
	}
	l.Reference, l.Text = shorten(l.Reference), joined(info)
	return out.line(*l)
}

func mtAmount(line int, value string, debit bool) (money.Decimal, error) {
	amount, err := money.Parse(strings.TrimSuffix(strings.Replace(value, ",", ".", 1), "."))
	if err != nil {
		return 0, refuse(line, "%.40q is no amount", value)
	}
	if debit {
		amount = -amount
	}
	return amount, nil
}
