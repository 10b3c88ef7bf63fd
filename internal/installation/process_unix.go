//go:build unix

package installation

import "syscall"

// ownGroup keeps a Ctrl-C at the terminal from reaching the programs: the
// starter stops them itself.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
