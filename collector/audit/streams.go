package audit

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// numbering is one epoch of one agent.
type numbering struct {
	agent string
	epoch uint64
}

// interval is first to last, both contained.
type interval struct{ first, last uint64 }

// chain follows what is stored of a numbering.
type chain struct {
	epoch   Epoch
	next    uint64 // number that would continue it
	digest  []byte // before next; nil: not known
	held    []interval
	covered uint64 // contiguous up to here
	at      []byte // digest at epoch.Stored
	lost    int
}

func (id numbering) where(l *ledger) string {
	return fmt.Sprintf("merchant %s, agent %s, epoch %d", l.merchant.ID, id.agent, id.epoch)
}

func (r *reading) epoch(l *ledger, e Epoch) error {
	c := &chain{epoch: e, next: 1, digest: e.Start}
	if e.Stored == 0 {
		c.at = e.Start
	}
	l.chains[numbering{e.Agent, e.Order}] = c
	if _, known := l.agents[e.Agent]; !known {
		r.broken(p10, numbering{e.Agent, e.Order}.where(l), "the agent is not one of the merchant's")
	}
	return nil
}

// run follows the next run of a numbering: runs come in the order of their
// numbers.
func (r *reading) run(l *ledger, run Run) error {
	id := numbering{run.Agent, run.Epoch}
	at := id.where(l)
	c := l.chains[id]
	r.checked(p9)
	switch {
	case c == nil:
		r.broken(p9, at, "numbers %d to %d are stored in an epoch that was never issued", run.First, run.Last)
		return nil
	case run.Last < run.First || run.First == 0:
		r.broken(p9, at, "a run from %d to %d is none", run.First, run.Last)
		return nil
	case run.First < c.next:
		r.broken(p9, at, "numbers from %d on are stored twice", run.First)
	case run.First > c.next:
		c.digest = nil // a hole: above the watermark it may still be filled
	}
	if c.covered == c.next-1 && run.First <= c.next {
		c.covered = max(c.covered, run.Last)
	}
	if c.digest != nil && len(run.Before) > 0 && !bytes.Equal(c.digest, run.Before) {
		r.broken(p9, at, "the chained digest before number %d is not the one after number %d", run.First, c.next-1)
	}
	if run.Lost != "" {
		c.lost++
		r.state(p9)
	} else {
		c.hold(interval{run.First, run.Last})
		if n := run.Last - run.First + 1; uint64(len(run.Digests)) != 32*n {
			r.broken(p9, at, "numbers %d to %d have %d bytes of digests, not %d", run.First, run.Last, len(run.Digests), 32*n)
		}
	}
	if s := c.epoch.Stored; run.First <= s && s <= run.Last {
		c.at = nil
		if end := 32 * (s - run.First + 1); run.Lost == "" && end <= uint64(len(run.Digests)) {
			c.at = run.Digests[end-32 : end]
		} else if run.Lost != "" && s == run.Last && len(run.Digests) == 32 {
			c.at = run.Digests
		}
	}
	c.digest = nil
	if n := len(run.Digests); n >= 32 {
		c.digest = run.Digests[n-32:]
	}
	c.next = max(c.next, run.Last+1)
	return nil
}

// hold adds an interval above all others.
func (c *chain) hold(i interval) {
	if n := len(c.held); n > 0 && c.held[n-1].last+1 == i.first {
		c.held[n-1].last = i.last
		return
	}
	c.held = append(c.held, i)
}

// holds reports whether a number is stored as a record.
func (c *chain) holds(number uint64) bool {
	i, _ := slices.BinarySearchFunc(c.held, number, func(held interval, n uint64) int {
		if held.last < n {
			return -1
		}
		return 1
	})
	return i < len(c.held) && c.held[i].first <= number
}

// streams checks each numbering once its runs are known.
func (r *reading) streams(l *ledger) error {
	for _, id := range slices.SortedFunc(maps.Keys(l.chains), func(a, b numbering) int {
		return cmp.Or(cmp.Compare(a.agent, b.agent), cmp.Compare(a.epoch, b.epoch))
	}) {
		c := l.chains[id]
		r.checked(p9)
		if c.covered < c.epoch.Stored {
			r.broken(p9, id.where(l), "the watermark is %d, but what follows number %d is neither stored nor declared lost", c.epoch.Stored, c.covered)
		} else if c.at != nil && !bytes.Equal(c.at, c.epoch.Digest) {
			r.broken(p9, id.where(l), "the digest at the watermark, %d, is not that of what is stored", c.epoch.Stored)
		}
	}
	return nil
}
