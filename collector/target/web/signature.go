package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// Signed reports whether a message carries the signature of its body: the HMAC with
// SHA-256 under a key that was agreed on, in base64, as Xero and Intuit sign what
// they tell of changes. Without a key nothing is signed.
func Signed(key, body []byte, signature string) bool {
	given, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || len(key) == 0 {
		return false
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(body) // never fails
	return hmac.Equal(given, mac.Sum(nil))
}
