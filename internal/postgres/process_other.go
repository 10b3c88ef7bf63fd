//go:build !linux

package postgres

import (
	"os/exec"
	"syscall"
)

func unprivileged(string) (*syscall.SysProcAttr, error) { return &syscall.SysProcAttr{}, nil }

func child(server *exec.Cmd) (stop func() error, err error) {
	if err := server.Start(); err != nil {
		return nil, err
	}
	return func() error {
		err := server.Process.Kill()
		_ = server.Wait() // it was killed, and says so
		return err
	}, nil
}
