package shopify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"tillbook.example/tillbook/collector/feed"
)

// SignatureHeader is where Shopify's notifications carry their signature.
const SignatureHeader = "X-Shopify-Hmac-Sha256"

// Verify says whether a notification is signed with the app's secret; else it is
// feed.ErrSignature. Shopify signs no moment.
// https://shopify.dev/docs/apps/build/webhooks/subscribe/https
func Verify(secret, header string, body []byte) error {
	signature, err := base64.StdEncoding.DecodeString(header)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if err != nil || secret == "" || !hmac.Equal(signature, mac.Sum(nil)) {
		return feed.ErrSignature
	}
	return nil
}
