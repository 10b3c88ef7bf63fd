package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// maxColumns bounds a recipe's text, in bytes.
const maxColumns = 64 << 10

// Columns says what the columns of a CSV file mean: of an acquirer's settlement
// file, or of a bank's export. Names are as the file's head has them; what is not
// named is not stated.
type Columns struct {
	Of        string `yaml:"of"`        // movements, lines
	Delimiter string `yaml:"delimiter"` // one character, or tab; comma
	Encoding  string `yaml:"encoding"`
	Skip      int    `yaml:"skip"`    // rows before the head
	Decimal   string `yaml:"decimal"` // "." or ","; the other one groups thousands
	Day       string `yaml:"day"`     // Go's notation of a day or a moment, such as 02.01.2006
	Zone      string `yaml:"zone"`    // of moments; UTC

	Key          []string `yaml:"key"` // columns that together name a row; none: made of the row
	At           string   `yaml:"at"`  // when it happened; of a line, when it was booked
	Value        string   `yaml:"value"`
	Currency     string   `yaml:"currency"`
	Account      string   `yaml:"account"`
	Amount       string   `yaml:"amount"` // signed; or these two, without a sign:
	Credit       string   `yaml:"credit"`
	Debit        string   `yaml:"debit"`
	Fee          string   `yaml:"fee"` // positive where it is kept
	FeeSign      string   `yaml:"fee_sign"`
	Reference    string   `yaml:"reference"`
	Text         []string `yaml:"text"`
	Counterparty string   `yaml:"counterparty"`
	Balance      string   `yaml:"balance"`

	Kind  string            `yaml:"kind"`  // column of the word for the kind
	Kinds map[string]string `yaml:"kinds"` // kind by that word; others are other
	// What of a movement the till may have printed, and its payout.
	Payout        string `yaml:"payout"`
	Batch         string `yaml:"batch"`
	Receipt       string `yaml:"receipt"`
	Terminal      string `yaml:"terminal"`
	Store         string `yaml:"store"`
	Authorisation string `yaml:"authorisation"`
	Card          string `yaml:"card"` // of which the last four digits are kept
	Brand         string `yaml:"brand"`
}

// ParseColumns reads and checks a recipe in YAML.
func ParseColumns(text []byte) (*Columns, error) {
	if len(text) > maxColumns {
		return nil, fmt.Errorf("the recipe has %d bytes, more than %d", len(text), maxColumns)
	}
	c := Columns{Decimal: ".", Delimiter: ",", Day: time.DateOnly, Zone: "UTC"}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		return nil, fmt.Errorf("the recipe cannot be read: %w", err)
	}
	if c.Delimiter == "tab" {
		c.Delimiter = "\t"
	}
	var problems []error
	bad := func(what string, args ...any) { problems = append(problems, fmt.Errorf(what, args...)) }
	if c.Of != "movements" && c.Of != "lines" {
		bad("of: %q is neither movements nor lines", c.Of)
	}
	if len(c.Delimiter) != 1 {
		bad("delimiter: %q is not one character, or tab", c.Delimiter)
	}
	if c.Decimal != "." && c.Decimal != "," {
		bad("decimal: %q is neither . nor ,", c.Decimal)
	}
	if c.Skip < 0 || c.Skip > 1000 {
		bad("skip: %d is not from 0 to 1000", c.Skip)
	}
	if c.At == "" {
		bad("at: name the column of the day")
	}
	if (c.Amount == "") == (c.Credit == "" || c.Debit == "") {
		bad("amount: name either the column amount, or both credit and debit")
	}
	if c.FeeSign != "" && c.FeeSign != "negative" {
		bad("fee_sign: %q is not negative", c.FeeSign)
	}
	if _, err := bizday.NewRule(c.Zone, ""); err != nil {
		bad("zone: %w", err)
	}
	for word, kind := range c.Kinds {
		if !known(kind) {
			bad("kinds: %s: %q is no kind of a movement", word, kind)
		}
	}
	return &c, errors.Join(problems...)
}

func known(kind string) bool {
	for _, k := range settle.Kinds {
		if string(k) == kind {
			return true
		}
	}
	return false
}

// readColumns reads a CSV file by its columns.
func readColumns(in io.Reader, o Options, out *sink) error {
	c := o.Columns
	if c == nil {
		return errors.New("the format columns needs a recipe")
	}
	rule, err := bizday.NewRule(c.Zone, "")
	if err != nil {
		return err
	}
	t, err := openTable(in, c.Encoding, c.Delimiter[0])
	for skipped := 0; err == nil && skipped <= c.Skip; skipped++ {
		err = t.next()
	}
	if err == nil {
		err = t.head(append(append([]string{
			c.At, c.Value, c.Currency, c.Account, c.Amount, c.Credit, c.Debit, c.Fee, c.Reference, c.Counterparty, c.Balance, c.Kind,
			c.Payout, c.Batch, c.Receipt, c.Terminal, c.Store, c.Authorisation, c.Card, c.Brand,
		}, c.Key...), c.Text...)...)
	}
	if err != nil {
		return ended(err)
	}
	out.empty = true
	seen := keys{}
	for {
		if err := t.next(); err != nil {
			return done(err)
		}
		if err := c.row(t, rule, o, seen, out); err != nil {
			return err
		}
	}
}

func (c *Columns) row(t *table, rule bizday.Rule, o Options, seen keys, out *sink) error {
	wall, err := time.Parse(c.Day, t.get(c.At))
	if err != nil {
		return refuse(t.line, "column %s: %.40q is not written as %s", c.At, t.get(c.At), c.Day)
	}
	amount, err := c.amount(t, c.Amount)
	if err == nil && c.Amount == "" {
		var credit, debit money.Decimal
		if credit, err = c.amount(t, c.Credit); err == nil {
			debit, err = c.amount(t, c.Debit)
		}
		if err == nil {
			amount, err = add(t.line, credit.Abs(), -debit.Abs())
		}
	}
	if err != nil {
		return err
	}
	currency, account := first(t.get(c.Currency), o.Currency), first(t.get(c.Account), o.Account)
	if _, err := money.Places(currency); err != nil {
		return refuse(t.line, "%v; name its column, or say it with --currency", err)
	}
	key, err := c.key(t, seen)
	if err != nil {
		return err
	}
	var texts []string
	for _, name := range c.Text {
		texts = append(texts, t.get(name))
	}
	if c.Of == "lines" {
		l := settle.BankLine{
			Account: account, Key: key, Booked: bizday.Day(wall.Format(time.DateOnly)), Currency: currency, Amount: amount,
			Reference: shorten(t.get(c.Reference)), Text: joined(texts...), Counterparty: shorten(t.get(c.Counterparty)),
		}
		if value := t.get(c.Value); value != "" {
			if l.Value, err = aDay(t.line, value, c.Day); err != nil {
				return err
			}
		}
		if t.get(c.Balance) != "" {
			balance, err := c.amount(t, c.Balance)
			if err != nil {
				return err
			}
			l.Balance = &balance
		}
		return out.line(l)
	}
	at, _ := rule.Local(wall) // of an hour that is there twice the first
	m := settle.Movement{
		Provider: o.Provider, Account: account, Key: key, Kind: settle.Other, At: at.UTC(), Currency: currency, Amount: amount, Raw: shorten(t.get(c.Kind)),
		Payout: t.get(c.Payout), Batch: t.get(c.Batch), Receipt: t.get(c.Receipt), Terminal: t.get(c.Terminal), Store: t.get(c.Store),
		Authorisation: t.get(c.Authorisation), LastFour: t.get(c.Card), Brand: t.get(c.Brand),
	}
	if c.Kind == "" {
		m.Kind = settle.Charge
		if amount < 0 {
			m.Kind = settle.Refund
		}
	} else if kind, ok := c.Kinds[t.get(c.Kind)]; ok {
		m.Kind = settle.Kind(kind)
	}
	if m.Fee, err = c.amount(t, c.Fee); err != nil {
		return err
	}
	if c.FeeSign == "negative" {
		m.Fee = -m.Fee
	}
	return out.movement(m)
}

// key names a row: by its columns, else by all of it.
func (c *Columns) key(t *table, seen keys) (string, error) {
	parts := make([]string, 0, len(c.Key))
	for _, name := range c.Key {
		parts = append(parts, t.get(name))
	}
	if len(parts) == 0 || strings.Join(parts, "") == "" {
		parts = t.fields
	}
	return seen.of(t.line, shorten(joined(parts...)))
}

// amount reads a field as the file writes numbers; an empty one is 0.
func (c *Columns) amount(t *table, name string) (money.Decimal, error) {
	value := t.get(name)
	if name == "" || value == "" {
		return 0, nil
	}
	group := ","
	if c.Decimal == "," {
		group = "."
	}
	text := strings.NewReplacer(group, "", " ", "", "\u00a0", "", "'", "").Replace(value)
	text = strings.Replace(strings.TrimPrefix(text, "+"), c.Decimal, ".", 1)
	d, err := money.Parse(text)
	if err != nil {
		return 0, refuse(t.line, "column %s: %v", name, err)
	}
	return d, nil
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
