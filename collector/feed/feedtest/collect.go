package feedtest

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/feed"
)

// Opener opens a source at an address.
type Opener func(base string, now func() time.Time) feed.Source

// Collect asks a provider until it has handed over everything and returns it as one
// page.
func Collect(t *testing.T, provider http.Handler, open Opener) (all feed.Page) {
	t.Helper()
	all, err := collect(t, provider, open)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Refused asks a provider until it has handed over everything, and returns why that
// was not to be.
func Refused(t *testing.T, provider http.Handler, open Opener) error {
	t.Helper()
	_, err := collect(t, provider, open)
	return err
}

func collect(t *testing.T, provider http.Handler, open Opener) (all feed.Page, err error) {
	t.Helper()
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	source := open(server.URL, func() time.Time { return Noon })
	for range 200 {
		page, err := source.Pull(t.Context(), all.Next)
		if err != nil {
			return all, err
		}
		all.Documents, all.Movements = append(all.Documents, page.Documents...), append(all.Movements, page.Movements...)
		all.Payouts, all.Lines, all.Balances = append(all.Payouts, page.Payouts...), append(all.Lines, page.Lines...), append(all.Balances, page.Balances...)
		all.Next, all.More, all.Covered = page.Next, page.More, page.Covered
		if !page.More {
			return all, nil
		}
	}
	t.Fatal("it comes to no end")
	return all, nil
}
