package tryton

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// setup is what is known of the company.
type setup struct {
	context    map[string]any // of each call: the user's preferences, with the company
	company    int64
	journal    int64
	chart      target.Chart
	period     target.Period
	periods    []period // by their first day
	accounts   map[string]int64
	keys       map[int64]string // of accounts, by their ids
	taxes      map[string]int64 // by code
	currencies map[string]currency
}

// period is one in which moves are posted.
type period struct {
	id          int64
	name        string
	first, last bizday.Day
	open        bool
}

type currency struct {
	id     int64
	places int
}

// open checks that a day can be posted to, as far as books are closed to a day.
func (s *setup) open(d bizday.Day) error { return s.period.Check(d, "Tryton") }

// periodOf returns the open period of a day.
func (s *setup) periodOf(d bizday.Day) (int64, error) {
	for _, p := range s.periods {
		if d < p.first || d > p.last {
			continue
		}
		if !p.open {
			return 0, fmt.Errorf("day %s: period %q is closed; reopen it at Tryton", d, p.name)
		}
		return p.id, nil
	}
	return 0, fmt.Errorf("day %s is in no period; add its fiscal year and periods at Tryton", d)
}

func (s *setup) placesOf(id int64) int {
	for _, c := range s.currencies {
		if c.id == id {
			return c.places
		}
	}
	return 0
}

func (s *setup) contextWith(more map[string]any) map[string]any {
	all := maps.Clone(s.context)
	maps.Copy(all, more)
	return all
}

// Chart asks for the chart of accounts.
func (b *Books) Chart(ctx context.Context) (target.Chart, error) {
	b.setup.Forget()
	s, err := b.known(ctx)
	if err != nil {
		return target.Chart{}, err
	}
	return s.chart, nil
}

// Period returns the day before the first period that is open, if one before it is
// closed, as it was within ten minutes.
func (b *Books) Period(ctx context.Context) (target.Period, error) {
	s, err := b.known(ctx)
	if err != nil {
		return target.Period{}, err
	}
	return s.period, nil
}

// known returns what is known of the company, asking if it is old.
func (b *Books) known(ctx context.Context) (*setup, error) {
	s, err := b.setup.Get(b.o.Now(), chartLife, func() (*setup, error) { return b.ask(ctx) })
	if err != nil {
		return nil, fmt.Errorf("read the chart of accounts: %w", err)
	}
	return s, nil
}

func (b *Books) ask(ctx context.Context) (*setup, error) {
	s := &setup{accounts: map[string]int64{}, keys: map[int64]string{}, taxes: map[string]int64{}, currencies: map[string]currency{}}
	var preferences json.RawMessage
	if err := b.call(ctx, false, &preferences, "model.res.user.get_preferences", true, map[string]any{}); err != nil {
		return nil, err
	}
	var own struct{ Company int64 }
	if err := errors.Join(json.Unmarshal(preferences, &s.context), json.Unmarshal(preferences, &own)); err != nil {
		return nil, fmt.Errorf("%w: read the user's preferences: %w", target.ErrUnavailable, err)
	}
	s.company = own.Company
	for _, read := range []func(context.Context, *setup) error{b.askCompany, b.askJournal, b.askAccounts, b.askTaxes, b.askPeriods, b.askCurrencies} {
		if err := read(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (b *Books) askCompany(ctx context.Context, s *setup) error {
	type company struct {
		ID       int64  `json:"id"`
		Name     string `json:"rec_name"`
		Currency struct {
			Code string `json:"code"`
		} `json:"currency."`
	}
	all, err := readAll[company](ctx, b, "company.company", []any{}, s.context, "rec_name", "currency.code")
	if err != nil {
		return err
	}
	names := make([]string, 0, len(all))
	for _, c := range all {
		names = append(names, c.Name)
		if b.o.Company != c.Name && (b.o.Company != "" || c.ID != s.company) {
			continue
		}
		if c.Currency.Code != b.o.Currency {
			return fmt.Errorf("%w: the company's currency is %s, the merchant's is %s", target.ErrRefused, c.Currency.Code, b.o.Currency)
		}
		s.company = c.ID
		s.context["company"] = c.ID
		return nil
	}
	return fmt.Errorf("%w: the user has no company %q at Tryton, only %q; correct the connection's company, or give the user one there", target.ErrRefused, b.o.Company, names)
}

func (b *Books) askJournal(ctx context.Context, s *setup) error {
	type journal struct {
		ID         int64 `json:"id"`
		Code, Name string
	}
	all, err := readAll[journal](ctx, b, "account.journal", []any{}, s.context, "code", "name")
	if err != nil {
		return err
	}
	codes := make([]string, 0, len(all))
	for _, j := range all {
		if strings.EqualFold(j.Code, b.o.Journal) || strings.EqualFold(j.Name, b.o.Journal) {
			s.journal = j.ID
			return nil
		}
		codes = append(codes, j.Code)
	}
	return fmt.Errorf("%w: there is no journal %q at Tryton, only %q; correct the connection's journal", target.ErrRefused, b.o.Journal, codes)
}

func (b *Books) askAccounts(ctx context.Context, s *setup) error {
	type account struct {
		ID     int64 `json:"id"`
		Code   string
		Name   string
		Closed truth
		Party  truth `json:"party_required"`
		Kind   *struct {
			Statement string
			Assets    truth
			Expense   truth
		} `json:"type."`
	}
	all, err := readAll[account](ctx, b, "account.account", []any{where("company", "=", s.company), where("type", "!=", nil)}, s.context,
		"code", "name", "closed", "party_required", "type.statement", "type.assets", "type.expense")
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Kind == nil || a.Kind.Statement == "" {
			continue // a heading
		}
		known := target.Account{ID: strconv.FormatInt(a.ID, 10), Code: a.Code, Name: a.Name, Class: target.Income, Active: !bool(a.Closed)}
		switch {
		case a.Kind.Statement != "income" && bool(a.Kind.Assets):
			known.Class = target.Asset
		case a.Kind.Statement != "income":
			known.Class = target.Liability
		case bool(a.Kind.Expense):
			known.Class = target.Expense
		}
		if a.Party {
			known.Closed = "its lines name a party"
		}
		if _, twice := s.accounts[known.Key()]; twice {
			return fmt.Errorf("%w: two accounts are called %q at Tryton; give each a code of its own", target.ErrRefused, known.Key())
		}
		s.accounts[known.Key()], s.keys[a.ID] = a.ID, known.Key()
		s.chart.Accounts = append(s.chart.Accounts, known)
	}
	return nil
}

func (b *Books) askTaxes(ctx context.Context, s *setup) error {
	type tax struct {
		ID     int64 `json:"id"`
		Name   string
		Type   string
		Rate   decimal
		Active truth
	}
	all, err := readAll[tax](ctx, b, "account.tax", []any{where("company", "=", s.company)}, s.contextWith(map[string]any{"active_test": false}), "name", "type", "rate", "active")
	if err != nil {
		return err
	}
	times := map[string]int{}
	for _, t := range all {
		times[t.Name]++
	}
	for _, t := range all {
		code := target.TaxCode{Code: t.Name, Name: t.Name, Active: bool(t.Active)}
		if times[t.Name] > 1 { // a name that several have says nothing
			code.Code = fmt.Sprintf("%s #%d", t.Name, t.ID)
			code.Name = code.Code
		}
		if t.Type == "percentage" {
			rate, err := money.Parse(string(t.Rate))
			if err == nil {
				code.Rate, err = money.Mul(rate, 100*money.One)
			}
			if err != nil {
				return fmt.Errorf("%w: rate of tax %s: %w", target.ErrUnavailable, t.Name, err)
			}
		}
		s.taxes[code.Code] = t.ID
		s.chart.Taxes = append(s.chart.Taxes, code)
	}
	return nil
}

func (b *Books) askPeriods(ctx context.Context, s *setup) error {
	type found struct {
		ID    int64 `json:"id"`
		Name  string
		State string
		First day `json:"start_date"`
		Last  day `json:"end_date"`
	}
	all, err := readAll[found](ctx, b, "account.period", []any{where("fiscalyear.company", "=", s.company), where("type", "=", "standard")}, s.context,
		"name", "state", "start_date", "end_date")
	if err != nil {
		return err
	}
	for _, p := range all {
		s.periods = append(s.periods, period{p.ID, p.Name, bizday.Day(p.First), bizday.Day(p.Last), p.State == "open"})
	}
	slices.SortFunc(s.periods, func(a, b period) int { return strings.Compare(string(a.first), string(b.first)) })
	// A period that is closed behind an open one closes nothing but itself.
	for _, p := range s.periods {
		if p.open {
			break
		}
		s.period.Closed = p.last
	}
	s.period.Filed = b.o.Filed
	return nil
}

func (b *Books) askCurrencies(ctx context.Context, s *setup) error {
	type found struct {
		ID     int64 `json:"id"`
		Code   string
		Digits int
	}
	all, err := readAll[found](ctx, b, "currency.currency", []any{}, s.context, "code", "digits")
	for _, c := range all {
		s.currencies[c.Code] = currency{c.ID, c.Digits}
	}
	return err
}
