package uplink

import "time"

// Limits of the window, in bytes of records before compression.
const (
	minWindow   = 32 << 10
	firstWindow = 512 << 10
	minRead     = 8 << 10
	maxRead     = 1 << 20 // of one batch
	aRecord     = 1 << 10 // about what one takes
	// slow is how much longer than on an idle line an acknowledgement may take.
	// What is rung up now waits behind all that is under way.
	slow = 700 * time.Millisecond
)

// pace is how much may be under way: a window that grows while acknowledgements
// come quickly and is halved when they do not, as TCP does it. A line with a long
// way is not slow: what counts is what an acknowledgement takes longer than the
// quickest one.
type pace struct {
	window   int           // bytes under way at most
	most     int           // what the collector's credits allow
	turn     int           // above it the window grows by a quarter batch an answer, below by what was answered
	quickest time.Duration // acknowledgement of the session
	halved   time.Time     // what was sent before tells nothing new

	limit int       // bytes on the line a second; 0: none
	next  time.Time // when the limit lets the next batch go
}

func newPace() pace {
	return pace{window: firstWindow, most: maxRead * defaultCredits, turn: maxRead * maxCredits}
}

// credits sets how many batches may be under way.
func (p *pace) credits(n int) { p.most = max(minWindow, n*maxRead) }

// answered takes what an acknowledgement says of the line.
func (p *pace) answered(sent, now time.Time, bytes int) {
	took := now.Sub(sent)
	if p.quickest == 0 || took < p.quickest {
		p.quickest = took
	}
	switch {
	case took <= p.quickest+slow:
		grow := bytes
		if p.window >= p.turn {
			grow = p.read() / 4
		}
		p.window = min(p.window+grow, p.most)
	case sent.After(p.halved):
		p.window = max(p.window/2, minWindow)
		p.turn, p.halved = p.window, now
	}
}

// room is how many bytes may be under way: no more than the window, and no more
// than two seconds of the limit.
func (p *pace) room() int {
	if p.limit > 0 {
		return min(p.window, max(minWindow, 2*p.limit))
	}
	return min(p.window, p.most)
}

// read is how many bytes of records one batch is made of.
func (p *pace) read() int { return min(max(p.room()/4, minRead), maxRead) }

// backlog says whether so many records are more than can go at once. Of what
// overtakes already much more is needed: it goes first anyway.
func (p *pace) backlog(records uint64, overtook bool) bool {
	most := p.room() / aRecord
	if overtook {
		most *= 16
	}
	return records > uint64(most)
}

// went notes that a batch took so many bytes of the line.
func (p *pace) went(now time.Time, bytes int) {
	if p.limit <= 0 {
		p.next = time.Time{}
		return
	}
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(bytes) * time.Second / time.Duration(p.limit))
}
