package backup

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	manifestName = "manifest.json"
	copyName     = "collector.db"
	// format is the version of the manifest.
	format = 1
	// maxManifest bounds a manifest that is read, in bytes: some 100,000 numberings.
	maxManifest = 32 << 20
)

// Hex is bytes that are written in hexadecimal.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// Manifest says what a backup is of and what it must hold.
type Manifest struct {
	Format      int       `json:"format"`
	At          time.Time `json:"at"`      // when the copy was begun: later documents may be missing
	Program     string    `json:"program"` // version that made it
	Tables      int64     `json:"tables"`  // version of the tables
	Incarnation Hex       `json:"incarnation"`
	Copy        *File     `json:"copy,omitempty"` // nil: the server's own means have it
	Contents    Contents  `json:"contents"`
}

// File is the copy's size and checksum.
type File struct {
	Size   int64 `json:"size"` // bytes
	SHA256 Hex   `json:"sha256"`
}

// Read reads the manifest of a backup.
func Read(folder string) (Manifest, error) {
	var m Manifest
	file, err := os.Open(filepath.Join(folder, manifestName))
	if err != nil {
		return m, fmt.Errorf("read backup: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxManifest+1))
	if err != nil {
		return m, fmt.Errorf("read backup: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&m)
	switch {
	case len(text) > maxManifest:
		err = fmt.Errorf("it is over %d MiB", maxManifest>>20)
	case m.Format > format:
		return m, fmt.Errorf("read backup: manifest of format %d, this program reads %d: %w", m.Format, format, ErrVersion)
	case err == nil && (m.Format != format || len(m.Incarnation) != 16 || m.At.IsZero() || m.Copy != nil && len(m.Copy.SHA256) != 32):
		err = errors.New("something is missing in it")
	}
	if err != nil {
		return m, fmt.Errorf("read backup: %s: %w: %w", file.Name(), ErrDamaged, err)
	}
	return m, nil
}
