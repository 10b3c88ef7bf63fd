package web_test

import (
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/target/web"
)

// The signature was made with openssl dgst -sha256 -hmac key -binary | base64.
func TestOnlyTheSignatureOfTheBodyUnderTheKeyIsTaken(t *testing.T) {
	t.Parallel()
	const body, good = `{"events":[]}`, "Qrz9n8NSnnBLDlKIZEhYxzL4J+L5wKUqtKk3FuhGKW0="
	for _, test := range []struct {
		what, key, body, signature string
		want                       bool
	}{
		{"as it is", "key", body, good, true},
		{"another body", "key", body + " ", good, false},
		{"another key", "kez", body, good, false},
		{"no key", "", body, good, false},
		{"no signature", "key", body, "", false},
		{"cut", "key", body, good[:len(good)-4], false},
		{"not base64", "key", body, "?" + good, false},
		{"in hexadecimal", "key", body, strings.Repeat("0", 64), false},
	} {
		if got := web.Signed([]byte(test.key), []byte(test.body), test.signature); got != test.want {
			t.Errorf("%s: %t", test.what, got)
		}
	}
}
