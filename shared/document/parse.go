package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/suggest"
)

// ParseJSON reads one document in its JSON form (schema.json), the form that
// json.Marshal of a Document writes. It is strict, because a field that is
// misspelt and passed over is money that is lost: unknown, repeated and missing
// fields, null, numbers where text belongs, amounts beyond money.Max and text
// after the document are errors, and each error begins with the path of its
// field, as in `lines/2/taxes/1/rate`. Field names are matched letter by letter.
//
// Moments are brought to UTC and cut to the microsecond, empty lists to none.
// ParseJSON checks form only; Check says whether the document holds together.
func ParseJSON(data []byte) (*Document, error) {
	if len(data) > MaxJSONBytes {
		return nil, fmt.Errorf("parse document: %d bytes, more than %d", len(data), MaxJSONBytes)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("parse document: the text is not UTF-8")
	}
	p := parser{dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	d := &Document{}
	if err := p.value(reflect.ValueOf(d).Elem()); err != nil {
		return nil, fmt.Errorf("parse document: %w", err)
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("parse document: something follows it at byte %d", p.dec.InputOffset())
	}
	return d, nil
}

// parser fills values from a stream of JSON tokens. How deep it goes is bounded
// by the Go types, since nothing that they do not name is entered.
type parser struct {
	dec   *json.Decoder
	path  []string
	parts int
}

// field is one field of a struct in its JSON form.
type field struct {
	name     string
	required bool // without omitzero: always written, never missing
}

// fields lists the fields of every struct that a document is made of, in order.
var fields = sync.OnceValue(func() map[reflect.Type][]field {
	known := map[reflect.Type][]field{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			add(t.Elem())
		case reflect.Struct:
			if t == momentType || known[t] != nil {
				return
			}
			for i := range t.NumField() {
				name, option, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
				known[t] = append(known[t], field{name, option != "omitzero"})
				add(t.Field(i).Type)
			}
		}
	}
	add(reflect.TypeFor[Document]())
	return known
})

var (
	momentType  = reflect.TypeFor[time.Time]()
	decimalType = reflect.TypeFor[money.Decimal]()
)

// fail returns an error that begins with the path of the present field.
func (p *parser) fail(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if len(p.path) == 0 {
		return err
	}
	return fmt.Errorf("%s: %w", strings.Join(p.path, "/"), err)
}

func (p *parser) token() (json.Token, error) {
	token, err := p.dec.Token()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, p.fail("the text ends in the middle")
	case err != nil:
		return nil, p.fail("not JSON at byte %d: %w", p.dec.InputOffset(), err)
	}
	return token, nil
}

// value reads one value into v.
func (p *parser) value(v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	token, err := p.token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case string:
		return p.text(v, t)
	case json.Number:
		return p.number(v, t)
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(t)
			return nil
		}
	case json.Delim:
		switch {
		case t == '{' && v.Kind() == reflect.Struct && v.Type() != momentType:
			return p.object(v)
		case t == '[' && v.Kind() == reflect.Slice:
			return p.list(v)
		}
	}
	return p.mismatch(v, token)
}

func (p *parser) mismatch(v reflect.Value, token json.Token) error {
	wanted := map[reflect.Kind]string{
		reflect.String: "text", reflect.Bool: "true or false", reflect.Struct: "an object", reflect.Slice: "a list",
	}[v.Kind()]
	switch {
	case v.Type() == decimalType:
		wanted = `an amount as text, such as "12.50",`
	case v.Type() == momentType:
		wanted = `a moment as text, such as "2026-03-01T09:30:00Z",`
	case wanted == "":
		wanted = "a whole number"
	}
	switch t := token.(type) {
	case nil:
		return p.fail("null: leave the field out where there is nothing to say")
	case json.Number:
		return p.fail("%s belongs here, not the number %s", wanted, clip(t.String()))
	case string:
		return p.fail("%s belongs here, not the text %q", wanted, clip(t))
	case bool:
		return p.fail("%s belongs here, not %t", wanted, t)
	default:
		return p.fail("%s belongs here, not %v", wanted, t)
	}
}

func (p *parser) text(v reflect.Value, text string) error {
	switch {
	case v.Type() == decimalType:
		d, err := money.Parse(text)
		if err != nil {
			return p.fail("%w", err)
		}
		v.SetInt(int64(d))
	case v.Type() == momentType:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return p.fail("%q is not a moment in RFC 3339, such as 2026-03-01T09:30:00Z", clip(text))
		}
		if t, err = instant(strings.Join(p.path, "/"), t); err != nil {
			return err
		}
		v.Set(reflect.ValueOf(t))
	case v.Kind() == reflect.String:
		v.SetString(text)
	default:
		return p.mismatch(v, text)
	}
	return nil
}

func (p *parser) number(v reflect.Value, number json.Number) error {
	if v.Type() == decimalType {
		return p.mismatch(v, number)
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil || v.OverflowInt(n) {
			return p.fail("%s is not a whole number in range", clip(number.String()))
		}
		v.SetInt(n)
	case reflect.Uint32:
		n, err := strconv.ParseUint(number.String(), 10, 32)
		if err != nil {
			return p.fail("%s is not a whole number in range", clip(number.String()))
		}
		v.SetUint(n)
	default:
		return p.mismatch(v, number)
	}
	return nil
}

// object reads the rest of an object whose brace has been read.
func (p *parser) object(v reflect.Value) error {
	known := fields()[v.Type()]
	seen := make([]bool, len(known))
	for p.dec.More() {
		token, err := p.token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		p.path = append(p.path, clip(name))
		at := indexOf(known, name)
		switch {
		case at < 0:
			return p.fail("unknown field%s", suggest.DidYouMean(name, names(known)))
		case seen[at]:
			return p.fail("the field is there twice")
		}
		seen[at] = true
		if err := p.value(v.Field(at)); err != nil {
			return err
		}
		p.path = p.path[:len(p.path)-1]
	}
	if _, err := p.token(); err != nil {
		return err
	}
	for i, f := range known {
		if f.required && !seen[i] {
			p.path = append(p.path, f.name)
			return p.fail("the field is missing")
		}
	}
	return nil
}

// list reads the rest of a list whose bracket has been read.
func (p *parser) list(v reflect.Value) error {
	limit := MaxParts
	if v.Type() == reflect.TypeFor[[]Line]() {
		limit = MaxLines
	}
	for n := 1; p.dec.More(); n++ {
		if p.parts++; p.parts > MaxParts || n > limit {
			return p.fail("more than %d", limit)
		}
		p.path = append(p.path, strconv.Itoa(n))
		element := reflect.New(v.Type().Elem()).Elem()
		if err := p.value(element); err != nil {
			return err
		}
		v.Set(reflect.Append(v, element))
		p.path = p.path[:len(p.path)-1]
	}
	_, err := p.token()
	return err
}

func names(known []field) []string {
	out := make([]string, len(known))
	for i, f := range known {
		out[i] = f.name
	}
	return out
}

func indexOf(known []field, name string) int {
	for i, f := range known {
		if f.name == name {
			return i
		}
	}
	return -1
}
