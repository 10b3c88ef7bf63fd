package wire_test

import (
	"strings"
	"testing"

	"tillbook.example/tillbook/shared/wire"
)

func TestATopicIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, topic := range []wire.Topic{
		{Merchant: "acme", Agent: "a1", Kind: wire.TopicHello, Session: "s"},
		{Merchant: "acme.co_uk-2", Agent: "0f", Kind: wire.TopicBye, Session: "s"},
		{Merchant: "collector", Agent: "a1", Kind: wire.TopicUp, Session: "s", Collector: "c"},
		{Merchant: strings.Repeat("m", 80), Agent: "a1", Kind: wire.TopicDown, Session: "s", Collector: "c"},
	} {
		got, err := wire.ParseTopic(topic.String())
		if err != nil || got != topic {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
		if _, ok := wire.ParseCollectorTopic(topic.String()); ok {
			t.Errorf("%s was taken for a collector's", topic)
		}
	}
	if c, ok := wire.ParseCollectorTopic(wire.CollectorTopic("c9")); !ok || c != "c9" {
		t.Errorf("got %q, %v", c, ok)
	}
}

func TestWhatIsNoTopicOfASessionIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "v1", "v1/acme/a1/up/s", "v1/acme/a1/hello/s/c", "v1/acme/a1/hello", "v2/acme/a1/hello/s", "v1/acme/a1/ack/s",
		"v1//a1/hello/s", "v1/acme//hello/s", "v1/acme/a1/hello/", "v1/acme/a1/up/s/", "v1/+/a1/hello/s", "v1/acme/#/hello/s",
		"v1/acme/a1/up/s/c/d", "v1/-acme/a1/hello/s", "v1/ac me/a1/hello/s", "v1/acme/a1\x00/hello/s",
		"v1/" + strings.Repeat("m", 81) + "/a1/hello/s", "$share/g/v1/acme/a1/hello/s",
	} {
		if topic, err := wire.ParseTopic(text); err == nil {
			t.Errorf("%q was read as %+v", text, topic)
		}
	}
	for _, text := range []string{"v1/collector/", "v1/collector/a/b", "v1/collector/+", "v1/other/a"} {
		if c, ok := wire.ParseCollectorTopic(text); ok {
			t.Errorf("%q was read as of collector %q", text, c)
		}
	}
}

func FuzzTopic(f *testing.F) {
	f.Add("v1/acme/a1/up/s/c")
	f.Add("v1/acme/a1/hello/s")
	f.Add("v1/collector/c")
	f.Fuzz(func(t *testing.T, text string) {
		topic, err := wire.ParseTopic(text)
		if err != nil {
			return
		}
		if topic.String() != text {
			t.Errorf("%q became %q", text, topic)
		}
		if strings.ContainsAny(text, "+#$") {
			t.Errorf("%q holds what is special in topics", text)
		}
	})
}
