package mqtt

import (
	"encoding/xml"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tillbook.example/tillbook/shared/wire"
)

// own stands for a client's own id in a topic; each broker has its own word.
const own = "%u"

// rule lets agents or collectors publish or subscribe to a topic.
type rule struct{ who, does, topic string }

// wanted are the rules of docs/mqtt.md, of the topics as the programs make them.
func wanted() []rule {
	of := func(agent, kind string) string {
		return wire.Topic{Merchant: wire.Any, Agent: agent, Kind: kind, Session: wire.Any, Collector: wire.Any}.String()
	}
	return []rule{
		{"agent", "publish", of(own, wire.TopicHello)}, {"agent", "publish", of(own, wire.TopicUp)}, {"agent", "publish", of(own, wire.TopicBye)},
		{"agent", "subscribe", of(own, wire.TopicDown)}, {"agent", "subscribe", wire.CollectorTopic(wire.Any)},
		{"collector", "subscribe", of(wire.Any, wire.TopicHello)}, {"collector", "subscribe", of(wire.Any, wire.TopicUp)},
		{"collector", "subscribe", of(wire.Any, wire.TopicBye)},
		{"collector", "publish", of(wire.Any, wire.TopicDown)}, {"collector", "publish", wire.CollectorTopic(wire.Any)},
	}
}

// shared is how the collectors' group subscribes, where a broker checks that.
const shared = "$share/collectors/"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mosquitto reads the form that Mosquitto and VerneMQ have in common.
func mosquitto(t *testing.T, text string) (rules []rule) {
	t.Helper()
	user := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "user" && len(words) == 2:
			user = words[1]
		case len(words) == 3 && words[0] == "pattern":
			rules = append(rules, rule{"agent", does(t, words[1]), words[2]})
		case len(words) == 3 && words[0] == "topic" && user == "tillbook-collector":
			rules = append(rules, rule{"collector", does(t, words[1]), words[2]})
		default:
			t.Errorf("not understood: %q", line)
		}
	}
	return rules
}

func does(t *testing.T, word string) string {
	t.Helper()
	switch word {
	case "read", "SUBSCRIBE", "subscribe":
		return "subscribe"
	case "write", "PUBLISH", "publish":
		return "publish"
	}
	t.Errorf("neither read nor write: %q", word)
	return ""
}

var (
	emqxRule  = regexp.MustCompile(`^\{allow, (all|\{username, "tillbook-collector"\}), (publish|subscribe), \[(.*)\]\}\.$`)
	emqxTopic = regexp.MustCompile(`"([^"]*)"`)
)

func emqx(t *testing.T, text string) (rules []rule) {
	t.Helper()
	var denied []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		found := emqxRule.FindStringSubmatch(line)
		switch {
		case line == "" || strings.HasPrefix(line, "%%"):
		case strings.HasPrefix(line, "{deny, "):
			denied = append(denied, line)
		case found == nil:
			t.Errorf("not understood: %q", line)
		default:
			who := "agent"
			if found[1] != "all" {
				who = "collector"
			}
			if who == "agent" != (len(denied) == 1) {
				t.Errorf("%s: a collector has agents' rules, or an agent a collector's", line)
			}
			for _, topic := range emqxTopic.FindAllStringSubmatch(found[3], -1) {
				rules = append(rules, rule{who, does(t, found[2]), strings.ReplaceAll(topic[1], "${username}", own)})
			}
		}
	}
	if want := []string{`{deny, {username, "tillbook-collector"}}.`, `{deny, all}.`}; !slices.Equal(denied, want) {
		t.Errorf("denied are %q, want %q", denied, want)
	}
	return rules
}

func hivemq(t *testing.T, text string) (rules []rule) {
	t.Helper()
	var file struct {
		Roles []struct {
			ID          string `xml:"id"`
			Permissions []struct {
				Topic    string `xml:"topic"`
				Activity string `xml:"activity"`
			} `xml:"permissions>permission"`
		} `xml:"roles>role"`
	}
	if err := xml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	for _, role := range file.Roles {
		for _, p := range role.Permissions {
			rules = append(rules, rule{role.ID, does(t, p.Activity), strings.ReplaceAll(p.Topic, "${{username}}", own)})
		}
	}
	return rules
}

func TestEachBrokersRulesNameExactlyTheTopicsThatTheProgramsUse(t *testing.T) {
	t.Parallel()
	_, documented, _ := strings.Cut(read(t, "../../docs/mqtt.md"), "```acl\n")
	documented, _, _ = strings.Cut(documented, "```")
	sharedHello := rule{"collector", "subscribe", shared + wanted()[5].topic}
	for name, c := range map[string]struct {
		rules []rule
		more  []rule
	}{
		"docs/mqtt.md":            {mosquitto(t, documented), nil},
		"installers/compose":      {mosquitto(t, read(t, "../compose/mosquitto.acl")), nil},
		"installers/mqtt/vernemq": {mosquitto(t, read(t, "vernemq/vmq.acl")), []rule{sharedHello}},
		"installers/mqtt/emqx":    {emqx(t, read(t, "emqx/acl.conf")), []rule{sharedHello}},
		"installers/mqtt/hivemq":  {hivemq(t, read(t, "hivemq/roles.xml")), nil},
	} {
		want := append(wanted(), c.more...)
		for _, r := range c.rules {
			if i := slices.Index(want, r); i >= 0 {
				want = slices.Delete(want, i, i+1)
				continue
			}
			t.Errorf("%s: %+v is no rule of docs/mqtt.md, or is there twice", name, r)
		}
		if len(want) > 0 {
			t.Errorf("%s lacks %+v", name, want)
		}
	}
}

func TestVerneMQsParserCanReadItsRules(t *testing.T) {
	t.Parallel()
	text := read(t, "vernemq/vmq.acl")
	if !strings.HasSuffix(text, "\n") {
		t.Error("the last line has no end, so it would not be read")
	}
	for line := range strings.Lines(text) {
		if line == "\n" || strings.HasSuffix(line, " \n") || strings.Contains(line, "  ") {
			t.Errorf("%q would be misread", line)
		}
	}
}

func TestEachConfigurationWantsACertificateAndLetsLargeBatchesThrough(t *testing.T) {
	t.Parallel()
	for file, settings := range map[string][]string{
		"emqx/base.hocon":      {"verify = verify_peer", "fail_if_no_peer_cert = true", "peer_cert_as_username = cn", "no_match = deny", `max_packet_size = "2MB"`},
		"vernemq/vernemq.conf": {"require_certificate = on", "use_identity_as_username = on", "plugins.vmq_acl = on", "max_message_size = 2097152"},
		"hivemq/config.xml":    {"<client-authentication-mode>REQUIRED<", "<max-packet-size>2097152<"},
	} {
		text := read(t, file)
		for _, setting := range settings {
			if !strings.Contains(text, setting) {
				t.Errorf("%s lacks %q", file, setting)
			}
		}
	}
	var config struct{}
	if err := xml.Unmarshal([]byte(read(t, "hivemq/config.xml")), &config); err != nil {
		t.Error(err)
	}
}
