package cli_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/cli"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/shared/exit"
)

func TestAnAuthorityIsRolledOverByCommandsAndNotRetiredWhileAnybodyRestsOnIt(t *testing.T) {
	t.Parallel()
	c := open(t)
	type row struct {
		Pin           string
		Active        bool
		Agents, Codes int
	}
	run := func(want int, args ...string) (rows []row, says string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := cli.Main(t.Context(), append([]string{"--data", c.data, "--json", "authority"}, args...), &out, &errs); code != want {
			t.Fatalf("%v: exit code %d, want %d: %s", args, code, want, errs.String())
		}
		if want == exit.OK {
			c.must(json.Unmarshal(out.Bytes(), &rows))
		}
		return rows, errs.String()
	}
	old, _ := run(exit.OK, "list")
	if len(old) != 1 || !old[0].Active {
		t.Fatalf("%+v", old)
	}
	run(exit.Failed, "activate")
	run(exit.Failed, "retire")

	// An agent and an open join code rest on it.
	now := time.Now().UTC().Truncate(time.Second)
	code := fleet.Code{Hash: [32]byte{1}, Merchant: "corner", Store: "S1", Authority: old[0].Pin, ExpiresAt: now.Add(time.Hour)}
	c.must(c.db.AddCode(t.Context(), code))
	id, err := c.db.Redeem(t.Context(), code.Hash, "a1", "pc", "1", now)
	c.must(err)
	code.Hash = [32]byte{2}
	c.must(c.db.AddCode(t.Context(), code))
	given := fleet.Certificate{Key: [32]byte{1}, Issuer: old[0].Pin, IssuedAt: now, ExpiresAt: now.AddDate(0, 0, 30)}
	_, err = c.db.Certify(t.Context(), id, fleet.Ask{Next: given, At: now})
	c.must(err)

	added, _ := run(exit.OK, "add")
	if len(added) != 2 || added[0] != (row{old[0].Pin, true, 1, 1}) || added[1].Agents != 0 {
		t.Fatalf("after add: %+v", added)
	}
	run(exit.Failed, "add")
	active, _ := run(exit.OK, "activate")
	if active[0].Pin != added[1].Pin || !active[0].Active || active[1].Active {
		t.Fatalf("after activate: %+v", active)
	}
	if _, says := run(exit.Failed, "retire"); !strings.Contains(says, "1 agents") || !strings.Contains(says, "1 open join codes") {
		t.Errorf("retire says %s", says)
	}
	if rows, _ := run(exit.OK, "list"); len(rows) != 2 {
		t.Errorf("it was retired all the same: %+v", rows)
	}
	if rows, _ := run(exit.OK, "retire", "--force"); len(rows) != 1 || rows[0].Pin != active[0].Pin {
		t.Errorf("after retire: %+v", rows)
	}
}
