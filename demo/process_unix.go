//go:build unix

package main

import "syscall"

// ownGroup keeps a Ctrl-C at the terminal from reaching the programs: the demo
// stops them itself.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
