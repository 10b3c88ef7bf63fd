//go:build unix

package host

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kardianos/service"
)

// tpmGroup owns the TPM's device, as Debian and Fedora have it.
const tpmGroup = "tss"

// Account is whom the service runs as.
const Account = "tillbook"

const (
	dataFolder = "/var/lib/tillbook-agent"
	configFile = "/etc/tillbook/agent.yaml"
)

// Paths are where the agent's data folder and its configuration file lie unless
// it is told otherwise.
func Paths() (data, config string) { return dataFolder, configFile }

// unit is the systemd unit, as the packages ship it.
//
//go:embed tillbook-agent.service
var unit []byte

// Places of the unit that stand for this machine's own.
const (
	unitProgram = "/usr/bin/tillbook-agent"
	unitData    = "StateDirectory=tillbook-agent"
)

// Folders of units: ours, and the packages'.
const (
	unitFolder    = "/etc/systemd/system"
	packageFolder = "/usr/lib/systemd/system"
)

// Run runs the work under systemd, or under whatever else started it.
func Run(ctx context.Context, log *slog.Logger, work Work) error {
	m := systemd{socket: os.Getenv("NOTIFY_SOCKET")}
	if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 && us < int64(24*time.Hour/time.Microsecond) {
			m.watchdog = time.Duration(us) * time.Microsecond
		}
	}
	return supervise(ctx, log, m, work)
}

// Log returns where a service run logs to: standard error, which the journal
// keeps.
func Log(next slog.Handler) (slog.Handler, error) { return next, nil }

// systemd is told by datagrams to the socket that it names; without one nobody
// listens.
type systemd struct {
	socket   string
	watchdog time.Duration
}

func (s systemd) ready(status string) error { return s.notify("READY=1\nSTATUS=" + status) }
func (s systemd) alive() error              { return s.notify("WATCHDOG=1") }
func (s systemd) stopping() error           { return s.notify("STOPPING=1") }
func (s systemd) watch() time.Duration      { return s.watchdog }

func (s systemd) notify(state string) error {
	if s.socket == "" {
		return nil
	}
	connection, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	_, err = connection.Write([]byte(state))
	return errors.Join(err, connection.Close())
}

// As does something as the owner of the data folder where that is not root: what
// is written there must stay readable for the service, and a folder that an
// ordinary account owns is no place for root to write in.
func As(data string, do func() error) error {
	info, err := os.Stat(data)
	if os.Geteuid() != 0 || errors.Is(err, fs.ErrNotExist) {
		return do()
	}
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return do()
	}
	groups, err := syscall.Getgroups()
	if err != nil {
		return fmt.Errorf("become the owner of %s: %w", data, err)
	}
	// The real account stays root, which is what allows the way back.
	const same = -1
	back := func() error {
		return errors.Join(syscall.Setreuid(same, 0), syscall.Setregid(same, 0), syscall.Setgroups(groups))
	}
	if err := errors.Join(syscall.Setgroups([]int{int(owner.Gid)}), syscall.Setregid(same, int(owner.Gid)), syscall.Setreuid(same, int(owner.Uid))); err != nil {
		return errors.Join(fmt.Errorf("become the owner of %s: %w", data, err), back())
	}
	return errors.Join(do(), back())
}

// install writes the unit, unless a package brought it, and enables it.
func install(program, data string) error {
	account, err := makeAccount()
	if err != nil {
		return err
	}
	if err := makeFolder(data, account); err != nil {
		return err
	}
	text := unitFor(program, data)
	if shipped, err := os.ReadFile(filepath.Join(packageFolder, Name+".service")); err == nil {
		if bytes.Equal(shipped, text) {
			return enable()
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	present, err := os.ReadFile(filepath.Join(unitFolder, Name+".service"))
	switch {
	case err == nil && bytes.Equal(present, text):
		return enable()
	case err == nil: // the library writes no unit over another
		if err := os.Remove(filepath.Join(unitFolder, Name+".service")); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	s, err := made(&service.Config{
		Name: Name, DisplayName: displayName, Description: description, Executable: program,
		Option: service.KeyValue{"SystemdScript": string(text)},
	})
	if err != nil {
		return err
	}
	return s.Install()
}

// unitFor is the unit for a program and data folder of this machine.
func unitFor(program, data string) []byte {
	text := bytes.ReplaceAll(unit, []byte(unitProgram+" "), []byte(quote(program)+" "))
	if data != dataFolder {
		text = bytes.Replace(text, []byte(unitData), []byte("ReadWritePaths="+quote(data)), 1)
	}
	return text
}

// quote writes a path so that systemd takes it as one word, as it is.
func quote(path string) string {
	safe := func(r rune) bool {
		return r == '/' || r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if strings.IndexFunc(path, func(r rune) bool { return !safe(r) }) < 0 {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`).Replace(path) + `"`
}

func enable() error {
	for _, action := range [][]string{{"daemon-reload"}, {"enable", "--quiet", Name + ".service"}} {
		if out, err := exec.Command("systemctl", action...).CombinedOutput(); err != nil {
			return fmt.Errorf("systemctl %s: %w: %s", action[0], err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// makeAccount makes the service's account if it is not there.
func makeAccount() (*user.User, error) {
	account, err := user.Lookup(Account)
	var unknown user.UnknownUserError
	if !errors.As(err, &unknown) {
		return account, err
	}
	if out, err := exec.Command("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", dataFolder, "--shell", "/usr/sbin/nologin", Account).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make account %s: %w: %s", Account, err, bytes.TrimSpace(out))
	}
	// The group that may use the machine's TPM, where there is one.
	if _, err := user.LookupGroup(tpmGroup); err == nil {
		if out, err := exec.Command("usermod", "--append", "--groups", tpmGroup, Account).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("let account %s use the TPM: %w: %s", Account, err, bytes.TrimSpace(out))
		}
	}
	return user.Lookup(Account)
}

// makeFolder makes the data folder the account's own.
func makeFolder(data string, account *user.User) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return fmt.Errorf("account %s: %w", Account, err)
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return fmt.Errorf("account %s: %w", Account, err)
	}
	if err := errors.Join(os.Lchown(data, uid, gid), os.Chmod(data, 0o700)); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// readable lets the service's account, where there is one, read a configuration
// file that may hold a proxy's password.
func readable(path string) error {
	group, err := user.LookupGroup(Account)
	if err != nil || os.Geteuid() != 0 {
		return os.Chmod(path, 0o640) // not a machine with the service, or not its administrator
	}
	gid, err := strconv.Atoi(group.Gid)
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chown(path, 0, gid), os.Chmod(path, 0o640)); err != nil {
		return err
	}
	if folder := filepath.Dir(path); folder == filepath.Dir(configFile) {
		return os.Chmod(folder, 0o755) // whatever the umask was
	}
	return nil
}
