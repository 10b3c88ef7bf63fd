package app_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/shared/pki"
)

func TestAChangeOfTheAuthoritiesIsSeenByWhoHasThemOpen(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	open := func() *app.Keys {
		t.Helper()
		keys, err := app.OpenKeys(data, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	running, command := open(), open()
	for _, c := range []struct {
		change func(*pki.Ring) (*pki.Ring, error)
		want   int
	}{
		{func(r *pki.Ring) (*pki.Ring, error) { return r.Add(time.Now()) }, 2}, {(*pki.Ring).Activate, 2}, {(*pki.Ring).Retire, 1},
	} {
		before, err := running.Ring()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Change(c.change); err != nil {
			t.Fatal(err)
		}
		after, err := running.Ring()
		if err != nil || after == before || len(after.All()) != c.want {
			t.Errorf("it sees %v, %v", after, err)
		}
		if again, err := running.Ring(); err != nil || again != after {
			t.Errorf("unchanged files are read again: %v", err)
		}
		for _, name := range []string{"authority.key", "authority.pem"} {
			if info, err := os.Stat(filepath.Join(data, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v; want mode 0600", name, info, err)
			}
		}
	}
}

// TestACollectorThatDiesInAChangeOfTheAuthoritiesHasTheOldOrTheNewOnes puts the
// two files together as they are between the steps of each change.
func TestACollectorThatDiesInAChangeOfTheAuthoritiesHasTheOldOrTheNewOnes(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	keys, err := app.OpenKeys(data, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, change := range map[string]func(*pki.Ring) (*pki.Ring, error){
		"1 add":      func(r *pki.Ring) (*pki.Ring, error) { return r.Add(time.Now()) },
		"2 activate": (*pki.Ring).Activate, "3 retire": (*pki.Ring).Retire,
	} {
		if name != "1 add" { // each from a roll-over under way
			if err := keys.Change(func(r *pki.Ring) (*pki.Ring, error) {
				if r.Other() == nil {
					return r.Add(time.Now())
				}
				return r, nil
			}); err != nil {
				t.Fatal(err)
			}
		} else if ring, err := keys.Ring(); err != nil || ring.Other() != nil {
			if err := keys.Change((*pki.Ring).Retire); err != nil {
				t.Fatal(err)
			}
		}
		oldKeys, oldCertificates := read("authority.key"), read("authority.pem")
		if err := keys.Change(change); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		newKeys, newCertificates := read("authority.key"), read("authority.pem")
		both := append(append([]byte{}, newKeys...), oldKeys...)
		for step, files := range map[string][2][]byte{
			"keys of both": {both, oldCertificates}, "new certificates": {both, newCertificates}, "done": {newKeys, newCertificates},
		} {
			if _, err := pki.ParseRing(files[1], files[0]); err != nil {
				t.Errorf("%s, %s: %v", name, step, err)
			}
		}
	}
}
