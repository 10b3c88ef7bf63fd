package fleet_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"tillbook.example/tillbook/collector/fleet"
)

func packed(t testing.TB, text string) []byte {
	t.Helper()
	writer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return writer.EncodeAll([]byte(text), nil)
}

func TestAnAgentsMetricsAreReadAndNothingElse(t *testing.T) {
	t.Parallel()
	got, err := fleet.Metrics(packed(t, strings.Join([]string{
		`# HELP tillbook_agent_outbox_bytes Bytes.`,
		`tillbook_agent_outbox_bytes 1.5e+06`,
		`tillbook_agent_source_files_waiting{source="till-1"} 2`,
		`go_goroutines 12`,
		`tillbook_collector_agents{contact="online"} 9`,
		`tillbook_agent_nothing NaN`,
		`tillbook_agent_no_number x`,
		`tillbook_agent_label{source="a\"b"} 1`,
	}, "\n")+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"tillbook_agent_outbox_bytes": 1.5e6, `tillbook_agent_source_files_waiting{source="till-1"}`: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMetricsBeyondTheLimitsAreRefused(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 600 {
		fmt.Fprintf(&many, "tillbook_agent_x{source=\"%d\"} 1\n", i)
	}
	for name, sent := range map[string][]byte{
		"no zstd":         []byte("tillbook_agent_x 1\n"),
		"a bomb":          packed(t, strings.Repeat(" ", 64<<20)),
		"too many series": packed(t, many.String()),
		"too large":       bytes.Repeat([]byte{1}, fleet.MaxSnapshot+1),
	} {
		if got, err := fleet.Metrics(sent); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzMetrics(f *testing.F) {
	f.Add(packed(f, "tillbook_agent_x 1\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		values, err := fleet.Metrics(sent)
		if err != nil && values != nil {
			t.Errorf("values %v beside error %v", values, err)
		}
		for name := range values {
			if !strings.HasPrefix(name, "tillbook_agent_") || strings.ContainsAny(name, "\n\x00") {
				t.Errorf("series %q", name)
			}
		}
	})
}
