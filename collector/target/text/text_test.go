package text

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/targettest"
)

var formats = []string{Hledger, Beancount}

// names are accounts that both formats can hold.
var names = []string{"Assets:Cash", "Income:Sales:Food-20", "Liabilities:VAT"}

func openBooks(t *testing.T, o Options) *Books {
	t.Helper()
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func harness(format string) func(t *testing.T) targettest.Harness {
	return func(t *testing.T) targettest.Harness {
		o := Options{Folder: t.TempDir(), Format: format, Currency: "EUR"}
		return targettest.Harness{
			Open:     func(t *testing.T) target.Target { return openBooks(t, o) },
			Currency: "EUR",
			Accounts: names,
			Edit: func(t *testing.T, reference string) {
				change(t, openBooks(t, o).postingPath(reference), "120.00", "121.00")
			},
			Remove: func(t *testing.T, reference string) {
				if err := os.Remove(openBooks(t, o).postingPath(reference)); err != nil {
					t.Fatal(err)
				}
			},
		}
	}
}

func TestTextPassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	for _, format := range formats {
		t.Run(format, func(t *testing.T) { targettest.Run(t, harness(format)) })
	}
}

// steps are all points of disk.create at which a crash is tried.
var steps = []string{"temporary file made", "half written", "written", "claimed", "linked", "cleared"}

type crash struct{ step string }

// crashing runs f and stops it where the disk reaches the step, as if the
// process had ended there: nothing after it runs, nothing is cleaned up.
func crashing(f func()) (step string) {
	defer func() {
		if c, ok := recover().(crash); ok {
			step = c.step
		}
	}()
	f()
	return ""
}

func TestACrashAtAnyStepLeavesNothingOrTheWhole(t *testing.T) {
	t.Parallel()
	for _, format := range formats {
		for _, links := range []bool{true, false} {
			for _, step := range steps {
				t.Run(fmt.Sprintf("%s, links %v, %s", format, links, step), func(t *testing.T) {
					t.Parallel()
					o := Options{Folder: t.TempDir(), Format: format, Currency: "EUR"}
					link := os.Link
					if !links {
						link = func(string, string) error { return errors.ErrUnsupported }
					}
					p := targettest.Sample(targettest.Harness{Currency: "EUR", Accounts: names}, "POS-S1-20261103")
					reached := 0
					// The nth time the step is reached: while main, each account and the
					// posting are written.
					for nth := 1; nth < 20; nth++ {
						left := nth
						d := disk{link: link, step: func(at string) {
							if at != step {
								return
							}
							if left--; left == 0 {
								panic(crash{at})
							}
						}}
						if crashing(func() {
							b, err := open(o, d)
							if err == nil {
								_, err = b.Post(t.Context(), p)
							}
							if err != nil {
								t.Error(err)
							}
						}) == "" {
							continue
						}
						reached++
						b, err := open(o, disk{link: link})
						if err != nil {
							t.Fatal(err)
						}
						found, _, err := b.Find(t.Context(), p.Reference)
						if err != nil || found != nil && !found.Equal(p) {
							t.Fatalf("crash %d at %q: find: %+v, %v; want nothing or the whole", nth, step, found, err)
						}
						listed, err := b.List(t.Context(), "")
						if err != nil || (len(listed) == 1) != (found != nil) || len(listed) > 1 {
							t.Fatalf("crash %d at %q: list: %v, %v, but found %v", nth, step, listed, err, found)
						}
					}
					if want := step != "claimed" || !links; want != (reached > 0) {
						t.Fatalf("step %q was reached %d times", step, reached)
					}
					b, err := open(o, disk{link: link})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := b.Post(t.Context(), p); err != nil {
						t.Fatal(err)
					}
					found, _, err := b.Find(t.Context(), p.Reference)
					if err != nil || found == nil || !found.Equal(p) {
						t.Fatalf("after the crashes: %+v, %v", found, err)
					}
				})
			}
		}
	}
}

func TestWhatACrashLeftIsClearedAfterAnHour(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	old, young := filepath.Join(folder, temporary+"1"), filepath.Join(folder, temporary+"2")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * forgotten)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	openBooks(t, Options{Folder: folder, Format: Hledger, Currency: "EUR"})
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old one is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young one, another's perhaps, is gone: %v", err)
	}
}

func TestOnlyLinksMakeAReferenceUniqueForEver(t *testing.T) {
	t.Parallel()
	o := Options{Folder: t.TempDir(), Format: Hledger, Currency: "EUR"}
	if got := openBooks(t, o).Capabilities().Uniqueness; got != target.UniqueForEver {
		t.Errorf("with links: %s", got)
	}
	b, err := open(o, disk{link: func(string, string) error { return errors.ErrUnsupported }})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Capabilities().Uniqueness; got != target.LookUpOnly {
		t.Errorf("without links: %s", got)
	}
}

func TestAnEditShowsWhenReadBack(t *testing.T) {
	t.Parallel()
	for _, format := range formats {
		for _, edit := range []struct{ what, old, replacement string }{
			{"an amount", "120.00", "121.00"},
			{"an account", "  Assets:Cash", "  Assets:Bank"},
			{"the date", "2026-11-03 *", "2026-11-04 *"},
			{"the currency", "120.00 EUR", "120.00 USD"},
		} {
			t.Run(format+", "+edit.what, func(t *testing.T) {
				t.Parallel()
				b := openBooks(t, Options{Folder: t.TempDir(), Format: format, Currency: "EUR"})
				p := targettest.Sample(targettest.Harness{Currency: "EUR", Accounts: names}, "POS-S1-20261103")
				if _, err := b.Post(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				change(t, b.postingPath(p.Reference), edit.old, edit.replacement)
				found, _, err := b.Find(t.Context(), p.Reference)
				if err != nil || found == nil || found.Equal(p) {
					t.Fatalf("find: %+v, %v; want it to differ from what was posted", found, err)
				}
				if found.Key != p.Key {
					t.Errorf("key %q, want %q", found.Key, p.Key)
				}
				if _, err := b.Post(t.Context(), p); !errors.Is(err, target.ErrTaken) {
					t.Errorf("posting over the edit: %v; want ErrTaken", err)
				}
			})
		}
	}
}

func TestAFileWithoutItsPayloadIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	for _, mark := range []string{hashMark, payloadMark} {
		b := openBooks(t, Options{Folder: t.TempDir(), Format: Hledger, Currency: "EUR"})
		p := targettest.Sample(targettest.Harness{Currency: "EUR", Accounts: names}, "POS-S1-20261103")
		if _, err := b.Post(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		change(t, b.postingPath(p.Reference), mark, "; ")
		if _, _, err := b.Find(t.Context(), p.Reference); err == nil || !strings.Contains(err.Error(), b.postingPath(p.Reference)) {
			t.Errorf("without %q: %v", mark, err)
		}
	}
}

func TestAccountsTheFormatCannotHoldAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ format, account, want string }{
		{Hledger, "Assets:Cash  2", "two spaces"},
		{Hledger, ";Assets", "begin with"},
		{Hledger, "(Assets)", "begin with"},
		{Hledger, "Assets;x", "semicolon"},
		{Hledger, "Assets::x", "empty part"},
		{Hledger, "Assets:Cash ", "end"},
		{Beancount, "Cash", "Assets, Liabilities"},
		{Beancount, "Assets", "Assets, Liabilities"},
		{Beancount, "assets:Cash", "Assets, Liabilities"},
		{Beancount, "Assets:cash", "Assets, Liabilities"},
		{Beancount, "Assets:Cash Till", "Assets, Liabilities"},
	} {
		b := openBooks(t, Options{Folder: t.TempDir(), Format: test.format, Currency: "EUR"})
		p := targettest.Sample(targettest.Harness{Currency: "EUR", Accounts: names}, "POS-S1-20261103")
		p.Lines[0].Account = test.account
		_, err := b.Post(t.Context(), p)
		if !errors.Is(err, target.ErrRefused) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, account %q: %v; want ErrRefused with %q", test.format, test.account, err, test.want)
		}
	}
}

func TestOptionsThatCannotWorkAreErrors(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Folder: "relative", Format: Hledger, Currency: "EUR"},
		{Folder: t.TempDir(), Format: "ledger", Currency: "EUR"},
		{Folder: t.TempDir(), Format: Hledger, Currency: "euro"},
		{Folder: "/dev/null/books", Format: Hledger, Currency: "EUR"},
	} {
		if _, err := Open(o); err == nil {
			t.Errorf("%+v was opened", o)
		}
	}
}

func change(t *testing.T, path, old, replacement string) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The payload's comment is left as it is: people edit transactions.
	head, tail, found := strings.Cut(string(body), "\n\n")
	if strings.HasPrefix(old, "; ") {
		head = strings.Replace(head, old, replacement, 1)
	} else {
		tail = strings.Replace(tail, old, replacement, 1)
	}
	changed := head + "\n\n" + tail
	if !found || changed == string(body) {
		t.Fatalf("%q does not stand in:\n%s", old, body)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkPost is bound by two syncs for each posting: the file's and the
// folder's.
func BenchmarkPost(b *testing.B) {
	books, err := Open(Options{Folder: b.TempDir(), Format: Hledger, Currency: "EUR"})
	if err != nil {
		b.Fatal(err)
	}
	h := targettest.Harness{Currency: "EUR", Accounts: names}
	for n := 0; b.Loop(); n++ {
		if _, err := books.Post(b.Context(), targettest.Sample(h, fmt.Sprintf("POS-%d", n))); err != nil {
			b.Fatal(err)
		}
	}
}
