package file

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/htmlindex"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// camtAmount is an amount with its currency.
type camtAmount struct {
	Currency string `xml:"Ccy,attr"`
	Value    string `xml:",chardata"`
}

type camtDate struct {
	Day    string `xml:"Dt"`
	Moment string `xml:"DtTm"`
}

type camtCode struct {
	Text string `xml:",chardata"`
	Code string `xml:"Cd"`
}

func (c camtCode) word() string { return strings.TrimSpace(c.Text + c.Code) }

type camtAccount struct {
	IBAN     string `xml:"Id>IBAN"`
	Other    string `xml:"Id>Othr>Id"`
	Currency string `xml:"Ccy"`
}

type camtBalance struct {
	Kind      string     `xml:"Tp>CdOrPrtry>Cd"`
	Amount    camtAmount `xml:"Amt"`
	Direction string     `xml:"CdtDbtInd"`
}

type camtParty struct {
	Name  string `xml:"Nm"`
	Party string `xml:"Pty>Nm"`
}

type camtDetails struct {
	EndToEnd     string    `xml:"Refs>EndToEndId"`
	Reference    string    `xml:"Refs>AcctSvcrRef"`
	Unstructured []string  `xml:"RmtInf>Ustrd"`
	Creditor     []string  `xml:"RmtInf>Strd>CdtrRefInf>Ref"`
	Debtor       camtParty `xml:"RltdPties>Dbtr"`
	Payee        camtParty `xml:"RltdPties>Cdtr"`
	More         string    `xml:"AddtlTxInf"`
}

type camtEntry struct {
	Amount    camtAmount    `xml:"Amt"`
	Direction string        `xml:"CdtDbtInd"`
	Status    camtCode      `xml:"Sts"`
	Booked    camtDate      `xml:"BookgDt"`
	Value     camtDate      `xml:"ValDt"`
	Reference string        `xml:"AcctSvcrRef"`
	Details   []camtDetails `xml:"NtryDtls>TxDtls"`
	More      string        `xml:"AddtlNtryInf"`
}

// maxPart bounds one part of a statement, such as an entry with all its details, in
// bytes.
const maxPart = 4 << 20

// budget is a reader that ends where one part goes on for too long.
type budget struct {
	in   io.Reader
	left int
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("one part has more than %d bytes", maxPart)
	}
	n, err := b.in.Read(p)
	b.left -= n
	return n, err
}

// statement is what of a bank statement must add up.
type statement struct {
	id, account, currency string
	opening, closing      *money.Decimal
	sum                   money.Decimal
	entries               int
}

// readCAMT reads bank statements of ISO 20022, camt.053 of any version. Entries that
// are not booked yet are passed over.
func readCAMT(in io.Reader, o Options, out *sink) error {
	part := &budget{in: in}
	decoder := xml.NewDecoder(part)
	decoder.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		encoding, err := htmlindex.Get(label)
		if err != nil {
			return nil, err
		}
		return encoding.NewDecoder().Reader(input), nil
	}
	out.empty = true
	var s *statement
	seen, statements := keys{}, 0
	for {
		part.left = maxPart
		token, err := decoder.Token()
		line, _ := decoder.InputPos()
		if errors.Is(err, io.EOF) {
			if statements == 0 {
				return refuse(0, "there is no bank statement (Stmt) in the file")
			}
			return nil
		}
		if err != nil {
			return refuse(line, "the XML cannot be read: %v", err)
		}
		switch e := token.(type) {
		case xml.Directive:
			return refuse(line, "document type declarations are not read")
		case xml.EndElement:
			if e.Name.Local == "Stmt" && s != nil {
				if err := s.check(line); err != nil {
					return err
				}
				s = nil
			}
		case xml.StartElement:
			if e.Name.Local == "Stmt" {
				s, statements = &statement{account: o.Account, currency: o.Currency}, statements+1
				continue
			}
			if s == nil {
				continue
			}
			if err := s.element(decoder, e, line, seen, out); err != nil {
				return err
			}
		}
	}
}

// element reads one part of a statement.
func (s *statement) element(decoder *xml.Decoder, e xml.StartElement, line int, seen keys, out *sink) error {
	decode := func(into any) error {
		if err := decoder.DecodeElement(into, &e); err != nil {
			return refuse(line, "%s cannot be read: %v", e.Name.Local, err)
		}
		return nil
	}
	switch e.Name.Local {
	case "Id":
		return decode(&s.id)
	case "Acct":
		var a camtAccount
		if err := decode(&a); err != nil {
			return err
		}
		if a.IBAN+a.Other != "" {
			s.account = strings.TrimSpace(a.IBAN + a.Other)
		}
		if a.Currency != "" {
			s.currency = strings.TrimSpace(a.Currency)
		}
	case "Bal":
		var b camtBalance
		if err := decode(&b); err != nil {
			return err
		}
		return s.balance(b, line)
	case "Ntry":
		var n camtEntry
		if err := decode(&n); err != nil {
			return err
		}
		return s.entry(&n, line, seen, out)
	default: // nothing below it is an entry
		if err := decoder.Skip(); err != nil {
			return refuse(line, "%s cannot be read: %v", e.Name.Local, err)
		}
	}
	return nil
}

func (s *statement) balance(b camtBalance, line int) error {
	kind := strings.TrimSpace(b.Kind)
	if kind != "OPBD" && kind != "PRCD" && kind != "CLBD" {
		return nil
	}
	amount, err := signed(line, b.Amount.Value, b.Direction)
	if err != nil {
		return err
	}
	if s.currency == "" {
		s.currency = b.Amount.Currency
	}
	if kind == "CLBD" {
		s.closing = &amount
	} else {
		s.opening = &amount
	}
	return nil
}

func (s *statement) entry(n *camtEntry, line int, seen keys, out *sink) error {
	if status := n.Status.word(); status != "BOOK" {
		if status == "PDNG" || status == "INFO" || status == "FUTR" {
			return nil
		}
		return refuse(line, "the entry's status %.20q is not known", status)
	}
	amount, err := signed(line, n.Amount.Value, n.Direction)
	if err != nil {
		return err
	}
	l := settle.BankLine{Account: s.account, Currency: n.Amount.Currency, Amount: amount}
	if l.Booked, err = n.Booked.day(line); err != nil {
		return err
	}
	if n.Value != (camtDate{}) {
		if l.Value, err = n.Value.day(line); err != nil {
			return err
		}
	}
	var texts []string
	for _, d := range n.Details {
		texts = append(texts, d.Unstructured...)
		texts = append(texts, d.More)
		if len(n.Details) > 1 {
			continue
		}
		if d.EndToEnd != "NOTPROVIDED" {
			l.Reference = strings.TrimSpace(d.EndToEnd)
		}
		if l.Reference == "" && len(d.Creditor) > 0 {
			l.Reference = strings.TrimSpace(d.Creditor[0])
		}
		other := d.Debtor
		if amount < 0 {
			other = d.Payee
		}
		l.Counterparty = shorten(strings.TrimSpace(other.Name + other.Party))
		if n.Reference == "" {
			n.Reference = d.Reference
		}
	}
	l.Text = joined(append(texts, n.More)...)
	reference := strings.TrimSpace(n.Reference)
	s.entries++
	if reference == "" || reference == "NONREF" {
		reference = s.id + "/" + strconv.Itoa(s.entries)
	}
	if l.Key, err = seen.of(line, reference); err != nil {
		return err
	}
	if s.currency != "" && l.Currency != s.currency {
		return refuse(line, "the entry is in %.10s, its account in %.10s", l.Currency, s.currency)
	}
	if s.sum, err = add(line, s.sum, amount); err != nil {
		return err
	}
	return out.line(l)
}

// check compares what the balance was before and after with what lies between.
func (s *statement) check(line int) error {
	if s.opening == nil || s.closing == nil {
		return nil
	}
	got, err := add(line, *s.opening, s.sum)
	if err == nil && got != *s.closing {
		err = refuse(line, "statement %.60s does not add up: %s and its entries come to %s, not to %s", s.id, s.opening, got, s.closing)
	}
	return err
}

func (d camtDate) day(line int) (bizday.Day, error) {
	value := strings.TrimSpace(d.Day)
	if value == "" && len(d.Moment) >= len(time.DateOnly) {
		value = strings.TrimSpace(d.Moment)[:len(time.DateOnly)]
	}
	if len(value) > len(time.DateOnly) {
		value = value[:len(time.DateOnly)] // some write a zone behind it
	}
	return aDay(line, value, time.DateOnly)
}

// signed reads an amount with the word for its direction.
func signed(line int, value, direction string) (money.Decimal, error) {
	amount, err := money.Parse(strings.TrimSpace(value))
	if err != nil || amount < 0 {
		return 0, refuse(line, "%.40q is no amount", value)
	}
	switch strings.TrimSpace(direction) {
	case "CRDT":
		return amount, nil
	case "DBIT":
		return -amount, nil
	}
	return 0, refuse(line, "the direction %.20q is neither CRDT nor DBIT", direction)
}

// longestText is what is kept of a text, in bytes.
const longestText = 400

// joined is texts as one, without needless spaces.
func joined(texts ...string) string {
	return shorten(strings.Join(strings.Fields(strings.Join(texts, " ")), " "))
}

func shorten(s string) string {
	if len(s) > longestText {
		s = strings.ToValidUTF8(s[:longestText], "")
	}
	return s
}
