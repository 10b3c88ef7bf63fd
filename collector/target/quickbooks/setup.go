package quickbooks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// setup is what is known of the company.
type setup struct {
	chart       target.Chart
	period      target.Period
	country     string
	rates       map[string][]rateOf // of a tax code on sales, by the code's name
	codes       map[string]string   // ids of tax codes, by name
	items       map[string]string   // ids of items, by the account's id
	itemOf      map[string]string   // ids of accounts, by the item's id
	classes     map[string]string   // ids by name, in small letters
	departments map[string]string
}

type rateOf struct {
	id      string
	percent money.Decimal
}

// taxes reports whether lines bear tax codes.
func (s *setup) taxes() bool { return s.country != states }

// open checks that a day can be posted to.
func (s *setup) open(d bizday.Day) error { return s.period.Check(d, "QuickBooks") }

// keyOf names the account of a line as payloads do.
func (s *setup) keyOf(kind, id string) string {
	if kind != journal {
		id = s.itemOf[id]
	}
	for _, a := range s.chart.Accounts {
		if a.ID == id {
			return a.Key()
		}
	}
	return "id " + id
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

// Period returns up to when the books are closed, as it was within half an hour.
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
	s := &setup{
		rates: map[string][]rateOf{}, codes: map[string]string{}, items: map[string]string{}, itemOf: map[string]string{},
	}
	var info struct{ CompanyInfo struct{ Country string } }
	if err := b.get(ctx, "/companyinfo/"+b.o.Realm, nil, &info); err != nil {
		return nil, err
	}
	s.country = info.CompanyInfo.Country
	if s.country == canada && b.o.Form == FormJournal {
		return nil, target.With(target.CodePlan, fmt.Errorf("%w: in Canada journal entries carry no tax codes; set the form of the connection to %s", target.ErrRefused, FormReceipt))
	}
	var settings struct {
		Preferences struct {
			AccountingInfoPrefs struct{ BookCloseDate string }
			CurrencyPrefs       struct{ HomeCurrency wireRef }
		}
	}
	if err := b.get(ctx, "/preferences", nil, &settings); err != nil {
		return nil, err
	}
	if home := settings.Preferences.CurrencyPrefs.HomeCurrency.Value; home != "" && home != b.o.Currency {
		return nil, target.With(target.CodeCurrency, fmt.Errorf("%w: the company's currency is %s, the merchant's is %s", target.ErrRefused, home, b.o.Currency))
	}
	s.period.Filed = b.o.Filed
	if closed := settings.Preferences.AccountingInfoPrefs.BookCloseDate; closed != "" {
		var err error
		if s.period.Closed, err = bizday.Parse(closed); err != nil {
			return nil, fmt.Errorf("%w: date to which the books are closed: %w", target.ErrUnavailable, err)
		}
	}
	for _, read := range []func(context.Context, *setup) error{b.askAccounts, b.askTaxes, b.askItems, b.askDimensions} {
		if err := read(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

var classes = map[string]string{"Asset": target.Asset, "Liability": target.Liability, "Equity": target.Equity, "Revenue": target.Income, "Expense": target.Expense}

func (b *Books) askAccounts(ctx context.Context, s *setup) error {
	all, err := queryAll[struct {
		Id, Name, FullyQualifiedName, AcctNum, AccountType, AccountSubType, Classification string
		Active                                                                             bool
	}](ctx, b, "Account", "Active IN (true, false)")
	for _, a := range all {
		name := a.FullyQualifiedName
		if name == "" {
			name = a.Name
		}
		account := target.Account{ID: a.Id, Code: a.AcctNum, Name: name, Class: classes[a.Classification], Active: a.Active}
		switch {
		case a.AccountType == "Accounts Receivable" || a.AccountType == "Accounts Payable":
			account.Closed = "its lines name a customer or supplier"
		case a.AccountSubType == "SalesTaxPayable" || a.AccountSubType == "GlobalTaxPayable":
			account.Closed = "QuickBooks keeps it by itself for tax"
		}
		s.chart.Accounts = append(s.chart.Accounts, account)
	}
	return err
}

func (b *Books) askTaxes(ctx context.Context, s *setup) error {
	rates, err := queryAll[struct {
		Id        string
		RateValue json.Number
	}](ctx, b, "TaxRate", "")
	if err != nil {
		return err
	}
	percents := map[string]money.Decimal{}
	for _, r := range rates {
		if r.RateValue == "" {
			continue
		}
		if percents[r.Id], err = money.Parse(r.RateValue.String()); err != nil {
			return fmt.Errorf("%w: rate of tax %s: %w", target.ErrUnavailable, r.Id, err)
		}
	}
	codes, err := queryAll[struct {
		Id, Name         string
		Active           bool
		SalesTaxRateList struct {
			TaxRateDetail []struct{ TaxRateRef wireRef }
		}
	}](ctx, b, "TaxCode", "Active IN (true, false)")
	for _, c := range codes {
		code := target.TaxCode{Code: c.Name, Name: c.Id, Active: c.Active}
		for _, d := range c.SalesTaxRateList.TaxRateDetail {
			percent := percents[d.TaxRateRef.Value]
			s.rates[c.Name] = append(s.rates[c.Name], rateOf{d.TaxRateRef.Value, percent})
			code.Rate += percent
		}
		s.codes[c.Name] = c.Id
		s.chart.Taxes = append(s.chart.Taxes, code)
	}
	return err
}

// askItems finds the item of each account: the one that is called Tillbook and
// the account's name, or else the only one.
func (b *Books) askItems(ctx context.Context, s *setup) error {
	all, err := queryAll[struct {
		Id, Name, Type   string
		IncomeAccountRef *wireRef
	}](ctx, b, "Item", "")
	several := map[string]bool{}
	for _, i := range all {
		if i.IncomeAccountRef == nil || i.Type != "Service" && i.Type != "NonInventory" {
			continue
		}
		account := i.IncomeAccountRef.Value
		s.itemOf[i.Id] = account
		switch {
		case strings.HasPrefix(i.Name, "Tillbook "):
			s.items[account], several[account] = i.Id, false
		case s.items[account] == "" && !several[account]:
			s.items[account] = i.Id
		case !strings.HasPrefix(i.Name, "Tillbook "):
			several[account] = true
		}
	}
	return err
}

func (b *Books) askDimensions(ctx context.Context, s *setup) error {
	for _, d := range []struct {
		by, entity string
		ids        *map[string]string
	}{{b.o.ClassBy, "Class", &s.classes}, {b.o.LocationBy, "Department", &s.departments}} {
		if d.by == "" {
			continue
		}
		all, err := queryAll[struct{ Id, FullyQualifiedName string }](ctx, b, d.entity, "")
		if err != nil {
			return err
		}
		*d.ids = map[string]string{}
		dimension := target.Dimension{Name: d.by}
		for _, v := range all {
			(*d.ids)[strings.ToLower(v.FullyQualifiedName)] = v.Id
			dimension.Values = append(dimension.Values, v.FullyQualifiedName)
		}
		s.chart.Dimensions = append(s.chart.Dimensions, dimension)
	}
	return nil
}

// queryAll reads all of an entity.
func queryAll[T any](ctx context.Context, b *Books, entity, where string) ([]T, error) {
	if where != "" {
		where = " where " + where
	}
	var all []T
	for page := 0; ; page++ {
		if page == maxPages {
			return nil, fmt.Errorf("%w: there are more than %d of %s", target.ErrUnavailable, maxPages*pageSize, entity)
		}
		var answer struct{ QueryResponse map[string]json.RawMessage }
		statement := fmt.Sprintf("select * from %s%s startposition %d maxresults %d", entity, where, page*pageSize+1, pageSize)
		if err := b.get(ctx, "/query", url.Values{"query": {statement}}, &answer); err != nil {
			return nil, err
		}
		var some []T
		if text, found := answer.QueryResponse[entity]; found {
			if err := json.Unmarshal(text, &some); err != nil {
				return nil, fmt.Errorf("%w: read %s: %w", target.ErrUnavailable, entity, err)
			}
		}
		all = append(all, some...)
		if len(some) < pageSize {
			return all, nil
		}
	}
}

// get reads; what cannot be read is unavailable.
func (b *Books) get(ctx context.Context, path string, query url.Values, into any) error {
	if query == nil {
		query = url.Values{}
	}
	query.Set("minorversion", minorVersion)
	response, err := b.client.Do(ctx, web.Request{Method: http.MethodGet, Path: path, Query: query})
	if err != nil {
		return err
	}
	if f, isFault := faultOf(response); isFault {
		return fmt.Errorf("GET %s: %w", path, f.reading())
	}
	if err := json.Unmarshal(response.Body, into); err != nil {
		return fmt.Errorf("%w: GET %s: %w", target.ErrUnavailable, path, err)
	}
	return nil
}
