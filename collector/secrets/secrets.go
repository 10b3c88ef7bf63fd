// Package secrets seals what must not be read in a database, above all the
// tokens that open somebody's books.
//
// The keys lie in one file beside the database, readable by its owner alone;
// whoever copies the database without it has nothing. What is sealed is bound to
// what it is about (a merchant, a connection, a field), so that it cannot be
// moved to another row. A new key seals from then on, and what older keys sealed
// stays readable until they are dropped. Sealing itself is Tink's.
//
// It must not keep what it seals, and never says it in an error.
package secrets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"tillbook.example/tillbook/internal/durable"
)

const (
	// mostBytes bounds the key file; a hundred keys have some 20 KB.
	mostBytes = 256 << 10
	// mostKeys is how many keys a file may hold.
	mostKeys = 100
)

// ErrSealed: it was sealed with a key that is not here, or about something else,
// or was changed.
var ErrSealed = errors.New("cannot be unsealed with the keys that are here")

// Keys seal and unseal. They may be used at the same time, and follow the file:
// a change that a command makes is seen by a running collector at once.
type Keys struct {
	path string

	mu   sync.Mutex
	ring ring
	read fs.FileInfo // of the file that ring was read from
}

// ring is what the file held.
type ring struct {
	handle *keyset.Handle
	seal   tink.AEAD
}

// Open reads the keys in a file, or makes the first where there is no file.
func Open(path string) (*Keys, error) {
	k := &Keys{path: path}
	_, err := k.current()
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	first, err := added(keyset.NewManager())
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("keep keys: %w", err)
	}
	// Of two that start at the same time the first to keep a key has it kept.
	if err := durable.Create(path, first); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("keep keys: %w", err)
	}
	_, err = k.current()
	return k, err
}

// Rotate adds a key that seals from now on, and returns how many there are. Two
// rotations must not be made at once.
func (k *Keys) Rotate() (int, error) {
	r, err := k.current()
	if err != nil {
		return 0, err
	}
	n := r.handle.Len() + 1
	if n > mostKeys {
		return 0, fmt.Errorf("rotate keys: %s holds %d keys already", k.path, mostKeys)
	}
	next, err := added(keyset.NewManagerFromHandle(r.handle))
	if err != nil {
		return 0, err
	}
	if err := durable.Replace(k.path, next); err != nil {
		return 0, fmt.Errorf("rotate keys: %w", err)
	}
	return n, nil
}

// Newest reports whether something was sealed with the key that seals now; nothing
// sealed is as well.
func (k *Keys) Newest(sealed []byte) (bool, error) {
	r, err := k.current()
	if err != nil {
		return false, err
	}
	primary, err := r.handle.Primary()
	if err != nil {
		return false, fmt.Errorf("read keys: %w", err)
	}
	// Tink writes the key's id after one byte that says so.
	return len(sealed) == 0 || len(sealed) > 5 && binary.BigEndian.Uint32(sealed[1:5]) == primary.KeyID(), nil
}

// Drop lets go of all keys but the one that seals now, and returns how many those
// were. What they sealed can never be read again, so it is for whoever has seen
// that nothing is left of it. It must not be called while keys are rotated.
func (k *Keys) Drop() (int, error) {
	r, err := k.current()
	if err != nil {
		return 0, err
	}
	m, dropped := keyset.NewManagerFromHandle(r.handle), 0
	for i := range r.handle.Len() {
		e, err := r.handle.Entry(i)
		if err == nil && !e.IsPrimary() {
			err = m.Delete(e.KeyID())
			dropped++
		}
		if err != nil {
			return 0, fmt.Errorf("drop keys: %w", err)
		}
	}
	if dropped == 0 {
		return 0, nil
	}
	text, err := written(m)
	if err != nil {
		return 0, err
	}
	if err := durable.Replace(k.path, text); err != nil {
		return 0, fmt.Errorf("drop keys: %w", err)
	}
	return dropped, nil
}

// added returns a manager's keys with a new one that seals.
func added(m *keyset.Manager) ([]byte, error) {
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err == nil {
		err = m.SetPrimary(id)
	}
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return written(m)
}

// written returns a manager's keys as the file has them.
func written(m *keyset.Manager) ([]byte, error) {
	h, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&text)); err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	return text.Bytes(), nil
}

// Seal seals a text about something; an empty one stays empty.
func (k *Keys) Seal(text string, about ...string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	r, err := k.current()
	if err != nil {
		return nil, err
	}
	sealed, err := r.seal.Encrypt([]byte(text), bound(about))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Unseal is the inverse of Seal, about the same; else it is ErrSealed.
func (k *Keys) Unseal(sealed []byte, about ...string) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	r, err := k.current()
	if err != nil {
		return "", err
	}
	text, err := r.seal.Decrypt(sealed, bound(about))
	if err != nil { // Tink says no more than that it failed
		return "", fmt.Errorf("%q %w in %s", about, ErrSealed, k.path)
	}
	return string(text), nil
}

// bound is what is sealed about, as one text that no other list gives.
func bound(about []string) []byte { return fmt.Appendf(nil, "%q", about) }

// current returns the keys of the moment.
func (k *Keys) current() (ring, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		info, err := os.Stat(k.path)
		if err != nil {
			return ring{}, fmt.Errorf("read keys: %w", err)
		}
		if same(info, k.read) {
			return k.ring, nil
		}
		r, err := load(k.path, info)
		if again, gone := os.Stat(k.path); gone == nil && !same(info, again) {
			continue // it was changed while it was read
		}
		if err != nil {
			return ring{}, fmt.Errorf("read keys: %w", err)
		}
		k.ring, k.read = r, info
	}
}

func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func load(path string, info fs.FileInfo) (ring, error) {
	if info.Size() > mostBytes {
		return ring{}, fmt.Errorf("%s has %d bytes, more than keys have", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ring{}, err
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return ring{}, fmt.Errorf("%s does not hold keys: %w", path, err)
	}
	seal, err := aead.New(h)
	if err != nil {
		return ring{}, fmt.Errorf("%s does not hold keys that seal: %w", path, err)
	}
	return ring{h, seal}, nil
}
