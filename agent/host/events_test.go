package host

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// written is an event log in memory.
type written []string

func (w *written) add(kind string, id uint32, text string) error {
	*w = append(*w, fmt.Sprintf("%s %d %s", kind, id, text))
	return nil
}
func (w *written) Info(id uint32, text string) error    { return w.add("info", id, text) }
func (w *written) Warning(id uint32, text string) error { return w.add("warning", id, text) }
func (w *written) Error(id uint32, text string) error   { return w.add("error", id, text) }

func TestWarningsErrorsAndTheLifeCycleBecomeEvents(t *testing.T) {
	t.Parallel()
	var got written
	var next bytes.Buffer
	log := slog.New(newEvents(slog.NewTextHandler(&next, &slog.HandlerOptions{Level: slog.LevelError}), &got))
	log.Debug("nothing")
	log.Info("uplink: session ended")
	log.Info("agent runs", "store", "S1")
	log.With("source", "till").WithGroup("file").Warn("scan", "name", "a.xml")
	log.Error("no room", "free", 3)
	want := written{
		"info 1 msg=\"agent runs\" store=S1\n",
		"warning 2 msg=scan source=till file.name=a.xml\n",
		"error 3 msg=\"no room\" free=3\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if bytes.Count(next.Bytes(), []byte("\n")) != 1 || !bytes.Contains(next.Bytes(), []byte("no room")) {
		t.Errorf("the other log has %q; want the error alone", next.String())
	}
}

func TestTheSameWordsAreOneEventUntilTimeHasPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got written
		log := slog.New(newEvents(slog.DiscardHandler, &got))
		for range 5 {
			log.With("source", "till").Warn("scan")
			time.Sleep(time.Minute)
		}
		log.Warn("another")
		log.Warn("scan")
		time.Sleep(repeatAfter)
		log.Warn("scan")
		if len(got) != 4 {
			t.Errorf("%d events: %q", len(got), got)
		}
	})
}
