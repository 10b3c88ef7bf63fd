package wire

import (
	"fmt"
	"strings"
)

// Kinds of topics of the MQTT carrier, in the order in which a session uses
// them. Merchant and Agent say for whom a message speaks; that nobody else can
// publish there is the broker's to enforce.
const (
	TopicHello = "hello" // v1/MERCHANT/AGENT/hello/SESSION: an agent's first message, to any collector
	TopicDown  = "down"  // v1/MERCHANT/AGENT/down/SESSION/COLLECTOR: a collector's answers; an empty one ends the session
	TopicUp    = "up"    // v1/MERCHANT/AGENT/up/SESSION/COLLECTOR: all further messages, to the collector that answered
	TopicBye   = "bye"   // v1/MERCHANT/AGENT/bye/SESSION: the agent's connection ended
)

// Payloads of a collector's own topic, v1/collector/COLLECTOR.
const (
	CollectorHere = "here" // it takes sessions from now on
	CollectorGone = "gone" // its connection ended, and all its sessions with it
)

// Any stands for every value of a level in a filter.
const Any = "+"

// Topic is where a message of one session travels. Session and Collector are
// random and name one connection each, so that no message of an earlier one is
// taken for the present one's.
type Topic struct {
	Merchant, Agent string
	Kind            string
	Session         string
	Collector       string // of up and down only
}

// String returns the topic, or a filter where parts are Any.
func (t Topic) String() string {
	levels := []string{"v1", t.Merchant, t.Agent, t.Kind, t.Session}
	if t.directed() {
		levels = append(levels, t.Collector)
	}
	return strings.Join(levels, "/")
}

func (t Topic) directed() bool { return t.Kind == TopicUp || t.Kind == TopicDown }

// ParseTopic reads what String returned, of a topic that is no filter.
func ParseTopic(text string) (Topic, error) {
	levels := strings.Split(text, "/")
	if len(levels) < 5 || len(levels) > 6 || levels[0] != "v1" {
		return Topic{}, fmt.Errorf("%.200q is no topic of a session", text)
	}
	t := Topic{Merchant: levels[1], Agent: levels[2], Kind: levels[3], Session: levels[4]}
	switch t.Kind {
	case TopicHello, TopicBye, TopicUp, TopicDown:
	default:
		return Topic{}, fmt.Errorf("topic %.200q is of no kind that is known", text)
	}
	if t.directed() != (len(levels) == 6) {
		return Topic{}, fmt.Errorf("topic %.200q has not the levels of its kind", text)
	}
	for _, level := range append(levels[1:3:3], levels[4:]...) {
		if !TopicLevel(level) {
			return Topic{}, fmt.Errorf("topic %.200q: a level is not an id", text)
		}
	}
	if t.directed() {
		t.Collector = levels[5]
	}
	return t, nil
}

// TopicLevel says whether an id can stand in a topic: letters, digits, '-', '_'
// and '.', at most 80, as in certificates.
func TopicLevel(id string) bool {
	if id == "" || len(id) > 80 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		alphanumeric := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !alphanumeric && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return true
}

const collectorTopic = "v1/collector/"

// CollectorTopic is where a collector says that it is here or gone; of Any, the
// filter for all of them.
func CollectorTopic(collector string) string { return collectorTopic + collector }

// ParseCollectorTopic returns whose topic it is.
func ParseCollectorTopic(text string) (collector string, ok bool) {
	collector, ok = strings.CutPrefix(text, collectorTopic)
	return collector, ok && TopicLevel(collector)
}
