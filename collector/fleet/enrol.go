package fleet

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// CodeLife is how long a join code can be redeemed.
const CodeLife = 72 * time.Hour

// Limits on what a joining agent says of itself.
const (
	maxRequest = 4 << 10
	maxText    = 200
)

// Enrolment gives agents their certificates: the first against a join code, the
// next against the one they have. It is the gRPC service Enrolment.
type Enrolment struct {
	tillbookv1.UnimplementedEnrolmentServer
	store     Store
	authority *pki.Authority
	secret    []byte
	describe  Describe
	log       *slog.Logger
	now       func() time.Time
	limit     *rate.Limiter
}

// Describe returns what an agent is told of the store it joins.
type Describe func(ctx context.Context, merchant, store string) (currency, zone string, err error)

// NewEnrolment returns the service. All guesses together are limited to five a
// second: at 50 bits a code cannot be found in the 72 hours it lives.
func NewEnrolment(store Store, authority *pki.Authority, describe Describe, log *slog.Logger, now func() time.Time) (*Enrolment, error) {
	secret, err := authority.Secret("join codes")
	if err != nil {
		return nil, err
	}
	return &Enrolment{store: store, authority: authority, secret: secret, describe: describe, log: log, now: now, limit: rate.NewLimiter(5, 20)}, nil
}

// NewJoin makes a join string for one agent of a store. Only a keyed hash of the
// code is kept.
func (e *Enrolment) NewJoin(ctx context.Context, merchant, store, host string) (pki.Join, error) {
	if _, _, err := e.describe(ctx, merchant, store); err != nil {
		return pki.Join{}, err
	}
	code, err := pki.NewCode()
	if err != nil {
		return pki.Join{}, err
	}
	hash, err := e.hash(code)
	if err != nil {
		return pki.Join{}, err
	}
	if err := e.store.AddCode(ctx, Code{Hash: hash, Merchant: merchant, Store: store, ExpiresAt: e.now().Add(CodeLife)}); err != nil {
		return pki.Join{}, fmt.Errorf("store join code: %w", err)
	}
	return pki.Join{Code: code, Host: host, Pin: e.authority.Pin()}, nil
}

// Enrol redeems a join code and signs the agent's first certificate.
func (e *Enrolment) Enrol(ctx context.Context, r *tillbookv1.EnrolRequest) (*tillbookv1.EnrolResponse, error) {
	if !e.limit.Allow() {
		return nil, status.Error(codes.ResourceExhausted, "too many enrolments at once; try again in a minute")
	}
	if len(r.GetCsr()) > maxRequest || len(r.GetHost()) > maxText || len(r.GetVersion()) > maxText {
		return nil, status.Error(codes.InvalidArgument, "enrolment request is too large")
	}
	hash, err := e.hash(r.GetCode())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	// The request is checked before the code is used up.
	if _, err := e.authority.Agent(r.GetCsr(), pki.Name{Merchant: "check", Store: "check", Agent: "check"}, e.now()); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	agent, err := newAgentID()
	if err != nil {
		return nil, err
	}
	identity, err := e.store.Redeem(ctx, hash, agent, r.GetHost(), r.GetVersion(), e.now())
	if errors.Is(err, ErrCode) {
		return nil, status.Error(codes.PermissionDenied, "the join code is unknown, used or expired; make a new one with `tillbook-collector join-code`")
	}
	if err != nil {
		return nil, fmt.Errorf("redeem join code: %w", err)
	}
	e.log.InfoContext(ctx, "agent enrolled", "merchant", identity.Merchant, "store", identity.Store, "agent", identity.Agent)
	return e.answer(ctx, identity, r.GetCsr())
}

// Renew signs the next certificate of the agent that asks with its present one.
func (e *Enrolment) Renew(ctx context.Context, r *tillbookv1.RenewRequest) (*tillbookv1.EnrolResponse, error) {
	identity, err := Peer(ctx)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	if len(r.GetCsr()) > maxRequest {
		return nil, status.Error(codes.InvalidArgument, "renewal request is too large")
	}
	if err := Allowed(ctx, e.store, identity); err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	return e.answer(ctx, identity, r.GetCsr())
}

func (e *Enrolment) answer(ctx context.Context, identity Identity, csr []byte) (*tillbookv1.EnrolResponse, error) {
	leaf, err := e.authority.Agent(csr, pki.Name(identity), e.now())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	currency, zone, err := e.describe(ctx, identity.Merchant, identity.Store)
	if err != nil {
		return nil, fmt.Errorf("describe store %s: %w", identity.Store, err)
	}
	return &tillbookv1.EnrolResponse{
		Agent: identity.Agent, Merchant: identity.Merchant, Store: identity.Store,
		Chain: [][]byte{leaf}, Authorities: [][]byte{e.authority.Certificate()}, Currency: currency, Zone: zone,
	}, nil
}

func (e *Enrolment) hash(code string) ([32]byte, error) {
	clean, err := pki.CleanCode(code)
	if err != nil {
		return [32]byte{}, err
	}
	mac := hmac.New(sha256.New, e.secret)
	mac.Write([]byte(clean))
	return [32]byte(mac.Sum(nil)), nil
}

// Identify returns for whom a verified certificate speaks.
func Identify(certificate *x509.Certificate) (Identity, error) {
	name, err := pki.NameOf(certificate)
	return Identity(name), err
}

// Peer returns for whom the connection of a gRPC call speaks. The server has
// verified the certificate.
func Peer(ctx context.Context) (Identity, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Identity{}, errors.New("no connection")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return Identity{}, errors.New("no agent certificate: enrol first")
	}
	return Identify(info.State.VerifiedChains[0][0])
}

// Allowed returns nil if the agent may speak, ErrRevoked or ErrUnknown if not.
func Allowed(ctx context.Context, store Store, identity Identity) error {
	agent, err := store.Agent(ctx, identity.Merchant, identity.Agent)
	if err != nil {
		return err
	}
	if agent.Identity != identity {
		return fmt.Errorf("%w: its certificate names another store", ErrUnknown)
	}
	if !agent.RevokedAt.IsZero() {
		return ErrRevoked
	}
	return nil
}

func newAgentID() (string, error) {
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return "", fmt.Errorf("make agent id: %w", err)
	}
	return hex.EncodeToString(id), nil
}
