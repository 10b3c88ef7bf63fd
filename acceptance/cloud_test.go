package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// standIn is Xero as `sandbox` serves it.
type standIn struct {
	shop     *shop
	Settings map[string]string `json:"settings"`
	Token    string            `json:"token_url"`
	Consent  string            `json:"authorize_url"`
	Revoke   string            `json:"revoke_url"`
	Client   string            `json:"client_id"`
	Secret   string            `json:"client_secret"`
	Act      string            `json:"act_url"`
}

// sandbox starts the stand-ins as a process of their own.
func (s *shop) sandbox() standIn {
	s.t.Helper()
	process := exec.Command(filepath.Join(s.Bin, installation.Collector), "sandbox", "--json", "--listen", "127.0.0.1:0")
	out, err := process.StdoutPipe()
	s.must(err)
	s.must(process.Start())
	s.t.Cleanup(func() {
		_ = process.Process.Kill() // it may have ended
		_ = process.Wait()         // and says that it was killed
	})
	var all []standIn
	s.must(json.NewDecoder(out).Decode(&all))
	all[0].shop = s
	return all[0]
}

// documents counts what stands in the books under each reference.
func (x standIn) documents() map[string]int {
	x.shop.t.Helper()
	answer, err := http.Get(x.Act)
	x.shop.must(err)
	defer answer.Body.Close()
	var state struct {
		Documents map[string]int `json:"documents"`
	}
	x.shop.must(json.NewDecoder(answer.Body).Decode(&state))
	return state.Documents
}

// accounts writes the stand-in's accounts into a configuration.
func (x standIn) accounts(config string) string {
	for account, code := range map[string]string{
		"Income:Sales": "200", "Income:Returns": "200", "Liabilities:VAT": "820", "Assets:CashClearing": "612", "Assets:Cash": "612", "Assets:CardClearing": "611",
		"Income:Fees": "201", "Income:Delivery": "201", "Income:Discounts": "201", "Expenses:OverShort": "861", "Income:CashRounding": "861",
		"Income:TaxRounding": "861", "Income:ConversionRounding": "861", "Expenses:BadDebt": "400", "STD-20": "OUTPUT2",
	} {
		config = strings.ReplaceAll(config, ": "+account+"\n", ": \""+code+"\"\n")
		config = strings.ReplaceAll(config, ": "+account+"}", ": \""+code+"\"}")
	}
	return config
}

func (x standIn) does(what string) {
	x.shop.t.Helper()
	answer, err := http.PostForm(x.Act+"/"+what, url.Values{})
	x.shop.must(err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		x.shop.t.Fatalf("%s: %s", what, answer.Status)
	}
}

// consents connects as a merchant does: the address that the command prints is
// opened, and the browser is sent back.
func (s *shop) consents() {
	s.t.Helper()
	process := exec.CommandContext(s.ctx, filepath.Join(s.Bin, installation.Collector), "--data", s.Path("collector"), "--json", "connect", "corner", "xero", "--listen", "127.0.0.1:0")
	out, err := process.StdoutPipe()
	s.must(err)
	s.must(process.Start())
	var says struct{ Consent, Connected string }
	answers := json.NewDecoder(out)
	s.must(answers.Decode(&says))
	// Somebody else's request is not the answer.
	address, err := url.Parse(says.Consent)
	s.must(err)
	forged, err := http.Get(address.Query().Get("redirect_uri") + "?code=forged&state=forged")
	s.must(err)
	forged.Body.Close()
	if forged.StatusCode != http.StatusBadRequest {
		s.t.Errorf("a forged answer: %s", forged.Status)
	}
	browser, err := http.Get(says.Consent)
	s.must(err)
	browser.Body.Close()
	s.must(answers.Decode(&says))
	s.must(process.Wait())
	if browser.StatusCode != http.StatusOK || says.Connected != "corner/xero" {
		s.t.Errorf("the browser ended at %s, the command with %q", browser.Status, says.Connected)
	}
}

// cloudDay is what a test reads of `days`.
type cloudDay struct {
	dayRow
	Shut []struct {
		State string `json:"state"`
		Code  string `json:"code"`
	} `json:"shut"`
}

func (d cloudDay) shut(state string) bool {
	return len(d.Due) == 1 && len(d.Shut) == 1 && d.Shut[0].State == state && d.Shut[0].Code == "connect_again"
}

// comesTo waits until the day of trade has an entry of so many documents, and is as
// wanted.
func (s *shop) comesTo(what string, version int64, want func(cloudDay) bool) {
	s.t.Helper()
	var rows []cloudDay
	err := installation.Wait(s.ctx, what, func() (bool, error) {
		rows = nil
		s.must(s.Ask(s.ctx, &rows, installation.Collector, "collector", "days"))
		return slices.ContainsFunc(rows, func(d cloudDay) bool {
			return d.Day == day && d.Version == version && d.Entry == version && want(d)
		}), nil
	})
	if err != nil {
		s.t.Fatalf("%v: %+v", err, rows)
	}
}

func TestADayIsPostedToTheCloudOnceAndWaitsWhileItIsNotConnected(t *testing.T) {
	t.Parallel()
	s := bare(t)
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	x := s.sandbox()
	port, err := installation.FreePort()
	s.must(err)
	s.must(s.Write("collector/xero.secret", x.Secret+"\n"))
	s.must(s.Write("collector/collector.yaml", fmt.Sprintf(`agents: {listen: "127.0.0.1:%d", hosts: [localhost]}
ops: {listen: "127.0.0.1:0"}
work: {every: 300ms, audit: 1h}
clouds:
  xero: {client_id: %q, client_secret_file: %q, api: %q, authorize: %q, token: %q, revoke: %q}
`, port, x.Client, s.Path("collector", "xero.secret"), x.Settings["url"], x.Consent, x.Token, x.Revoke)))
	config := merchantYAML(s.Path("books"), "")
	before, rest, _ := strings.Cut(config, "      - {id: books")
	_, after, _ := strings.Cut(rest, "    mappings:")
	config = before + "      - {id: xero, target: xero, settings: {tenant: " + x.Settings["tenant"] + "}}\n    mappings:" + after
	config = x.accounts(config)
	s.must(s.Write("merchant.yaml", config))
	s.collector()
	s.call(installation.Collector, "collector", "apply", "-f", s.Path("merchant.yaml"))
	s.join("agent", "")

	posted := func(d cloudDay) bool {
		return len(d.Due) == 0 && !slices.ContainsFunc(d.Postings, func(p postedRow) bool { return p.State != "posted" })
	}
	sells := func(number int) {
		t.Helper()
		if status := s.push("agent", fmt.Sprint("sale-", number), sale("1", number, 1200)); status != http.StatusCreated {
			t.Fatalf("push: status %d", status)
		}
	}
	holds := func(want int) {
		t.Helper()
		all := x.documents()
		for reference, n := range all {
			if n != 1 {
				t.Errorf("%s stands %d times", reference, n)
			}
		}
		if len(all) != want {
			t.Errorf("the books hold %v, want %d documents", all, want)
		}
	}

	sells(1)
	s.comesTo("the day waits for the first consent", 1, func(d cloudDay) bool { return d.shut("disconnected") })
	holds(0)
	s.consents()
	s.comesTo("the day is posted once it is connected", 1, posted)
	holds(1)

	// Access tokens end, the collector dies: the token is renewed after the start.
	x.does("revoke")
	s.must(s.Kill("collector"))
	s.collector()
	sells(2)
	s.comesTo("what came later is posted with a renewed token", 2, posted)
	holds(2)

	// The merchant takes the consent back.
	x.does("disconnect")
	sells(3)
	s.comesTo("the day waits for another consent", 3, func(d cloudDay) bool { return d.shut("broken") })
	holds(2)
	if out, code, err := s.Call(s.ctx, installation.Collector, "collector", "status"); err != nil || code != 1 || !strings.Contains(out, "connect corner xero (connect_again)") {
		t.Errorf("status: exit %d, %v\n%s", code, err, out)
	}
	s.consents()
	s.call(installation.Collector, "collector", "secrets", "rotate")
	s.comesTo("what waited is posted by itself", 3, posted)
	holds(3)
	s.verify()

	// The consent is given back here.
	s.call(installation.Collector, "collector", "disconnect", "corner", "xero")
	sells(4)
	s.comesTo("the day waits after it was disconnected", 4, func(d cloudDay) bool { return d.shut("disconnected") })
	holds(3)
	if _, code, err := s.Call(s.ctx, installation.Collector, "collector", "disconnect", "corner", "xero"); err == nil && code == 0 {
		t.Error("it was disconnected twice")
	}
}
