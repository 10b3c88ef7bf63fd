package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// installLimit bounds one call of the package manager.
const installLimit = 15 * time.Minute

// tool is a program of another project that some tests run.
type tool struct {
	name  string // of the program, as it is found in PATH
	pkg   string // Debian package that brings it
	why   string // what tests do with it
	heavy bool   // large or slow to install: only with -all
	// aside is a pattern of where else it may lie: Debian keeps some programs out
	// of everybody's PATH.
	aside string
}

// testTools are all outside programs that tests use. Light means a few
// megabytes and a few seconds; what is larger (a database or accounting server,
// a browser, an emulator) is heavy and is installed only when everything is to
// be tested. A tool listed here may be missing: its tests then skip with the
// reason "tool missing: NAME".
var testTools = []tool{
	{name: "hledger", pkg: "hledger", why: "an independent book-keeper reads the journals that the text target writes"},
	{name: "bean-check", pkg: "beancount", why: "a second one, with its own idea of what balances"},
	{name: "xmllint", pkg: "libxml2-utils", why: "checks what goes to QuickBooks against its published schema"},
	{name: "mosquitto", pkg: "mosquitto", why: "a real broker between agents and collectors"},
	{name: "postgres", pkg: "postgresql", why: "collectors on a real database server", aside: "/usr/lib/postgresql/*/bin/postgres"},
	{name: "mkfs.ext4", pkg: "e2fsprogs", why: "file systems of their own, whose power is cut and which fill up"},
	{name: "mount", pkg: "mount", why: "mounts them"},
	{name: "nft", pkg: "nftables", why: "loses packets on a line between two network namespaces"},
	{name: "swtpm", pkg: "swtpm", why: "a TPM in software, that keeps the agent's key"},
	{name: "openssl", pkg: "openssl", why: "makes a publisher's certificate"},
	{name: "curl", pkg: "curl", why: "asks the composition's programs whether they are well"},
	{name: "trytond", pkg: "tryton-modules-account", why: "a real accounting system that days are posted to", heavy: true},
	{name: "prometheus", pkg: "prometheus", why: "watches a real collector, for every figure of the dashboard", heavy: true},
	{name: "promtool", pkg: "prometheus", why: "lets each alert fire and keep still", heavy: true},
	{name: "amtool", pkg: "prometheus-alertmanager", why: "reads the configuration of the composition's alert manager", heavy: true},
	{name: "osslsigncode", pkg: "osslsigncode", why: "signs programs and packages for Windows, and checks them", heavy: true},
	{name: "systemd-nspawn", pkg: "systemd-container", why: "a machine with a systemd of its own, to install the deb on", heavy: true},
	{name: "mmdebstrap", pkg: "mmdebstrap", why: "makes that machine's Debian", heavy: true},
	{name: "qemu-aarch64-static", pkg: "qemu-user-static", why: "runs the agent for ARM", heavy: true},
	{name: "wixl", pkg: "wixl", why: "makes the MSI", heavy: true},
	{name: "msibuild", pkg: "msitools", why: "finishes the MSI", heavy: true},
	{name: "wine", pkg: "wine", why: "a Windows to install the MSI on", heavy: true},
	{name: "x86_64-w64-mingw32-as", pkg: "binutils-mingw-w64-x86-64", why: "makes the one library that it lacks", heavy: true},
}

// system is what installing needs of the machine.
type system struct {
	look func(program string) (path string, err error)
	run  func(ctx context.Context, program string, arguments ...string) error
	root bool
	out  io.Writer
}

// prepare says which tools are there and installs those that are not, heavy
// ones only when all is set. What cannot be installed is said, and left to the
// tests that need it.
func (s system) prepare(ctx context.Context, tools []tool, all, install bool) {
	fmt.Fprintln(s.out, "Tools for tests:")
	var wanted []tool
	for _, t := range tools {
		path, err := s.find(t)
		switch {
		case err == nil:
			fmt.Fprintf(s.out, "  %-12s %s\n", t.name, path)
		case t.heavy && !all:
			fmt.Fprintf(s.out, "  %-12s missing, large (Debian package %s, with ALL=1): %s\n", t.name, t.pkg, t.why)
		default:
			fmt.Fprintf(s.out, "  %-12s missing (Debian package %s): %s\n", t.name, t.pkg, t.why)
			wanted = append(wanted, t)
		}
	}
	if len(wanted) == 0 || !install {
		return
	}
	if err := s.install(ctx, wanted); err != nil {
		fmt.Fprintf(s.out, "  not installed: %v; tests that need them are skipped\n", err)
	}
	for _, t := range wanted {
		if path, err := s.find(t); err == nil {
			fmt.Fprintf(s.out, "  %-12s %s, installed just now\n", t.name, path)
		} else {
			fmt.Fprintf(s.out, "  %-12s still missing\n", t.name)
		}
	}
}

// find looks a tool up.
func (s system) find(t tool) (string, error) {
	path, err := s.look(t.name)
	if err == nil || t.aside == "" {
		return path, err
	}
	found, broken := filepath.Glob(t.aside)
	if broken != nil {
		return "", broken
	}
	if len(found) == 0 {
		return "", err
	}
	return found[len(found)-1], nil
}

// install has the system's package manager install the packages of the tools.
func (s system) install(ctx context.Context, tools []tool) error {
	var packages []string
	for _, t := range tools {
		packages = append(packages, t.pkg)
	}
	names := strings.Join(packages, " ")
	if _, err := s.look("apt-get"); err != nil {
		return fmt.Errorf("there is no apt-get here; install %s by hand", names)
	}
	var as []string
	if !s.root {
		if _, err := s.look("sudo"); err != nil {
			return fmt.Errorf("installing needs root and there is no sudo; as root: apt-get install %s", names)
		}
		as = []string{"sudo", "-n"} // never wait for a password: nobody may be there to type it
	}
	fmt.Fprintf(s.out, "  installing %s with apt-get (make test INSTALL=no does without)\n", names)

	ctx, cancel := context.WithTimeout(ctx, installLimit)
	defer cancel()
	get := append(as, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
	update := append(get[:len(get):len(get)], "update")
	if err := s.run(ctx, update[0], update[1:]...); err != nil {
		// The lists that are there may still do.
		fmt.Fprintf(s.out, "  the package lists could not be brought up to date (%v), trying with those at hand\n", err)
	}
	add := append(append(get[:len(get):len(get)], "install", "-y", "--no-install-recommends"), packages...)
	if err := s.run(ctx, add[0], add[1:]...); err != nil {
		return fmt.Errorf("install %s: %w", names, err)
	}
	return nil
}

// runCommand runs a program without input; what it prints goes to standard
// error, and only when it fails.
func runCommand(ctx context.Context, program string, arguments ...string) error {
	output, err := exec.CommandContext(ctx, program, arguments...).CombinedOutput()
	if err != nil {
		os.Stderr.Write(output)
		return fmt.Errorf("run %s %s: %w", program, strings.Join(arguments, " "), err)
	}
	return nil
}
