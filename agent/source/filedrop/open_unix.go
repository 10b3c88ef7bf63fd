//go:build !windows

package filedrop

import "os"

// open opens a file for reading; the till may go on writing, renaming and
// deleting it.
func open(path string) (*os.File, error) { return os.Open(path) }
