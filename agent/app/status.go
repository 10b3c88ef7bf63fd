package app

import (
	"errors"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/source/filedrop"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/buildinfo"
)

// Status is how the agent is at a moment.
type Status = diagnose.Status

// Snapshots of the metrics that go with heartbeats.
const (
	snapshotEvery = time.Minute
	snapshotMost  = 64 << 10 // bytes as sent
)

// Status looks at every room.
func (a *App) Status() Status {
	now := time.Now()
	stats := a.outbox.Stats()
	s := Status{
		At: now, Merchant: a.identity.Merchant, Store: a.identity.Store, Agent: a.identity.Agent, Version: buildinfo.Version, Work: diagnose.WorkOK,
		Outbox: diagnose.OutboxStatus{
			Taken: a.outbox.Next() - 1, Refused: stats.Refused, Bytes: stats.LogBytes + stats.IndexBytes, MaxBytes: stats.MaxBytes,
			FreeBytes: stats.FreeBytes, Short: stats.Soft, Full: stats.Hard, Damaged: stats.Damaged,
		},
		Folders: []filedrop.Status{}, Sources: a.captures.list(), Days: []diagnose.DayState{},
	}
	unsent := a.link(&s, now)
	if n := a.outbox.Next() - 1; n >= a.outbox.First() {
		s.Outbox.LastAt = a.capturedAt(n)
		if unsent > 0 {
			s.Outbox.OldestUnsent = a.capturedAt(max(a.outbox.First(), n+1-unsent))
		}
	}
	for _, gap := range a.outbox.Gaps() {
		s.Outbox.Lost += gap.Last - gap.First + 1
	}
	worse := func(work, reason string) {
		if s.Work != diagnose.WorkFailed {
			s.Work = work
		}
		s.Reasons = append(s.Reasons, reason)
	}
	if stats.Hard {
		worse(diagnose.WorkFailed, "no room: new sales are refused until disk space is free; sending goes on")
	} else if stats.Soft {
		worse(diagnose.WorkDegraded, "disk space is short")
	}
	if stats.Refused > 0 && !stats.Hard {
		worse(diagnose.WorkDegraded, "sales were refused for lack of room since start; the till must send them again")
	}
	if s.Outbox.Lost > 0 {
		worse(diagnose.WorkDegraded, "the outbox was damaged: some numbers are lost and declared as a gap")
	}
	for _, drop := range a.drops {
		f := drop.Status()
		s.Folders = append(s.Folders, f)
		if f.Error != "" {
			worse(diagnose.WorkDegraded, "source "+f.Name+": "+f.Error)
		}
	}
	s.Answers = s.Ask(now)
	return s
}

// link tells of the line and of what the collector said over it, and returns how
// much is unsent.
func (a *App) link(s *Status, now time.Time) uint64 {
	link, heard := a.uplink.Status(), a.line.Heard()
	s.Outbox.Unsent = link.Unsent
	s.Collector = diagnose.CollectorStatus{
		Address: a.identity.Collector, Connected: link.Connected, Since: link.Since, LastAck: link.LastAck, HeardAt: heard.At, Cut: a.line.IsCut(),
		Error: link.LastError, Expires: a.identity.Expires(), Key: a.identity.KeyProtection(), Version: heard.Version, Skew: heard.Skew.Seconds(),
	}
	if link.LastError != "" {
		s.Collector.Code, s.Collector.Text = enroll.Explain(errors.New(link.LastError), now)
	}
	if link.Refusal != "" {
		s.Collector.Code = link.Refusal
	}
	if heard.Days != nil {
		s.Days, s.DaysAt = heard.Days, heard.DaysAt
	}
	return link.Unsent
}

// capturedAt returns when a record was captured, zero if that cannot be told.
func (a *App) capturedAt(n uint64) time.Time {
	stored, err := a.outbox.Read(n, 1, 1)
	if err != nil || len(stored) == 0 {
		return time.Time{}
	}
	var record tillbookv1.Record
	if err := proto.Unmarshal(stored[0].Bytes, &record); err != nil || record.GetRaw() {
		return time.Time{}
	}
	var d tillbookv1.Document
	if err := proto.Unmarshal(record.GetDocument(), &d); err != nil {
		return time.Time{}
	}
	return time.UnixMicro(d.GetSource().GetCapturedAtUs())
}

// beat is what the agent tells of itself, its metrics once a minute among it.
func (a *App) beat() *tillbookv1.Heartbeat {
	now := time.Now()
	a.turned.Store(now.UnixNano())
	s := a.Status()
	h := &tillbookv1.Heartbeat{ClockUs: now.UnixMicro(), Unsent: s.Outbox.Unsent, Refused: s.Outbox.Refused, Work: s.Work, Version: s.Version}
	if !s.Outbox.OldestUnsent.IsZero() {
		h.OldestUnsentUs = s.Outbox.OldestUnsent.UnixMicro()
	}
	for _, f := range s.Folders {
		h.Quarantined += uint64(f.Refused)
	}
	h.Snapshot = a.snapshot.due(now, func() []byte { return a.figures().text() })
	return h
}

// snapshot is when the metrics were last sent.
type snapshot struct {
	mu   sync.Mutex
	last time.Time
}

// due returns the text packed, if it is time and it is not too large to go.
func (s *snapshot) due(now time.Time, text func() []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.last) < snapshotEvery {
		return nil
	}
	writer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10), zstd.WithLowerEncoderMem(true))
	if err != nil { // fails only for options that do not go together
		return nil
	}
	packed := writer.EncodeAll(text(), nil)
	if len(packed) > snapshotMost {
		return nil
	}
	s.last = now
	return packed
}
