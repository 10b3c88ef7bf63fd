package quickbooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/shared/bizday"
)

// schema is what Intuit's XML schema says of its types: their elements in order.
type schema map[string]complexType

type complexType struct {
	base       string
	attributes map[string]bool
	elements   []element
}

type element struct {
	Name string `xml:"name,attr"`
	Type string `xml:"type,attr"`
}

func readSchema(folder string) (schema, error) {
	type content struct {
		Elements   []element `xml:"sequence>element"`
		Choices    []element `xml:"sequence>choice>element"`
		Attributes []element `xml:"attribute"`
	}
	var file struct {
		Types []struct {
			Name string `xml:"name,attr"`
			content
			Extension struct {
				Base string `xml:"base,attr"`
				content
			} `xml:"complexContent>extension"`
			Simple struct {
				Base string `xml:"base,attr"`
				content
			} `xml:"simpleContent>extension"`
		} `xml:"complexType"`
	}
	s := schema{}
	for _, name := range []string{"IntuitBaseTypes.xsd", "Finance.xsd"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		file.Types = nil
		if err := xml.Unmarshal(text, &file); err != nil {
			return nil, err
		}
		for _, t := range file.Types {
			c := complexType{base: t.Extension.Base, attributes: map[string]bool{}}
			for _, part := range []content{t.content, t.Extension.content, t.Simple.content} {
				c.elements = append(append(c.elements, part.Elements...), part.Choices...)
				for _, a := range part.Attributes {
					c.attributes[a.Name] = true
				}
			}
			s[t.Name] = c
		}
	}
	return s, nil
}

// all are a type's elements and attributes, those of what it extends first.
func (s schema) all(name string) ([]element, map[string]bool) {
	attributes := map[string]bool{}
	var elements []element
	for t, known := s[name]; known; t, known = s[t.base] {
		elements = append(append([]element{}, t.elements...), elements...)
		for a := range t.attributes {
			attributes[a] = true
		}
	}
	return elements, attributes
}

// toXML writes a JSON object as an element of a type. A field that the type does
// not have is an error.
func (s schema) toXML(w *bytes.Buffer, name, kind string, value any) error {
	if list, ok := value.([]any); ok {
		for _, v := range list {
			if err := s.toXML(w, name, kind, v); err != nil {
				return err
			}
		}
		return nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		fmt.Fprintf(w, "<%s>", name)
		if err := xml.EscapeText(w, []byte(fmt.Sprint(value))); err != nil {
			return err
		}
		fmt.Fprintf(w, "</%s>", name)
		return nil
	}
	elements, attributes := s.all(kind)
	fmt.Fprintf(w, "<%s", name)
	if name == kind {
		fmt.Fprint(w, ` xmlns="http://schema.intuit.com/finance/v3"`)
	}
	left := map[string]any{}
	for field, v := range object {
		if attributes[field] {
			fmt.Fprintf(w, ` %s="`, field)
			if err := xml.EscapeText(w, []byte(fmt.Sprint(v))); err != nil {
				return err
			}
			fmt.Fprint(w, `"`)
			continue
		}
		left[field] = v
	}
	fmt.Fprint(w, ">")
	if v, isReference := left["value"]; isReference { // as text in XML
		fmt.Fprint(w, v)
		delete(left, "value")
	}
	for _, e := range elements {
		if v, given := left[e.Name]; given {
			delete(left, e.Name)
			if err := s.toXML(w, e.Name, strings.TrimPrefix(e.Type, "tns:"), v); err != nil {
				return err
			}
		}
	}
	for field := range left {
		return fmt.Errorf("%s %s has no field %s", kind, name, field)
	}
	fmt.Fprintf(w, "</%s>", name)
	return nil
}

// evidence are the documents that passed in all tests of this package, each once,
// as XML files.
type evidence struct {
	schema schema
	folder string

	mu                  sync.Mutex
	requests, responses int
	files               map[string]string // by what they hold
}

func newEvidence(s schema, folder string) *evidence {
	return &evidence{schema: s, folder: folder, files: map[string]string{}}
}

// any returns one of the files.
func (e *evidence) any() string {
	for _, file := range e.files {
		return file
	}
	return ""
}

// lint checks the files against the published schema.
func (e *evidence) lint(ctx context.Context, xmllint, folder string) error {
	for some := range slices.Chunk(slices.Sorted(maps.Values(e.files)), 1000) {
		arguments := append([]string{"--noout", "--nonet", "--schema", filepath.Join(folder, "IntuitRestServiceDef.xsd")}, some...)
		output, err := exec.CommandContext(ctx, xmllint, arguments...).CombinedOutput()
		if err == nil {
			continue
		}
		var bad []string
		for line := range strings.Lines(string(output)) {
			if !strings.HasSuffix(line, " validates\n") {
				bad = append(bad, line)
			}
		}
		return fmt.Errorf("%w\n%s", err, strings.Join(bad[:min(len(bad), 20)], ""))
	}
	return nil
}

// passed is what all tests of this package sent and were answered; nil where the
// reference data or the program that checks it is not there.
var passed *evidence

// TestMain checks it.
func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	folder := filepath.Join(os.Getenv("TILLBOOK_REFERENCE"), "specs", "quickbooks")
	xmllint, err := exec.LookPath("xmllint")
	if err != nil || os.Getenv("TILLBOOK_REFERENCE") == "" {
		return m.Run()
	}
	files, err := os.MkdirTemp("", "tillbook-quickbooks-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(files)
	s, err := readSchema(folder)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	passed = newEvidence(s, files)
	code := m.Run()
	fmt.Printf("%d requests and %d answers of all tests are checked against the published schema, %d of them different\n", passed.requests, passed.responses, len(passed.files))
	if err := passed.lint(context.Background(), xmllint, folder); err != nil {
		fmt.Println(err)
		return 1
	}
	return code
}

// contract reads what passes over a connection.
type contract struct {
	t    *testing.T
	next http.RoundTripper
	*evidence
}

func (c *contract) keep(kind string, text []byte, count *int) {
	var object any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		c.t.Errorf("%s: %v", text, err)
		return
	}
	var w bytes.Buffer
	if err := c.schema.toXML(&w, kind, kind, object); err != nil {
		c.t.Errorf("%v\n%s", err, text)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	*count++
	if _, known := c.files[w.String()]; known {
		return
	}
	file := filepath.Join(c.folder, fmt.Sprintf("%05d.xml", len(c.files)))
	if err := os.WriteFile(file, w.Bytes(), 0o600); err != nil {
		c.t.Error(err)
	}
	c.files[w.String()] = file
}

func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && !strings.Contains(r.URL.Path, "oauth2") && r.Header.Get("Content-Type") == "application/json" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		for _, kind := range []string{"JournalEntry", "SalesReceipt", "RefundReceipt", "Attachable"} {
			if strings.HasSuffix(r.URL.Path, "/"+strings.ToLower(kind)) {
				c.keep(kind, body, &c.requests)
			}
		}
	}
	answer, err := c.next.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) != nil {
		return answer, nil
	}
	if inner, found := all["QueryResponse"]; found {
		all = map[string]json.RawMessage{}
		if err := json.Unmarshal(inner, &all); err != nil {
			return nil, err
		}
	}
	for _, kind := range []string{"JournalEntry", "SalesReceipt", "RefundReceipt", "Account", "TaxCode", "TaxRate", "Item", "Class", "Department", "Preferences", "CompanyInfo", "Attachable"} {
		text, found := all[kind]
		if !found {
			continue
		}
		var several []json.RawMessage
		if json.Unmarshal(text, &several) != nil {
			several = []json.RawMessage{text}
		}
		for _, one := range several {
			c.keep(kind, one, &c.responses)
		}
	}
	return answer, nil
}

func TestDocumentsKeepToThePublishedSchema(t *testing.T) {
	t.Parallel()
	if os.Getenv("TILLBOOK_REFERENCE") == "" {
		t.Skip("reference data: TILLBOOK_REFERENCE is not set")
	}
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("tool missing: xmllint")
	}
	folder := filepath.Join(os.Getenv("TILLBOOK_REFERENCE"), "specs", "quickbooks")
	s, err := readSchema(folder)
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{t: t, evidence: newEvidence(s, t.TempDir())}
	for _, place := range []place{britishJournal, britishReceipt, canadianReceipt, americanJournal} {
		o := newOffice(t, place)
		c.next = o.http.Transport
		o.http.Transport = c
		b := opened(t, o.options())
		h := o.harness()
		for n := range 4 {
			p := targettest.Sample(h, fmt.Sprintf("POS-S1-2026110%d", n+1))
			p.Date = bizday.Day(fmt.Sprintf("2026-11-0%d", n+1))
			if n == 1 { // more went out than came in
				for i := range p.Lines {
					p.Lines[i].Amount *= -1
				}
				p.Lines[1].Tax = &target.Tax{Code: o.tax, Base: 10000, Amount: 2000, Direction: "RETURN"}
			}
			if _, err := b.Post(t.Context(), p); err != nil {
				t.Fatalf("%+v: %v", place, err)
			}
			if err := b.Attach(t.Context(), p.Reference, target.Attachment{Name: "day.csv", Type: "text/csv", Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Reverse(t.Context(), "POS-S1-20261101"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d requests and %d answers are checked against the published schema", c.requests, c.responses)
	if c.requests == 0 || c.responses == 0 {
		t.Fatal("nothing was checked")
	}
	if err := c.lint(t.Context(), xmllint, folder); err != nil {
		t.Error(err)
	}
	// The schema is one that can refuse.
	wrong := filepath.Join(t.TempDir(), "wrong.xml")
	text, err := os.ReadFile(c.any())
	if err == nil {
		err = os.WriteFile(wrong, bytes.ReplaceAll(text, []byte("<Id>"), []byte("<Ident>")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if exec.CommandContext(t.Context(), xmllint, "--noout", "--nonet", "--schema", filepath.Join(folder, "IntuitRestServiceDef.xsd"), wrong).Run() == nil {
		t.Error("the schema takes everything")
	}
}
