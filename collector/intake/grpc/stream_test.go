package grpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	google "google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/wire"
)

var leeds = fleet.Identity{Merchant: "acme", Store: "Leeds", Agent: "a1"}

// epoch is known to the collector before anything is sent.
var epoch = [16]byte([]byte("epoch one-------"))

// script is a stream whose messages are the length-delimited ones of a text.
type script struct {
	google.ServerStream
	ctx  context.Context
	text []byte
	said []*tillbookv1.Down
}

func (s *script) Context() context.Context { return s.ctx }

func (s *script) Send(m *tillbookv1.Down) error {
	s.said = append(s.said, m)
	return nil
}

func (s *script) Recv() (*tillbookv1.Up, error) {
	body, n := protowire.ConsumeBytes(s.text)
	if n < 0 {
		return nil, io.EOF
	}
	s.text = s.text[n:]
	m := &tillbookv1.Up{}
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, err
	}
	return m, nil
}

// messages is what script reads.
func messages(t testing.TB, all ...*tillbookv1.Up) []byte {
	t.Helper()
	var text []byte
	for _, m := range all {
		body, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		text = protowire.AppendBytes(text, body)
	}
	return text
}

// batch is one that an agent sends of n sales from the epoch's begin on.
func batch(t testing.TB, n int) *tillbookv1.Up {
	t.Helper()
	b := &tillbookv1.Batch{Agent: leeds.Agent, Epoch: epoch[:], Lane: tillbookv1.Lane_LANE_DOCUMENTS, First: 1}
	var records [][]byte
	var digest [32]byte
	b.DigestBefore = make([]byte, 32)
	for i := range n {
		record := intaketest.Sale(leeds.Store, i, 100+i)
		record.Capture = uint64(i + 1)
		text, err := proto.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		records, digest = append(records, text), wire.Next(digest, text)
	}
	var packer wire.Packer
	if err := packer.Pack(b, records); err != nil {
		t.Fatal(err)
	}
	b.DigestAfter = digest[:]
	return &tillbookv1.Up{Message: &tillbookv1.Up_Batch{Batch: b}}
}

func greeting(next uint64) *tillbookv1.Up {
	return &tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{
		Protocol: wire.Protocol, Agent: leeds.Agent, Epoch: &tillbookv1.Epoch{Id: epoch[:]}, Next: next, Digest: make([]byte, 32),
	}}}
}

// hold plays a text to a server and returns what it said and what it stores.
func hold(t *testing.T, text []byte) ([]*tillbookv1.Down, *intaketest.Store) {
	t.Helper()
	store := intaketest.NewStore()
	if _, err := store.Issue(t.Context(), leeds, epoch, [32]byte{}, "a test", time.Now()); err != nil {
		t.Fatal(err)
	}
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
	server := New(service, func(*x509.Certificate) (fleet.Identity, error) { return leeds, nil })
	with := credentials.TLSInfo{State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}}
	ctx, cancel := context.WithCancel(peer.NewContext(context.Background(), &peer.Peer{AuthInfo: with}))
	defer cancel()
	s := &script{ctx: ctx, text: text}
	_ = server.Stream(s) // whatever it says of the stream, what counts is what is stored
	return s.said, store
}

func acknowledged(said []*tillbookv1.Down) (acks int, stored uint64) {
	for _, m := range said {
		if a := m.GetAck(); a != nil {
			acks++
			stored = max(stored, a.Stored)
		}
	}
	return acks, stored
}

func TestAStreamOfAnAgentIsStoredAndAcknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gap := &tillbookv1.Up{Message: &tillbookv1.Up_Gap{Gap: &tillbookv1.Gap{Epoch: epoch[:], First: 4, Last: 5, DigestAfter: make([]byte, 32)}}}
		said, store := hold(t, messages(t, greeting(6), batch(t, 3), gap))
		if acks, stored := acknowledged(said); acks != 2 || stored != 5 || len(store.Effects()) != 3 {
			t.Errorf("%d acknowledgements up to %d, %d sales stored; want 2, 5 and 3: %v", acks, stored, len(store.Effects()), said)
		}
	})
}

// FuzzStream has a server hear anything: nothing panics, nothing has two effects,
// and nothing is acknowledged that is not stored.
func FuzzStream(f *testing.F) {
	beat := &tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{Work: "ok", Captured: &tillbookv1.Watermark{TimeUs: 1, Number: 1}}}}
	gap := &tillbookv1.Up{Message: &tillbookv1.Up_Gap{Gap: &tillbookv1.Gap{Epoch: epoch[:], First: 1, Last: 2, Reason: "lost", DigestAfter: make([]byte, 32)}}}
	f.Add(messages(f, greeting(4), batch(f, 3), beat))
	f.Add(messages(f, greeting(4), batch(f, 3), batch(f, 3)))
	f.Add(messages(f, greeting(9), gap, batch(f, 3)))
	f.Add(messages(f, greeting(1), greeting(1), beat))
	f.Add(messages(f, batch(f, 1)))
	f.Add([]byte{3, 1, 2})
	f.Fuzz(func(t *testing.T, text []byte) {
		synctest.Test(t, func(t *testing.T) {
			said, store := hold(t, text)
			for e, times := range store.Effects() {
				if times != 1 {
					t.Errorf("%s had %d effects", e.Key, times)
				}
			}
			at, err := store.Position(t.Context(), leeds, epoch)
			if err != nil {
				t.Fatal(err)
			}
			if _, stored := acknowledged(said); stored > at.Stored {
				t.Errorf("acknowledged up to %d, stored are %d", stored, at.Stored)
			}
		})
	})
}
