package app_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
)

// doorkeeper lets one password in, as Tryton does, and counts who asked.
type doorkeeper struct {
	password string
	asked    int
}

func (d *doorkeeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Method string
		Params []any
	}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &call)
	}
	if err != nil || r.URL.Path != "/books/" || call.Method != "common.db.login" {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	d.asked++
	if call.Params[0] != "tillbook" || call.Params[1].(map[string]any)["password"] != d.password {
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	_, _ = io.WriteString(w, `{"id":1,"result":[7,"key"]}`)
}

func TestAPasswordIsKeptSealedOnceItOpensTheBooksAndNotTriedAgainWhenItDoesNot(t *testing.T) {
	t.Parallel()
	door := &doorkeeper{password: "open sesame"}
	server := httptest.NewServer(door)
	t.Cleanup(server.Close)
	config, _, err := configured(t, t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	db, err := app.OpenDatabase(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	shop := merchant.Merchant{ID: "acme", Currency: "GBP", Stores: []merchant.Store{{ID: "s1", Zone: "Europe/London"}}, Connections: []merchant.Connection{
		{ID: "books", Target: "tryton", Settings: map[string]string{"url": server.URL, "database": "books", "user": "tillbook"}},
		{ID: "folder", Target: "text", Settings: map[string]string{"folder": "/books", "format": "hledger"}},
	}}
	clouds, err := app.OpenClouds(config, db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	tokens := clouds[0].Tokens

	if err := app.Admit(t.Context(), clouds, shop, "books", "guess"); !errors.Is(err, target.ErrDisconnected) {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := tokens.Load(t.Context(), "acme/books"); err == nil {
		t.Error("a wrong password is kept")
	}
	if err := app.Admit(t.Context(), clouds, shop, "folder", "open sesame"); err == nil {
		t.Error("a folder takes a password")
	}
	if _, err := app.NewConsent(clouds, shop, "books", ""); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("consent: %v", err)
	}
	if err := app.Admit(t.Context(), clouds, shop, "books", "open sesame"); err != nil {
		t.Fatal(err)
	}
	kept, err := tokens.Load(t.Context(), "acme/books")
	if err != nil || kept.Refresh != "open sesame" {
		t.Fatalf("kept: %+v, %v", kept, err)
	}

	door.password = "changed"
	before := door.asked
	for range 3 { // each time by a process that was just started
		books, err := app.Targets(clouds...)(shop, shop.Connections[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := books.Period(t.Context()); !errors.Is(err, target.ErrDisconnected) {
			t.Errorf("with an old password: %v", err)
		}
	}
	if asked := door.asked - before; asked != 1 {
		t.Errorf("a password that is not taken was tried %d times", asked)
	}
	if err := app.Disconnect(t.Context(), clouds, shop, "books"); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Load(t.Context(), "acme/books"); err == nil {
		t.Error("still kept after it was disconnected")
	}
}
