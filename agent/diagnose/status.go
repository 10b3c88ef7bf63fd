// Package diagnose tells people how an agent is, and what to do: status, doctor,
// drill, support file and the local page.
//
// What it tells is a value that was looked at once; the judgements on it are pure
// functions, each with a code of the error table (shared/problem). It changes
// nothing but what doctor is told to set right, and shows neither documents nor
// tokens nor keys; what is to leave the machine has passed Mask.
package diagnose

import (
	"time"

	"tillbook.example/tillbook/agent/source/filedrop"
)

// How the agent's work is.
const (
	WorkOK       = "ok"
	WorkDegraded = "degraded"
	WorkFailed   = "failed"
)

// Status is how an agent is at a moment. Its JSON is stable: fields are added,
// never changed.
type Status struct {
	At        time.Time         `json:"at"`
	Merchant  string            `json:"merchant"`
	Store     string            `json:"store"`
	Agent     string            `json:"agent"`
	Version   string            `json:"version"`
	Work      string            `json:"work"` // WorkOK, ...
	Reasons   []string          `json:"reasons,omitempty"`
	Answers   []Answer          `json:"answers"` // to the three questions
	Outbox    OutboxStatus      `json:"outbox"`
	Folders   []filedrop.Status `json:"folders"`
	Sources   []SourceStatus    `json:"sources"`
	Collector CollectorStatus   `json:"collector"`
	Days      []DayState        `json:"days"` // the store's last days as the collector told them, the newest first
	DaysAt    time.Time         `json:"days_at,omitzero"`
}

// OutboxStatus is what is buffered. Numbers are the log's.
type OutboxStatus struct {
	Taken        uint64    `json:"taken"` // numbers given since the log began
	LastAt       time.Time `json:"last_at,omitzero"`
	Unsent       uint64    `json:"unsent"` // not acknowledged as stored
	OldestUnsent time.Time `json:"oldest_unsent,omitzero"`
	Refused      uint64    `json:"refused"` // appends refused for lack of room, since start
	Bytes        int64     `json:"bytes"`
	MaxBytes     int64     `json:"max_bytes"`
	FreeBytes    int64     `json:"free_bytes"` // of the disk; -1: not known
	Short        bool      `json:"short"`      // disk space is below the soft mark
	Full         bool      `json:"full"`       // new sales are refused
	Lost         uint64    `json:"lost"`       // numbers declared as lost
	Damaged      int       `json:"damaged"`    // places in the log that are not what was written
}

// SourceStatus is when a way in last brought something.
type SourceStatus struct {
	Name   string    `json:"name"`
	LastAt time.Time `json:"last_at,omitzero"` // since start
}

// CollectorStatus is how the line is.
type CollectorStatus struct {
	Address   string    `json:"address"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"` // connected or not
	LastAck   time.Time `json:"last_ack,omitzero"`
	HeardAt   time.Time `json:"heard_at,omitzero"`
	Cut       bool      `json:"cut"`             // by a drill
	Error     string    `json:"error,omitempty"` // why the last session ended
	Code      string    `json:"code,omitempty"`  // of the error table
	Text      string    `json:"text,omitempty"`  // what was seen
	Expires   time.Time `json:"certificate_expires"`
	Key       string    `json:"key_protection,omitempty"`
	Version   string    `json:"version,omitempty"`
	Skew      float64   `json:"clock_skew_seconds"` // our clock less the collector's
}

// DayState is how a store-day is, in the collector's words.
type DayState struct {
	Day   string `json:"day"`
	State string `json:"state"`          // open closing held ready external
	Hold  string `json:"hold,omitempty"` // why it is held: a code of the error table
	Due   uint32 `json:"due"`            // targets that do not hold its newest entry yet
}
