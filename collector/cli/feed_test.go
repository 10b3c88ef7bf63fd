package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/cli"
	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/merchant"
)

// feeds gives the shop its feeds.
func (c *counter) feeds(all ...merchant.Feed) {
	c.Helper()
	_, err := c.db.Apply(c.Context(), merchant.Merchant{
		ID: "corner", Name: "Corner", Country: "GB", Currency: "GBP", Stores: []merchant.Store{{ID: "S1", Zone: "Europe/London"}}, Feeds: all,
	}, time.Now())
	c.must(err)
}

// says runs a command and returns its exit code and what it said.
func (c *counter) says(args ...string) (int, string) {
	c.Helper()
	var out bytes.Buffer
	code := cli.Main(c.Context(), append([]string{"--data", c.data}, args...), &out, &out)
	return code, out.String()
}

const statement = ":20:A\n:25:GB1\n:28C:7/1\n:60F:C260302GBP100,00\n:61:260302C20,00NTRFREF1\n:86:Takings\n:61:260302D5,00NCHGREF2\n:86:Charges\n:62F:C260302GBP115,00\n"

func TestAStatementIsTakenOnceAndWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.feeds(merchant.Feed{ID: "bank", Source: "mt940"}, merchant.Feed{ID: "cards", Source: "stripe"})
	good, bad := filepath.Join(c.data, "good.sta"), filepath.Join(c.data, "bad.sta")
	c.must(os.WriteFile(good, []byte(statement), 0o600))
	c.must(os.WriteFile(bad, []byte(strings.Replace(statement, "115,00", "116,00", 1)), 0o600))
	lines := func() int {
		all, err := c.db.BankLines(c.Context(), "corner", "2026-03-01", "2026-04-01")
		c.must(err)
		return len(all)
	}
	if code, said := c.says("feed", "import", "--merchant", "corner", "--source", "bank", bad); code != 2 || !strings.Contains(said, "line 9") || !strings.Contains(said, "add up") || lines() != 0 {
		t.Errorf("a statement that does not add up: %d, %s, %d lines", code, said, lines())
	}
	for _, want := range []int{2, 0} {
		code, said := c.says("--json", "feed", "import", "--merchant", "corner", "--source", "bank", good)
		var got []app.Imported
		if err := json.Unmarshal([]byte(said), &got); err != nil || code != 0 || len(got) != 1 || got[0].Lines != 2 || got[0].New != want || lines() != 2 {
			t.Errorf("%d, %s; want %d new of 2", code, said, want)
		}
	}
	if code, said := c.says("feed", "import", "--merchant", "corner", "--source", "cards", good); code != 2 || !strings.Contains(said, "asked by itself") {
		t.Errorf("a file for a source that is asked: %d, %s", code, said)
	}
}

func TestASecretIsKeptSealedAndItsFeedIsAskedAtOnce(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.feeds(merchant.Feed{ID: "cards", Source: "stripe"})
	id := feed.ID{Merchant: "corner", Feed: "cards"}
	c.must(c.db.Fail(c.Context(), id, feed.Failure{Code: feed.CodeDenied, Error: "no key", NotBefore: time.Now().Add(time.Hour)}))
	if code, said := c.says("feed", "list", "corner"); code != 1 || !strings.Contains(said, feed.CodeDenied) {
		t.Errorf("%d, %s", code, said)
	}
	file := filepath.Join(c.data, "key")
	c.must(os.WriteFile(file, []byte("rk_test_1\n"), 0o600))
	if code, said := c.says("feed", "secret", "corner", "cards", "password", "--file", file); code != 2 || !strings.Contains(said, "key, webhook") {
		t.Errorf("a secret that the source has not: %d, %s", code, said)
	}
	if code, said := c.says("feed", "secret", "corner", "cards", "key", "--file", file, "--by", "olga"); code != 0 {
		t.Fatalf("%d, %s", code, said)
	}
	keys, err := app.OpenSecrets(app.Config{Data: c.data})
	c.must(err)
	if got, err := c.db.Credentials(keys).Get(c.Context(), id, "key"); err != nil || got != "rk_test_1" {
		t.Errorf("%q, %v", got, err)
	}
	states, err := c.db.Feeds(c.Context())
	c.must(err)
	if len(states) != 1 || !states[0].NotBefore.IsZero() {
		t.Errorf("%+v", states)
	}
	if _, said := c.says("log", "--merchant", "corner"); !strings.Contains(said, "olga") || !strings.Contains(said, "feed cards") || strings.Contains(said, "rk_test_1") {
		t.Errorf("the log says %s", said)
	}
	if code, said := c.says("feed", "forget", "corner", "cards"); code != 0 {
		t.Errorf("%d, %s", code, said)
	}
	m, err := c.db.Merchant(c.Context(), "corner")
	c.must(err)
	if _, err := app.OpenSources(app.Config{Data: c.data}, c.db, time.Now)(c.Context(), m, m.Feeds[0]); err == nil || !strings.Contains(err.Error(), "feed secret corner cards key") {
		t.Errorf("a source without its secret: %v", err)
	}
}
