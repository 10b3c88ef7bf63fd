package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/feed"
)

// SignatureHeader is where Stripe's notifications carry their signature.
const SignatureHeader = "Stripe-Signature"

// tolerance is how old a notification may be, or how far ahead Stripe's clock.
const tolerance = 5 * time.Minute

// Verify says whether a notification is signed with an endpoint's secret, and not
// long ago; else it is feed.ErrSignature. While a secret is rolled there is a
// signature with each.
// https://docs.stripe.com/webhooks#verify-manually
func Verify(secret, header string, body []byte, now time.Time) error {
	var stamp string
	var signatures [][]byte
	for part := range strings.SplitSeq(header, ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "t":
			stamp = value
		case "v1":
			if signature, err := hex.DecodeString(value); err == nil && len(signatures) < 10 {
				signatures = append(signatures, signature)
			}
		}
	}
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || secret == "" {
		return fmt.Errorf("%w: it states no moment, or there is no secret", feed.ErrSignature)
	}
	if age := now.Sub(time.Unix(at, 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("%w: it was signed %s ago", feed.ErrSignature, age)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", stamp, body)
	want := mac.Sum(nil)
	for _, signature := range signatures {
		if hmac.Equal(signature, want) {
			return nil
		}
	}
	return feed.ErrSignature
}
