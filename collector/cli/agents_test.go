package cli_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"tillbook.example/tillbook/collector/cli"
	"tillbook.example/tillbook/collector/fleet"
)

func TestAgentsShowsClocksAndMetricsAndWhatOneSentHidesNoOther(t *testing.T) {
	t.Parallel()
	c := open(t)
	writer, err := zstd.NewWriter(nil)
	c.must(err)
	now := time.Now()
	for agent, beat := range map[string]fleet.Beat{
		"a1": {Work: "ok", Skew: -5 * time.Minute, Snapshot: writer.EncodeAll([]byte("tillbook_agent_uplink_connected 1\n"), nil)},
		"a2": {Work: "ok", Skew: time.Second, Snapshot: []byte("no metrics at all")},
	} {
		c.sends(agent, c.sale(agent, "1.00"))
		c.must(c.db.Beat(t.Context(), fleet.Identity{Merchant: "corner", Store: "S1", Agent: agent}, beat, now))
	}
	var rows []struct {
		Agent   string
		Skew    float64 `json:"clock_skew_seconds"`
		Metrics map[string]float64
	}
	if code := c.call(&rows, "agents"); code != 0 || len(rows) != 2 {
		t.Fatalf("exit %d, %+v", code, rows)
	}
	if a := rows[0]; a.Agent != "a1" || a.Skew != -300 || a.Metrics["tillbook_agent_uplink_connected"] != 1 {
		t.Errorf("%+v; want its clock and metrics", a)
	}
	if a := rows[1]; a.Agent != "a2" || a.Metrics != nil {
		t.Errorf("%+v; want it without metrics", a)
	}
	var out, problems bytes.Buffer
	if code := cli.Main(t.Context(), []string{"--data", c.data, "agents"}, &out, &problems); code != 0 {
		t.Fatalf("exit %d", code)
	}
	if shown := out.String(); strings.Count(shown, "-300s") != 1 || strings.Contains(shown, "+1s") {
		t.Errorf("only a clock that is wrong is worth telling:\n%s", shown)
	}
	if !strings.Contains(problems.String(), "agent a2: ") {
		t.Errorf("it is not said whose metrics cannot be read: %s", problems.String())
	}
}
