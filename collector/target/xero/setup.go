package xero

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// setup is what is known of the organisation.
type setup struct {
	chart   target.Chart
	period  target.Period
	basis   string
	country string
	payable map[string]bool // accounts that payments can go to, by key
}

// open checks that a day can be posted to.
func (s *setup) open(d bizday.Day) error { return s.period.Check(d, "Xero") }

// Chart asks for the chart of accounts.
func (b *Books) Chart(ctx context.Context) (target.Chart, error) {
	b.setup.Forget()
	s, err := b.known(ctx)
	if err != nil {
		return target.Chart{}, err
	}
	return s.chart, nil
}

// Period returns the lock dates as they were within ten minutes.
func (b *Books) Period(ctx context.Context) (target.Period, error) {
	s, err := b.known(ctx)
	if err != nil {
		return target.Period{}, err
	}
	return s.period, nil
}

// known returns what is known of the organisation, asking if it is old.
func (b *Books) known(ctx context.Context) (*setup, error) {
	s, err := b.setup.Get(b.o.Now(), chartLife, func() (*setup, error) { return b.ask(ctx) })
	if err != nil {
		return nil, fmt.Errorf("read the chart of accounts: %w", err)
	}
	return s, nil
}

func (b *Books) ask(ctx context.Context) (*setup, error) {
	s := &setup{payable: map[string]bool{}}
	var organisations struct {
		Organisations []struct {
			BaseCurrency, CountryCode, SalesTaxBasis, PeriodLockDate, EndOfYearLockDate, OrganisationStatus string
		}
	}
	if err := b.get(ctx, "/Organisation", nil, &organisations); err != nil {
		return nil, err
	}
	if len(organisations.Organisations) != 1 {
		return nil, fmt.Errorf("%w: Xero names %d organisations", target.ErrUnavailable, len(organisations.Organisations))
	}
	o := organisations.Organisations[0]
	if o.OrganisationStatus != "" && o.OrganisationStatus != "ACTIVE" {
		return nil, target.With(target.CodeSubscription, fmt.Errorf("%w: the organisation is %s at Xero", target.ErrUnavailable, strings.ToLower(o.OrganisationStatus)))
	}
	if o.BaseCurrency != b.o.Currency {
		return nil, target.With(target.CodeCurrency, fmt.Errorf("%w: the organisation's currency is %s, the merchant's is %s", target.ErrRefused, o.BaseCurrency, b.o.Currency))
	}
	s.basis, s.country = o.SalesTaxBasis, o.CountryCode
	for _, lock := range []string{o.PeriodLockDate, o.EndOfYearLockDate} {
		if lock == "" {
			continue
		}
		day, err := dayOf(lock)
		if err != nil {
			return nil, fmt.Errorf("%w: lock date: %w", target.ErrUnavailable, err)
		}
		s.period.Closed = max(s.period.Closed, day)
	}
	s.period.Filed = b.o.Filed
	for _, read := range []func(context.Context, *setup) error{b.askAccounts, b.askTaxes, b.askTracking} {
		if err := read(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

var classes = map[string]string{"ASSET": target.Asset, "LIABILITY": target.Liability, "EQUITY": target.Equity, "REVENUE": target.Income, "EXPENSE": target.Expense}

func (b *Books) askAccounts(ctx context.Context, s *setup) error {
	var all struct {
		Accounts []struct {
			AccountID, Code, Name, Type, Class, Status, SystemAccount string
			EnablePaymentsToAccount                                   bool
		}
	}
	if err := b.get(ctx, "/Accounts", nil, &all); err != nil {
		return err
	}
	for _, a := range all.Accounts {
		account := target.Account{ID: a.AccountID, Code: a.Code, Name: a.Name, Class: classes[a.Class], Active: a.Status == "ACTIVE"}
		switch {
		case a.SystemAccount != "":
			account.Closed = "Xero keeps it by itself (" + a.SystemAccount + ")"
		case a.Type == "BANK":
			account.Closed = "it is a bank account, which takes payments only"
		case a.Code == "":
			account.Closed = "it has no code"
		}
		s.chart.Accounts = append(s.chart.Accounts, account)
		s.payable[account.Key()] = account.Active && a.SystemAccount == "" && (a.Type == "BANK" || a.EnablePaymentsToAccount)
	}
	return nil
}

func (b *Books) askTaxes(ctx context.Context, s *setup) error {
	var all struct {
		TaxRates []struct {
			Name, TaxType, Status                                                                            string
			EffectiveRate                                                                                    json.Number
			CanApplyToAssets, CanApplyToEquity, CanApplyToExpenses, CanApplyToLiabilities, CanApplyToRevenue bool
		}
	}
	if err := b.get(ctx, "/TaxRates", nil, &all); err != nil {
		return err
	}
	for _, t := range all.TaxRates {
		code := target.TaxCode{Code: t.TaxType, Name: t.Name, Active: t.Status == "ACTIVE"}
		if t.EffectiveRate != "" {
			var err error
			if code.Rate, err = money.Parse(t.EffectiveRate.String()); err != nil {
				return fmt.Errorf("%w: rate of tax %s: %w", target.ErrUnavailable, t.TaxType, err)
			}
		}
		for _, c := range []struct {
			may   bool
			class string
		}{
			{t.CanApplyToAssets, target.Asset}, {t.CanApplyToEquity, target.Equity}, {t.CanApplyToExpenses, target.Expense},
			{t.CanApplyToLiabilities, target.Liability}, {t.CanApplyToRevenue, target.Income},
		} {
			if c.may {
				code.Classes = append(code.Classes, c.class)
			}
		}
		s.chart.Taxes = append(s.chart.Taxes, code)
	}
	return nil
}

func (b *Books) askTracking(ctx context.Context, s *setup) error {
	var all struct {
		TrackingCategories []struct {
			Name, Status string
			Options      []struct{ Name, Status string }
		}
	}
	if err := b.get(ctx, "/TrackingCategories", nil, &all); err != nil {
		return err
	}
	for _, c := range all.TrackingCategories {
		if c.Status != "ACTIVE" {
			continue
		}
		d := target.Dimension{Name: c.Name}
		for _, o := range c.Options {
			if o.Status == "ACTIVE" {
				d.Values = append(d.Values, o.Name)
			}
		}
		s.chart.Dimensions = append(s.chart.Dimensions, d)
	}
	slices.SortFunc(s.chart.Dimensions, func(a, b target.Dimension) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// get reads; what cannot be read is unavailable.
func (b *Books) get(ctx context.Context, path string, query url.Values, into any) error {
	response, err := b.client.Do(ctx, web.Request{Method: http.MethodGet, Path: path, Query: query})
	if err != nil {
		return err
	}
	if response.Status != http.StatusOK {
		return fmt.Errorf("%w: GET %s: status %d: %.300s", target.ErrUnavailable, path, response.Status, response.Body)
	}
	if err := json.Unmarshal(response.Body, into); err != nil {
		return fmt.Errorf("%w: GET %s: %w", target.ErrUnavailable, path, err)
	}
	return nil
}

// dayOf reads a date as Xero writes it: /Date(1552521600000+0000)/, or a day.
func dayOf(s string) (bizday.Day, error) {
	if inner, ok := strings.CutPrefix(s, "/Date("); ok {
		inner, _, _ = strings.Cut(inner, ")")
		if i := strings.LastIndexAny(inner, "+-"); i > 0 {
			inner = inner[:i]
		}
		ms, err := strconv.ParseInt(inner, 10, 64)
		if err != nil {
			return "", fmt.Errorf("date %q: %w", s, err)
		}
		return bizday.Day(time.UnixMilli(ms).UTC().Format(time.DateOnly)), nil
	}
	s, _, _ = strings.Cut(s, "T")
	return bizday.Parse(s)
}
