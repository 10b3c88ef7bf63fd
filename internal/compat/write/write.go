package main

import (
	"context"

	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	"tillbook.example/tillbook/internal/compat"
	"tillbook.example/tillbook/internal/line"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/pki"
)

// samples are documents of every kind.
const samples = "shared/document/testdata/canonical/*.json"

var leeds = fleet.Identity{Merchant: "acme", Store: "Leeds", Agent: "a1"}

func write(folder string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil { // what is there is never written anew
		return err
	}
	work, err := os.MkdirTemp("", "corpus-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) // nothing else can be done about it
	c := &compat.Corpus{Folder: folder, Expected: compat.Expected{Agent: leeds.Agent, Merchant: leeds.Merchant, Store: leeds.Store}}
	disk, err := sell(filepath.Join(work, "outbox"), &c.Expected)
	if err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(c.Outbox(), "log"), os.DirFS(filepath.Join(work, "outbox", "log"))); err != nil {
		return errors.Join(err, disk.Close())
	}
	if err := errors.Join(send(disk, c), disk.Close()); err != nil {
		return err
	}
	if c.Enrolled, err = enrol(); err != nil {
		return err
	}
	return c.Write()
}

// sell fills an outbox with documents of every kind, and with what is none.
func sell(dir string, e *compat.Expected) (*outbox.Outbox, error) {
	disk, err := outbox.Open(dir, outbox.Options{SegmentBytes: 32 << 10, SoftFree: -1, HardFree: -1, Ballast: -1})
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(samples)
	if err != nil || len(names) == 0 {
		return nil, errors.Join(fmt.Errorf("no documents at %s", samples), err, disk.Close())
	}
	var items []outbox.Item
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, errors.Join(err, disk.Close())
		}
		d, err := document.ParseJSON(text)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), disk.Close())
		}
		d.Key.Merchant, d.Key.Store = "", leeds.Store
		items = append(items, outbox.Item{Key: d.Key.String(), Record: intaketest.Pack(d)})
	}
	for n := range 60 {
		record := intaketest.Sale(leeds.Store, n, 100+n)
		record.RecipeVersion, record.StatesOrder = uint32(n%3), n%2 == 0
		items = append(items, outbox.Item{Key: fmt.Sprint("sale ", n), IdempotencyKey: fmt.Sprint("push ", n), Record: record})
	}
	items = append(items, outbox.Item{Record: &tillbookv1.Record{Raw: true, Document: []byte("not;a;sale"), Reason: "bad_amount: line 1"}})
	for i := 0; i < len(items); i += 7 {
		g := outbox.Group{Items: items[i:min(i+7, len(items))], State: map[string][]byte{"file/till-1": fmt.Append(nil, "read up to ", i)}}
		a, err := disk.Append(context.Background(), g)
		if err != nil {
			return nil, errors.Join(err, disk.Close())
		}
		for k, it := range g.Items {
			e.Records = append(e.Records, compat.Record{Number: a.Numbers[k], Hash: it.Record.Hash, IdempotencyKey: it.IdempotencyKey})
		}
	}
	digest, _, err := disk.Digest(disk.Next() - 1)
	e.Digest, e.State = digest[:], map[string]string{}
	for key, value := range disk.States("") {
		e.State[key] = string(value)
	}
	if err != nil {
		return nil, errors.Join(err, disk.Close())
	}
	return disk, nil
}

// send has an uplink send an outbox to an intake, and keeps what both say.
func send(disk *outbox.Outbox, c *compat.Corpus) error {
	store := intaketest.NewStore()
	log := slog.New(slog.DiscardHandler)
	service, err := intake.NewService(intake.Options{
		Store: store, Presence: &intaketest.Presence{}, Logger: log, Version: filepath.Base(c.Folder),
		Day: func(context.Context, fleet.Identity, *document.Document) (bizday.Day, error) {
			return "2026-03-02", nil
		},
		Allowed: func(context.Context, fleet.Identity) error { return nil },
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := &recorder{Line: line.Line{ID: leeds, Intake: func() *intake.Service { return service }}, corpus: c, last: uint64(len(c.Expected.Records)), done: cancel}
	u, err := uplink.New(uplink.Options{
		Outbox: disk, Carrier: r, Agent: leeds.Agent, Version: filepath.Base(c.Folder), Logger: log,
		Captured: func() (time.Time, uint64) { return time.Now(), disk.Next() - 1 },
		Limit:    func(time.Time) int { return 16 << 10 }, // for small batches
	})
	if err != nil {
		return err
	}
	if err := u.Run(ctx); err != nil {
		return err
	}
	if !r.whole {
		return errors.New("not everything was sent within a minute")
	}
	if err := judge(c, r.rejected); err != nil {
		return err
	}
	// What this session had no occasion for.
	c.Expected.Lost = 3
	epoch, after := c.Downs[1].GetWelcome().GetEpoch(), make([]byte, 32)
	after[0] = 1
	c.Ups = append(c.Ups, &tillbookv1.Up{Message: &tillbookv1.Up_Gap{Gap: &tillbookv1.Gap{
		Epoch: epoch, First: r.last + 1, Last: r.last + 3, Reason: "damaged", DigestAfter: after,
	}}})
	c.Downs = append(c.Downs,
		&tillbookv1.Down{Message: &tillbookv1.Down_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{ClockUs: time.Now().UnixMicro(), Version: filepath.Base(c.Folder)}}},
		&tillbookv1.Down{Message: &tillbookv1.Down_Refusal{Refusal: &tillbookv1.Refusal{Code: intake.RefusedBusy, Text: "later", Retry: true, AfterMs: 1000}}},
	)
	return nil
}

// judge notes what the collector made of each record.
func judge(c *compat.Corpus, rejected map[uint64]string) error {
	for i := range c.Expected.Records {
		r := &c.Expected.Records[i]
		r.Code = rejected[r.Number]
	}
	n := len(rejected)
	if n == 0 || n > 5 {
		return fmt.Errorf("%d records were rejected, want a few: %v", n, rejected)
	}
	return nil
}

// recorder is a carrier that keeps what goes over it.
type recorder struct {
	line.Line
	corpus *compat.Corpus
	last   uint64
	done   func()

	mu       sync.Mutex
	rejected map[uint64]string
	whole    bool
}

type recorded struct {
	uplink.Session
	r *recorder
}

// Dial implements uplink.Carrier.
func (r *recorder) Dial(ctx context.Context) (uplink.Session, error) {
	s, err := r.Line.Dial(ctx)
	return recorded{s, r}, err
}

func (s recorded) Send(m *tillbookv1.Up) error {
	s.r.mu.Lock()
	s.r.corpus.Ups = append(s.r.corpus.Ups, proto.CloneOf(m))
	s.r.mu.Unlock()
	return s.Session.Send(m)
}

func (s recorded) Recv() (*tillbookv1.Down, error) {
	m, err := s.Session.Recv()
	if err != nil {
		return m, err
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.corpus.Downs = append(s.r.corpus.Downs, proto.CloneOf(m))
	for _, rejected := range m.GetAck().GetRejected() {
		if s.r.rejected == nil {
			s.r.rejected = map[uint64]string{}
		}
		s.r.rejected[rejected.Number] = rejected.Code
	}
	if m.GetAck().GetStored() == s.r.last {
		s.r.whole = true
		s.r.done()
	}
	return m, nil
}

// enrol is what an agent is answered that joins.
func enrol() (*tillbookv1.EnrolResponse, error) {
	now := time.Now()
	authority, err := pki.NewAuthority(now)
	if err != nil {
		return nil, err
	}
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	request, err := pki.Request(key)
	if err != nil {
		return nil, err
	}
	leaf, err := authority.Agent(request, pki.Name{Merchant: leeds.Merchant, Store: leeds.Store, Agent: leeds.Agent}, now)
	return &tillbookv1.EnrolResponse{
		Agent: leeds.Agent, Merchant: leeds.Merchant, Store: leeds.Store, Chain: [][]byte{leaf}, Authorities: [][]byte{authority.Certificate()},
		Currency: "GBP", Zone: "Europe/London",
	}, err
}
