//go:build !linux

package file

import "os"

// syncData is FlushFileBuffers on Windows and F_FULLFSYNC on macOS.
func syncData(f *os.File) error { return f.Sync() }
