package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeSystem is a machine whose programs are the given ones, and which gains
// the packages' programs when apt-get installs them.
type fakeSystem struct {
	programs map[string]bool
	brings   map[string]string // program by package
	refuses  bool              // to install
	ran      []string
	out      strings.Builder
}

func (f *fakeSystem) system(root bool) system {
	look := func(program string) (string, error) {
		if f.programs[program] {
			return "/bin/" + program, nil
		}
		return "", errors.New("not found")
	}
	run := func(_ context.Context, program string, arguments ...string) error {
		f.ran = append(f.ran, program+" "+strings.Join(arguments, " "))
		if !slices.Contains(arguments, "install") {
			return nil
		}
		if f.refuses {
			return errors.New("no network")
		}
		for pkg, program := range f.brings {
			if slices.Contains(arguments, pkg) {
				f.programs[program] = true
			}
		}
		return nil
	}
	return system{look: look, run: run, root: root, out: &f.out}
}

var exampleTools = []tool{
	{name: "there", pkg: "there-pkg", why: "it is there"},
	{name: "light", pkg: "light-pkg", why: "reads journals"},
	{name: "large", pkg: "large-pkg", why: "is a server", heavy: true},
}

func TestPreparing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		programs         []string
		root, all, never bool
		refuses          bool
		installs         string // arguments that the install command must end with; empty: nothing is run
		as               string // how that command begins
		says             []string
	}{
		{
			name: "as root the light one is installed and the large one is not", programs: []string{"there", "apt-get"}, root: true,
			installs: "install -y --no-install-recommends light-pkg", as: "env ",
			says: []string{"/bin/there", "reads journals", "/bin/light, installed just now", "large        missing, large (Debian package large-pkg, with ALL=1): is a server"},
		},
		{
			name: "with all, both are", programs: []string{"there", "apt-get"}, root: true, all: true,
			installs: "install -y --no-install-recommends light-pkg large-pkg", as: "env ",
			says: []string{"/bin/light, installed just now", "/bin/large, installed just now"},
		},
		{
			name: "without root it asks sudo, which may not wait for a password", programs: []string{"there", "apt-get", "sudo"},
			installs: "install -y --no-install-recommends light-pkg", as: "sudo -n ",
		},
		{
			name: "without root and sudo it says what to do", programs: []string{"there", "apt-get"},
			says: []string{"as root: apt-get install light-pkg", "light        still missing"},
		},
		{
			name: "without apt-get it says what to do", programs: []string{"there"}, root: true,
			says: []string{"install light-pkg by hand", "light        still missing"},
		},
		{
			name: "a refused install is said and the run goes on", programs: []string{"there", "apt-get"}, root: true, refuses: true,
			installs: "install -y --no-install-recommends light-pkg", as: "env ",
			says: []string{"not installed: install light-pkg: no network; tests that need them are skipped", "light        still missing"},
		},
		{
			name: "nothing is installed when told not to", programs: []string{"there", "apt-get"}, root: true, never: true,
			says: []string{"light        missing"},
		},
		{name: "nothing is installed when nothing is missing", programs: []string{"there", "light", "large", "apt-get"}, root: true, all: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := fakeSystem{programs: map[string]bool{}, refuses: c.refuses,
				brings: map[string]string{"light-pkg": "light", "large-pkg": "large"}}
			for _, program := range c.programs {
				f.programs[program] = true
			}
			f.system(c.root).prepare(t.Context(), exampleTools, c.all, !c.never)
			for _, want := range c.says {
				if !strings.Contains(f.out.String(), want) {
					t.Errorf("the output lacks %q:\n%s", want, f.out.String())
				}
			}
			if c.installs == "" {
				if len(f.ran) > 0 {
					t.Errorf("it ran %q, want nothing run", f.ran)
				}
				return
			}
			if len(f.ran) != 2 {
				t.Fatalf("it ran %q, want an update and an install", f.ran)
			}
			if last := f.ran[1]; !strings.HasSuffix(last, c.installs) || !strings.HasPrefix(last, c.as) {
				t.Errorf("it ran %q, want %q … %q", last, c.as, c.installs)
			}
		})
	}
}

func TestEachToolOfTheTestsSaysWhy(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, tool := range testTools {
		if tool.name == "" || tool.pkg == "" || tool.why == "" {
			t.Errorf("%+v lacks a name, a package or a reason", tool)
		}
		if seen[tool.name] {
			t.Errorf("%s is listed twice", tool.name)
		}
		seen[tool.name] = true
	}
}

func TestAToolThatLiesAsideIsFound(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, version := range []string{"14", "15"} {
		if err := os.MkdirAll(filepath.Join(folder, version, "bin", "aside"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := (&fakeSystem{}).system(false)
	path, err := s.find(tool{name: "aside", aside: filepath.Join(folder, "*", "bin", "aside")})
	if want := filepath.Join(folder, "15", "bin", "aside"); path != want || err != nil {
		t.Errorf("found %q, %v; want %q", path, err, want)
	}
	if _, err := s.find(tool{name: "aside", aside: filepath.Join(folder, "*", "sbin", "aside")}); err == nil {
		t.Error("found what is not there")
	}
}
