package app

import (
	"errors"
	"time"

	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/source/filedrop"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/buildinfo"

	"google.golang.org/protobuf/proto"
)

// How the agent's work is.
const (
	WorkOK       = "ok"
	WorkDegraded = "degraded"
	WorkFailed   = "failed"
)

// Status answers the first two of three questions: do sales arrive, do they leave.
type Status struct {
	Merchant  string            `json:"merchant"`
	Store     string            `json:"store"`
	Agent     string            `json:"agent"`
	Version   string            `json:"version"`
	Work      string            `json:"work"`
	Reasons   []string          `json:"reasons,omitempty"`
	Outbox    OutboxStatus      `json:"outbox"`
	Folders   []filedrop.Status `json:"folders"`
	Collector CollectorStatus   `json:"collector"`
}

// OutboxStatus is what is buffered.
type OutboxStatus struct {
	Taken        uint64    `json:"taken"` // numbers given since the log began
	LastAt       time.Time `json:"last_at,omitzero"`
	Unsent       uint64    `json:"unsent"` // not acknowledged as stored
	OldestUnsent time.Time `json:"oldest_unsent,omitzero"`
	Refused      uint64    `json:"refused"` // appends refused for lack of room, since start
	Bytes        int64     `json:"bytes"`
	Lost         uint64    `json:"lost"` // numbers declared as lost
}

// CollectorStatus is how the line is.
type CollectorStatus struct {
	Address   string    `json:"address"`
	Connected bool      `json:"connected"`
	LastAck   time.Time `json:"last_ack,omitzero"`
	Error     string    `json:"error,omitempty"`
	Code      string    `json:"code,omitempty"` // of the error, where it is known
	Expires   time.Time `json:"certificate_expires"`
	Key       string    `json:"key_protection"` // what keeps the private key: tpm, dpapi, credential, file
}

// Status looks at every room.
func (a *App) Status() Status {
	link, stats := a.uplink.Status(), a.outbox.Stats()
	s := Status{
		Merchant: a.identity.Merchant, Store: a.identity.Store, Agent: a.identity.Agent, Version: buildinfo.Version, Work: WorkOK,
		Outbox:    OutboxStatus{Taken: a.outbox.Next() - 1, Unsent: link.Unsent, Refused: stats.Refused, Bytes: stats.LogBytes + stats.IndexBytes},
		Folders:   []filedrop.Status{},
		Collector: CollectorStatus{Address: a.identity.Collector, Connected: link.Connected, LastAck: link.LastAck, Error: link.LastError, Expires: a.identity.Expires(), Key: a.identity.KeyProtection()},
	}
	if link.LastError != "" {
		s.Collector.Code, _ = enroll.Explain(errors.New(link.LastError), time.Now())
	}
	if n := a.outbox.Next() - 1; n >= a.outbox.First() {
		s.Outbox.LastAt = a.capturedAt(n)
		if link.Unsent > 0 {
			s.Outbox.OldestUnsent = a.capturedAt(max(a.outbox.First(), link.Stored+1))
		}
	}
	for _, gap := range a.outbox.Gaps() {
		s.Outbox.Lost += gap.Last - gap.First + 1
	}
	worse := func(work, reason string) {
		if s.Work != WorkFailed {
			s.Work = work
		}
		s.Reasons = append(s.Reasons, reason)
	}
	if stats.Hard {
		worse(WorkFailed, "no room: new sales are refused until disk space is free; sending goes on")
	} else if stats.Soft {
		worse(WorkDegraded, "disk space is short")
	}
	if stats.Refused > 0 && !stats.Hard {
		worse(WorkDegraded, "sales were refused for lack of room since start; the till must send them again")
	}
	if s.Outbox.Lost > 0 {
		worse(WorkDegraded, "the outbox was damaged: some numbers are lost and declared as a gap")
	}
	for _, drop := range a.drops {
		f := drop.Status()
		s.Folders = append(s.Folders, f)
		if f.Error != "" {
			worse(WorkDegraded, "source "+f.Name+": "+f.Error)
		}
	}
	return s
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

// beat is what the agent tells of itself.
func (a *App) beat() *tillbookv1.Heartbeat {
	a.turned.Store(time.Now().UnixNano())
	s := a.Status()
	h := &tillbookv1.Heartbeat{ClockUs: time.Now().UnixMicro(), Unsent: s.Outbox.Unsent, Refused: s.Outbox.Refused, Work: s.Work, Version: s.Version}
	if !s.Outbox.OldestUnsent.IsZero() {
		h.OldestUnsentUs = s.Outbox.OldestUnsent.UnixMicro()
	}
	for _, f := range s.Folders {
		h.Quarantined += uint64(f.Refused)
	}
	return h
}
