package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
)

// unprivileged gives a folder to a user without rights, whom the server runs as:
// PostgreSQL refuses root. Other users run it as themselves.
func unprivileged(folder string) (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() != 0 {
		return as, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		return nil, fmt.Errorf("user %s has no numbers: %s, %s", account.Username, account.Uid, account.Gid)
	}
	as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return as, os.Chown(folder, int(uid), int(gid))
}

// child starts a server that ends with this process and returns how to end it
// before. The kernel ends it with the thread that started it, so that thread is
// kept.
func child(server *exec.Cmd) (stop func() error, err error) {
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		err := server.Start()
		started <- err
		if err == nil {
			_ = server.Wait() // it was told to end at once, and says so
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return func() error {
		err := server.Process.Signal(syscall.SIGQUIT)
		<-ended
		return err
	}, nil
}
