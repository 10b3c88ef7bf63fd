package tryton_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	server "tillbook.example/tillbook/internal/tryton"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/oauth/oauthtest"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/collector/target/tryton"
	"tillbook.example/tillbook/shared/bizday"
)

// office is a company at a real Tryton, with access to it.
type office struct {
	*server.Books
	url    string
	tokens *oauthtest.Memory
	access *tryton.Access
	http   *http.Client
}

func newOffice(t *testing.T, s *server.Server) *office {
	t.Helper()
	o := &office{Books: s.Books(t), url: s.URL, tokens: oauthtest.New(), http: &http.Client{Timeout: time.Minute}}
	o.access = o.newAccess()
	if err := o.access.Connect(t.Context(), server.Password); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) newAccess() *tryton.Access {
	return tryton.NewAccess(tryton.AccessOptions{
		URL: o.url, Database: server.Database, User: o.User, HTTP: o.http, Connection: "m/tryton", Tokens: o.tokens,
	})
}

func (o *office) options() tryton.Options {
	return tryton.Options{
		URL: o.url, Database: server.Database, Company: o.Company, HTTP: o.http, Access: o.access, Currency: "GBP", Now: time.Now,
	}
}

func (o *office) open(t *testing.T) target.Target { return opened(t, o.options()) }

func opened(t *testing.T, options tryton.Options) *tryton.Books {
	t.Helper()
	b, err := tryton.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// move returns the id of what is posted under a reference.
func (o *office) move(t *testing.T, reference string) int {
	t.Helper()
	found := o.Find(t, "account.move", []any{[]any{"description", "like", reference + ": %"}, []any{"state", "=", "posted"}, []any{"company.party.name", "=", o.Company}}, "description")
	if len(found) != 1 {
		t.Fatalf("%d moves are posted under %s", len(found), reference)
	}
	return found[0].ID()
}

func (o *office) harness() targettest.Harness {
	return targettest.Harness{
		Open: o.open, Currency: "GBP", Accounts: []string{server.Cash, server.Sales, server.VAT, server.Purchases}, Tax: server.V20, Exempt: server.EX, Purchase: server.P20,
		NoDimensions: true,
		Edit: func(t *testing.T, reference string) { // all that Tryton lets a person change of a posted move
			taxes := o.Find(t, "account.tax.line", []any{[]any{"move_line.move", "=", o.move(t, reference)}}, "amount")
			o.Write(t, "account.tax.line", taxes[0].ID(), map[string]any{"amount": server.Decimal("1.00")})
		},
		Remove: func(t *testing.T, reference string) { o.Cancel(t, o.move(t, reference)) },
		Close:  func(t *testing.T, to bizday.Day) { o.Close(t, string(to)) },
		Retire: func(t *testing.T, name string) {
			for _, a := range o.Find(t, "account.account", []any{[]any{"code", "=", name}, []any{"company.party.name", "=", o.Company}}, "code") {
				o.Write(t, "account.account", a.ID(), map[string]any{"closed": true})
			}
			for _, x := range o.Find(t, "account.tax", []any{[]any{"name", "=", name}, []any{"company.party.name", "=", o.Company}}, "name") {
				o.Write(t, "account.tax", x.ID(), map[string]any{"active": false})
			}
		},
		Attached: func(t *testing.T, reference string) []string {
			var names []string
			at := fmt.Sprint("account.move,", o.move(t, reference))
			for _, a := range o.Find(t, "ir.attachment", []any{[]any{"resource", "=", at}}, "name") {
				names = append(names, a["name"].(string))
			}
			return names
		},
	}
}

// TestTryton has all tests that need the server, which takes some seconds to make.
func TestTryton(t *testing.T) {
	t.Parallel()
	s := server.Start(t)
	t.Run("passes the conformance suite", func(t *testing.T) {
		t.Parallel()
		targettest.Run(t, func(t *testing.T) targettest.Harness { return newOffice(t, s).harness() })
	})
	for name, test := range map[string]func(*testing.T, *office){
		"a posting that is cut off anywhere stands once after the next try": cutPosting,
		"a cancellation that is cut off is finished by the next":            cutCancellation,
		"a draft of something else gives way":                               otherDraft,
		"a period that is closed behind an open one refuses its own days":   closedBehind,
		"tax lines, foreign amounts and sums are in Tryton's own fields":    ownFields,
		"a session that has ended is begun anew":                            endedSession,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newOffice(t, s))
		})
	}
}
