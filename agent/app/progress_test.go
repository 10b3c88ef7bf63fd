package app

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestARoomThatLooksTheSameForLongerThanItsBoundIsStuck(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		likes []string // one a minute
		stuck bool
	}{
		"it moves":                 {[]string{"1", "2", "3", "4", "5", "6", "7"}, false},
		"it stands for its bound":  {[]string{"1", "1", "1", "1", "1", "1"}, false},
		"it stands for longer":     {[]string{"1", "1", "1", "1", "1", "1", "1"}, true},
		"it moved on in between":   {[]string{"1", "1", "1", "1", "2", "2", "2"}, false},
		"it has nothing to do":     {[]string{"", "", "", "", "", "", ""}, false},
		"it had nothing to do":     {[]string{"1", "1", "1", "", "1", "1", "1"}, false},
		"it stands after it moved": {[]string{"1", "2", "2", "2", "2", "2", "2", "2"}, true},
	} {
		var w watch
		var err error
		for minute, like := range c.likes {
			err = w.still(begin.Add(time.Duration(minute)*time.Minute), "room", like, 5*time.Minute)
			if other := w.still(begin, "other room", "", 0); other != nil {
				t.Errorf("%s: %v", name, other)
			}
		}
		if (err != nil) != c.stuck {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARunningAgentMakesProgress(t *testing.T) {
	t.Parallel()
	r := start(t, enrolled(t))
	r.until("it makes progress", func() bool { return r.Progress() == nil })
}

// An agent whose loops were never started is one whose loops all stand.
func TestAnAgentWhoseLoopsStandSaysWhichOnes(t *testing.T) {
	t.Parallel()
	c := Defaults()
	c.Data, c.Listen = enrolled(t), "127.0.0.1:0"
	c.Outbox = Outbox{MaxMiB: 128, SoftFreeMiB: 1, HardFreeMiB: 1}
	c.Sources = []Source{{Name: "till-1", Kind: "filedrop", Folder: t.TempDir(), Patterns: []string{"*.json"}, Format: "document"}}
	a, err := New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- http.Serve(a.listener, http.NotFoundHandler()) }()
	if err := a.Progress(); err != nil {
		t.Errorf("at first sight: %v", err)
	}
	for room, g := range a.watch.seen {
		a.watch.seen[room] = glance{g.like, g.since.Add(-3 * time.Hour)}
	}
	stuck := a.Progress()
	for room, want := range map[string]bool{"uplink": true, "source till-1": true, "index": false, "local service": false} {
		if got := stuck != nil && strings.Contains(stuck.Error(), room+": "); got != want {
			t.Errorf("%s named %v, want %v: %v", room, got, want, stuck)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	<-served
	if err := a.answers(); err == nil {
		t.Error("nobody listens, and that is no problem")
	}
}
