package app

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake/mqtt"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/buildinfo"
)

// scrapeLimit bounds what one scrape may ask of the database.
const scrapeLimit = 5 * time.Second

// Every state that a label may have, so that a state nothing is in reads 0. Days and
// postings that are done only grow in number: they are not counted.
var (
	works     = []string{"ok", "degraded", "failed", "upgrading", "paused"}
	contacts  = []string{fleet.Pending, fleet.Online, fleet.Silent, fleet.Retired}
	dayStates = []string{day.Open, day.Closing, day.Held}
	postings  = []string{posting.Intended, posting.Sent, posting.Unknown, posting.Refused, posting.Parked}
)

// figures is the collector as Prometheus sees it. No label depends on merchants
// or on what agents send.
type figures struct {
	app *App

	agents, work, skewed, days, postings, unsent, oldest, broken, audited *prometheus.Desc
	sessions, batches, records, rejected, forks, refusals                 *prometheus.Desc
	broker, dropped                                                       *prometheus.Desc
	recovered, unrecovered, copies, up                                    *prometheus.Desc
	clearing, clearOpen, clearHeld                                        *prometheus.Desc
	failing, stopped                                                      *prometheus.Desc
	dark, oldestDay                                                       *prometheus.Desc
	connections, turnedAway                                               *prometheus.Desc
	differ, doubles, feeds                                                *prometheus.Desc
}

func (a *App) registry() (*prometheus.Registry, error) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tillbook_collector_"+name, help, labels, nil)
	}
	f := &figures{
		app:         a,
		agents:      desc("agents", "Agents by contact.", "contact"),
		work:        desc("agents_work", "Online agents by what they say of their work.", "work"),
		dark:        desc("agents_silent_open", "Silent agents of stores whose business day is open: something was sold, and it has not ended."),
		oldestDay:   desc("unclosed_since_timestamp_seconds", "When the oldest business day that is not closed began, taken as midnight UTC; 0 if there is none."),
		skewed:      desc("agents_skewed", "Online agents whose clock is more than two minutes off."),
		days:        desc("store_days", "Store-days that are under way, by state.", "state"),
		postings:    desc("postings", "Postings that are not settled, by state.", "state"),
		unsent:      desc("agents_unsent_records", "Records that agents say they have not sent, all together."),
		oldest:      desc("agents_oldest_unsent_seconds", "Age of the oldest record an agent has not sent; 0 if there is none."),
		broken:      desc("promise_violations", "Broken promises that the last audit of any collector on the database found; must stay 0.", "promise"),
		audited:     desc("audit_timestamp_seconds", "When the last audit of any collector on the database began; 0 before the first."),
		sessions:    desc("intake_sessions", "Agents connected to this process."),
		batches:     desc("intake_batches_total", "Batches committed since start."),
		records:     desc("intake_records_total", "Records committed since start."),
		rejected:    desc("intake_rejected_total", "Records kept raw because they could not be read, since start."),
		forks:       desc("intake_epochs_total", "Epochs offered since start: first ones and forks."),
		refusals:    desc("intake_refusals_total", "Sessions refused since start, by code.", "code"),
		connections: desc("agent_connections", "Connections to where agents connect, also of those that are none."),
		turnedAway:  desc("agent_connections_refused_total", "Connections that were ended at once because there were as many as there may be, since start."),
		broker:      desc("mqtt_connected", "1 if the broker is connected and sessions are taken from it; always 0 without one."),
		dropped:     desc("mqtt_dropped_total", "Messages over the broker that belonged to no session or were too much, since start."),
		recovered:   desc("certificates_recovered_total", "Agents that came back with an expired certificate, since start."),
		unrecovered: desc("certificates_recovery_refused_total", "Recoveries refused since start."),
		copies:      desc("certificates_copied_total", "Uses of an agent's certificate that another had taken the place of, since start."),
		failing:     desc("merchants_failing", "Merchants by how many days in a row did not reach the books, each under its highest number; looked at hourly.", "days"),
		stopped:     desc("merchants_stopped", "Merchants that a person paused or that were stopped because nothing reached their books; looked at hourly."),
		clearing:    desc("clearing_accounts", "Accounts of payment providers by whether something is open that somebody has to look into, at their newest comparison.", "state"),
		clearOpen:   desc("clearing_open_since_timestamp_seconds", "The day, as midnight UTC, since which the oldest difference with a payment provider is open; 0 if none is."),
		clearHeld:   desc("clearing_held_since_timestamp_seconds", "The day, as midnight UTC, since which a payment provider has held the oldest of what it owes; 0 if none owes anything."),
		differ:      desc("books_differ", "Differences between the books and what was posted that wait for a person, by code.", "code"),
		doubles:     desc("books_doubles_total", "Second documents of one posting that were taken off the books, ever."),
		feeds:       desc("feeds_failing", "Feeds whose source could not be read when it was asked last, by code.", "code"),
		up:          desc("database_up", "1 if the database answered this scrape."),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "tillbook_collector_build_info", Help: "1, with the version as label.", ConstLabels: prometheus.Labels{"version": buildinfo.Version}})
	info.Set(1)
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{f, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return registry, nil
}

// Describe lists the metrics.
func (f *figures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		f.agents, f.work, f.skewed, f.days, f.postings, f.unsent, f.oldest, f.broken, f.audited,
		f.sessions, f.batches, f.records, f.rejected, f.forks, f.refusals, f.broker, f.dropped, f.recovered, f.unrecovered, f.copies, f.up, f.failing, f.stopped, f.dark, f.oldestDay, f.clearing, f.clearOpen, f.clearHeld, f.connections, f.turnedAway, f.differ, f.doubles, f.feeds,
	} {
		out <- d
	}
}

// Collect looks once and gives every figure. A database that does not answer
// shows as database_up 0; what it would have told is left out.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	if f.app.entrance != nil {
		f.entrance(gauge, counter, f.app.entrance)
	}
	if f.app.worker != nil {
		failures := f.app.worker.watch.Failures()
		for _, days := range day.Warnings() {
			gauge(f.failing, float64(failures.Warned[days]), strconv.Itoa(days))
		}
		gauge(f.stopped, float64(failures.Stopped))
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	if err := f.database(ctx, gauge, counter); err != nil {
		f.app.log.Warn("metrics: the database did not answer", "error", err)
		gauge(f.up, 0)
		return
	}
	gauge(f.up, 1)
}

// entrance gives what only a process of the role intake counts.
func (f *figures) entrance(gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, uint64, ...string), e *entrance) {
	stats := e.intake.Stats()
	gauge(f.sessions, float64(stats.Sessions))
	counter(f.batches, stats.Batches)
	counter(f.records, stats.Records)
	counter(f.rejected, stats.Rejected)
	counter(f.forks, stats.Forks)
	for code, n := range stats.Refusals {
		counter(f.refusals, n, code)
	}
	open, refused := e.listener.Stats()
	gauge(f.connections, float64(open))
	counter(f.turnedAway, refused)
	given := e.enrolment.Stats()
	counter(f.recovered, given.Recovered)
	counter(f.unrecovered, given.Refused)
	counter(f.copies, given.Copies)
	var over mqtt.Stats
	if e.mqtt != nil {
		over = e.mqtt.Stats()
	}
	gauge(f.broker, map[bool]float64{true: 1}[over.Connected])
	counter(f.dropped, over.Dropped)
}

func (f *figures) database(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, uint64, ...string)) error {
	now := f.app.now()
	agents, err := f.app.db.Agents(ctx)
	if err != nil {
		return err
	}
	counts, err := f.app.db.Counts(ctx)
	if err != nil {
		return err
	}
	last, err := f.app.db.LastAudit(ctx)
	if err != nil {
		return err
	}
	if last.At.IsZero() {
		gauge(f.audited, 0)
	} else {
		gauge(f.audited, float64(last.At.Unix()))
	}
	for promise, n := range last.Counts {
		gauge(f.broken, float64(n), promise)
	}
	contact, work, skewed, dark := map[string]int{}, map[string]int{}, 0, 0
	var unsent uint64
	var oldest time.Duration
	for _, a := range agents {
		contact[a.Contact(now)]++
		if a.Contact(now) == fleet.Online {
			work[a.Beat.Work]++
			if a.Beat.Skew.Abs() > fleet.MaxSkew {
				skewed++
			}
		}
		if a.Contact(now) == fleet.Silent && counts.Open[storage.Shop{Merchant: a.Merchant, Store: a.Store}] {
			dark++
		}
		unsent += a.Beat.Unsent
		if at := a.Beat.OldestUnsent; !at.IsZero() && a.RevokedAt.IsZero() {
			oldest = max(oldest, now.Sub(at))
		}
	}
	gauge(f.unsent, float64(unsent))
	gauge(f.oldest, oldest.Seconds())
	gauge(f.skewed, float64(skewed))
	gauge(f.dark, float64(dark))
	began, err := midnight(counts.Oldest)
	if err != nil {
		return err
	}
	gauge(f.oldestDay, began)
	for _, w := range works {
		gauge(f.work, float64(work[w]), w)
	}
	for _, c := range contacts {
		gauge(f.agents, float64(contact[c]), c)
	}
	for _, s := range dayStates {
		gauge(f.days, float64(counts.Days[s]), s)
	}
	differ, doubles, err := f.app.db.DriftCounts(ctx)
	if err != nil {
		return err
	}
	for _, code := range drift.Codes() {
		gauge(f.differ, float64(differ[code]), code)
	}
	counter(f.doubles, uint64(doubles))
	for _, s := range postings {
		gauge(f.postings, float64(counts.Postings[s]), s)
	}
	failing, err := f.app.failingFeeds(ctx)
	if err != nil {
		return err
	}
	for code, n := range failing {
		gauge(f.feeds, float64(n), code)
	}
	return f.standings(ctx, gauge)
}

// midnight is the second at which a day begins at UTC, 0 for no day. Stores lie
// in many zones; what watches days waits for more than a day anyway.
func midnight(d bizday.Day) (float64, error) {
	if d == "" {
		return 0, nil
	}
	at, err := time.Parse(time.DateOnly, string(d))
	return float64(at.Unix()), err
}
