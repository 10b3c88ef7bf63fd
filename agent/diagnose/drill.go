package diagnose

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Cut is a line that was cut, as the agent that did it saw it: whoever only looks
// now and then misses what came just before the line was back.
type Cut struct {
	At    time.Time `json:"at"`
	Back  time.Time `json:"back"`
	Taken uint64    `json:"taken"` // documents that came meanwhile
}

// drainLimit is how long a drill waits for the backlog to reach the collector.
const drainLimit = 5 * time.Minute

// Drill proves that the agent works without a line: it cuts it for a time,
// watches what sales do meanwhile, and waits until they have reached the
// collector. It takes no sale of its own: what it can prove is what the tills
// bring while the line is cut.
type Drill struct {
	For    time.Duration
	Status func(context.Context) (Status, error)
	// Cut has the running agent cut its line, and returns when it is back. It must
	// come back when ctx ends.
	Cut func(ctx context.Context, d time.Duration) (Cut, error)
	Say func(line string) // what is seen, for people
}

// Proof is what a drill saw. Numbers are the log's.
type Proof struct {
	Cut      Cut           `json:"cut"`
	Taken    uint64        `json:"taken"`   // documents that came while the line was cut
	Highest  uint64        `json:"highest"` // the most that was unsent
	Unsent   uint64        `json:"unsent"`  // at the end
	Refused  uint64        `json:"refused"` // for lack of room, meanwhile
	Last     uint64        `json:"last"`    // number up to which the collector has acknowledged all, if Drained
	DrainIn  time.Duration `json:"drain_ns"`
	Offline  bool          `json:"offline"` // the line was seen down
	Drained  bool          `json:"drained"` // nothing is unsent at the end
	Verdict  string        `json:"verdict"` // Proven, ...
	Sentence string        `json:"sentence"`
}

// Verdicts of a drill.
const (
	Proven    = "proven"     // sales came, waited and arrived
	NotProven = "not proven" // none came: the line came back, no more is shown
	Failed    = "failed"     // they did not arrive, or were refused
)

// Run runs the drill. When ctx ends the line is brought back and the drill goes
// on to the end of the drain only as far as ctx lets it.
func (d Drill) Run(ctx context.Context) (Proof, error) {
	before, err := d.Status(ctx)
	if err != nil {
		return Proof{}, err
	}
	if !before.Collector.Connected {
		return Proof{}, fmt.Errorf("the agent is not connected; a drill would prove nothing: %s", before.Collector.Error)
	}
	d.Say(fmt.Sprintf("cutting the line for %s; ring up a sale, or let the till write a file", d.For))
	type ended struct {
		cut Cut
		err error
	}
	done := make(chan ended, 1)
	go func() {
		cut, err := d.Cut(ctx, d.For)
		done <- ended{cut, err}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var p Proof
	last, back := before, false
	var limit <-chan time.Time
	for {
		select {
		case e := <-done:
			if e.err != nil {
				return p, errors.Join(e.err, ctx.Err())
			}
			p.Cut, back, done = e.cut, true, nil
			limit = time.After(drainLimit)
			p.Taken, p.Highest = e.cut.Taken, max(p.Highest, e.cut.Taken)
			d.Say("the line is back")
		case <-tick.C:
		case <-limit:
			return d.judge(p, before, last), nil
		case <-ctx.Done():
			return p, ctx.Err()
		}
		now, err := d.Status(ctx)
		if err != nil {
			return p, err
		}
		if now.Collector.Connected != last.Collector.Connected || now.Outbox.Unsent != last.Outbox.Unsent || now.Outbox.Taken != last.Outbox.Taken {
			d.Say(fmt.Sprintf("%s  connected: %t, taken: %d, unsent: %d", now.At.Local().Format(time.TimeOnly), now.Collector.Connected, now.Outbox.Taken, now.Outbox.Unsent))
		}
		last = now
		p.Highest, p.Unsent, p.Offline = max(p.Highest, now.Outbox.Unsent), now.Outbox.Unsent, p.Offline || !now.Collector.Connected
		if back && now.Collector.Connected && now.Outbox.Unsent == 0 {
			p.Drained, p.Last, p.DrainIn = true, now.Outbox.Taken, max(0, now.At.Sub(p.Cut.Back))
			return d.judge(p, before, now), nil
		}
	}
}

func (d Drill) judge(p Proof, before, after Status) Proof {
	p.Refused = after.Outbox.Refused - min(before.Outbox.Refused, after.Outbox.Refused)
	cut := p.Cut.Back.Sub(p.Cut.At).Round(time.Second)
	switch {
	case p.Refused > 0:
		p.Verdict, p.Sentence = Failed, fmt.Sprintf("%d sales were refused for lack of room while the line was cut", p.Refused)
	case !p.Drained:
		p.Verdict, p.Sentence = Failed, fmt.Sprintf("%d are still unsent %s after the line came back; they are safe on this machine", p.Unsent, drainLimit)
	case !p.Offline:
		p.Verdict, p.Sentence = NotProven, "the line was not seen down"
	case p.Taken == 0:
		p.Verdict, p.Sentence = NotProven, fmt.Sprintf("the line was cut for %s and came back by itself; nothing was sold meanwhile, so try again with a sale", cut)
	default:
		p.Verdict = Proven
		p.Sentence = fmt.Sprintf("%d came while the line was cut for %s, up to %d waited, and all up to number %d reached the collector %s after it was back",
			p.Taken, cut, p.Highest, p.Last, p.DrainIn.Round(time.Second))
	}
	return p
}
