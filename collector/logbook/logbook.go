// Package logbook is the log of what people did to a merchant's data and books:
// who, when, what, to what. Acts are numbered and chained: each has the hash of
// the one before, over a text that is written one way only (docs/logbook.md). So
// an act that was changed, taken out or moved shows, and where.
//
// A chain by itself does not show that its end was cut off, or that all of it was
// written anew: for that somebody has to keep its Head elsewhere, as each backup
// does.
//
// The package is pure. It keeps nothing, and says nothing of what the programs do
// by themselves thousands of times a day. No act may name a customer: what is
// chained cannot be erased.
package logbook

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Collector stands in place of a merchant for what is done to the collector as a
// whole. No merchant can have this name.
const Collector = "*"

// What can be done.
const (
	Apply       = "apply"        // a configuration was stored
	JoinCode    = "join-code"    // a code for an agent was made
	Revoke      = "revoke"       // an agent may speak no more
	Admit       = "admit"        // an agent of which a restore left open whether it was revoked may speak
	Accept      = "accept"       // a difference of a day's proof
	Reopen      = "reopen"       // a day is closed anew
	Retry       = "post"         // a posting that was parked or refused is tried once more
	Match       = "match"        // a proposal of what belongs together was decided
	Settle      = "settle"       // one agent is believed where two differ
	Dismiss     = "dismiss"      // a record that could not be read is no sale
	Replay      = "replay"       // a record was read after all
	Pause       = "pause"        // nothing is closed and posted
	Resume      = "resume"       // it goes on
	Entered     = "entered"      // days were entered into the books by hand
	Withdraw    = "withdraw"     // that was taken back
	Connect     = "connect"      // the merchant let the collector into its books
	Disconnect  = "disconnect"   // no more
	Undo        = "undo"         // a day is taken off the books
	Repost      = "repost"       // and shall stand there again
	PutBack     = "put-back"     // a posting that was changed in the books shall stand as it was
	Export      = "export"       // everything of the merchant was written out
	Erase       = "erase"        // personal references were cut
	Restore     = "restore"      // the database was put back from a backup
	Rotate      = "rotate"       // a new key seals
	Authority   = "authority"    // a certificate authority was added, made active or retired
	AcceptDrift = "accept-drift" // as it is in the books now
	IgnoreDrift = "ignore-drift" // whatever becomes of it
)

// Limits of an act's texts, in bytes. What is longer is cut.
const (
	maxBy     = 200
	maxOn     = 500
	maxDetail = 2000
)

// Act is one thing that was done.
type Act struct {
	Merchant string    // or Collector
	Number   int64     // 1, 2, ... for each merchant
	At       time.Time // to the microsecond, UTC
	By       string    // who; empty: the program by itself
	What     string    // one of the words above
	On       string    // what it was done to, as "S1/2026-03-02"; may be empty
	Detail   string    // may be empty
	Before   [32]byte  // hash of the act before; zero at number 1
	Hash     [32]byte
}

// Head is the end of a merchant's chain. The zero Head is that of an empty one.
type Head struct {
	Number int64
	Hash   [32]byte
}

// Next returns an act as the one after a head, fit to be kept.
func Next(head Head, a Act) Act {
	a.Number, a.Before = head.Number+1, head.Hash
	a.At = a.At.UTC().Truncate(time.Microsecond)
	a.By, a.On, a.Detail = fit(a.By, maxBy), fit(a.On, maxOn), fit(a.Detail, maxDetail)
	a.Hash = sha256.Sum256([]byte(a.Text()))
	return a
}

// fit makes a text one that every database keeps as it is, of at most so many
// bytes.
func fit(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
	for len(s) > most {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

var escape = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// Text is what an act's hash is over, version 1.
func (a Act) Text() string {
	return fmt.Sprintf("tillbook-act/1\nmerchant\t%s\nnumber\t%d\nat\t%s\nby\t%s\nwhat\t%s\non\t%s\ndetail\t%s\nbefore\t%x\n",
		escape.Replace(a.Merchant), a.Number, a.At.UTC().Format("2006-01-02T15:04:05.000000Z"), escape.Replace(a.By), escape.Replace(a.What),
		escape.Replace(a.On), escape.Replace(a.Detail), a.Before)
}

// Chain follows a merchant's acts by number. The zero value has seen none.
type Chain struct{ head Head }

// Head returns the last act that was followed.
func (c *Chain) Head() Head { return c.head }

// Follow says what is wrong with the next act; nothing where it is as it was
// written and stands where it stood. It goes on from there either way.
func (c *Chain) Follow(a Act) (wrong []string) {
	last := c.head
	c.head = Head{a.Number, a.Hash}
	switch {
	case a.Number == last.Number+2:
		wrong = append(wrong, fmt.Sprintf("act %d is missing", last.Number+1))
	case a.Number > last.Number+2:
		wrong = append(wrong, fmt.Sprintf("acts %d to %d are missing", last.Number+1, a.Number-1))
	case a.Number <= last.Number:
		wrong = append(wrong, fmt.Sprintf("act %d comes after act %d", a.Number, last.Number))
	case a.Before != last.Hash && last.Number == 0:
		wrong = append(wrong, fmt.Sprintf("act %d follows another than it states: the acts before it were taken out", a.Number))
	case a.Before != last.Hash:
		wrong = append(wrong, fmt.Sprintf("act %d does not follow act %d as that stands: one of them was changed or put in another's place", a.Number, last.Number))
	}
	if sha256.Sum256([]byte(a.Text())) != a.Hash {
		wrong = append(wrong, fmt.Sprintf("act %d was changed: its hash is over something else", a.Number))
	}
	return wrong
}

// Meets says what is wrong where a chain that was followed to its end should have
// a head that was kept elsewhere; at is the hash of its act of that number, zero
// where there is none. Empty: it has.
func (h Head) Meets(at [32]byte) string {
	switch {
	case at == h.Hash:
		return ""
	case at == [32]byte{}:
		return fmt.Sprintf("act %d is missing, and what came after it: it was the last when it was noted", h.Number)
	}
	return fmt.Sprintf("act %d is another than was noted when it was the last: it or one before it was written anew", h.Number)
}

type actorKey struct{}

// As returns a ctx in which a person acts.
func As(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

// Actor returns who acts in ctx: the one that is named, else whom As told; empty
// for a program by itself.
func Actor(ctx context.Context, named string) string {
	who, _ := ctx.Value(actorKey{}).(string) // nobody where none was told
	return cmp.Or(named, who)
}
