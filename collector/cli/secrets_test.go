package cli_test

import (
	"path/filepath"
	"testing"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/secrets"
	"tillbook.example/tillbook/collector/target/oauth"
)

func TestAnOldKeyIsDroppedOnlyOnceNothingIsSealedWithIt(t *testing.T) {
	t.Parallel()
	c := open(t)
	keys, err := secrets.Open(filepath.Join(c.data, app.SecretsFile))
	c.must(err)
	tokens := c.db.Tokens(keys)
	c.must(tokens.Save(t.Context(), "corner/books", 0, oauth.Token{Access: "a", Refresh: "r"}))
	var got struct {
		Keys, Newest, Older, Dropped int
	}
	if code := c.call(&got, "secrets", "drop"); code != 0 || got.Dropped != 0 {
		t.Errorf("one key: exit %d, %+v", code, got)
	}
	if code := c.call(&got, "secrets", "rotate"); code != 0 || got.Keys != 2 {
		t.Fatalf("rotate: exit %d, %+v", code, got)
	}
	if code := c.call(nil, "secrets", "drop"); code != 2 {
		t.Errorf("dropped while a token is sealed with it: exit %d", code)
	}
	for range 2 {
		if code := c.call(&got, "secrets", "reseal"); code != 0 || got.Newest != 1 || got.Older != 0 {
			t.Errorf("reseal: exit %d, %+v", code, got)
		}
	}
	if code := c.call(&got, "secrets", "drop", "--by", "olga"); code != 0 || got.Dropped != 1 {
		t.Errorf("drop: exit %d, %+v", code, got)
	}
	if token, err := tokens.Load(t.Context(), "corner/books"); err != nil || token.Refresh != "r" {
		t.Errorf("%+v, %v", token, err)
	}
	var acts []struct{ What, By, Detail string }
	c.call(&acts, "log", "--merchant", "*")
	if last := acts[len(acts)-1]; len(acts) != 2 || last.What != "rotate" || last.By != "olga" || last.Detail != "1 older keys dropped" {
		t.Errorf("the log says %+v", acts)
	}
}
