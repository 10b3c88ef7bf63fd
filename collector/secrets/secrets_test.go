package secrets_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"tillbook.example/tillbook/collector/secrets"
)

const token = "a refresh token"

func open(t *testing.T, path string) *secrets.Keys {
	t.Helper()
	k, err := secrets.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t *testing.T, k *secrets.Keys, about ...string) []byte {
	t.Helper()
	sealed, err := k.Seal(token, about...)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(token)) {
		t.Fatal("it can be read")
	}
	return sealed
}

func TestWhatIsSealedIsReadAboutTheSameOnly(t *testing.T) {
	t.Parallel()
	k := open(t, filepath.Join(t.TempDir(), "new", "secrets.json"))
	sealed := seal(t, k, "acme", "books", "refresh")
	if text, err := k.Unseal(sealed, "acme", "books", "refresh"); err != nil || text != token {
		t.Errorf("%q, %v", text, err)
	}
	for _, about := range [][]string{
		{"zeta", "books", "refresh"}, {"acme", "other", "refresh"}, {"acme", "books", "access"}, {"acmebooks", "refresh"}, {"acme", "books refresh"}, {`acme" "books`, "refresh"}, nil,
	} {
		if text, err := k.Unseal(sealed, about...); !errors.Is(err, secrets.ErrSealed) || text != "" {
			t.Errorf("about %q: %q, %v", about, text, err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := k.Unseal(changed, "acme", "books", "refresh"); !errors.Is(err, secrets.ErrSealed) || strings.Contains(err.Error(), token) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

func TestTheKeyFileIsItsOwnersAloneAndNothingElseIsLeft(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.json")
	k := open(t, path)
	for range 2 {
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 1 {
			t.Errorf("left in the folder: %v, %v", left, err)
		}
		if _, err := k.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestANewKeySealsAndOldOnesAreStillReadAlsoByOneThatRuns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.json")
	running, command := open(t, path), open(t, path)
	old := seal(t, running, "x")
	if n, err := command.Rotate(); err != nil || n != 2 {
		t.Fatalf("%d keys, %v", n, err)
	}
	fresh := seal(t, command, "x")
	if bytes.Equal(old[:5], fresh[:5]) {
		t.Error("the old key still seals")
	}
	for _, k := range []*secrets.Keys{running, command, open(t, path)} {
		for _, sealed := range [][]byte{old, fresh} {
			if text, err := k.Unseal(sealed, "x"); err != nil || text != token {
				t.Errorf("%q, %v", text, err)
			}
		}
	}
}

func TestThoseWhoStartTogetherHaveOneKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.json")
	keys, errs := make([]*secrets.Keys, 8), make([]error, 8)
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() { keys[i], errs[i] = secrets.Open(path) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, keys[0], "x")
	for _, k := range keys {
		if _, err := k.Unseal(sealed, "x"); err != nil {
			t.Error(err)
		}
	}
}

func TestAFileThatIsNoKeyFileIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"empty": "", "other JSON": `{"keys": 1}`, "large": strings.Repeat("x", 1<<20)} {
		path := filepath.Join(t.TempDir(), "secrets.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := secrets.Open(path); err == nil {
			t.Errorf("%s: no error", name)
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != text {
			t.Errorf("%s: now %d bytes, %v", name, len(kept), err)
		}
	}
}

func TestKeysOfAnotherFileUnsealNothing(t *testing.T) {
	t.Parallel()
	sealed := seal(t, open(t, filepath.Join(t.TempDir(), "a")), "x")
	if _, err := open(t, filepath.Join(t.TempDir(), "b")).Unseal(sealed, "x"); !errors.Is(err, secrets.ErrSealed) {
		t.Error(err)
	}
}

func TestADroppedKeyReadsNothingMoreAndTheOneThatSealsStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.json")
	running, command := open(t, path), open(t, path)
	old := seal(t, running, "x")
	for range 2 {
		if _, err := command.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	fresh := seal(t, command, "x")
	for text, want := range map[string]bool{string(old): false, string(fresh): true, "": true, "short": false} {
		if newest, err := running.Newest([]byte(text)); err != nil || newest != want {
			t.Errorf("%x is of the newest key: %t, %v", text, newest, err)
		}
	}
	for _, want := range []int{2, 0} {
		if n, err := command.Drop(); err != nil || n != want {
			t.Errorf("%d keys were dropped, not %d: %v", n, want, err)
		}
	}
	for _, k := range []*secrets.Keys{running, command, open(t, path)} {
		if text, err := k.Unseal(fresh, "x"); err != nil || text != token {
			t.Errorf("of the newest key: %q, %v", text, err)
		}
		if _, err := k.Unseal(old, "x"); !errors.Is(err, secrets.ErrSealed) {
			t.Errorf("of a dropped key: %v", err)
		}
	}
}
