package format

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"tillbook.example/tillbook/shared/document"
)

// Mask hides the card numbers in a text (document.MaskPANs).
func Mask(s string) string {
	digits := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			digits++
		}
	}
	if digits < 13 {
		return s
	}
	return string(document.MaskPANs([]byte(s)))
}

// MaskRaw hides the card numbers in a part that is refused and cuts it to
// MaxRaw.
func MaskRaw(b []byte) []byte { return document.MaskPANs(b[:min(len(b), MaxRaw)]) }

// LastFour keeps the last four digits of a card or account number.
func LastFour(s string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	return digits[max(0, len(digits)-4):]
}

// Ref is the hash under which a voucher's or gift card's number is known: it
// says whether two are the same and not which it is.
func Ref(number string) string {
	if number == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("voucher:" + number))
	return hex.EncodeToString(sum[:16])
}
