package storage_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/storage"
)

// How a line breaks at a commit.
const (
	whole     = int32(iota)
	unsent    // before the server has heard of it
	unheardOf // before the client has heard of what the server did
)

// line passes on what client and server say to each other, and breaks at the
// next commit where it is told to.
type line struct {
	socket string // of the server
	breaks atomic.Int32
}

// lineTo returns a line to a database and the DSN at its other end.
func lineTo(t *testing.T, dsn string) (*line, string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "line") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	listener, err := net.Listen("unix", filepath.Join(folder, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	host, rest, _ := strings.Cut(strings.TrimPrefix(dsn, "host="), " ")
	l := &line{socket: filepath.Join(host, ".s.PGSQL.5432")}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go l.join(client)
		}
	}()
	return l, "host=" + folder + " " + rest
}

func (l *line) join(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", l.socket)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		defer client.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if mute.Load() || err != nil {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	header := 4 // the first message has no type
	for {
		message := make([]byte, header)
		if _, err := io.ReadFull(client, message); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(message[header-4:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		commit := header == 5 && message[0] == 'Q' && strings.EqualFold(string(body), "commit\x00")
		header = 5
		if commit {
			switch l.breaks.Swap(whole) {
			case unsent:
				return
			case unheardOf:
				mute.Store(true)
				_, _ = server.Write(append(message, body...))
				<-answered
				return
			}
		}
		if _, err := server.Write(append(message, body...)); err != nil {
			return
		}
	}
}

func TestACallWhoseCommitWasCutOffMayBeMadeAgain(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]int32{"before the server heard of it": unsent, "before the answer": unheardOf} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := migrated(t)
			l, through := lineTo(t, dsn)
			db := opener(t, storage.Options{DSN: through})()
			if _, err := db.Apply(t.Context(), configuration("acme", "books"), time.UnixMicro(1)); err != nil {
				t.Fatal(err)
			}
			s := &stream{id: identity("agent-1"), epoch: [16]byte{1}}
			ref := day.Ref{Merchant: "acme", Store: "leeds", Day: benchDay}
			calls := []struct {
				name string
				call func(context.Context) error
			}{
				{"issue", func(ctx context.Context) error {
					epoch, err := db.Issue(ctx, s.id, s.epoch, s.digest, "test", time.UnixMicro(1))
					s.order = epoch.Order
					return err
				}},
				{"commit", func(ctx context.Context) error { _, err := db.Commit(ctx, s.next(2)); return err }},
				{"save", func(ctx context.Context) error {
					return db.Save(ctx, day.Entry{Ref: ref, Version: 2, Mapping: 1, Rules: 1, Body: []byte("{}"), Proof: []byte("{}"), Reason: "close", At: time.UnixMicro(2)})
				}},
			}
			for _, c := range calls {
				l.breaks.Store(how)
				err := c.call(t.Context())
				if err == nil || errors.Is(err, intake.ErrBusy) {
					t.Errorf("%s, cut off: %v; it is not known that nothing was stored", c.name, err)
				}
				if err := c.call(t.Context()); err != nil {
					t.Errorf("%s, again: %v", c.name, err)
				}
			}
			if s.order != 1 {
				t.Errorf("the epoch has order %d", s.order)
			}
			position, err := db.Position(t.Context(), s.id, s.epoch)
			if err != nil || position.Stored != 2 || countDocuments(t, db) != 2 {
				t.Errorf("stored is %+v, %v", position, err)
			}
			due, err := db.Due(t.Context(), "")
			if err != nil || len(due) != 1 || due[0].Entry.Version != 2 {
				t.Errorf("due is %+v, %v", due, err)
			}
		})
	}
}
