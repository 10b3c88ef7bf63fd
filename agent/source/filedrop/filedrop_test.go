package filedrop_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source"
	"tillbook.example/tillbook/agent/source/filedrop"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
)

// desk keeps what is taken, all or nothing, and can be made to fail.
type desk struct {
	taken    []string // "number=content" or "refused REASON"; with + where the order is stated
	reasons  []string
	marks    map[string][]byte
	progress time.Time
	fail     error
}

func (d *desk) Take(_ context.Context, _ string, captures []source.Capture, marks map[string][]byte) (outbox.Appended, error) {
	if d.fail != nil {
		return outbox.Appended{}, d.fail
	}
	for _, c := range captures {
		entry := "refused " + strings.SplitN(c.Reason, ":", 2)[0]
		if c.Document != nil {
			entry = c.Document.Numbers.Receipt + "=" + c.Document.Currency
		}
		if c.StatesOrder {
			entry += "+"
		}
		d.taken = append(d.taken, entry)
		d.reasons = append(d.reasons, c.Reason)
	}
	for key, value := range marks {
		if value == nil {
			delete(d.marks, key)
		} else {
			d.marks[key] = bytes.Clone(value)
		}
	}
	return outbox.Appended{}, nil
}

func (d *desk) Mark(key string) ([]byte, bool) { v, ok := d.marks[key]; return v, ok }

func (d *desk) Marks(prefix string) map[string][]byte {
	out := maps.Clone(d.marks)
	maps.DeleteFunc(out, func(key string, _ []byte) bool { return !strings.HasPrefix(key, prefix) })
	return out
}

func (d *desk) Progress(_ string, at time.Time) { d.progress = at }

// lines is a format of one document a line, "number content"; a line that
// begins with ! cannot be read, one without an end is incomplete.
type lines struct {
	text  []byte
	at    int64
	final bool
	reads *int64
}

func (l *lines) Next() (format.Result, error) {
	rest := l.text[l.at:]
	if len(rest) == 0 {
		return format.Result{}, io.EOF
	}
	r := format.Result{Start: l.at}
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		l.at = int64(len(l.text))
		r.Refused = &format.Refusal{Code: format.Incomplete, Reason: "cut off", Byte: r.Start, Raw: rest}
		r.End = r.Start
		return r, nil
	}
	l.at += int64(end) + 1
	*l.reads += int64(end) + 1
	r.End = l.at
	line := string(rest[:end])
	if strings.HasPrefix(line, "!") {
		r.Refused = &format.Refusal{Code: format.Malformed, Reason: "not a line", Byte: r.Start, Raw: []byte(line)}
		return r, nil
	}
	number, content, _ := strings.Cut(line, " ")
	r.Document = &document.Document{Numbers: document.Numbers{Receipt: number}, Currency: content}
	return r, nil
}

type bundle struct {
	t      *testing.T
	folder string
	desk   *desk
	drop   *filedrop.Drop
	now    time.Time
	reads  int64
	config filedrop.Config
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{t: t, folder: t.TempDir(), desk: &desk{marks: map[string][]byte{}}, now: time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)}
	b.config = filedrop.Config{
		Name: "till", Folder: b.folder, Patterns: []string{"*.txt"}, Recipe: 1,
		Open: func(inputs []format.Input, o format.Options) (format.Reader, error) {
			text, err := io.ReadAll(inputs[0].Bytes())
			if err != nil {
				return nil, err
			}
			if bytes.HasPrefix(text, []byte("PK")) {
				return nil, format.Refuse(format.WrongFormat, "this is a zip archive")
			}
			return &lines{text: text, at: o.Resume, final: o.Final, reads: &b.reads}, nil
		},
	}
	b.restart()
	return b
}

// restart is a new process over the same outbox.
func (b *bundle) restart() { b.drop = filedrop.New(b.config, b.desk, slog.New(slog.DiscardHandler)) }

func (b *bundle) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.folder, name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(b.folder, name), b.now, b.now); err != nil {
		b.t.Fatal(err)
	}
}

// scan lets d pass and scans.
func (b *bundle) scan(d time.Duration) {
	b.t.Helper()
	b.now = b.now.Add(d)
	if _, err := b.drop.Scan(b.t.Context(), b.now); err != nil {
		b.t.Fatal(err)
	}
}

// settle scans until everything has been read and is quiet.
func (b *bundle) settle() {
	b.t.Helper()
	b.scan(0)
	b.scan(3 * time.Second)
	b.scan(2 * time.Minute)
}

func (b *bundle) want(taken ...string) {
	b.t.Helper()
	if diff := cmp.Diff(taken, b.desk.taken); diff != "" {
		b.t.Error(diff)
	}
	b.desk.taken = nil
}

func TestAFileIsReadOnceItHasSettled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("a.txt", "1 x\n2 y\n")
	b.scan(0)
	b.scan(time.Second)
	b.want()
	b.scan(2 * time.Second)
	b.want("1=x", "2=y")
	b.scan(2 * time.Minute)
	b.scan(2 * time.Minute)
	b.restart()
	b.settle()
	b.want()
}

func TestAFileThatGrewIsReadFromWhereItEndedBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	long := strings.Repeat("1 x\n", 5000)
	b.write("a.txt", long)
	b.settle()
	b.desk.taken, b.reads = nil, 0
	b.now = b.now.Add(time.Minute)
	b.write("a.txt", long+"2 y\n")
	b.restart()
	b.settle()
	b.want("2=y")
	if b.reads > 10 {
		t.Errorf("%d bytes were read again", b.reads)
	}
}

func TestAPartThatIsCutOffWaitsForTheRestAndIsKeptAsRefusedWhenNoneComes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("a.txt", "1 x\n2 ")
	b.scan(0)
	b.scan(3 * time.Second)
	b.want("1=x")
	if !b.desk.progress.IsZero() {
		t.Error("progress was told while a part waits")
	}
	b.write("a.txt", "1 x\n2 y\n3")
	b.scan(time.Second)
	b.scan(3 * time.Second)
	b.want("2=y")
	b.scan(2 * time.Minute)
	b.want("refused incomplete")
	if b.desk.progress.IsZero() {
		t.Error("no progress after the file was quiet")
	}
	b.now = b.now.Add(time.Hour)
	b.write("a.txt", "1 x\n2 y\n3 z\n")
	b.settle()
	b.want("3=z")
}

func TestARewrittenFileIsReadAgainAndStatesItsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("a.txt", "1 x\n2 y\n")
	b.settle()
	b.want("1=x", "2=y")
	b.now = b.now.Add(time.Hour)
	b.write("a.txt", "1 x\n2 z\n")
	b.settle()
	b.want("1=x+", "2=z+")
}

func TestAFileRenamedIntoPlaceOrOutOfItIsNotReadTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("a.tmp", "1 x\n")
	b.settle()
	b.want()
	for _, names := range [][2]string{{"a.tmp", "a.txt"}, {"a.txt", "b.txt"}} {
		if err := os.Rename(filepath.Join(b.folder, names[0]), filepath.Join(b.folder, names[1])); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if names[1] == "a.txt" {
			b.want("1=x")
		} else {
			b.want()
		}
	}
}

func TestTheSameNameNextDayIsAnotherFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("today.txt", "1 x\n2 y\n3 z\n")
	b.settle()
	b.want("1=x", "2=y", "3=z")
	b.now = b.now.Add(24 * time.Hour)
	b.write("today.txt", "7 a\n8 b\n9 c\n10 d\n")
	b.settle()
	b.want("7=a+", "8=b+", "9=c+", "10=d+")
}

func TestABrokenPartIsKeptWithItsReasonAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("a.txt", "1 x\n!bad\n2 y\n")
	b.write("b.txt", "PK\x03\x04")
	b.write("c.txt", "3 z\n")
	b.settle()
	b.want("1=x", "refused malformed", "2=y", "3=z", "refused wrong_format")
	if reason := b.desk.reasons[1]; !strings.Contains(reason, "a.txt") || !strings.Contains(reason, "byte 4") {
		t.Errorf("reason %q does not say where", reason)
	}
	if got := b.drop.Status().Refused; got != 2 {
		t.Errorf("%d refused, want 2", got)
	}
}

func TestAHigherRecipeVersionReadsEveryFileAgainWithTheReason(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("a.txt", "1 x\n")
	b.settle()
	b.want("1=x")
	b.config.Recipe = 2
	b.restart()
	b.settle()
	b.want("1=x+")
	if got := b.desk.reasons[len(b.desk.reasons)-1]; got != "recipe" {
		t.Errorf("reason %q", got)
	}
	b.settle()
	b.want()
}

func TestAFolderThatIsGoneHoldsProgressAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settle()
	before := b.desk.progress
	away := b.folder + ".away"
	if err := os.Rename(b.folder, away); err != nil {
		t.Fatal(err)
	}
	if _, err := b.drop.Scan(t.Context(), b.now.Add(time.Hour)); err == nil || b.drop.Status().Error == "" {
		t.Errorf("a missing folder: error %v, status %+v", err, b.drop.Status())
	}
	if b.desk.progress != before {
		t.Error("progress was told without the folder")
	}
	if err := os.Rename(away, b.folder); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(2 * time.Hour)
	b.scan(0)
	if b.desk.progress == before {
		t.Error("no progress after the folder came back")
	}
}

func TestNothingIsLostOrRepeatedWhenTheOutboxIsFullFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	var text strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&text, "%d x\n", i)
		want = append(want, fmt.Sprintf("%d=x", i))
	}
	b.write("a.txt", text.String())
	b.scan(0)
	b.desk.fail = outbox.ErrFull
	if _, err := b.drop.Scan(t.Context(), b.now.Add(3*time.Second)); err == nil {
		t.Fatal("a full outbox was not told")
	}
	b.desk.fail = nil
	b.settle()
	if !slices.Equal(want, b.desk.taken) {
		t.Errorf("%d documents, want %d, each once", len(b.desk.taken), len(want))
	}
}

func TestAFinishedFileIsMovedOnlyWhenTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.config.MoveTo = t.TempDir()
	b.restart()
	b.write("a.txt", "1 x\n")
	b.settle()
	if _, err := os.Stat(filepath.Join(b.config.MoveTo, "a.txt")); err != nil {
		t.Error(err)
	}
	b.want("1=x")
}
