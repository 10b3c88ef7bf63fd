package square

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"tillbook.example/tillbook/collector/feed"
)

// SignatureHeader is where Square's notifications carry their signature.
const SignatureHeader = "X-Square-Hmacsha256-Signature"

// Verify says whether a notification to an address, as the subscription has it, is
// signed with the subscription's key; else it is feed.ErrSignature. Square signs no
// moment.
// https://developer.squareup.com/docs/webhooks/step3validate
func Verify(secret, address, header string, body []byte) error {
	signature, err := base64.StdEncoding.DecodeString(header)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(address))
	mac.Write(body)
	if err != nil || secret == "" || !hmac.Equal(signature, mac.Sum(nil)) {
		return feed.ErrSignature
	}
	return nil
}
