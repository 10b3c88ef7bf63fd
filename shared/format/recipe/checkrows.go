package recipe

import (
	"reflect"

	"tillbook.example/tillbook/shared/document"
)

// Sign conventions of lines and tenders.
var (
	lineSigns     = []string{"as_given", "quantity", "kind", "negative", "positive"}
	tenderSigns   = []string{"direction", "as_given", "kind"}
	discountSigns = []string{"taken_off", "as_given"}
)

// checkRows checks the rules of rows, and notes the columns that they read.
func (r *Recipe) checkRows() error {
	for i := range r.Rows {
		if err := r.checkRow(&r.Rows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recipe) checkRow(rule *RowRule) error {
	if rule.From == "" {
		rule.From = r.Files[0].Role
	}
	if r.Format == "csv" && r.role(rule.From) < 0 {
		var roles []string
		for _, f := range r.Files {
			roles = append(roles, f.Role)
		}
		return wordError("from", rule.line, rule.From, roles)
	}
	for i := range rule.Tenders {
		rule.Tenders[i].wide = true
	}
	if rule.Tender != nil {
		rule.Tenders = append([]Tender{*rule.Tender}, rule.Tenders...)
		rule.Tender = nil
	}
	r.useCondition(rule.From, &rule.When)
	r.walk(rule.From, reflect.ValueOf(rule).Elem())
	if l := rule.Line; l != nil {
		if err := l.check(rule.line); err != nil {
			return err
		}
	}
	for i := range rule.Tenders {
		if err := rule.Tenders[i].check(rule.line); err != nil {
			return err
		}
	}
	if rule.Discount != nil {
		if err := rule.Discount.check(rule.line); err != nil {
			return err
		}
	}
	if l := rule.Link; l != nil {
		if err := l.Relation.known("relation", rule.line, texts(document.Relations)); err != nil {
			return err
		}
		if !l.Relation.set || !l.Number.set {
			return wrong(rule.line, "link: relation and number belong here")
		}
	}
	if m := rule.Movement; m != nil {
		if !m.Amount.set {
			return wrong(rule.line, "movement: amount is missing")
		}
		for _, v := range []*Value{&m.From, &m.To} {
			if err := v.known("movement", rule.line, texts(document.MoneyPlaces)); err != nil {
				return err
			}
		}
		if err := checkTaxes(m.Taxes, rule.line); err != nil {
			return err
		}
	}
	if c := rule.Count; c != nil {
		if err := c.Stage.known("count: stage", rule.line, document.CountStages); err != nil {
			return err
		}
	}
	if c := rule.Close; c != nil && c.ByTax != nil {
		return checkTaxes([]Tax{*c.ByTax}, rule.line)
	}
	return nil
}

// walk notes the columns of every Value in a rule.
func (r *Recipe) walk(from string, v reflect.Value) {
	if v.CanAddr() {
		if value, ok := v.Addr().Interface().(*Value); ok {
			r.uses = appendUses(r.uses, from, value)
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			r.walk(from, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			r.walk(from, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				r.walk(from, v.Field(i))
			}
		}
	}
}

func (l *Line) check(line int) error {
	if !l.Amount.set && (!l.Quantity.set || !l.UnitPrice.set) {
		return wrong(line, "line: amount, or quantity and unit_price, belong here")
	}
	if err := one("line: sign", line, &l.Sign, lineSigns...); err != nil {
		return err
	}
	if err := one("line: amount_is", line, &l.AmountIs, "before_discount", "after_discount"); err != nil {
		return err
	}
	if err := l.Kind.known("line: kind", line, texts(document.LineKinds)); err != nil {
		return err
	}
	if err := l.Consumption.known("line: consumption", line, document.Consumptions); err != nil {
		return err
	}
	for i := range l.Discounts {
		if err := l.Discounts[i].check(line); err != nil {
			return err
		}
	}
	if err := l.Voucher.check(line); err != nil {
		return err
	}
	return checkTaxes(l.Taxes, line)
}

func (d *Discount) check(line int) error {
	if !d.Amount.set {
		return wrong(line, "discount: amount is missing")
	}
	if err := one("discount: sign", line, &d.Sign, discountSigns...); err != nil {
		return err
	}
	return d.Kind.known("discount: kind", line, texts(document.AdjustmentKinds))
}

func checkTaxes(taxes []Tax, line int) error {
	for i := range taxes {
		t := &taxes[i]
		if err := one("tax: scheme", line, &t.Scheme, document.TaxSchemes...); err != nil {
			return err
		}
		if !t.Rate.set && !t.Amount.set {
			return wrong(line, "tax: rate or amount belongs here")
		}
	}
	return nil
}

func (v *Voucher) check(line int) error {
	if v == nil {
		return nil
	}
	if err := word("voucher: purpose", line, v.Purpose, document.VoucherPurposes); err != nil {
		return err
	}
	return word("voucher: funding", line, v.Funding, document.VoucherFundings)
}

func (t *Tender) check(line int) error {
	if !t.Amount.set {
		return wrong(line, "tender: amount is missing")
	}
	if !t.Name.set && !t.Kind.set {
		return wrong(line, "tender: name or kind belongs here")
	}
	if err := one("tender: sign", line, &t.Sign, tenderSigns...); err != nil {
		return err
	}
	if err := t.Kind.known("tender: kind", line, texts(document.TenderKinds)); err != nil {
		return err
	}
	if err := t.Direction.known("tender: direction", line, texts(document.Directions)); err != nil {
		return err
	}
	return t.Voucher.check(line)
}

// known checks the words that a value states itself.
func (v *Value) known(what string, line int, words []string) error {
	for _, w := range v.fixed() {
		if err := wordError(what, max(line, v.line), w, words); err != nil {
			return err
		}
	}
	return nil
}
