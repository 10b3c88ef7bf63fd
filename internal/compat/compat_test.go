package compat_test

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	"tillbook.example/tillbook/internal/compat"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/pki"
)

// each runs a test for the folder of each release.
func each(t *testing.T, run func(t *testing.T, c *compat.Corpus)) {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join("testdata", "*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no release at all: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			c, err := compat.Read(folder)
			if err != nil {
				t.Fatal(err)
			}
			run(t, c)
		})
	}
}

// TestEveryFieldOfEveryReleaseIsKnown fails where a message has a field that this
// version has dropped or given another type.
func TestEveryFieldOfEveryReleaseIsKnown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *compat.Corpus) {
		var known func(m protoreflect.Message)
		known = func(m protoreflect.Message) {
			if n := len(m.GetUnknown()); n > 0 {
				t.Errorf("%s has %d bytes of fields that are not known", m.Descriptor().FullName(), n)
			}
			m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
				switch {
				case f.Message() == nil:
				case f.IsList():
					for i := range v.List().Len() {
						known(v.List().Get(i).Message())
					}
				default:
					known(v.Message())
				}
				return true
			})
		}
		kinds := map[protoreflect.Name]bool{}
		note := func(m protoreflect.Message) {
			known(m)
			m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool { kinds[f.Name()] = true; return true })
		}
		for _, m := range c.Ups {
			note(m.ProtoReflect())
		}
		for _, m := range c.Downs {
			note(m.ProtoReflect())
		}
		note(c.Enrolled.ProtoReflect())
		for _, kind := range []protoreflect.Name{"hello", "batch", "heartbeat", "gap", "welcome", "ack", "new_epoch", "refusal", "chain"} {
			if !kinds[kind] {
				t.Errorf("there is no %s", kind)
			}
		}
	})
}

func TestALogOfEveryReleaseOpensWithAllThatWasInIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *compat.Corpus) {
		disk := open(t, c)
		if disk.Next() != uint64(len(c.Expected.Records))+1 || len(disk.Gaps()) > 0 || disk.Stats().Damaged > 0 {
			t.Fatalf("next %d, gaps %v, %+v", disk.Next(), disk.Gaps(), disk.Stats())
		}
		got, err := disk.Read(1, len(c.Expected.Records), 1<<20)
		if err != nil || len(got) != len(c.Expected.Records) {
			t.Fatalf("%d records, %v", len(got), err)
		}
		for i, want := range c.Expected.Records {
			var r tillbookv1.Record
			if err := proto.Unmarshal(got[i].Bytes, &r); err != nil || got[i].Number != want.Number || r.Capture != want.Number || string(r.Hash) != string(want.Hash) {
				t.Errorf("record %d is number %d, captured as %d with hash %x: %v", want.Number, got[i].Number, r.Capture, r.Hash, err)
			}
			if want.IdempotencyKey == "" {
				continue
			}
			r.Capture = 0
			a, err := disk.Append(t.Context(), outbox.Group{Items: []outbox.Item{{IdempotencyKey: want.IdempotencyKey, Record: &r}}})
			if err != nil || !a.Duplicate[0] || a.Numbers[0] != want.Number {
				t.Errorf("pushed again, record %d is %+v, %v", want.Number, a, err)
			}
		}
		if digest := got[len(got)-1].Digest; string(digest[:]) != string(c.Expected.Digest) {
			t.Errorf("the chain ends in %x", digest)
		}
		state := map[string]string{}
		for key, value := range disk.States("") {
			state[key] = string(value)
		}
		if !maps.Equal(state, c.Expected.State) {
			t.Errorf("state %v, want %v", state, c.Expected.State)
		}
	})
}

// open opens a copy of a release's outbox.
func open(t *testing.T, c *compat.Corpus) *outbox.Outbox {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(c.Outbox())); err != nil {
		t.Fatal(err)
	}
	disk, err := outbox.Open(dir, outbox.Options{SegmentBytes: 64 << 10, SoftFree: -1, HardFree: -1, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	})
	return disk
}

// agent is the agent of a release: it says what it said then, in the epoch that
// it is given now.
type agent struct {
	ups   chan *tillbookv1.Up
	downs chan *tillbookv1.Down
}

func (a agent) Recv() (*tillbookv1.Up, error) {
	m, ok := <-a.ups
	if !ok {
		return nil, io.EOF
	}
	return m, nil
}

func (a agent) Send(m *tillbookv1.Down) error {
	a.downs <- m
	return nil
}

// TestTheSessionOfEveryReleasesAgentIsTakenIn says to a collector what each
// release's agent said, batches in order and backwards.
func TestTheSessionOfEveryReleasesAgentIsTakenIn(t *testing.T) {
	t.Parallel()
	for _, backwards := range []bool{false, true} {
		each(t, func(t *testing.T, c *compat.Corpus) { session(t, c, backwards) })
	}
}

func session(t *testing.T, c *compat.Corpus, backwards bool) {
	id := fleet.Identity{Merchant: c.Expected.Merchant, Store: c.Expected.Store, Agent: c.Expected.Agent}
	store := intaketest.NewStore()
	service, err := intake.NewService(intake.Options{
		Store: store, Presence: &intaketest.Presence{}, Logger: slog.New(slog.DiscardHandler),
		Day: func(context.Context, fleet.Identity, *document.Document) (bizday.Day, error) {
			return "2026-03-02", nil
		},
		Allowed: func(context.Context, fleet.Identity) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	a := agent{make(chan *tillbookv1.Up), make(chan *tillbookv1.Down, 100)}
	ended := make(chan error, 1)
	go func() { ended <- service.Serve(t.Context(), id, a) }()
	defer func() {
		close(a.ups)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	hear := func() *tillbookv1.Down {
		t.Helper()
		select {
		case m := <-a.downs:
			return m
		case <-time.After(time.Minute):
			t.Fatal("no answer")
			return nil
		}
	}
	var epoch, incarnation []byte
	var said []*tillbookv1.Up // batches and gap
	for _, up := range c.Ups {
		switch up := proto.CloneOf(up); {
		case up.GetHello() != nil && epoch == nil:
			a.ups <- up
			offered := hear().GetNewEpoch()
			epoch, incarnation = offered.GetEpoch().GetId(), offered.GetIncarnation()
		case up.GetHello() != nil:
			up.GetHello().Epoch.Id, up.GetHello().Incarnation = epoch, incarnation
			a.ups <- up
			if m := hear(); m.GetWelcome() == nil {
				t.Fatalf("heard %v, want a welcome", m)
			}
		case up.GetBatch() != nil:
			up.GetBatch().Epoch = epoch
			said = append(said, up)
		case up.GetGap() != nil:
			up.GetGap().Epoch = epoch
			said = append(said, up)
		default:
			a.ups <- up
		}
	}
	if backwards {
		slices.Reverse(said)
	}
	rejected := map[uint64]string{}
	var stored uint64
	for _, up := range said {
		a.ups <- up
		ack := hear().GetAck()
		if ack == nil {
			t.Fatal("heard no acknowledgement")
		}
		stored = ack.Stored
		for _, r := range ack.Rejected {
			rejected[r.Number] = r.Code
		}
	}
	if want := uint64(len(c.Expected.Records)) + c.Expected.Lost; stored != want {
		t.Errorf("%d are stored, want %d", stored, want)
	}
	hashes := map[string]bool{}
	for effect := range store.Effects() {
		hashes[hex.EncodeToString(effect.Hash[:])] = true
	}
	for _, r := range c.Expected.Records {
		if rejected[r.Number] != r.Code || r.Code == "" && !hashes[hex.EncodeToString(r.Hash)] {
			t.Errorf("record %d: rejected as %q, want %q; stored %t", r.Number, rejected[r.Number], r.Code, hashes[hex.EncodeToString(r.Hash)])
		}
	}
}

// collector is the collector of a release: it answers what it answered then.
type collector struct {
	downs []*tillbookv1.Down
	calls int
}

func (c *collector) Dial(context.Context) (uplink.Session, error) {
	if c.calls++; c.calls > 1 {
		return nil, errors.New("once is enough")
	}
	s := &answers{in: make(chan *tillbookv1.Down, len(c.downs)+1), left: c.downs, closed: make(chan struct{})}
	return s, nil
}

type answers struct {
	in     chan *tillbookv1.Down
	left   []*tillbookv1.Down
	hellos int
	closed chan struct{}
}

// Send answers the first Hello with a new epoch and the second with all the rest.
func (s *answers) Send(m *tillbookv1.Up) error {
	if m.GetHello() == nil {
		return nil
	}
	n := len(s.left)
	if s.hellos++; s.hellos == 1 {
		n = 1
	}
	for _, down := range s.left[:n] {
		s.in <- down
	}
	s.left = s.left[n:]
	return nil
}

func (s *answers) Recv() (*tillbookv1.Down, error) {
	select {
	case m := <-s.in:
		return m, nil
	case <-s.closed:
		return nil, io.EOF
	}
}

func (s *answers) Close() {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
}

func TestTheAnswersOfEveryReleasesCollectorAreTaken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *compat.Corpus) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		u, err := uplink.New(uplink.Options{
			Outbox: open(t, c), Carrier: &collector{downs: c.Downs}, Agent: c.Expected.Agent,
			Logger: slog.New(refusals{slog.DiscardHandler, cancel}), MinWait: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Run(ctx); err != nil { // until the refusal at the end, which is logged
			t.Fatal(err)
		}
		s := u.Status()
		rejected := 0
		for _, r := range c.Expected.Records {
			if r.Code != "" {
				rejected++
			}
		}
		if s.Unsent != 0 || s.Stored != uint64(len(c.Expected.Records)) || s.Rejected != uint64(rejected) || s.Refusal != intake.RefusedBusy {
			t.Errorf("%+v", s)
		}
	})
}

// refusals ends a run with the first session.
type refusals struct {
	slog.Handler
	end func()
}

func (refusals) Enabled(context.Context, slog.Level) bool { return true }

func (r refusals) Handle(_ context.Context, record slog.Record) error {
	if record.Message == "uplink: session ended" {
		r.end()
	}
	return nil
}

func TestAnEnrolmentOfEveryReleaseNamesItsAgent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *compat.Corpus) {
		leaf, err := x509.ParseCertificate(c.Enrolled.GetChain()[0])
		if err != nil {
			t.Fatal(err)
		}
		name, err := pki.NameOf(leaf)
		if want := (pki.Name{Merchant: c.Expected.Merchant, Store: c.Expected.Store, Agent: c.Expected.Agent}); err != nil || name != want {
			t.Errorf("the certificate names %v, %v; want %v", name, err, want)
		}
		roots := x509.NewCertPool()
		for _, der := range c.Enrolled.GetAuthorities() {
			authority, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			roots.AddCert(authority)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: leaf.NotBefore.Add(time.Hour), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Error(err)
		}
		if c.Enrolled.GetAgent() != c.Expected.Agent || c.Enrolled.GetCurrency() != "GBP" || c.Enrolled.GetZone() != "Europe/London" {
			t.Errorf("%v", c.Enrolled)
		}
	})
}
