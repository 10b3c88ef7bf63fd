package text

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"
)

func encode(t *testing.T, name, s string) []byte {
	t.Helper()
	var out []byte
	var err error
	switch name {
	case "utf-8":
		return []byte(s)
	case "windows-1252":
		out, err = charmap.Windows1252.NewEncoder().Bytes([]byte(s))
	case "ibm850":
		out, err = charmap.CodePage850.NewEncoder().Bytes([]byte(s))
	case "utf-16le":
		out, err = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().Bytes([]byte(s))
	case "utf-16be":
		out, err = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder().Bytes([]byte(s))
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheEncodingIsTheConfiguredTheMarkedTheDeclaredOrTheFitting(t *testing.T) {
	t.Parallel()
	const said = "Käse für 5 €"
	declare := func(name string) func([]byte) string { return func([]byte) string { return name } }
	for name, test := range map[string]struct {
		file       []byte
		configured string
		declared   func([]byte) string
	}{
		"utf-8 by itself":               {encode(t, "utf-8", said), "", nil},
		"windows-1252 by itself":        {encode(t, "windows-1252", said), "", nil},
		"a byte-order mark":             {append([]byte{0xEF, 0xBB, 0xBF}, said...), "", nil},
		"a mark of UTF-16":              {append([]byte{0xFF, 0xFE}, encode(t, "utf-16le", said)...), "", nil},
		"a mark of UTF-16, big end":     {append([]byte{0xFE, 0xFF}, encode(t, "utf-16be", said)...), "", nil},
		"declared":                      {encode(t, "windows-1252", said), "", declare("windows-1252")},
		"declared as its subset":        {encode(t, "windows-1252", said), "", declare("ISO-8859-1")},
		"configured":                    {encode(t, "windows-1252", said), "windows-1252", declare("utf-8")},
		"a mark against a declaration":  {append([]byte{0xEF, 0xBB, 0xBF}, said...), "", declare("windows-1252")},
		"UTF-16 declared and not there": {encode(t, "utf-8", said), "", declare("utf-16")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Open(iotest.HalfReader(bytes.NewReader(test.file)), test.configured, test.declared)
			if err != nil {
				t.Fatal(err)
			}
			record, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			legacy, _, ok := r.Valid(record)
			if got := String(record, legacy); !ok || got != said {
				t.Errorf("%q, sound %t", got, ok)
			}
		})
	}
}

func TestBytesThatNoEncodingExplainsAreFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, configured string
		bad              int
	}{
		"not UTF-8 where UTF-8 is configured": {"abc\xE4def", "utf-8", 3},
		"a replacement character":             {"abc\uFFFDdef", "", 3},
		"a byte that windows-1252 lacks":      {"ab\xE4\x81", "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Open(strings.NewReader(test.file), test.configured, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, bad, ok := r.Valid([]byte(test.file)); ok || bad != test.bad {
				t.Errorf("sound %t, byte %d, want %d", ok, bad, test.bad)
			}
		})
	}
}

func TestAnUnknownEncodingIsToldByName(t *testing.T) {
	t.Parallel()
	if _, err := Open(strings.NewReader("x"), "latin-99", nil); err == nil || !strings.Contains(err.Error(), "latin-99") {
		t.Errorf("got %v", err)
	}
}

// Every offset in the text that begins a letter leads back to the byte where
// the letter began in the file.
func TestOffsetsLeadBackToTheFile(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.SampledFrom([]string{"utf-8", "windows-1252", "ibm850", "utf-16le", "utf-16be"}).Draw(r, "encoding")
		letters := rapid.SliceOfN(rapid.SampledFrom([]rune("abc\n;äöüßé")), 0, 6000).Draw(r, "letters")
		said := string(letters)
		file := encode(t, name, said)
		skip := rapid.IntRange(0, len(letters)).Draw(r, "skip")
		from := len(encode(t, name, string(letters[:skip])))
		reader, err := Open(iotest.HalfReader(bytes.NewReader(file)), name, nil)
		if err != nil {
			r.Fatal(err)
		}
		if err := reader.SkipTo(int64(from)); err != nil {
			r.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil {
			r.Fatal(err)
		}
		if string(text) != string(letters[skip:]) {
			r.Fatalf("text differs")
		}
		at := rapid.IntRange(0, len(text)).Draw(r, "at")
		for at < len(text) && !utf8.RuneStart(text[at]) {
			at++
		}
		want := from + len(encode(t, name, string(text[:at])))
		if got := reader.Raw(int64(at)); got != int64(want) {
			r.Fatalf("offset %d of the text is byte %d, not %d", at, want, got)
		}
	})
}

func TestAWindowKeepsToItsLimit(t *testing.T) {
	t.Parallel()
	w := NewWindow(strings.NewReader(strings.Repeat("x", 1000)+"\n"), 100)
	if _, err := w.Find(0, '\n'); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v", err)
	}
	w = NewWindow(iotest.OneByteReader(strings.NewReader("one\ntwo\nthree")), 5)
	for _, want := range []string{"one", "two"} {
		at, err := w.Find(0, '\n')
		if err != nil || string(w.Bytes()[:at]) != want {
			t.Fatalf("%q, %v", w.Bytes(), err)
		}
		w.Advance(at + 1)
	}
	if at, err := w.Find(0, '\n'); !errors.Is(err, io.EOF) || at != 5 || w.Line(0) != 3 || w.Offset() != 8 {
		t.Errorf("place %d, %v, line %d, offset %d", at, err, w.Line(0), w.Offset())
	}
}
