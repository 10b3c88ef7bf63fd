package recipe

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/suggest"
)

// Parse reads and checks a recipe. Every error says in which line it is.
func Parse(data []byte) (*Recipe, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("recipe: %d bytes, more than %d", len(data), MaxSize)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("recipe: %w", plain(err))
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("recipe: a block of keys belongs here; see docs/recipes.md")
	}
	r := &Recipe{}
	if err := strict(root.Content[0], r); err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	r.lines(root.Content[0])
	if err := r.check(); err != nil {
		if r.Name != "" {
			return nil, fmt.Errorf("recipe %s: %w", r.Name, err)
		}
		return nil, fmt.Errorf("recipe: %w", err)
	}
	return r, nil
}

// lines notes where the parts stand whose checks come after decoding.
func (r *Recipe) lines(root *yaml.Node) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		at := func(n int) int { return value.Content[n].Line }
		switch key.Value {
		case "dates":
			r.Dates.line = key.Line
		case "group":
			r.Group.line = key.Line
		case "files":
			for n := range r.Files {
				r.Files[n].line = at(n)
			}
		case "kinds":
			for n := range r.Kinds {
				r.Kinds[n].line = at(n)
			}
		case "rows":
			for n := range r.Rows {
				r.Rows[n].line = at(n)
			}
		case "tenders":
			for n := range r.Tenders {
				r.Tenders[n].line = at(n)
			}
		case "items":
			for n := range r.Items {
				r.Items[n].line = at(n)
			}
		}
	}
}

// check fills in what was left out and checks what the types do not.
func (r *Recipe) check() error {
	switch {
	case r.Name == "":
		return errors.New("name is missing")
	case r.Version == 0:
		return errors.New("version is missing; it begins at 1 and rises with each change")
	case r.Format != "csv" && r.Format != "json":
		return fmt.Errorf("format is %q, not csv or json", r.Format)
	case len(r.Rows) == 0:
		return errors.New("rows is missing: it says what the rows are")
	}
	for _, step := range []func() error{r.checkFiles, r.checkText, r.checkDates, r.checkGroup, r.checkReceipt, r.checkKinds, r.checkNames, r.checkRows} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recipe) checkFiles() error {
	if r.Format == "json" && len(r.Files) > 1 {
		return wrong(r.Files[1].line, "only CSV files are joined; in JSON, rows: from names a list inside the receipt")
	}
	if len(r.Files) == 0 {
		r.Files = []File{{Role: "main", Match: "*"}}
	}
	for i := range r.Files {
		f := &r.Files[i]
		if f.Role == "" {
			return wrong(f.line, "role is missing")
		}
		if r.role(f.Role) != i {
			return wrong(f.line, "the role %q is there twice", f.Role)
		}
		if _, err := path.Match(f.Match, ""); err != nil {
			return wrong(f.line, "match: %q is not a pattern of file names", f.Match)
		}
		if f.Match == "" {
			f.Match = "*"
		}
		if len(r.Files) > 1 {
			if f.Key == "" {
				return wrong(f.line, "key is missing: the column by which the files are joined")
			}
			r.use(f.Role, f.Key, f.line)
		}
	}
	return nil
}

func (r *Recipe) checkText() error {
	if r.CSV.Delimiter == "" {
		r.CSV.Delimiter = ","
	}
	if r.CSV.Delimiter == "tab" {
		r.CSV.Delimiter = "\t"
	}
	if r.CSV.Quote == "" {
		r.CSV.Quote = `"`
	}
	if len(r.CSV.Delimiter) != 1 || r.CSV.Delimiter == "\n" || r.CSV.Delimiter == "\r" {
		return fmt.Errorf("csv: delimiter is %q; it is one character, or tab", r.CSV.Delimiter)
	}
	if r.CSV.Quote != "none" && len(r.CSV.Quote) != 1 {
		return fmt.Errorf("csv: quote is %q; it is one character, or none", r.CSV.Quote)
	}
	if !r.header() && len(r.CSV.Columns) == 0 {
		return errors.New("csv: without a header the columns must be named in columns")
	}
	if r.header() && len(r.CSV.Columns) > 0 {
		return errors.New("csv: columns is for files without a header; set header: false")
	}
	if err := one("csv: short_rows", 0, &r.CSV.ShortRows, "refuse", "fill"); err != nil {
		return err
	}
	if err := one("numbers: decimal", 0, &r.Numbers.Decimal, ".", ","); err != nil {
		return err
	}
	return one("numbers: amounts", 0, &r.Numbers.Amounts, "units", "minor")
}

// header reports whether the first row names the columns.
func (r *Recipe) header() bool { return r.CSV.Header == nil || *r.CSV.Header }

func (r *Recipe) checkDates() error {
	for _, f := range r.Dates.Formats {
		l, err := readLayout(f)
		if err != nil {
			return wrong(r.Dates.line, "dates: %v", err)
		}
		r.layouts = append(r.layouts, l)
	}
	if r.Dates.Zone != "" {
		rule, err := bizday.NewRule(r.Dates.Zone, "")
		if err != nil {
			return wrong(r.Dates.line, "dates: zone: %v", err)
		}
		r.zone = &rule
	}
	return nil
}

func (r *Recipe) checkGroup() error {
	if err := one("group: order", r.Group.line, &r.Group.Order, "contiguous", "window"); err != nil {
		return err
	}
	if r.Format == "json" && len(r.Group.By) > 0 {
		return wrong(r.Group.line, "group is for CSV; in JSON each receipt is an object")
	}
	if r.Group.Window == 0 {
		r.Group.Window = 10000
	}
	if r.Group.Window < 1 || r.Group.Window > 1_000_000 {
		return wrong(r.Group.line, "group: window is %d; it is 1 to 1000000", r.Group.Window)
	}
	for _, column := range r.Group.By {
		r.use(r.Files[0].Role, column, r.Group.line)
	}
	return nil
}

func (r *Recipe) checkReceipt() error {
	c := &r.Receipt
	for _, v := range []*Value{&c.Store, &c.Terminal, &c.Number, &c.Scope, &c.Time, &c.Day, &c.Session, &c.Z, &c.Drawer, &c.Operator,
		&c.Sequence, &c.ReceiptNo, &c.Currency, &c.Stated.Gross, &c.Stated.Net, &c.Stated.Tax, &c.Stated.Discount,
		&c.Stated.Rounding, &c.Stated.Tip, &c.Stated.Paid, &c.Stated.Change, &c.Invoice.Number} {
		r.uses = appendUses(r.uses, "", v)
	}
	for i := range c.Fiscal {
		r.uses = appendUses(r.uses, "", &c.Fiscal[i].ID, &c.Fiscal[i].Signature)
		if c.Fiscal[i].Scheme == "" {
			return errors.New("receipt: fiscal: scheme is missing")
		}
	}
	if !c.Time.set {
		return errors.New("receipt: time is missing")
	}
	if err := one("receipt: price_basis", 0, &c.PriceBasis, string(document.TaxIncluded), string(document.TaxExcluded)); err != nil {
		return err
	}
	if err := one("receipt: stated: sign", 0, &c.Stated.Sign, "as_given", "kind"); err != nil {
		return err
	}
	return one("receipt: space", 0, &c.Space, texts(document.Spaces)...)
}

func (r *Recipe) checkKinds() error {
	for i := range r.Kinds {
		k := &r.Kinds[i]
		r.useCondition(r.Files[0].Role, &k.When)
		if err := one("kind", k.line, &k.Kind, append([]string{"auto"}, texts(document.Kinds)...)...); err != nil {
			return err
		}
		if k.State == "" {
			k.State = string(document.Completed)
		}
		if err := word("state", k.line, k.State, texts(document.States)); err != nil {
			return err
		}
		if k.Space == "" {
			k.Space = r.Receipt.Space
		}
		if err := one("space", k.line, &k.Space, texts(document.Spaces)...); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recipe) checkNames() error {
	for i := range r.Tenders {
		t := &r.Tenders[i]
		if t.Name == "" || t.Kind == "" {
			return wrong(t.line, "tenders: name and kind belong here")
		}
		if err := word("kind", t.line, t.Kind, texts(document.TenderKinds)); err != nil {
			return err
		}
		if err := word("direction", t.line, t.Direction, texts(document.Directions)); err != nil {
			return err
		}
	}
	for i := range r.Items {
		it := &r.Items[i]
		if len(it.SKU) == 0 && it.Text == "" {
			return wrong(it.line, "items: sku or text belongs here")
		}
		if it.Text != "" {
			re, err := regexp.Compile(it.Text)
			if err != nil {
				return wrong(it.line, "items: text: %v", err)
			}
			it.pattern = pattern{re}
		}
		if err := word("kind", it.line, it.Kind, texts(document.LineKinds)); err != nil {
			return err
		}
	}
	if f := r.Fill; f != nil {
		if f.Tender != nil {
			if f.Tender.Kind == "" {
				return errors.New("fill: tender: kind is missing")
			}
			if err := word("fill: tender: kind", 0, f.Tender.Kind, texts(document.TenderKinds)); err != nil {
				return err
			}
		}
		if f.Line != nil {
			if f.Line.Kind == "" {
				f.Line.Kind = string(document.Item)
			}
			if err := word("fill: line: kind", 0, f.Line.Kind, texts(document.LineKinds)); err != nil {
				return err
			}
		}
	}
	return nil
}

// use notes a mention of a column.
func (r *Recipe) use(from, column string, line int) {
	r.uses = append(r.uses, columnUse{from, column, line})
}

func (r *Recipe) useCondition(from string, c *Condition) {
	for _, t := range c.tests {
		r.use(from, t.column, t.line)
	}
}

func appendUses(uses []columnUse, from string, values ...*Value) []columnUse {
	for _, v := range values {
		v.each(func(column string, line int) { uses = append(uses, columnUse{from, column, line}) })
	}
	return uses
}

// one checks a word that has a default, the first of those known.
func one(what string, line int, word *string, known ...string) error {
	if *word == "" {
		*word = known[0]
		return nil
	}
	return wordError(what, line, *word, known)
}

// word checks a word that may be left out.
func word(what string, line int, text string, known []string) error {
	if text == "" {
		return nil
	}
	return wordError(what, line, text, known)
}

func wordError(what string, line int, text string, known []string) error {
	if slices.Contains(known, text) {
		return nil
	}
	hint := suggest.DidYouMean(text, known)
	if hint == "" && len(known) <= 6 {
		hint = fmt.Sprintf("; it is one of %v", known)
	}
	if line == 0 {
		return fmt.Errorf("%s: %q is not known%s", what, text, hint)
	}
	return wrong(line, "%s: %q is not known%s", what, text, hint)
}

func texts[T ~string](words []T) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}
