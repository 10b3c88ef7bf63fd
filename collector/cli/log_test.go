package cli_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/app"
)

type chains struct {
	Logs []struct {
		Merchant, Hash string
		Acts, Number   int
		Wrong          []string
	}
	Wrong []string
}

func TestCommandsAreInTheLogWithWhoGaveThem(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, args := range [][]string{
		{"pause", "corner", "--by", "olga"}, {"resume", "corner", "--by", "ben"}, {"revoke", "corner", "a1", "--by", "ben"}, {"secrets", "rotate", "--by", "olga"},
	} {
		if args[0] == "revoke" {
			c.sends("a1", c.sale("1", "1.00"))
		}
		if code := c.call(nil, args...); code != 0 {
			t.Fatalf("%v: exit %d", args, code)
		}
	}
	var acts []struct{ Merchant, By, What, On string }
	c.call(&acts, "log")
	var told []string
	for _, a := range acts {
		told = append(told, fmt.Sprintf("%s: %s %s %s", a.Merchant, a.By, a.What, a.On))
	}
	want := "*: olga rotate , corner:  apply configuration 1, corner: olga pause , corner: ben resume , corner:  join-code S1, corner: ben revoke a1"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	acts = nil
	c.call(&acts, "log", "--merchant", "*")
	if len(acts) != 1 {
		t.Errorf("of the collector as a whole: %+v", acts)
	}
}

func TestALogThatWasTamperedWithIsNamed(t *testing.T) {
	t.Parallel()
	c := open(t)
	for range 2 {
		c.call(nil, "pause", "corner", "--by", "olga")
		c.call(nil, "resume", "corner", "--by", "olga")
	}
	var whole chains
	if code := c.call(&whole, "log", "verify"); code != 0 || len(whole.Logs) != 2 || whole.Logs[1].Acts != 5 {
		t.Fatalf("exit %d, %+v", code, whole)
	}
	end := fmt.Sprintf("%d:%s", whole.Logs[1].Number, whole.Logs[1].Hash)
	backup := filepath.Join(t.TempDir(), "backup")
	if code := c.call(nil, "backup", "create", backup); code != 0 {
		t.Fatalf("backup: exit %d", code)
	}
	raw, err := sql.Open("sqlite", "file:"+filepath.Join(c.data, app.DatabaseFile)+"?_pragma=busy_timeout(5000)")
	c.must(err)
	defer raw.Close()
	tamper := func(text string) {
		t.Helper()
		_, err := raw.ExecContext(t.Context(), text)
		c.must(err)
	}
	// The end cut off: the rest is a chain like any other.
	tamper(`DELETE FROM act WHERE merchant = 'corner' AND number = 5`)
	if code := c.call(nil, "log", "verify"); code != 0 {
		t.Errorf("a shorter chain: exit %d", code)
	}
	for _, noted := range [][]string{{"--merchant", "corner", "--head", end}, {"--backup", backup}} {
		var cut chains
		if code := c.call(&cut, append([]string{"log", "verify"}, noted...)...); code != 1 || len(cut.Wrong) != 1 || !strings.Contains(cut.Wrong[0], "act 5 is missing") {
			t.Errorf("cut off, %v: exit %d, %+v", noted, code, cut)
		}
	}
	tamper(`UPDATE act SET done_by = 'ben' WHERE merchant = 'corner' AND number = 2`)
	tamper(`DELETE FROM act WHERE merchant = 'corner' AND number = 3`)
	var broken chains
	if code := c.call(&broken, "log", "verify"); code != 1 || strings.Join(broken.Logs[1].Wrong, ", ") != "act 2 was changed: its hash is over something else, act 3 is missing" {
		t.Errorf("tampered with: exit %d, %+v", code, broken)
	}
	if code := c.call(nil, "verify"); code != 1 {
		t.Errorf("verify: exit %d", code)
	}
	for _, wrong := range []string{"5", "x:" + whole.Logs[1].Hash, "5:abc"} {
		if code := c.call(nil, "log", "verify", "--merchant", "corner", "--head", wrong); code != 2 {
			t.Errorf("--head %s: exit %d", wrong, code)
		}
	}
}
