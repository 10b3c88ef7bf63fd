package pki

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Crockford's base 32: no I, L, O or U, so that a code can be read aloud.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// CodeLength is the number of characters of a join code: 50 bits.
const CodeLength = 10

// NewCode makes a one-time join code, XXXX-XXXX-XX.
func NewCode() (string, error) {
	random := make([]byte, CodeLength)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("make join code: %w", err)
	}
	for i, b := range random {
		random[i] = alphabet[b%32]
	}
	return fmt.Sprintf("%s-%s-%s", random[:4], random[4:8], random[8:]), nil
}

// CleanCode returns a code as it is hashed: capitals without dashes, with the
// letters people mistake put right.
func CleanCode(code string) (string, error) {
	clean := strings.NewReplacer("-", "", " ", "", "I", "1", "L", "1", "O", "0").Replace(strings.ToUpper(code))
	if len(clean) != CodeLength || strings.Trim(clean, alphabet) != "" {
		return "", fmt.Errorf("%q is not a join code: it has %d letters and digits, as in 7K3M-Q2XD-9A", code, CodeLength)
	}
	return clean, nil
}

// Join is what an installer is given: a one-time code, the collector's address,
// and the pin of its authority. Without a pin only a publicly trusted
// certificate is accepted: there is no trust on first use.
type Join struct {
	Code string
	Host string // host:port
	Pin  string
}

// String returns CODE@host:port#pin.
func (j Join) String() string {
	s := j.Code + "@" + j.Host
	if j.Pin != "" {
		s += "#" + j.Pin
	}
	return s
}

// ParseJoin reads a join string. A host without a port gets 443.
func ParseJoin(s string) (Join, error) {
	code, rest, found := strings.Cut(strings.TrimSpace(s), "@")
	if !found {
		return Join{}, errors.New("not a join string: it looks like 7K3M-Q2XD-9A@collector.example:8443#PIN")
	}
	host, pin, _ := strings.Cut(rest, "#")
	if _, err := CleanCode(code); err != nil {
		return Join{}, err
	}
	if host == "" || strings.ContainsAny(host, "/ ") {
		return Join{}, fmt.Errorf("join string: %q is not a host", host)
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "443")
	}
	if pin != "" && len(pin) != 43 {
		return Join{}, fmt.Errorf("join string: the pin after # has %d characters, not 43; copy the whole string", len(pin))
	}
	return Join{Code: code, Host: host, Pin: pin}, nil
}
