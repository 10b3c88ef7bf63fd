package uplink

// order is what went out in a session, and what comes next. Numbers are the
// log's. Where more waits than can go at once, sending goes on in two places: in
// order above sent, and beside it at the head, where sales are rung up now.
type order struct {
	sent   uint64 // everything up to it was sent, declared lost, or is stored
	before []byte // digest at sent; nil: to be looked up
	ahead  []span // what went out above sent+1, rising, none touching the next
}

// span is a run of numbers that went out ahead of what lies below them, or that
// the collector says it has. It is empty (last is first-1) until the first does.
type span struct {
	first, last uint64
	digest      []byte // at last; nil: to be looked up
}

// maxAhead bounds the spans; the collector tells of no more than 64.
const maxAhead = 32

// head is the highest number that went out, or would have if there were one.
func (o *order) head() (number uint64, digest []byte) {
	if n := len(o.ahead); n > 0 {
		return o.ahead[n-1].last, o.ahead[n-1].digest
	}
	return o.sent, o.before
}

// hole is the last number that is to go out in order; the head begins above it.
// Without a head there is none.
func (o *order) hole() (last uint64, ok bool) {
	if len(o.ahead) == 0 {
		return 0, false
	}
	return o.ahead[0].first - 1, true
}

// overtake has the head begin above a number. It reports false where there are
// as many spans as may be.
func (o *order) overtake(number uint64, digest []byte) bool {
	if len(o.ahead) >= maxAhead {
		return false
	}
	o.ahead = append(o.ahead, span{first: number + 1, last: number, digest: digest})
	return true
}

// went notes that a run went out that follows sent, or the head.
func (o *order) went(first, last uint64, digest []byte) {
	if first == o.sent+1 {
		o.reached(last, digest)
		return
	}
	if n := len(o.ahead); n > 0 && o.ahead[n-1].last+1 == first {
		o.ahead[n-1].last, o.ahead[n-1].digest = last, digest
	}
}

// reached notes that everything up to a number went out or is stored.
func (o *order) reached(number uint64, digest []byte) {
	if number > o.sent {
		o.sent, o.before = number, digest
	}
	for len(o.ahead) > 0 && o.ahead[0].first <= o.sent+1 {
		if s := o.ahead[0]; s.last > o.sent {
			o.sent, o.before = s.last, s.digest
		}
		o.ahead = o.ahead[1:]
	}
}
