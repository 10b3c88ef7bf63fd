package enroll

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tillbook.example/tillbook/shared/pki"
)

// keeper makes private keys and keeps them as text that is of use only where the
// keeper is.
type keeper interface {
	name() string
	create() (key crypto.Signer, text string, err error)
	load(text string) (crypto.Signer, error)
	// take keeps a key that was made by another; errors.ErrUnsupported if only
	// keys of its own can be.
	take(key *ecdsa.PrivateKey) (text string, err error)
}

// sealing is a keeper that seals what software has made.
type sealing struct {
	label      string
	seal, open func([]byte) ([]byte, error)
}

func (s sealing) name() string { return s.label }

func (s sealing) create() (crypto.Signer, string, error) {
	key, err := pki.NewKey()
	if err != nil {
		return nil, "", err
	}
	text, err := s.take(key)
	return key, text, err
}

func (s sealing) take(key *ecdsa.PrivateKey) (string, error) {
	text, err := pki.FormatKey(key)
	if err != nil {
		return "", err
	}
	sealed, err := s.seal(text)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

func (s sealing) load(text string) (crypto.Signer, error) {
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	open, err := s.open(sealed)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return pki.ParseKey(open)
}

// plain keeps a key as it is: only the file's permissions protect it.
var plain keeper = plainKeeper{}

type plainKeeper struct{}

func (plainKeeper) name() string { return "file" }

func (plainKeeper) create() (crypto.Signer, string, error) {
	key, err := pki.NewKey()
	if err != nil {
		return nil, "", err
	}
	text, err := plain.take(key)
	return key, text, err
}

func (plainKeeper) load(text string) (crypto.Signer, error) { return pki.ParseKey([]byte(text)) }

func (plainKeeper) take(key *ecdsa.PrivateKey) (string, error) {
	text, err := pki.FormatKey(key)
	return string(text), err
}

// Credential is the name of the service manager's credential that keys are
// sealed with, and the least bytes it must have.
const (
	Credential    = "tillbook-agent.secret"
	credentialMin = 32
)

// credential returns a keeper that seals with a secret which the service manager
// gives the running service and nobody else (systemd's LoadCredentialEncrypted,
// whose file only this machine can open), nil where there is none.
func credential(folder string) keeper {
	if folder == "" {
		return nil
	}
	secret, err := os.ReadFile(filepath.Join(folder, Credential))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	sealer := func() (cipher.AEAD, error) {
		if err == nil && len(secret) < credentialMin {
			err = fmt.Errorf("credential %s has %d bytes, at least %d are needed", Credential, len(secret), credentialMin)
		}
		if err != nil {
			return nil, err
		}
		key, err := hkdf.Key(sha256.New, secret, nil, "tillbook identity", 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCMWithRandomNonce(block)
	}
	return sealing{
		label: "credential",
		seal: func(text []byte) ([]byte, error) {
			aead, err := sealer()
			if err != nil {
				return nil, err
			}
			return aead.Seal(nil, nil, text, []byte(File)), nil
		},
		open: func(sealed []byte) ([]byte, error) {
			aead, err := sealer()
			if err != nil {
				return nil, err
			}
			return aead.Open(nil, nil, sealed, []byte(File))
		},
	}
}
