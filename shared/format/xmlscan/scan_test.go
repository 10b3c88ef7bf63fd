package xmlscan

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

var limits = Limits{Record: 4096, Depth: 16}

// found is one outcome of a scan.
type found struct {
	text string // the record's bytes
	err  error
}

// scan reads everything; a scan that does not end fails the test.
func scan(t *testing.T, src io.Reader) []found {
	t.Helper()
	s := New(src, "T", limits, 0)
	var all []found
	for range 10_000 {
		record, err := s.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		var wrong *Error
		if err != nil && !errors.As(err, &wrong) {
			t.Fatal(err)
		}
		all = append(all, found{string(record.Raw), err})
	}
	t.Fatal("the scan does not end")
	return nil
}

func TestRecordsAreFoundWhateverStandsAroundThem(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file string
		want []string // a record's bytes, or ! and the error's text
	}{
		"plain":                                {`<R><T>1</T><T>2</T></R>`, []string{`<T>1</T>`, `<T>2</T>`}},
		"prefixes":                             {`<p:R><p:T a="&lt;"><p:x/></p:T></p:R>`, []string{`<p:T a="&lt;"><p:x/></p:T>`}},
		"an empty record":                      {`<R><T/><T a='1'/></R>`, []string{`<T/>`, `<T a='1'/>`}},
		"comments and instructions":            {`<?xml version="1.0"?><!-- <T>no</T> --><R><T><!-- </T> --><?x </T> ?>1</T></R>`, []string{`<T><!-- </T> --><?x </T> ?>1</T>`}},
		"CDATA":                                {`<R><T><![CDATA[</T><T>]]></T></R>`, []string{`<T><![CDATA[</T><T>]]></T>`}},
		"a greater-than in an attribute":       {`<R><T a="x>y" b='<'>1</T></R>`, []string{`<T a="x>y" b='<'>1</T>`}},
		"two documents in one file":            {`<R><T>1</T></R><?xml version="1.0"?><R><T>2</T></R>`, []string{`<T>1</T>`, `<T>2</T>`}},
		"a broken record, then a good":         {`<R><T><a></b></T><T>2</T></R>`, []string{"!<a> is closed by </b>", `<T>2</T>`}},
		"a record that is cut off by the next": {`<R><T><a><T>2</T></R>`, []string{"!another T begins inside it", `<T>2</T>`}},
		"longer names are no records":          {`<R><T><a></b></T><TT/><T>2</T></R>`, []string{"!<a> is closed by </b>", `<T>2</T>`}},
		"the file ends in a record":            {`<R><T>1</T><T><a>`, []string{`<T>1</T>`, "!the file ends inside it"}},
		"the root is not closed":               {`<R><T>1</T>`, []string{`<T>1</T>`, "!the closing tag of R is missing"}},
		"an entity of its own":                 {`<R><T>&x;</T><T>2</T></R>`, []string{"!not accepted", `<T>2</T>`}},
		"a document type":                      {`<!DOCTYPE R [<!ENTITY a "b">]><R><T>1</T></R>`, []string{"!not accepted"}},
		"a document type in a record":          {`<R><T><!DOCTYPE x></T><T>2</T></R>`, []string{"!not accepted", `<T>2</T>`}},
		"a start in CDATA before the fault":    {`<R><T>` + strings.Repeat("x", 200) + `<![CDATA[<T>]]></b></T><T>2</T></R>`, []string{"!<T> is closed by </b>", `<T>2</T>`}},
		"too deep":                             {`<R><T>` + strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20) + `</T><T>2</T></R>`, []string{"!elements inside each other", `<T>2</T>`}},
		"too long":                             {`<R><T>` + strings.Repeat("x", 10000) + `</T><T>2</T></R>`, []string{"!too long", `<T>2</T>`}},
		"an endless tag":                       {`<R><T a="` + strings.Repeat("x", 10000) + `"/><T>2</T></R>`, []string{"!too long", `<T>2</T>`}},
		"no XML":                               {`hello <b>`, []string{"!not XML"}},
		"nothing":                              {` `, []string{"!there is nothing in it yet"}},
		"an attribute without quotes":          {`<R><T a=1>1</T><T>2</T></R>`, []string{"!not in quotes", `<T>2</T>`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, src := range map[string]io.Reader{"whole": strings.NewReader(test.file), "byte by byte": iotest.OneByteReader(strings.NewReader(test.file))} {
				all := scan(t, src)
				if len(all) != len(test.want) {
					t.Fatalf("%s: found %v, want %q", way, all, test.want)
				}
				for i, want := range test.want {
					text, isError := strings.CutPrefix(want, "!")
					switch {
					case isError && (all[i].err == nil || !strings.Contains(all[i].err.Error(), text)):
						t.Errorf("%s: %d: error %v, want %q", way, i, all[i].err, text)
					case !isError && (all[i].err != nil || all[i].text != want):
						t.Errorf("%s: %d: %q (%v), want %q", way, i, all[i].text, all[i].err, want)
					}
				}
			}
		})
	}
}

func TestTheTreeHoldsNamesTextsAndAttributes(t *testing.T) {
	t.Parallel()
	s := New(strings.NewReader(`<R><n:T n:id="a&amp;b" other='c'> <a>1 &lt; <![CDATA[2 & 3]]>&#x41;</a><b/><a>two</a> </n:T></R>`), "T", limits, 0)
	record, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	tree := record.Tree
	first := tree.Child(Root, "a")
	second := tree.Next(tree.Next(first))
	for what, got := range map[string][2]string{
		"name":          {string(tree.Name(Root)), "T"},
		"attribute":     {string(tree.Attr(Root, "id")), "a&b"},
		"the other":     {string(tree.Attr(Root, "other")), "c"},
		"no attribute":  {string(tree.Attr(Root, "none")), ""},
		"text":          {string(tree.Text(first)), "1 < 2 & 3A"},
		"empty":         {string(tree.Text(tree.Child(Root, "b"))), ""},
		"the second":    {string(tree.Text(second)), "two"},
		"no such child": {string(tree.Text(tree.Child(Root, "c"))), ""},
		"of the parent": {string(tree.Text(Root)), ""},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, want %q", what, got[0], got[1])
		}
	}
}

func TestReadingResumesBehindARecord(t *testing.T) {
	t.Parallel()
	file := `<R><T>1</T><T>2</T></R>`
	s := New(strings.NewReader(file), "T", limits, 0)
	record, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	s = New(strings.NewReader(file[record.End:]), "T", limits, 1)
	if record, err = s.Next(); err != nil || string(record.Raw) != `<T>2</T>` {
		t.Errorf("%q, %v", record.Raw, err)
	}
	if _, err = s.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestAFailingSourceIsNoFaultOfTheFile(t *testing.T) {
	t.Parallel()
	gone := errors.New("the file vanished")
	s := New(io.MultiReader(strings.NewReader(`<R><T>1</T><T>`), iotest.ErrReader(gone)), "T", limits, 0)
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(); !errors.Is(err, gone) {
		t.Errorf("got %v, want the source's own error", err)
	}
}

// texts gathers the texts of a tree in the way that encoding/xml gives them.
func texts(tree *Tree, n Node, into *[]string) {
	*into = append(*into, string(tree.Name(n))+"="+string(tree.Text(n)))
	for c := tree.First(n); c != 0; c = tree.Next(c) {
		texts(tree, c, into)
	}
}

type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

func (e element) texts(into *[]string) {
	text := strings.TrimSpace(e.Text)
	*into = append(*into, e.XMLName.Local+"="+text)
	for _, c := range e.Children {
		c.texts(into)
	}
}

// FuzzScan holds the scanner against encoding/xml: nothing panics, every scan
// ends, and a record that encoding/xml accepts without entities and document
// types has the same elements and, where they hold no elements, the same texts.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`<R><T>1</T></R>`, `<R><T a="1"><b>&amp;</b><![CDATA[x]]></T>`, `<T/>`, `<!DOCTYPE a><T/>`, `<R><T><T/>`, `<R><T></R>`, "<R>\n<p:T><q:a x='>'/></p:T>", `<T>&#0;</T>`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		s := New(iotest.HalfReader(bytes.NewReader(file)), "T", limits, 0)
		for i := 0; ; i++ {
			record, err := s.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if i > len(file)+1 {
				t.Fatal("the scan does not end")
			}
			if err != nil {
				continue
			}
			if record.Start < 0 || record.End > int64(len(file)) || record.Start >= record.End {
				t.Fatalf("place %d to %d in %d bytes", record.Start, record.End, len(file))
			}
			if !bytes.Equal(record.Raw, file[record.Start:record.End]) {
				t.Fatalf("%q is not at its place", record.Raw)
			}
			var theirs element
			decoder := xml.NewDecoder(bytes.NewReader(record.Raw))
			if decoder.Decode(&theirs) != nil {
				continue // it is stricter in names and in what may stand in a text
			}
			var ours, want []string
			texts(record.Tree, Root, &ours)
			theirs.texts(&want)
			if len(ours) != len(want) {
				t.Fatalf("%q: %d elements, encoding/xml has %d", record.Raw, len(ours), len(want))
			}
			for i := range ours {
				leaf := !strings.Contains(string(record.Raw), "\r") && len(theirs.Children) == 0
				if leaf && ours[i] != want[i] {
					t.Fatalf("%q: %q, encoding/xml has %q", record.Raw, ours[i], want[i])
				}
			}
		}
	})
}
