package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
	"tillbook.example/tillbook/internal/line"
)

// TestBooksThatDoNotAnswerKeepNeitherDaysNorOtherBooksWaiting has the accounting
// system of a merchant hold each request, while days are closed and posted to his
// other books.
func TestBooksThatDoNotAnswerKeepNeitherDaysNorOtherBooksWaiting(t *testing.T) {
	t.Parallel()
	s := bare(t)
	x := s.sandbox()
	host, _, _ := strings.Cut(strings.TrimPrefix(x.Settings["url"], "http://"), "/")
	wire, err := line.NewWire(host)
	s.must(err)
	t.Cleanup(wire.Close)
	port, err := installation.FreePort()
	s.must(err)
	s.must(s.Write("collector/xero.secret", x.Secret+"\n"))
	s.must(s.Write("collector/collector.yaml", fmt.Sprintf(`agents: {listen: "127.0.0.1:%d", hosts: [localhost]}
ops: {listen: "127.0.0.1:0"}
work: {every: 300ms, audit: 1h}
stop: {limit: 1s}
clouds:
  xero: {client_id: %q, client_secret_file: %q, api: %q, authorize: %q, token: %q, revoke: %q}
`, port, x.Client, s.Path("collector", "xero.secret"), strings.Replace(x.Settings["url"], host, wire.Addr(), 1), x.Consent, x.Token, x.Revoke)))
	config := merchantYAML(s.Path("books"), "")
	before, rest, _ := strings.Cut(config, "      - {id: beans") // which knows no account by a number
	_, after, _ := strings.Cut(rest, "    mappings:")
	s.must(s.Write("merchant.yaml", x.accounts(before+"      - {id: xero, target: xero, settings: {tenant: "+x.Settings["tenant"]+"}}\n    mappings:"+after)))
	s.collector()
	s.call(installation.Collector, "collector", "apply", "-f", s.Path("merchant.yaml"))
	s.consents()
	s.join("agent", "")
	sells := func(number int) {
		t.Helper()
		if status := s.push("agent", fmt.Sprint("sale-", number), sale("1", number, 1200)); status != http.StatusCreated {
			t.Fatalf("push: status %d", status)
		}
	}
	posted := func(d dayRow, connection string) bool {
		return slices.ContainsFunc(d.to(connection), func(p postedRow) bool { return p.State == "posted" && p.Entry == d.Version })
	}
	sells(1)
	s.comesTo("the day is posted to all books", 1, func(d cloudDay) bool {
		return posted(d.dayRow, "xero") && posted(d.dayRow, "books")
	})
	wire.Set(line.Quality{HalfOpen: true}) // requests go out, and nothing comes back
	// Far less than one of the requests is given.
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	t.Cleanup(cancel)
	whole := s.ctx
	s.ctx = ctx
	for number := 2; number <= 4; number++ {
		sells(number)
		s.comesTo("the day is posted to the other books", int64(number), func(d cloudDay) bool {
			return posted(d.dayRow, "books") && !posted(d.dayRow, "xero")
		})
	}
	s.ctx = whole
}
