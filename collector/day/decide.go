package day

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// What closed a day.
const (
	ByZ        = "z"        // every terminal has closed
	ByCutoff   = "cut-off"  // the cut-off and the settle time have passed
	ByDeadline = "deadline" // the deadline has passed, with gaps
)

// Decision is what becomes of a day at a moment.
type Decision struct {
	State string // Open, Closing, Held, External; Ready: it may be proven, built and saved
	Hold  *Hold  // of Held
	By    string // of Ready: ByZ, ByCutoff, ByDeadline
	Gaps  []string
	// Late says that the deadline has passed.
	Late bool
}

// Decide says what becomes of a day at a moment, from the facts alone.
//
// A day before the store's start, or that people entered themselves, is external,
// unless it was posted before they said so. A day is ready once every
// terminal of the store closes (Closes in its configuration), has done so with
// all the receipts its Z claims, and every agent has sent what it captured up to
// the last of these closes. Otherwise it is ready when its end and the settle
// time have passed and every agent has sent everything up to the end of the day;
// a terminal that closes and traded must have closed by then, if only with the Z of
// a later day. What is missing
// holds the day until its deadline; then it is ready with the gaps named. A
// conflict, a document that needs an upgrade and one whose time cannot be read
// hold it without end.
//
// A day that was closed before and changes waits for agents that are behind as
// long again after the change: an agent that was away for days brings one new
// entry for each day, not one with each batch.
//
// Before the settle time has passed a day is open, or closing once it has ended
// or a terminal has closed; it is never held.
//
// Nothing of a merchant that is stopped becomes ready: what would is held.
func Decide(f Facts, now time.Time) (Decision, error) {
	d, err := judge(f, now)
	if err == nil && d.State == Ready && f.Stop != nil {
		return Decision{State: Held, Hold: f.Stop.hold(), Late: d.Late}, nil
	}
	return d, err
}

func judge(f Facts, now time.Time) (Decision, error) {
	calendar, err := f.Store.Calendar()
	if err != nil {
		return Decision{}, fmt.Errorf("decide day %s: %w", f.Day, err)
	}
	if (calendar.Start != "" && f.Day < calendar.Start || f.Entered) && f.Entry == 0 {
		return Decision{State: External}, nil
	}
	end := calendar.Rule.End(f.Day)
	settled := !now.Before(end.Add(calendar.Settle))
	late := !now.Before(end.Add(calendar.Deadline))
	d := Decision{State: Ready, By: ByCutoff, Late: late}
	tills := tillsOf(f)
	held := hold(f, calendar)
	if last, closed := allClosed(tills, f.Store); closed && held == nil && f.Rejected == 0 && !last.After(now) && len(behind(f.Agents, last)) == 0 {
		d.By = ByZ
		return d, nil
	}
	switch {
	case !settled:
		return Decision{State: early(tills, end, now)}, nil
	case held != nil:
		return Decision{State: Held, Hold: held, Late: late}, nil
	}
	agents := late && (f.Entry == 0 || !now.Before(f.ChangedAt.Add(calendar.Deadline)))
	missing, gaps := missing(f, tills, end, late, agents)
	if missing != nil {
		return Decision{State: Held, Hold: missing, Late: late}, nil
	}
	if len(gaps) > 0 {
		d.By, d.Gaps = ByDeadline, gaps
	}
	return d, nil
}

// early is the state of a day whose settle time has not passed.
func early(tills []till, end, now time.Time) string {
	if !now.Before(end) || slices.ContainsFunc(tills, func(t till) bool { return !t.last.IsZero() }) {
		return Closing
	}
	return Open
}

// hold returns what holds a day without end, or nil.
func hold(f Facts, calendar merchant.Calendar) *Hold {
	var unread []string
	for _, s := range f.Documents {
		if words := s.Document.Unknown(); len(words) > 0 {
			return &Hold{HoldNeedsUpgrade, OwnerPlatform, fmt.Sprintf("Upgrade the collector: document %s has %s, which this version does not know.", s.Key, strings.Join(words, ", "))}
		}
		if _, _, err := Derive(s.Document, calendar.Rule, periodOf(f)); errors.Is(err, ErrTime) {
			unread = append(unread, s.Key)
		}
	}
	if f.Conflicts > 0 {
		return &Hold{HoldConflict, OwnerInstaller, fmt.Sprintf("Decide which agent reads this till and retire the other: %s.", plural(f.Conflicts, "receipt was", "receipts were")+" sent with different contents by two agents")}
	}
	if len(unread) > 0 {
		return &Hold{HoldTime, OwnerInstaller, fmt.Sprintf("Correct the recipe and read the files again: the time of %s cannot be read, among them %s.", plural(len(unread), "document", "documents"), unread[0])}
	}
	return nil
}

// periodOf finds the period closes of the day itself.
func periodOf(f Facts) Period {
	return func(session, z string) (bizday.Day, bool) {
		for _, s := range f.Documents {
			d := s.Document
			if d.Kind == document.PeriodClose && !d.Deleted && (z != "" && z == number(d) || session != "" && session == d.StatedDay.Session) {
				return f.Day, true
			}
		}
		return "", false
	}
}

// missing returns what holds a day until its deadline, or nil, and all that is
// missing as gaps. late says that the day's deadline has passed, lateAgents that
// the one for agents has.
func missing(f Facts, tills []till, end time.Time, late, lateAgents bool) (*Hold, []string) {
	var first *Hold
	var gaps []string
	note := func(gap, reason, owner, action string) {
		gaps = append(gaps, gap)
		waits := !late || reason == HoldAgentBehind && !lateAgents
		if first == nil && waits {
			first = &Hold{reason, owner, action}
		}
	}
	if f.Rejected > 0 {
		records := plural(f.Rejected, "record that could not be read", "records that could not be read")
		note(records+" may belong to this day", HoldRejected, OwnerSupport, "Correct the recipe and replay "+records+".")
	}
	for _, a := range behind(f.Agents, end) {
		h := a.hold()
		note(a.unsent(), h.Reason, h.Owner, h.Action)
	}
	for _, t := range tills {
		if t.expected && t.traded && t.open != "" {
			note(fmt.Sprintf("terminal %s %s", t.id, t.open), HoldZMissing, OwnerMerchant,
				fmt.Sprintf("Close terminal %s (Z): it %s.", t.id, t.open))
		}
	}
	return first, gaps
}

// unsent says what an agent that is behind has not sent.
func (a Agent) unsent() string {
	since := "anything"
	if !a.CoveredTo.IsZero() {
		since = "what it captured after " + a.CoveredTo.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("agent %s has not sent %s", a.ID, since)
}

// hold is what an agent that is behind holds a day for.
func (a Agent) hold() *Hold {
	if strings.HasPrefix(a.ID, fleet.FeedPrefix) {
		return &Hold{HoldAgentBehind, OwnerPlatform, fmt.Sprintf("See with `feed list` why the source is not read: %s.", a.unsent())}
	}
	return &Hold{HoldAgentBehind, OwnerMerchant, fmt.Sprintf("Switch on the till computer and its internet connection: %s.", a.unsent())}
}

// behind returns the agents that have not sent everything up to a moment.
func behind(agents []Agent, moment time.Time) []Agent {
	var found []Agent
	for _, a := range agents {
		if !a.Revoked && a.CoveredTo.Before(moment) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b Agent) int { return strings.Compare(a.ID, b.ID) })
	return found
}

// till is one terminal's day.
type till struct {
	id       string
	expected bool      // its configuration says that it closes
	traded   bool      // it has documents other than a close
	open     string    // why it does not count as closed; empty: closed
	last     time.Time // when its last Z was printed, and was captured
}

// allClosed reports whether every terminal of the store has closed, and when the
// last did. It is false where a terminal does not close by its configuration, or
// is not in it: it may still trade.
func allClosed(tills []till, store merchant.Store) (last time.Time, complete bool) {
	if len(store.Terminals) == 0 {
		return last, false
	}
	for _, t := range tills {
		if !t.expected || t.open != "" {
			return last, false
		}
		if t.last.After(last) {
			last = t.last
		}
	}
	return last, true
}

// tillsOf works out each terminal that is configured or has documents.
func tillsOf(f Facts) []till {
	var ids []string
	for _, terminal := range f.Store.Terminals {
		ids = append(ids, terminal.ID)
	}
	for _, s := range f.Documents {
		if !s.Document.Deleted {
			ids = append(ids, s.Document.Key.Terminal)
		}
	}
	slices.Sort(ids)
	earlier := spanned(f)
	var tills []till
	for _, id := range slices.Compact(ids) {
		closes, others := ofTerminal(f.Documents, id)
		t := till{id: id, expected: slices.ContainsFunc(f.Store.Terminals, func(t merchant.Terminal) bool { return t.ID == id && t.Closes }), traded: len(others) > 0}
		var later []*document.Document
		for _, z := range f.Later {
			if z.Key.Terminal == id && !z.Deleted {
				later = append(later, z)
			}
		}
		_, before := ofTerminal(earlier, id)
		t.closed(closes, others, before, later)
		tills = append(tills, t)
	}
	return tills
}

// closed works out whether a terminal has closed: the last of its Z covers every
// document, and all the receipts that each Z claims are here, be they of days
// before. A Z may arrive before its receipts. A terminal that was not closed on
// its day is by the Z of a later one, which that day holds against its receipts.
func (t *till) closed(closes, others, before, later []*document.Document) {
	latest := func(zs []*document.Document) {
		for _, z := range zs {
			for _, at := range []time.Time{z.Time.UTC, z.Source.CapturedAt} {
				if at.After(t.last) {
					t.last = at
				}
			}
		}
	}
	latest(closes)
	if len(closes) == 0 {
		if t.open = "has no period close (Z)"; len(later) > 0 {
			t.open = ""
			latest(later)
		}
		return
	}
	counted := slices.Concat(others, before)
	for _, z := range closes {
		if z.Close == nil {
			continue
		}
		covered := belonging(z, closes, counted)
		if n := z.Close.Receipts; n != nil && int64(len(covered)) < *n {
			t.open = fmt.Sprintf("has %d of the %d receipts that Z %s claims", len(covered), *n, number(z))
			return
		}
		if last := z.Close.LastReceipt; last != "" && !slices.ContainsFunc(counted, func(d *document.Document) bool { return d.Numbers.Receipt == last || d.Key.Number == last }) {
			t.open = fmt.Sprintf("lacks receipt %s, the last of Z %s", clip(last), number(z))
			return
		}
	}
	for _, d := range others {
		if d.Kind.Receipt() && !covered(d, closes) {
			if len(later) > 0 {
				latest(later)
				continue
			}
			t.open = "sold on after its last period close (Z)"
			return
		}
	}
}

// belonging returns the documents that a Z may count: those that state its
// number or session, or, where none do, all that no other Z can claim by its
// number. Only documents in the receipts' number space count; what a till leaves
// out of its count only makes more of them than claimed.
func belonging(z *document.Document, closes, others []*document.Document) []*document.Document {
	var stated, unstated []*document.Document
	for _, d := range others {
		switch {
		case d.Key.Space != document.SpaceReceipt && !d.Kind.Receipt():
		case samePeriod(d, z):
			stated = append(stated, d)
		case !slices.ContainsFunc(closes, func(other *document.Document) bool { return samePeriod(d, other) }):
			unstated = append(unstated, d)
		}
	}
	if len(stated) > 0 {
		return stated
	}
	return unstated
}

// covered reports whether a document lies within one of the closes: it states
// one's number or session, or is not later than the last.
func covered(d *document.Document, closes []*document.Document) bool {
	at := moment(d)
	for _, z := range closes {
		if samePeriod(d, z) || at.IsZero() || !at.After(moment(z)) {
			return true
		}
	}
	return false
}

func samePeriod(d, z *document.Document) bool {
	return d.StatedDay.Z != "" && d.StatedDay.Z == number(z) || d.Numbers.Z != "" && d.Numbers.Z == number(z) ||
		d.StatedDay.Session != "" && d.StatedDay.Session == z.StatedDay.Session
}

// number is a Z's own number.
func number(z *document.Document) string {
	switch {
	case z.Numbers.Z != "":
		return z.Numbers.Z
	case z.StatedDay.Z != "":
		return z.StatedDay.Z
	}
	return z.Key.Number
}

// moment is when a document says it happened, or when it was captured.
func moment(d *document.Document) time.Time {
	if !d.Time.UTC.IsZero() {
		return d.Time.UTC
	}
	return d.Source.CapturedAt
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
