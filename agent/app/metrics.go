package app

import (
	"bytes"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tillbook.example/tillbook/shared/buildinfo"
)

// metric is one figure that is read when it is asked for.
type metric struct {
	name  string
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(look) float64
}

// look is one look at every room, so that the figures of a scrape belong together.
type look struct {
	Status
	records, duplicates, refused, commits uint64
	poisoned, damaged                     int
	soft, hard                            bool
	free                                  int64
}

// figures is the agent as Prometheus sees it. No label depends on what tills send.
type figures struct {
	app     *App
	metrics []metric
	files   *prometheus.Desc // of a source
	last    *prometheus.Desc
}

// Names of the metrics that have a source as label.
const (
	filesWaiting = "tillbook_agent_source_files_waiting"
	lastCapture  = "tillbook_agent_source_last_capture_timestamp_seconds"
)

// figures returns what the agent has to tell.
func (a *App) figures() *figures {
	f := &figures{
		app:   a,
		files: prometheus.NewDesc(filesWaiting, "Files of a source that are not read to their end.", []string{"source"}, nil),
		last:  prometheus.NewDesc(lastCapture, "When a source last brought something; 0 if not since start.", []string{"source"}, nil),
	}
	gauge := func(name, help string, value func(look) float64) {
		f.metrics = append(f.metrics, metric{"tillbook_agent_" + name, prometheus.NewDesc("tillbook_agent_"+name, help, nil, nil), prometheus.GaugeValue, value})
	}
	counter := func(name, help string, value func(look) float64) {
		f.metrics = append(f.metrics, metric{"tillbook_agent_" + name, prometheus.NewDesc("tillbook_agent_"+name, help, nil, nil), prometheus.CounterValue, value})
	}
	counter("outbox_records_total", "Records made durable since start.", func(l look) float64 { return float64(l.records) })
	counter("outbox_duplicates_total", "Pushes that were there already, since start.", func(l look) float64 { return float64(l.duplicates) })
	counter("outbox_refused_total", "Appends refused for lack of room, since start.", func(l look) float64 { return float64(l.refused) })
	counter("outbox_commits_total", "Groups written and synced, since start.", func(l look) float64 { return float64(l.commits) })
	counter("outbox_poisoned_segments_total", "Segments given up after a failed write or sync, since start.", func(l look) float64 { return float64(l.poisoned) })
	gauge("outbox_damaged", "Places in the log that are not what was written.", func(l look) float64 { return float64(l.damaged) })
	gauge("outbox_lost_records", "Records that are lost and declared as a gap.", func(l look) float64 { return float64(l.Outbox.Lost) })
	gauge("outbox_bytes", "Bytes the outbox takes on disk.", func(l look) float64 { return float64(l.Outbox.Bytes) })
	gauge("outbox_free_bytes", "Free bytes of the outbox's disk; -1 if not known.", func(l look) float64 { return float64(l.free) })
	gauge("outbox_soft_mark", "1 while disk space is short.", func(l look) float64 { return flag(l.soft) })
	gauge("outbox_hard_mark", "1 while new sales are refused for lack of room.", func(l look) float64 { return flag(l.hard) })
	gauge("uplink_connected", "1 while a session with the collector stands.", func(l look) float64 { return flag(l.Collector.Connected) })
	gauge("uplink_unsent_records", "Records that the collector has not acknowledged as stored.", func(l look) float64 { return float64(l.Outbox.Unsent) })
	gauge("uplink_oldest_unsent_seconds", "Age of the oldest of them; 0 if there is none.", func(l look) float64 {
		if l.Outbox.OldestUnsent.IsZero() {
			return 0
		}
		return time.Since(l.Outbox.OldestUnsent).Seconds()
	})
	gauge("uplink_heard_timestamp_seconds", "When the collector was last heard; 0 if not since start.", func(l look) float64 { return unix(l.Collector.HeardAt) })
	gauge("clock_skew_seconds", "This machine's clock less the collector's, as last heard.", func(l look) float64 { return l.Collector.Skew })
	gauge("certificate_expires_timestamp_seconds", "When the agent's certificate ends.", func(l look) float64 { return float64(l.Collector.Expires.Unix()) })
	gauge("start_timestamp_seconds", "When this process started.", func(look) float64 { return float64(a.started.Unix()) })
	return f
}

// register adds the agent's metrics.
func (a *App) register(registry *prometheus.Registry) error {
	f := a.figures()
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "tillbook_agent_build_info", Help: "1, with the version as label.", ConstLabels: prometheus.Labels{"version": buildinfo.Version}})
	info.Set(1)
	for _, c := range []prometheus.Collector{f, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// Describe lists the metrics.
func (f *figures) Describe(out chan<- *prometheus.Desc) {
	for _, m := range f.metrics {
		out <- m.desc
	}
	out <- f.files
	out <- f.last
}

// Collect looks once and gives every figure.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	l := f.look()
	for _, m := range f.metrics {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(l))
	}
	for _, folder := range l.Folders {
		out <- prometheus.MustNewConstMetric(f.files, prometheus.GaugeValue, float64(folder.Waiting), folder.Name)
	}
	for _, s := range l.Sources {
		out <- prometheus.MustNewConstMetric(f.last, prometheus.GaugeValue, unix(s.LastAt), s.Name)
	}
}

// text is the figures as Prometheus writes them, without its comments: what goes
// with a heartbeat.
func (f *figures) text() []byte {
	l := f.look()
	var b bytes.Buffer
	line := func(name string, value float64) {
		b.WriteString(name + " " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
	}
	for _, m := range f.metrics {
		line(m.name, m.value(l))
	}
	for _, folder := range l.Folders {
		line(filesWaiting+"{source="+strconv.Quote(folder.Name)+"}", float64(folder.Waiting))
	}
	for _, s := range l.Sources {
		line(lastCapture+"{source="+strconv.Quote(s.Name)+"}", unix(s.LastAt))
	}
	return b.Bytes()
}

func (f *figures) look() look {
	stats := f.app.outbox.Stats()
	return look{
		Status: f.app.Status(), records: stats.Records, duplicates: stats.Duplicates, refused: stats.Refused, commits: stats.Commits,
		poisoned: stats.Poisoned, damaged: stats.Damaged, soft: stats.Soft, hard: stats.Hard, free: stats.FreeBytes,
	}
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
