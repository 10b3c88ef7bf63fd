package document_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/document/documenttest"
	"tillbook.example/tillbook/shared/money"
)

// words are the lists that stand in the schema: by Go type, or by type and JSON
// name where the field is a plain string.
var words = map[string][]string{
	"Kind":             texts(document.Kinds),
	"State":            texts(document.States),
	"Space":            texts(document.Spaces),
	"PriceBasis":       texts(document.PriceBases),
	"Relation":         texts(document.Relations),
	"LineKind":         texts(document.LineKinds),
	"AdjustmentKind":   texts(document.AdjustmentKinds),
	"TenderKind":       texts(document.TenderKinds),
	"Direction":        texts(document.Directions),
	"MoneyPlace":       texts(document.MoneyPlaces),
	"Time/zone_from":   document.ZoneOrigins,
	"Adjustment/level": document.Levels,
	"Line/consumption": document.Consumptions,
	"Tax/scheme":       document.TaxSchemes,
	"Tax/liable":       document.LiableParties,
	"Voucher/purpose":  document.VoucherPurposes,
	"Voucher/funding":  document.VoucherFundings,
	"Agency/part":      document.AgencyParts,
	"Count/stage":      document.CountStages,
}

// details narrow fields beyond their type, by type and JSON name.
var details = map[string]object{
	"Document/content_hash": {{"type", "string"}, {"pattern", "^[0-9a-f]{64}$"}},
	"Document/currency":     {{"$ref", "#/$defs/Currency"}},
	"Rate/to":               {{"$ref", "#/$defs/Currency"}},
	"Money/currency":        {{"$ref", "#/$defs/Currency"}},
	"Foreign/currency":      {{"$ref", "#/$defs/Currency"}},
	"StatedDay/date":        {{"type", "string"}, {"format", "date"}},
	"Time/offset":           {{"type", "integer"}, {"minimum", -18 * 60}, {"maximum", 18 * 60}},
	"Link/line":             {{"type", "integer"}, {"minimum", 0}, {"maximum", document.MaxLines}},
	"Denomination/quantity": {{"type", "integer"}, {"minimum", 0}},
}

func TestTheSchemaIsThatOfTheGoTypes(t *testing.T) {
	t.Parallel()
	g := generator{t: t, comments: comments(t), defs: map[string]object{}}
	g.def(reflect.TypeFor[document.Document]())
	defs := object{}
	for _, name := range g.order {
		defs = append(defs, member{name, g.defs[name]})
	}
	defs = append(defs,
		member{"Decimal", object{
			{"description", "An exact decimal as text, at most 9000000000000 either way and at most six places."},
			{"type", "string"}, {"pattern", `^[+-]?([0-9]{1,13}(\.[0-9]{1,6})?|\.[0-9]{1,6})$`},
		}},
		member{"Currency", object{{"description", "ISO 4217"}, {"type", "string"}, {"pattern", "^[A-Z]{3}$"}}},
	)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "https://tillbook.example/schema/document-1.json"},
		{"title", "Tillbook document, version 1"},
		{"$ref", "#/$defs/Document"},
		{"$defs", defs},
	}); err != nil {
		t.Fatal(err)
	}
	golden(t, "schema.json", out.Bytes())
	for path := range details {
		if !g.used[path] {
			t.Errorf("no field is called %s", path)
		}
	}
	for path := range words {
		if strings.Contains(path, "/") && !g.used[path] {
			t.Errorf("no field is called %s", path)
		}
	}
}

func TestEveryGeneratedDocumentFitsTheSchema(t *testing.T) {
	t.Parallel()
	s := compile(t)
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.OneOf(documenttest.Any(), documenttest.Receipt()).Draw(t, "document")
		d.ContentHash = document.HashString(d)
		if err := d.Settle(); err != nil {
			d.Totals.Computed = &document.Amounts{}
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := fits(s, text); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}

func TestTheSchemaRefusesWhatParseJSONRefuses(t *testing.T) {
	t.Parallel()
	s := compile(t)
	if err := fits(s, []byte(with(""))); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		with(`, "lnies": []`), with(`, "lines": [{"kind": "ITEM"}]`), with(`, "lines": null`), with(`, "price_basis": 5`),
		with(`, "lines": [{"kind": "ITEM", "extended": 12.5}]`), with(`, "lines": [{"kind": "ITEM", "extended": "1e2"}]`),
		with(`, "lines": [{"kind": "ITEM", "extended": "0.1234567"}]`), with(`, "lines": [{"kind": "ITEM", "extended": "5."}]`),
		with(`, "source": {"captured_at": "yesterday"}`), `{"kind": "SALE"}`, `[]`,
	} {
		if _, err := document.ParseJSON([]byte(text)); err == nil {
			t.Errorf("ParseJSON takes %s", text)
		}
		if err := fits(s, []byte(text)); err == nil {
			t.Errorf("the schema takes %s", text)
		}
	}
	for _, text := range []string{
		with(`, "price_basis": "NET"`), strings.Replace(with(""), "SALE", "HOLOGRAM", 1), strings.Replace(with(""), "EUR", "eur", 1),
		with(`, "content_hash": "ab"`), with(`, "stated_day": {"date": "2026-02-29"}`),
	} {
		if err := fits(s, []byte(text)); err == nil {
			t.Errorf("the schema takes %s", text)
		}
	}
}

func TestTheListsHoldEveryWordThatIsDeclared(t *testing.T) {
	t.Parallel()
	declared := map[string][]string{}
	for _, file := range sources(t) {
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				value := spec.(*ast.ValueSpec)
				name, ok := value.Type.(*ast.Ident)
				if !ok {
					continue
				}
				text, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				declared[name.Name] = append(declared[name.Name], text)
			}
		}
	}
	for name, list := range words {
		if strings.Contains(name, "/") {
			continue
		}
		if diff := cmp.Diff(declared[name], list); diff != "" {
			t.Errorf("the constants and the list of %s differ (-constants +list):\n%s", name, diff)
		}
		delete(declared, name)
	}
	if len(declared) > 0 {
		t.Errorf("no list holds the words of %v", declared)
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	content, err := jsonschema.UnmarshalJSON(bytes.NewReader(document.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("document.json", content); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("document.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fits(s *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		var value bytes.Buffer
		encoder := json.NewEncoder(&value)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(m.value); err != nil {
			return nil, err
		}
		out = append(strconv.AppendQuote(out, m.name), ':')
		out = append(out, value.Bytes()...)
	}
	return append(out, '}'), nil
}

// generator turns Go types into definitions.
type generator struct {
	t        *testing.T
	comments map[string]string
	defs     map[string]object
	order    []string
	used     map[string]bool
}

// def adds the definition of a struct or a word and returns a reference to it.
func (g *generator) def(t reflect.Type) object {
	ref := object{{"$ref", "#/$defs/" + t.Name()}}
	if _, done := g.defs[t.Name()]; done {
		return ref
	}
	o := object{}
	if text := g.comments[t.Name()]; text != "" {
		o = append(o, member{"description", text})
	}
	g.order = append(g.order, t.Name())
	g.defs[t.Name()] = o
	if t.Kind() == reflect.String {
		g.defs[t.Name()] = append(o, member{"enum", words[t.Name()]})
		return ref
	}
	properties, required := object{}, []string{}
	for i := range t.NumField() {
		field := t.Field(i)
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		if option != "omitzero" {
			required = append(required, name)
		}
		properties = append(properties, member{name, g.field(t, field, name)})
	}
	o = append(o, member{"type", "object"}, member{"properties", properties})
	if len(required) > 0 {
		o = append(o, member{"required", required})
	}
	g.defs[t.Name()] = append(o, member{"additionalProperties", false})
	return ref
}

func (g *generator) field(owner reflect.Type, field reflect.StructField, name string) object {
	path := owner.Name() + "/" + name
	if g.used == nil {
		g.used = map[string]bool{}
	}
	g.used[path] = true
	o := details[path]
	if list := words[path]; list != nil {
		o = object{{"enum", list}}
	}
	if o == nil {
		o = g.value(owner, field.Type)
	}
	if text := g.comments[owner.Name()+"."+field.Name]; text != "" {
		return append(object{{"description", text}}, o...)
	}
	return o
}

func (g *generator) value(owner, t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[money.Decimal]():
		return object{{"$ref", "#/$defs/Decimal"}}
	case t == reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}
	case t.Kind() == reflect.Struct, t.Kind() == reflect.String && t.Name() != "string":
		return g.def(t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.value(owner, t.Elem())
	case reflect.Slice:
		most := document.MaxParts
		if t.Elem() == reflect.TypeFor[document.Line]() {
			most = document.MaxLines
		}
		return object{{"type", "array"}, {"maxItems", most}, {"items", g.value(owner, t.Elem())}}
	case reflect.String:
		most := document.MaxText
		if owner == reflect.TypeFor[document.Key]() {
			most = document.MaxKeyPart
		}
		return object{{"type", "string"}, {"maxLength", most}}
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Int64:
		return object{{"type", "integer"}}
	case reflect.Uint32:
		return object{{"type", "integer"}, {"minimum", 0}, {"maximum", uint32(1<<32 - 1)}}
	}
	g.t.Fatalf("the schema has no form for %s", t)
	return nil
}

// comments returns what the source says about each type ("Line") and field
// ("Line.Text").
func comments(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range sources(t) {
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.TYPE {
				continue
			}
			for _, spec := range group.Specs {
				declared := spec.(*ast.TypeSpec)
				found[declared.Name.Name] = oneLine(group.Doc.Text())
				fields, ok := declared.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, field := range fields.Fields.List {
					for _, name := range field.Names {
						found[declared.Name.Name+"."+name.Name] = oneLine(field.Comment.Text())
					}
				}
			}
		}
	}
	return found
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func sources(t *testing.T) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, name := range []string{"document.go", "words.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}
