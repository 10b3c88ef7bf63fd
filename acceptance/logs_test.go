package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"tillbook.example/tillbook/internal/installation"
)

// A card number as a customer's card has it, and how it may be written.
const (
	cardSpaced = "4111 1111 1111 1111"
	cardPlain  = "4111111111111111"
)

// withCard is a sale whose texts show a whole card number.
func withCard(t *testing.T, text string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	doc["lines"].([]any)[0].(map[string]any)["text"] = "paid by " + cardSpaced
	doc["tenders"].([]any)[0].(map[string]any)["label"] = "VISA " + cardPlain
	with, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(with)
}

// withCardAsAmount puts a card number where a sale of 987.65 has its amount. A
// field that cannot be read is quoted in logs, but not so.
func withCardAsAmount(text string) string {
	return strings.ReplaceAll(text, `"987.65"`, `"`+cardSpaced+`"`)
}

// What is logged is for whoever runs the programs, who need not see what was
// sold, and logs travel further than data folders do.
func TestLogsShowNoSalesCardsOrSecrets(t *testing.T) {
	t.Parallel()
	s := open(t, "200ms")
	s.must(s.Stop("collector"))
	s.must(s.Start(s.ctx, installation.Collector, "collector", "serve", "--set", "log.level=debug"))
	s.must(s.Write("agent/agent.yaml", "listen: \"127.0.0.1:0\"\nlog: {level: debug}\noutbox: {max_mib: 256, soft_free_mib: 16, hard_free_mib: 8}\n"+
		fmt.Sprintf("sources:\n- {name: till, kind: filedrop, folder: %q, patterns: [\"*.json\"], format: document, settle: 100ms, quiet: 200ms}\n", s.Path("till"))))
	s.must(os.MkdirAll(s.Path("till"), 0o700))
	join, err := s.Join(s.ctx, "collector", "corner", "S1", "agent")
	s.must(err)
	s.agent("agent")

	const pence = 98765
	s.must(s.Drop("till/sales.json", withCard(t, sale("1", 1, pence))+"\n"+
		withCardAsAmount(withCard(t, sale("1", 2, pence)))+"\n"+withCard(t, sale("1", 3, pence))[:400]+"\n"))
	if code := s.push("agent", "key-1", withCard(t, sale("2", 1, pence))); code != http.StatusCreated {
		t.Fatalf("push: %d", code)
	}
	for name, body := range map[string]string{
		"a card number as amount": withCardAsAmount(withCard(t, sale("2", 2, pence))),
		"a body that is cut off":  withCard(t, sale("2", 3, pence))[:400],
	} {
		if code := s.push("agent", "", body); code < 400 || code >= 500 {
			t.Errorf("%s: answered %d", name, code)
		}
	}
	if _, code, err := s.Call(s.ctx, installation.Agent, "second", "enroll", join); err == nil {
		t.Errorf("a used join string was taken: exit %d", code)
	}
	s.sent("agent")
	s.must(installation.Wait(s.ctx, "the day to be looked at", func() (bool, error) { return len(s.days()) == 1, nil }))

	token, err := os.ReadFile(s.Path("agent", "push.token"))
	s.must(err)
	code, _, _ := strings.Cut(join, "@")
	secrets := map[string]string{
		"the amount in pence": fmt.Sprint(pence), "the amount": pounds(pence), "the push token": strings.TrimSpace(string(token)), "the join code": code,
		"the card number": cardPlain, "the card number with spaces": cardSpaced,
	}
	s.must(s.StopAll())
	for _, name := range []string{"agent.log", "collector.log"} {
		text, err := os.ReadFile(s.Path(name))
		s.must(err)
		if !strings.Contains(string(text), "level=") {
			t.Errorf("%s has no lines", name)
		}
		for what, secret := range secrets {
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, secret) {
					t.Errorf("%s shows %s: %s", name, what, line)
				}
			}
		}
	}
}

func TestACardNumberIsMaskedBeforeItIsKept(t *testing.T) {
	t.Parallel()
	s := open(t, "1h")
	s.must(os.MkdirAll(s.Path("till"), 0o700))
	s.join("agent", fmt.Sprintf("sources:\n- {name: till, kind: filedrop, folder: %q, patterns: [\"*.json\"], format: document, settle: 100ms, quiet: 200ms}\n", s.Path("till")))
	s.must(s.Drop("till/sales.json", withCard(t, sale("1", 1, 1200))+"\n"))
	if code := s.push("agent", "key-1", withCard(t, sale("2", 1, 1200))); code != http.StatusCreated {
		t.Fatalf("push: %d", code)
	}
	var kept string
	s.must(installation.Wait(s.ctx, "both sales", func() (done bool, err error) {
		kept, _, err = s.Call(s.ctx, installation.Agent, "agent", "tail")
		return strings.Count(kept, "\n") == 2, err
	}))
	if strings.Contains(kept, cardPlain) || strings.Contains(kept, cardSpaced) || strings.Count(kept, "1111\"") != 4 {
		t.Errorf("not masked to the last four digits: %s", kept)
	}
}
