package line_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tillbook.example/tillbook/agent/uplink/uplinktest"
)

// inside says that a test runs in a network namespace of its own.
const inside = "TILLBOOK_TEST_INSIDE"

// lossy loses three packets of ten on loopback.
const lossy = `table inet line {
	chain input {
		type filter hook input priority 0;
		numgen random mod 100 < 30 counter drop
	}
}`

// TestEachSaleArrivesOnceThoughThreePacketsOfTenAreLost runs itself again in a
// network namespace, so that nobody else loses a packet.
func TestEachSaleArrivesOnceThoughThreePacketsOfTenAreLost(t *testing.T) {
	nft, err := exec.LookPath("nft")
	if err != nil {
		nft, err = exec.LookPath("/usr/sbin/nft")
	}
	if err != nil {
		t.Skip("tool missing: nft")
	}
	if os.Getenv(inside) != "" {
		losing(t, nft)
		return
	}
	t.Parallel()
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=4m")
	again.Env = append(os.Environ(), inside+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	said, err := again.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("tool missing: network namespaces (root, or user namespaces that are allowed)")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

func losing(t *testing.T, nft string) {
	up(t, "lo")
	rules := exec.Command(nft, "-f", "-")
	rules.Stdin = strings.NewReader(lossy)
	if said, err := rules.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, said)
	}
	t.Run("until all are done", func(t *testing.T) {
		t.Run("over", func(t *testing.T) {
			onEach(t, func(t *testing.T, s *site) {
				disk := uplinktest.NewOutbox()
				sell(disk, 0, 200)
				u := run(t, quick(s, disk))
				u.until(t, 200)
				sell(disk, 200, 300)
				u.until(t, 300)
				s.once(t, 300)
			})
		})
	})
	said, err := exec.Command(nft, "list", "table", "inet", "line").CombinedOutput()
	if err != nil || !regexp.MustCompile(`packets [1-9][0-9]`).Match(said) {
		t.Errorf("hardly a packet was lost: %v\n%s", err, said)
	}
}

// up brings an interface up.
func up(t *testing.T, name string) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		t.Fatal(err)
	}
}
