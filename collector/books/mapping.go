package books

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/suggest"
)

// Limits of a mapping.
const (
	MaxMappingBytes = 1 << 20
	MaxAccount      = 200 // bytes of an account's name, a tax code or a till's word
)

// Mapping is what the merchant's accountant chose: which account and which tax
// code stands for what. Accounts are named as the accounting software names
// them. What is left out is asked for only when a day needs it.
type Mapping struct {
	Currency string `yaml:"currency" json:"currency"` // of the books, ISO 4217

	// Profile is the country whose tax rules are added to Taxes before the mapping is
	// used (package profile): Codes says what the books call the profile's tax
	// codes, Jurisdictions which account each tax authority has where rates are set by authorities.
	Profile       string            `yaml:"profile,omitempty" json:"profile,omitempty"`
	Codes         map[string]string `yaml:"codes,omitempty" json:"codes,omitempty"`
	Jurisdictions map[string]string `yaml:"jurisdictions,omitempty" json:"jurisdictions,omitempty"`

	Accounts map[Role]string `yaml:"accounts" json:"accounts"`
	// Categories give the till's product groups their sales accounts; others are
	// in accounts.sales. Returns are in CategoryReturns, else accounts.returns,
	// else where their sales are.
	Categories      map[string]string `yaml:"categories,omitempty" json:"categories,omitempty"`
	CategoryReturns map[string]string `yaml:"category_returns,omitempty" json:"category_returns,omitempty"`
	Taxes           []TaxRule         `yaml:"taxes,omitempty" json:"taxes,omitempty"`

	// Tenders overrides the account of a kind of tender, Labels that of a tender
	// by the till's own name for it. CARD stands for all three kinds of card.
	Tenders map[document.TenderKind]string `yaml:"tenders,omitempty" json:"tenders,omitempty"`
	Labels  map[string]string              `yaml:"labels,omitempty" json:"labels,omitempty"`

	Reasons    map[string]string `yaml:"reasons,omitempty" json:"reasons,omitempty"`       // of cash movements, and categories of their lines
	Principals map[string]string `yaml:"principals,omitempty" json:"principals,omitempty"` // whose money agency lines are
	Issuers    map[string]string `yaml:"issuers,omitempty" json:"issuers,omitempty"`       // of gift cards and vouchers that another company owes

	Discounts        string                             `yaml:"discounts,omitempty" json:"discounts,omitempty"` // net (default), gross
	DiscountAccounts map[document.AdjustmentKind]string `yaml:"discount_accounts,omitempty" json:"discount_accounts,omitempty"`

	Rounding      *Rounding `yaml:"rounding,omitempty" json:"rounding,omitempty"`
	TipRoute      string    `yaml:"tip_route,omitempty" json:"tip_route,omitempty"`           // drawer (default), payroll, tronc
	ServiceCharge string    `yaml:"service_charge,omitempty" json:"service_charge,omitempty"` // house (default); staff: owed to staff by tip_route
	PostBanking   bool      `yaml:"post_banking,omitempty" json:"post_banking,omitempty"`     // book floats, drops and bankings; else the bank feed does
	Suspense      string    `yaml:"suspense,omitempty" json:"suspense,omitempty"`             // account for what is not mapped or not explained; empty: the day waits
	PostPayouts   bool      `yaml:"post_payouts,omitempty" json:"post_payouts,omitempty"`     // book what comes to the bank; else the bank feed does
	CostOfGoods   bool      `yaml:"cost_of_goods,omitempty" json:"cost_of_goods,omitempty"`   // book the cost of goods sold where the till states it
	Dimensions    []string  `yaml:"dimensions,omitempty" json:"dimensions,omitempty"`         // store, terminal, category, consumption: split lines by
	// Tracking gives lines the dimensions of the books, as in class, location or
	// department; at most MaxTracking of them.
	Tracking []Tracking `yaml:"tracking,omitempty" json:"tracking,omitempty"`
}

// MaxTracking is how many dimensions a line of the books may bear.
const MaxTracking = 2

// Tracking is one dimension of the books and what of a receipt gives its value.
type Tracking struct {
	Name   string            `yaml:"name" json:"name"`                         // as the accounting software calls it
	By     string            `yaml:"by" json:"by"`                             // store, terminal, category, consumption
	Values map[string]string `yaml:"values,omitempty" json:"values,omitempty"` // the till's word: the books' word; others keep the till's
	Else   string            `yaml:"else,omitempty" json:"else,omitempty"`     // where the receipt has none; empty: the line goes without
}

// splits are the words of a receipt that lines can be split by.
func splits() []string { return []string{"store", "terminal", "category", "consumption"} }

// TaxRule says which tax code of the books a till's tax is. An empty field
// matches anything; of the rules that match, the one with most fields counts,
// then the first. Till NONE matches lines on which the till states no tax.
type TaxRule struct {
	Till         string         `yaml:"till,omitempty" json:"till,omitempty"` // the till's tax code
	Rate         *money.Decimal `yaml:"rate,omitempty" json:"rate,omitempty"` // percent
	Exempt       *bool          `yaml:"exempt,omitempty" json:"exempt,omitempty"`
	Jurisdiction string         `yaml:"jurisdiction,omitempty" json:"jurisdiction,omitempty"`
	Consumption  string         `yaml:"consumption,omitempty" json:"consumption,omitempty"`     // EAT_IN, TAKE_AWAY
	Code         string         `yaml:"code" json:"code"`                                       // tax code of the books
	Account      string         `yaml:"account,omitempty" json:"account,omitempty"`             // tax on sales; default accounts.tax
	InputAccount string         `yaml:"input_account,omitempty" json:"input_account,omitempty"` // tax on purchases; default accounts.input_tax
	InputCode    string         `yaml:"input_code,omitempty" json:"input_code,omitempty"`       // tax code on purchases; default code
	Why          string         `yaml:"why,omitempty" json:"why,omitempty"`                     // what it is and by which law, for people
}

// NoTax is the till code of lines without any tax.
const NoTax = "NONE"

// Rounding is how the shop rounds what is paid.
type Rounding struct {
	Step   money.Decimal `yaml:"step" json:"step"`                         // 0.05, 0.10, 1.00
	Method string        `yaml:"method,omitempty" json:"method,omitempty"` // nearest (default), up, down
	Scope  string        `yaml:"scope,omitempty" json:"scope,omitempty"`   // cash (default), all
}

// cardKinds are the kinds that CARD stands for in Mapping.Tenders.
func cardKinds() []document.TenderKind {
	return []document.TenderKind{document.CardDebit, document.CardCredit, document.CardUnknown}
}

const anyCard document.TenderKind = "CARD"

// ParseMapping reads a mapping from YAML and hands it to complete, if there is
// one, before it is checked. It is strict: unknown fields, roles and kinds are
// errors that say what was probably meant.
func ParseMapping(data []byte, complete func(Mapping) (Mapping, error)) (Mapping, error) {
	if len(data) > MaxMappingBytes {
		return Mapping{}, fmt.Errorf("read mapping: %d bytes, more than %d", len(data), MaxMappingBytes)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var m Mapping
	if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
		return Mapping{}, errors.New("read mapping: the file is empty")
	} else if err != nil {
		return Mapping{}, fmt.Errorf("read mapping: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Mapping{}, errors.New("read mapping: more than one YAML document in the file")
	}
	if complete != nil {
		completed, err := complete(m)
		if err != nil {
			return Mapping{}, fmt.Errorf("read mapping: %w", err)
		}
		m = completed
	}
	if err := m.Validate(); err != nil {
		return Mapping{}, fmt.Errorf("read mapping: %w", err)
	}
	return m, nil
}

// UnmarshalYAML reads the mapping as part of any YAML, refusing unknown fields.
func (m *Mapping) UnmarshalYAML(node *yaml.Node) error {
	type plain Mapping
	if err := knownFields(node, plain{}); err != nil {
		return err
	}
	return node.Decode((*plain)(m))
}

// UnmarshalYAML reads a tax rule, refusing unknown fields.
func (t *TaxRule) UnmarshalYAML(node *yaml.Node) error {
	type plain TaxRule
	if err := knownFields(node, plain{}); err != nil {
		return err
	}
	return node.Decode((*plain)(t))
}

// UnmarshalYAML reads a rounding, refusing unknown fields.
func (r *Rounding) UnmarshalYAML(node *yaml.Node) error {
	type plain Rounding
	if err := knownFields(node, plain{}); err != nil {
		return err
	}
	return node.Decode((*plain)(r))
}

// UnmarshalYAML reads a dimension of the books, refusing unknown fields.
func (t *Tracking) UnmarshalYAML(node *yaml.Node) error {
	type plain Tracking
	if err := knownFields(node, plain{}); err != nil {
		return err
	}
	return node.Decode((*plain)(t))
}

// Validate reports everything that is wrong with the mapping, each with the path
// of its field. An account that is missing is not wrong: Build asks for it when
// it is needed.
func (m Mapping) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, err := money.Places(m.Currency); err != nil {
		wrong("currency: %w", err)
	}
	word := func(path, value string, allowed ...string) {
		if value != "" && !slices.Contains(allowed, value) {
			wrong("%s: %q is not one of %s%s", path, value, strings.Join(allowed, ", "), suggest.DidYouMean(value, allowed))
		}
	}
	text := func(path, value string) {
		switch {
		case strings.TrimSpace(value) == "":
			wrong("%s: empty; leave it out to be asked when it is needed", path)
		case len(value) > MaxAccount:
			wrong("%s: longer than %d bytes", path, MaxAccount)
		case strings.ContainsAny(value, "\x00\n\r\t"):
			wrong("%s: a control character", path)
		}
	}
	checkTable(m.Accounts, "accounts", AllRoles(), word, text)
	checkTable(m.Tenders, "tenders", append(slices.Clone(document.TenderKinds), anyCard), word, text)
	checkTable(m.DiscountAccounts, "discount_accounts", document.AdjustmentKinds, word, text)
	checkTable(m.Categories, "categories", nil, word, text)
	checkTable(m.CategoryReturns, "category_returns", nil, word, text)
	checkTable(m.Labels, "labels", nil, word, text)
	checkTable(m.Reasons, "reasons", nil, word, text)
	checkTable(m.Principals, "principals", nil, word, text)
	checkTable(m.Issuers, "issuers", nil, word, text)
	checkTable(m.Codes, "codes", nil, word, text)
	checkTable(m.Jurisdictions, "jurisdictions", nil, word, text)
	folded := map[string]string{}
	for _, reason := range slices.Sorted(maps.Keys(m.Reasons)) {
		if other, twice := folded[fold(reason)]; twice {
			wrong("reasons: %q and %q are the same reason", other, reason)
		}
		folded[fold(reason)] = reason
	}
	for i, t := range m.Taxes {
		path := fmt.Sprintf("taxes/%d", i+1)
		if t.Code == "" {
			wrong("%s/code: missing; name the tax code of the books", path)
		}
		for j, other := range m.Taxes[:i] {
			if t.SameMatch(other) {
				wrong("%s: matches the same taxes as taxes/%d", path, j+1)
			}
		}
		if t.Rate != nil && (*t.Rate < 0 || *t.Rate > 1000*money.One) {
			wrong("%s/rate: %s is not a percentage", path, *t.Rate)
		}
		word(path+"/consumption", t.Consumption, document.Consumptions...)
	}
	word("discounts", m.Discounts, "net", "gross")
	word("tip_route", m.TipRoute, "drawer", "payroll", "tronc")
	word("service_charge", m.ServiceCharge, "house", "staff")
	for i, d := range m.Dimensions {
		word(fmt.Sprintf("dimensions/%d", i+1), d, splits()...)
		if d == "" || slices.Contains(m.Dimensions[:i], d) {
			wrong("dimensions/%d: %q is empty or there twice", i+1, d)
		}
	}
	checkTracking(m.Tracking, wrong, word, text)
	if r := m.Rounding; r != nil {
		if r.Step <= 0 {
			wrong("rounding/step: %s is not above zero", r.Step)
		}
		word("rounding/method", r.Method, "nearest", "up", "down")
		word("rounding/scope", r.Scope, "cash", "all")
	}
	return errors.Join(errs...)
}

// checkTracking checks the dimensions of the books. Their names must not be words
// that lines have for themselves.
func checkTracking(tracking []Tracking, wrong func(format string, args ...any), word func(path, value string, allowed ...string), text func(path, value string)) {
	if len(tracking) > MaxTracking {
		wrong("tracking: %d dimensions, more than %d", len(tracking), MaxTracking)
	}
	taken := append(splits(), "jurisdiction", "invoice", "principal", "drawer")
	for i, t := range tracking {
		path := fmt.Sprintf("tracking/%d", i+1)
		text(path+"/name", t.Name)
		if slices.Contains(taken, t.Name) {
			wrong("%s/name: %q is taken", path, t.Name)
		}
		taken = append(taken, t.Name)
		if t.By == "" {
			wrong("%s/by: missing; one of %s", path, strings.Join(splits(), ", "))
		}
		word(path+"/by", t.By, splits()...)
		checkTable(t.Values, path+"/values", nil, word, text)
		if t.Else != "" {
			text(path+"/else", t.Else)
		}
	}
}

// checkTable checks one map of the mapping: keys among the allowed ones, where
// there are such, and texts that can be an account.
func checkTable[K ~string](table map[K]string, path string, allowed []K,
	word func(path, value string, allowed ...string), text func(path, value string),
) {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if allowed != nil {
			word(path, string(key), names...)
		}
		text(path+"/"+string(key), table[key])
	}
}

// SameMatch reports whether two rules match the same taxes.
func (t TaxRule) SameMatch(o TaxRule) bool {
	rate := t.Rate == o.Rate || t.Rate != nil && o.Rate != nil && *t.Rate == *o.Rate
	exempt := t.Exempt == o.Exempt || t.Exempt != nil && o.Exempt != nil && *t.Exempt == *o.Exempt
	return rate && exempt && t.Till == o.Till && t.Jurisdiction == o.Jurisdiction && t.Consumption == o.Consumption
}

// match returns how many fields of the rule match the tax on a line, or -1 if one
// does not.
func (t TaxRule) match(tax document.Tax, consumption string) int {
	score := 0
	for _, field := range []struct{ set, same bool }{
		{t.Till != "", t.Till == tax.Code},
		{t.Rate != nil, t.Rate != nil && *t.Rate == tax.Rate},
		{t.Exempt != nil, t.Exempt != nil && *t.Exempt == (tax.ExemptReason != "")},
		{t.Jurisdiction != "", t.Jurisdiction == tax.Jurisdiction},
		{t.Consumption != "", t.Consumption == consumption},
	} {
		switch {
		case field.set && !field.same:
			return -1
		case field.set:
			score++
		}
	}
	return score
}

// taxRule returns the rule that counts for a tax of a till, or nil. A rule
// without a till code never stands for lines without a tax.
func (m *Mapping) taxRule(tax document.Tax, consumption string, none bool) *TaxRule {
	var best *TaxRule
	most := -1
	for i := range m.Taxes {
		if none != (m.Taxes[i].Till == NoTax) {
			continue
		}
		if score := m.Taxes[i].match(tax, consumption); score > most {
			best, most = &m.Taxes[i], score
		}
	}
	return best
}

// tenderAccount returns the account of a tender: by label, by kind, by role.
func (m *Mapping) tenderAccount(t document.Tender, role Role) string {
	if account := m.Labels[t.Label]; account != "" && t.Label != "" {
		return account
	}
	if account := m.Tenders[t.Kind]; account != "" {
		return account
	}
	if account := m.Tenders[anyCard]; account != "" && slices.Contains(cardKinds(), t.Kind) {
		return account
	}
	return m.account(role)
}

// value returns what a dimension of the books is where the receipt says this.
func (t Tracking) value(of string) string {
	if of == "" {
		return t.Else
	}
	if value := t.Values[of]; value != "" {
		return value
	}
	return of
}

// account returns the account of a role, or of the role that stands in for it.
func (m *Mapping) account(role Role) string {
	if account := m.Accounts[role]; account != "" {
		return account
	}
	switch role {
	case CashOnHand:
		return m.Tenders[document.Cash]
	case CashFloat:
		return m.account(CashOnHand)
	case OpeningDifference:
		return m.Accounts[OverShort]
	case Returns:
		return m.Accounts[Sales]
	case Suspense, ProviderCorrections, ReceiptsNotReceived:
		return m.Suspense
	}
	return ""
}

// reason returns the account of a movement's reason, matched without regard to
// case and surrounding space.
func (m *Mapping) reason(reason string) string {
	if account := m.Reasons[reason]; account != "" {
		return account
	}
	want := fold(reason)
	for known, account := range m.Reasons {
		if fold(known) == want {
			return account
		}
	}
	return ""
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
