//go:build unix

package host

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSystemdIsToldReadyAliveAndStopping(t *testing.T) {
	t.Parallel()
	folder, err := os.MkdirTemp("", "notify") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "s")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	s := systemd{socket: path, watchdog: time.Minute}
	for _, c := range []struct {
		tell func() error
		want string
	}{
		{func() error { return s.ready("taking in sales") }, "READY=1\nSTATUS=taking in sales"},
		{s.alive, "WATCHDOG=1"}, {s.stopping, "STOPPING=1"},
	} {
		if err := c.tell(); err != nil {
			t.Fatal(err)
		}
		heard := make([]byte, 100)
		n, err := socket.Read(heard)
		if err != nil || string(heard[:n]) != c.want {
			t.Errorf("heard %q, %v; want %q", heard[:n], err, c.want)
		}
	}
	if err := (systemd{}).alive(); err != nil {
		t.Errorf("with nobody to tell: %v", err)
	}
	if err := (systemd{socket: filepath.Join(folder, "none")}).alive(); err == nil {
		t.Error("a socket that is not there was told")
	}
}

func TestTheUnitIsWrittenForTheProgramAndFolderThatAreUsed(t *testing.T) {
	t.Parallel()
	if got := unitFor(unitProgram, dataFolder); !bytes.Equal(got, unit) {
		t.Error("the packages' own places change the unit")
	}
	got := string(unitFor(`/opt/till book/tillbook-agent`, "/srv/100%"))
	for _, line := range []string{`ExecStart="/opt/till book/tillbook-agent" run --service`, `ReadWritePaths="/srv/100%%"`} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
	if strings.Contains(got, "\nStateDirectory=") {
		t.Error("the usual data folder is made although another is used")
	}
}
