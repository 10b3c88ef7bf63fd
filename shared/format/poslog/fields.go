package poslog

import (
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/text"
	"tillbook.example/tillbook/shared/format/xmlscan"
	"tillbook.example/tillbook/shared/money"
)

// transaction reads one Transaction. Its methods read fields and remember the
// first that cannot be read in err.
type transaction struct {
	tree    *xmlscan.Tree
	legacy  bool
	options *format.Options
	words   words
	places  int // of the currency
	err     error
}

// words holds texts that repeat from transaction to transaction (stores, tills,
// tender types), so that each is kept once.
type words map[string]string

const maxWords = 4096

func (w words) get(b []byte) string {
	if s, ok := w[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(b) <= 32 && len(w) < maxWords {
		w[s] = s
	}
	return s
}

// string returns an element's text.
func (x *transaction) string(n xmlscan.Node) string {
	b := x.tree.Text(n)
	if x.legacy {
		return text.String(b, true)
	}
	return x.words.get(b)
}

// attr returns an attribute's value.
func (x *transaction) attr(n xmlscan.Node, name string) string {
	return x.words.get(x.tree.Attr(n, name))
}

// flag reports whether an attribute says yes.
func (x *transaction) flag(n xmlscan.Node, name string) bool {
	b := x.tree.Attr(n, name)
	return string(b) == "true" || string(b) == "1" || strings.EqualFold(string(b), "true")
}

// child returns the first child with the first of the names that is there and
// not empty.
func (x *transaction) child(n xmlscan.Node, names ...string) xmlscan.Node {
	for _, name := range names {
		if c := x.tree.Child(n, name); c != 0 {
			return c
		}
	}
	return 0
}

// value returns the text of the first child with one of the names.
func (x *transaction) value(n xmlscan.Node, names ...string) string {
	for _, name := range names {
		for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
			if string(x.tree.Name(c)) == name && len(x.tree.Text(c)) > 0 {
				return x.string(c)
			}
		}
	}
	return ""
}

// amount reads the number in the first child with one of the names; ok is false
// where there is none.
func (x *transaction) amount(n xmlscan.Node, names ...string) (d money.Decimal, ok bool) {
	for _, name := range names {
		if c := x.tree.Child(n, name); c != 0 && len(x.tree.Text(c)) > 0 {
			return x.number(c, false), true
		}
	}
	return 0, false
}

// ratio is amount for quantities, prices and percentages, of which places
// beyond the sixth are rounded.
func (x *transaction) ratio(n xmlscan.Node, names ...string) (d money.Decimal, ok bool) {
	for _, name := range names {
		if c := x.tree.Child(n, name); c != 0 && len(x.tree.Text(c)) > 0 {
			return x.number(c, true), true
		}
	}
	return 0, false
}

func (x *transaction) number(n xmlscan.Node, round bool) money.Decimal {
	s := string(x.tree.Text(n))
	d, err := parseNumber(s, round)
	if err != nil {
		x.fail("%s: %v", x.tree.Name(n), err)
	}
	return d
}

// parseNumber reads an xs:decimal.
func parseNumber(s string, round bool) (money.Decimal, error) {
	s = strings.TrimSuffix(s, ".")
	if _, fraction, _ := strings.Cut(s, "."); round && len(fraction) > money.Scale {
		cut := len(s) - len(fraction) + money.Scale
		d, err := money.Parse(s[:cut])
		if err != nil || s[cut] < '5' {
			return d, err
		}
		if strings.HasPrefix(s, "-") {
			return d - 1, nil
		}
		return d + 1, nil
	}
	return money.Parse(s)
}

// fail notes the first field that cannot be read.
func (x *transaction) fail(reason string, args ...any) {
	if x.err == nil {
		x.err = format.Refuse(format.BadField, reason, args...)
	}
}

// add, and multiply with rounding to the currency, with the error noted.
func (x *transaction) add(numbers ...money.Decimal) money.Decimal {
	var sum money.Sum
	for _, n := range numbers {
		sum.Add(n)
	}
	d, err := sum.Value()
	if err != nil {
		x.fail("%v", err)
	}
	return d
}

func (x *transaction) times(a, b money.Decimal) money.Decimal {
	d, err := money.Mul(a, b)
	if err != nil {
		x.fail("%v", err)
	}
	return d.RoundTo(x.places)
}

// split divides an amount over weights.
func (x *transaction) split(amount money.Decimal, weights []money.Decimal) []money.Decimal {
	parts, err := format.Split(amount, weights, x.places)
	if err != nil {
		x.fail("%v", err)
		return make([]money.Decimal, len(weights))
	}
	return parts
}

// time reads a time element, with the offset that some dialects put in an
// attribute.
func (x *transaction) time(n xmlscan.Node) document.Time {
	given := x.string(n)
	wall, err := format.ParseXMLTime(given)
	if err != nil {
		x.fail("%s: %v", x.tree.Name(n), err)
		return document.Time{}
	}
	if offset := x.attr(n, "Offset"); offset != "" && !wall.Zoned && !wall.DateOnly {
		if zoned, err := format.WithOffset(wall, offset); err == nil {
			wall = zoned
		}
	}
	return x.options.Time(given, wall)
}

// local strips a vendor's prefix from a code: "DKT:CreditCard" is CreditCard.
func local(code string) string { return code[strings.LastIndexByte(code, ':')+1:] }
