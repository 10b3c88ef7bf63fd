// Package grpc lets agents speak to intake over gRPC streams with mutual TLS.
//
// Whom a stream speaks for comes from the verified certificate of its
// connection and from nothing that is sent over it. The package accepts and
// closes streams; what is said on them is intake's business.
package grpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"time"

	google "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// Identify reads for whom a verified certificate speaks.
type Identify func(*x509.Certificate) (fleet.Identity, error)

// Limits of what a client may ask of the server.
const (
	MaxReceive = 5 << 20 // bytes of one message: a batch and its envelope
	maxStreams = 16      // of one connection
)

// Server is the Collector service.
type Server struct {
	tillbookv1.UnimplementedCollectorServer
	intake   *intake.Service
	identify Identify
}

// New returns the service; register it with
// tillbookv1.RegisterCollectorServer.
func New(service *intake.Service, identify Identify) *Server {
	return &Server{intake: service, identify: identify}
}

// ServerOptions are those that a server of agents should run with. config is to
// ask for client certificates and verify those that are given
// (tls.VerifyClientCertIfGiven, where enrolment is served beside).
func ServerOptions(config *tls.Config) []google.ServerOption {
	return []google.ServerOption{
		google.Creds(credentials.NewTLS(config)),
		google.MaxRecvMsgSize(MaxReceive),
		google.MaxConcurrentStreams(maxStreams),
		google.ConnectionTimeout(20 * time.Second),
		google.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 15 * time.Second, PermitWithoutStream: true}),
		google.KeepaliveParams(keepalive.ServerParameters{
			Time: time.Minute, Timeout: 20 * time.Second,
			// So that agents spread again over the collectors; they go on from the watermark.
			MaxConnectionAge: 30 * time.Minute, MaxConnectionAgeGrace: 30 * time.Second,
		}),
	}
}

// Stream implements the Collector service.
func (s *Server) Stream(stream google.BidiStreamingServer[tillbookv1.Up, tillbookv1.Down]) error {
	id, err := s.peer(stream.Context())
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	if err := s.intake.Serve(stream.Context(), id, stream); err != nil && !errors.Is(err, io.EOF) {
		return status.Error(codes.Aborted, "the session ended; the last message says why")
	}
	return nil
}

func (s *Server) peer(ctx context.Context) (fleet.Identity, error) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return fleet.Identity{}, errors.New("no peer")
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 || len(info.State.VerifiedChains[0]) == 0 {
		return fleet.Identity{}, errors.New("an agent's certificate is needed: enrol the agent")
	}
	return s.identify(info.State.VerifiedChains[0][0])
}
