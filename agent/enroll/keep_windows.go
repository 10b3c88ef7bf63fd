package enroll

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"

	"tillbook.example/tillbook/internal/durable"
)

// entropyFile is the second half of what seals the key on Windows: without the
// data folder nobody on this machine opens it, without this machine nobody at all.
const entropyFile = "identity.entropy"

// keepers returns what keeps keys on this machine better than a file does.
func keepers(folder string, _ settings) []keeper {
	d := dpapi{filepath.Join(folder, entropyFile)}
	return []keeper{sealing{label: "dpapi", seal: d.seal, open: d.open}}
}

// dpapi seals with the machine's own key, which no user's password changes.
type dpapi struct{ entropy string }

func (d dpapi) seal(text []byte) ([]byte, error) {
	entropy, err := os.ReadFile(d.entropy)
	if errors.Is(err, os.ErrNotExist) {
		entropy = make([]byte, 32)
		_, _ = rand.Read(entropy) // never fails
		err = durable.Replace(d.entropy, entropy)
	}
	if err != nil {
		return nil, fmt.Errorf("entropy: %w", err)
	}
	var out windows.DataBlob
	if err := windows.CryptProtectData(blob(text), nil, blob(entropy), 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN|windows.CRYPTPROTECT_LOCAL_MACHINE, &out); err != nil {
		return nil, fmt.Errorf("CryptProtectData: %w", err)
	}
	return taken(out)
}

func (d dpapi) open(sealed []byte) ([]byte, error) {
	entropy, err := os.ReadFile(d.entropy)
	if err != nil {
		return nil, fmt.Errorf("entropy: %w", err)
	}
	var out windows.DataBlob
	if err := windows.CryptUnprotectData(blob(sealed), nil, blob(entropy), 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out); err != nil {
		return nil, fmt.Errorf("CryptUnprotectData: %w; was the folder brought here from another machine?", err)
	}
	return taken(out)
}

// blob lends bytes to a call.
func blob(b []byte) *windows.DataBlob {
	return &windows.DataBlob{Size: uint32(len(b)), Data: unsafe.SliceData(b)}
}

// taken copies what a call returned and gives its memory back.
func taken(out windows.DataBlob) ([]byte, error) {
	bytes := append([]byte(nil), unsafe.Slice(out.Data, out.Size)...)
	if _, err := windows.LocalFree(windows.Handle(unsafe.Pointer(out.Data))); err != nil {
		return nil, fmt.Errorf("LocalFree: %w", err)
	}
	return bytes, nil
}
