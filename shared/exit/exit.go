// Package exit holds the exit codes that every command of both programs uses.
//
// 0 is ok; 1 means degraded, or differences were found; 2 failed; 3 could not
// reach what it needs. A command returns an error that carries its code; main
// turns it into the process's exit. Nothing here ends a process.
package exit

import "errors"

// The codes.
const (
	OK          = 0
	Degraded    = 1
	Failed      = 2
	Unreachable = 3
)

// Error is an error with an exit code. Err may be nil where the command has
// already said all there is to say.
type Error struct {
	Code int
	Err  error
}

// With returns err with a code.
func With(code int, err error) error { return &Error{Code: code, Err: err} }

func (e *Error) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Code returns the exit code for what a command returned: Failed for errors
// that carry none.
func Code(err error) int {
	if err == nil {
		return OK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Failed
}
