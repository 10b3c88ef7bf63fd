package fleet

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Limits of the metrics that an agent sends with a heartbeat.
const (
	MaxSnapshot = 64 << 10 // bytes as sent
	maxMetrics  = 256 << 10
	maxSeries   = 500
)

// series is one line of the agent's own metrics: a name of ours, labels of few
// and plain characters, a number.
var series = regexp.MustCompile(`^(tillbook_agent_[a-z_]{1,80}(?:\{[a-z_]{1,40}="[^"\\\x00-\x1f]{0,100}"(?:,[a-z_]{1,40}="[^"\\\x00-\x1f]{0,100}")*\})?) (\S{1,40})$`)

// Metrics reads what an agent sent as its metrics: value by name and labels, as
// Prometheus writes them. Lines that are not of ours or no finite number are
// left out; what is no such text at all, or beyond the limits, is an error.
func Metrics(snapshot []byte) (map[string]float64, error) {
	if len(snapshot) == 0 {
		return nil, nil
	}
	if len(snapshot) > MaxSnapshot {
		return nil, errors.New("an agent's metrics are too large")
	}
	reader, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxMetrics))
	if err != nil {
		return nil, fmt.Errorf("read an agent's metrics: %w", err)
	}
	defer reader.Close()
	text, err := reader.DecodeAll(snapshot, nil)
	if err != nil {
		return nil, fmt.Errorf("read an agent's metrics: %w", err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		parts := series.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if parts == nil {
			continue
		}
		value, err := strconv.ParseFloat(parts[2], 64)
		if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
			continue
		}
		if values[parts[1]] = value; len(values) > maxSeries {
			return nil, errors.New("an agent's metrics have too many series")
		}
	}
	return values, nil
}
