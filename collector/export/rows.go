package export

import (
	"encoding/json"
	"time"

	"tillbook.example/tillbook/shared/document"
)

// Moments are in UTC; one that is not there is left out. Days are YYYY-MM-DD.
// Hashes are lower-case hexadecimal, other bytes base64.

// Configuration is what apply stored.
type Configuration struct {
	Version       int             `json:"version"`
	AppliedAt     time.Time       `json:"applied_at"`
	Configuration json.RawMessage `json:"configuration"`
}

// Mapping is one that entries name by its version.
type Mapping struct {
	Version   int             `json:"version"`
	From      string          `json:"from"` // first business day
	AppliedAt time.Time       `json:"applied_at"`
	Mapping   json.RawMessage `json:"mapping"`
}

// Agent is a program at a store.
type Agent struct {
	Agent      string    `json:"agent"`
	Store      string    `json:"store"`
	Host       string    `json:"host"`
	Version    string    `json:"version"`
	EnrolledAt time.Time `json:"enrolled_at"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

// Document is one revision of a document.
type Document struct {
	Key        string    `json:"key"`
	Revision   int       `json:"revision"`
	Standing   string    `json:"standing"`           // current, past, conflict, copy
	Conflict   bool      `json:"conflict,omitempty"` // another agent contradicts it
	Store      string    `json:"store"`
	Day        string    `json:"day"`
	Hash       string    `json:"hash"`
	Agent      string    `json:"agent"`
	Epoch      uint64    `json:"epoch"`
	Number     uint64    `json:"number"`
	ReceivedAt time.Time `json:"received_at"`
	Reason     string    `json:"reason,omitempty"`
	// Body is the protobuf form as received; personal fields may have been cut since.
	// A copy has none.
	Body []byte `json:"body,omitempty"`
	// Document is the body in JSON; nil where this version cannot read all of it.
	Document *document.Document `json:"document,omitempty"`
}

// Record is one that could not be read.
type Record struct {
	Store       string    `json:"store"`
	Agent       string    `json:"agent"`
	Epoch       uint64    `json:"epoch"`
	Number      uint64    `json:"number"`
	ReceivedAt  time.Time `json:"received_at"`
	Code        string    `json:"code"`
	Text        string    `json:"text"`
	SettledAt   time.Time `json:"settled_at,omitzero"` // read after all, or dismissed
	DismissedBy string    `json:"dismissed_by,omitempty"`
	Body        []byte    `json:"body,omitempty"`
}

// Day is a store-day.
type Day struct {
	Store     string          `json:"store"`
	Day       string          `json:"day"`
	Version   int64           `json:"version"`
	State     string          `json:"state"`
	Hold      json.RawMessage `json:"hold,omitempty"`
	Entry     int64           `json:"entry"` // version of its newest; 0: none
	ClosedAt  time.Time       `json:"closed_at,omitzero"`
	ChangedAt time.Time       `json:"changed_at"`
}

// Entry is a day's balanced lines at a version, with their proof.
type Entry struct {
	Store   string          `json:"store"`
	Day     string          `json:"day"`
	Version int64           `json:"version"` // of the day
	Mapping int             `json:"mapping"`
	Rules   int             `json:"rules"`
	Reason  string          `json:"reason"`
	At      time.Time       `json:"at"`
	Entry   json.RawMessage `json:"entry"`
	Proof   json.RawMessage `json:"proof"`
}

// Posting is a delivery to one connection.
type Posting struct {
	Store      string          `json:"store"`
	Day        string          `json:"day"`
	Connection string          `json:"connection"`
	Revision   int             `json:"revision"`
	Entry      int64           `json:"entry"` // version
	Reference  string          `json:"reference"`
	State      string          `json:"state"`
	Attempts   int             `json:"attempts"`
	Error      string          `json:"error,omitempty"`
	Code       string          `json:"code,omitempty"` // of the error
	Undo       bool            `json:"undo,omitempty"` // its state is that of being taken off the books again
	RemoteID   string          `json:"remote_id,omitempty"`
	At         time.Time       `json:"at"`
	SettledAt  time.Time       `json:"settled_at,omitzero"`
	Hash       string          `json:"hash"` // of the payload
	Payload    json.RawMessage `json:"payload"`
}

// Settlement is one revision of a fact from a payment provider or a bank.
type Settlement struct {
	What       string          `json:"what"`               // movement, payout, bank line, balance
	Provider   string          `json:"provider,omitempty"` // of a bank line none
	Account    string          `json:"account"`
	Key        string          `json:"key"` // of a balance its currency and day
	Revision   int             `json:"revision"`
	Current    bool            `json:"current,omitempty"`
	Feed       string          `json:"feed"`
	ReceivedAt time.Time       `json:"received_at"`
	Fact       json.RawMessage `json:"fact"`
}

// Decision is what a person decided, as it stands in force or did.
type Decision struct {
	What string    `json:"what"` // accept, settle, match, pause, resume, entered
	On   string    `json:"on"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Why  string    `json:"why,omitempty"`
}

// Act is a line of the log of what people did, chained (docs/logbook.md).
type Act struct {
	Merchant string    `json:"merchant"`
	Number   int64     `json:"number"`
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	What     string    `json:"what"`
	On       string    `json:"on"`
	Detail   string    `json:"detail"`
	Before   string    `json:"before"`
	Hash     string    `json:"hash"`
}
