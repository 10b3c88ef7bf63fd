package file

import (
	"bufio"
	"errors"
	"html"
	"io"
	"strings"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/format/text"
	"tillbook.example/tillbook/shared/money"
)

// readOFX reads bank statements as OFX, both as SGML (1.x), whose values have no end
// tags, and as XML (2.x).
func readOFX(in io.Reader, o Options, out *sink) error {
	reader, err := text.Open(in, "", func(head []byte) string {
		if strings.Contains(string(head), "CHARSET:1252") {
			return "windows-1252"
		}
		return ""
	})
	if err != nil {
		return refuse(0, "%v", err)
	}
	out.empty = true
	s := ofx{in: bufio.NewReaderSize(reader, 64<<10), account: o.Account, currency: o.Currency, line: 1, seen: keys{}, out: out}
	return s.read()
}

type ofx struct {
	in       *bufio.Reader
	line     int
	account  string
	currency string
	seen     keys
	out      *sink
	fields   map[string]string // of the present transaction; nil outside of one
	begun    int               // its line
	inOFX    bool
	ended    bool
}

func (s *ofx) read() error {
	for {
		before, err := s.until('<')
		if errors.Is(err, io.EOF) {
			switch {
			case !s.inOFX:
				return refuse(0, "there is no OFX element in the file")
			case s.fields != nil || !s.ended:
				return refuse(s.line, "the file is cut off")
			}
			return nil
		}
		if err != nil {
			return err
		}
		_ = before // what stands between elements is header or space
		if err := s.element(); err != nil {
			return err
		}
	}
}

// element reads a tag and, where one follows it, its value.
func (s *ofx) element() error {
	tag, err := s.until('>')
	if errors.Is(err, io.EOF) {
		return refuse(s.line, "the file is cut off within a tag")
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!--") {
		return refuse(s.line, "document type declarations are not read")
	}
	name := strings.ToUpper(strings.TrimSpace(tag))
	switch name {
	case "OFX":
		s.inOFX = true
	case "/OFX":
		s.ended = true
	case "STMTTRN":
		if s.fields != nil {
			return refuse(s.line, "a transaction begins within another")
		}
		s.fields, s.begun = map[string]string{}, s.line
	case "/STMTTRN":
		if s.fields == nil {
			return refuse(s.line, "a transaction ends that did not begin")
		}
		err := s.transaction()
		s.fields = nil
		return err
	}
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "?") || strings.HasPrefix(name, "!--") {
		return nil
	}
	value, err := s.value()
	if err != nil || value == "" {
		return err
	}
	switch {
	case s.fields != nil:
		if len(s.fields) > 100 {
			return refuse(s.line, "a transaction has too many fields")
		}
		s.fields[name] = value
	case name == "CURDEF":
		s.currency = value
	case name == "ACCTID":
		s.account = value
	}
	return nil
}

// until reads up to a byte and returns what stands before it.
func (s *ofx) until(end byte) (string, error) {
	var w strings.Builder
	for {
		b, err := s.in.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return "", io.EOF
			}
			return "", refuse(s.line, "%v", err)
		}
		if b == '\n' {
			s.line++
		}
		if b == end {
			return w.String(), nil
		}
		if w.Len() > maxRecord {
			return "", refuse(s.line, "the file goes on for %d bytes without a %q", maxRecord, end)
		}
		w.WriteByte(b)
	}
}

// value reads the text that follows a tag, up to the next tag or the end of its
// line.
func (s *ofx) value() (string, error) {
	var w strings.Builder
	for {
		next, err := s.in.Peek(1)
		if errors.Is(err, io.EOF) || err == nil && (next[0] == '<' || next[0] == '\n') {
			return strings.TrimSpace(html.UnescapeString(strings.ToValidUTF8(w.String(), "?"))), nil
		}
		if err != nil {
			return "", refuse(s.line, "%v", err)
		}
		if w.Len() > maxRecord {
			return "", refuse(s.line, "a value has more than %d bytes", maxRecord)
		}
		b, err := s.in.ReadByte()
		if err != nil {
			return "", refuse(s.line, "%v", err)
		}
		w.WriteByte(b)
	}
}

func (s *ofx) transaction() error {
	f := s.fields
	l := settle.BankLine{Account: s.account, Currency: s.currency, Reference: shorten(f["REFNUM"]), Text: joined(f["MEMO"], f["CHECKNUM"]), Counterparty: shorten(f["NAME"])}
	if currency := f["CURSYM"]; currency != "" {
		return refuse(s.begun, "the transaction is in %.10s, its account in %.10s", currency, s.currency)
	}
	amount := f["TRNAMT"]
	if strings.Contains(amount, ",") && !strings.Contains(amount, ".") {
		amount = strings.Replace(amount, ",", ".", 1)
	}
	var err error
	if l.Amount, err = money.Parse(strings.TrimPrefix(amount, "+")); err != nil {
		return refuse(s.begun, "TRNAMT: %v", err)
	}
	posted := f["DTPOSTED"]
	if len(posted) > 8 {
		posted = posted[:8]
	}
	if l.Booked, err = aDay(s.begun, posted, "20060102"); err != nil {
		return err
	}
	if value := f["DTAVAIL"]; len(value) >= 8 {
		if l.Value, err = aDay(s.begun, value[:8], "20060102"); err != nil {
			return err
		}
	}
	id := f["FITID"]
	if id == "" {
		id = strings.Join([]string{string(l.Booked), l.Amount.String(), l.Counterparty, l.Text}, " ")
	}
	if l.Key, err = s.seen.of(s.begun, shorten(id)); err != nil {
		return err
	}
	return s.out.line(l)
}
