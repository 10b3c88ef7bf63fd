package json

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

// read reads everything: a value as its text, a refusal as ! and its code.
func read(t testing.TB, src io.Reader, path string, o format.Options) []string {
	t.Helper()
	s, err := Open(src, path, o)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for range 10_000 {
		v, err := s.Next()
		var refused *format.Refusal
		switch {
		case errors.Is(err, io.EOF):
			return all
		case errors.As(err, &refused):
			all = append(all, "!"+refused.Code)
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, string(v.Raw))
		}
	}
	t.Fatal("the stream does not end")
	return nil
}

func TestValuesAreFoundInListsLinesAndObjects(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file, path string
		want       []string
	}{
		"a list":                     {` [ {"a":1}, {"b":[2]} ] `, "", []string{`{"a":1}`, `{"b":[2]}`}},
		"lines":                      {"{\"a\":1}\n{\"b\":2}\n", "", []string{`{"a":1}`, `{"b":2}`}},
		"one after another":          {`{"a":1}{"b":2}`, "", []string{`{"a":1}`, `{"b":2}`}},
		"in an object":               {`{"meta":{"data":[9]},"data":{"n":1,"orders":[{"a":1},{"a":2}],"x":[3]}}`, "data.orders", []string{`{"a":1}`, `{"a":2}`}},
		"brackets in a text":         {`[{"a":"]}\"{"},{"b":1}]`, "", []string{`{"a":"]}\"{"}`, `{"b":1}`}},
		"a value that is not sound":  {`[{"a":x},{"b":1}]`, "", []string{"!malformed", `{"b":1}`}},
		"a stray colon":              {`[:,{"b":1}]`, "", []string{"!malformed", `{"b":1}`}},
		"cut off in a value":         {`[{"a":1},{"b":`, "", []string{`{"a":1}`, "!incomplete"}},
		"cut off behind a value":     {`[{"a":1}`, "", []string{`{"a":1}`, "!incomplete"}},
		"cut off before the list":    {`{"data":{"n":1`, "data.orders", []string{"!incomplete"}},
		"cut off in a line":          {"{\"a\":1}\n{\"b\":", "", []string{`{"a":1}`, "!incomplete"}},
		"no such path":               {`{"data":{}}`, "data.orders", []string{"!wrong_format"}},
		"the path is no list":        {`{"data":{"orders":{}}}`, "data.orders", []string{"!wrong_format"}},
		"too deep":                   {strings.Repeat("[", 100) + strings.Repeat("]", 100), "", []string{"!too_long"}},
		"nothing":                    {"", "", []string{"!incomplete"}},
		"no JSON":                    {"hello", "", []string{"!wrong_format"}},
		"a zip archive":              {"PK\x03\x04xxxx", "", []string{"!wrong_format"}},
		"bytes of another encoding":  {"[{\"a\":\"\x81\"},{\"b\":1}]", "", []string{"!encoding", `{"b":1}`}},
		"a bracket that closes none": {`{"a":1}]`, "", []string{`{"a":1}`, "!malformed"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, src := range map[string]io.Reader{"whole": strings.NewReader(test.file), "byte by byte": iotest.OneByteReader(strings.NewReader(test.file))} {
				if diff := cmp.Diff(test.want, read(t, src, test.path, format.Options{})); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

func TestReadingAListResumesBehindAValue(t *testing.T) {
	t.Parallel()
	file := `[{"a":1},{"b":2},{"c":3}]`
	s, err := Open(strings.NewReader(file), "", format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`{"b":2}`, `{"c":3}`}, read(t, strings.NewReader(file), "", format.Options{Resume: v.End})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// coffee is a document as an agent writes it.
func coffee(t *testing.T) *document.Document {
	t.Helper()
	d := &document.Document{
		Key: document.Key{Store: "leeds", Terminal: "1", Space: document.SpaceReceipt, Number: "17"}, Kind: document.Sale, State: document.Completed,
		Time: document.Time{AsGiven: "2026-03-02T10:00:00"}, Currency: "GBP",
		Lines:   []document.Line{{Kind: document.Item, Quantity: money.One, Extended: money.MustParse("3.20")}},
		Tenders: []document.Tender{{Kind: document.Cash, Direction: document.Paid, Amount: money.MustParse("3.20")}},
	}
	if err := format.Finish(d, format.Options{}, 0); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDocumentsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	want := coffee(t)
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewDocuments(bytes.NewReader(append(text, '\n')), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := r.Next()
	if err != nil || result.Refused != nil {
		t.Fatal(err, result.Refused)
	}
	want.Source.Format = Name
	if diff := cmp.Diff(want, result.Document); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADocumentThatIsNotWhatItSaysIsRefused(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(coffee(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ old, new, code, reason string }{
		"changed behind its hash":  {`"3.20"`, `"3.21"`, format.BadDocument, "content_hash"},
		"a field that is misspelt": {`"currency"`, `"curency"`, format.BadField, `did you mean "currency"`},
		"no number":                {`"number":"17"`, `"number":""`, format.BadDocument, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := NewDocuments(strings.NewReader(strings.ReplaceAll(string(text), test.old, test.new)), format.Options{})
			if err != nil {
				t.Fatal(err)
			}
			result, err := r.Next()
			if err != nil || result.Refused == nil || result.Refused.Code != test.code || !strings.Contains(result.Refused.Reason, test.reason) {
				t.Errorf("%v, %+v", err, result.Refused)
			}
		})
	}
}

func FuzzStream(f *testing.F) {
	for _, seed := range []string{`[{"a":1},2]`, "{}\n{}", `{"data":{"orders":[1,2]}}`, `["\"]`, "[}"} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), "data.orders")
	}
	f.Fuzz(func(t *testing.T, file []byte, path string) {
		if len(path) > 40 {
			return
		}
		s, err := Open(bytes.NewReader(file), path, format.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			v, err := s.Next()
			var refused *format.Refusal
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil && !errors.As(err, &refused) {
				t.Fatal(err)
			}
			if err == nil && !json.Valid(v.Raw) {
				t.Fatalf("%q is no JSON", v.Raw)
			}
			if i > len(file)+1 {
				t.Fatal("the stream does not end")
			}
		}
	})
}
