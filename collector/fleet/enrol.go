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
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/problem"
)

// CodeLife is how long a join code can be redeemed.
const CodeLife = 72 * time.Hour

// Limits on what a joining agent says of itself.
const (
	maxRequest = 4 << 10
	maxText    = 200
)

// Describe returns what an agent is told of the store it joins.
type Describe func(ctx context.Context, merchant, store string) (currency, zone string, err error)

// DefaultRecovery is how long after its certificate's end an agent may come back.
const DefaultRecovery = 90 * 24 * time.Hour

// Options are what an Enrolment needs.
type Options struct {
	Store    Store
	Ring     func() (*pki.Ring, error) // the authorities of the moment
	Describe Describe
	Logger   *slog.Logger
	Now      func() time.Time
	Recovery time.Duration // how long after its end a certificate may be recovered; default DefaultRecovery
}

// Enrolment gives agents their certificates: the first against a join code, the
// next against the one they have, also for a while after it has expired. It is
// the gRPC service Enrolment.
type Enrolment struct {
	tillbookv1.UnimplementedEnrolmentServer
	o               Options
	joins, recovers *rate.Limiter

	enrolled, renewed, recovered, refused, copies atomic.Uint64
}

// Stats counts since start.
type Stats struct {
	Enrolled, Renewed, Recovered uint64
	Refused                      uint64 // recoveries
	Copies                       uint64 // uses of a certificate that another had taken the place of
}

// NewEnrolment returns the service. All guesses at codes together are limited to
// five a second: at 50 bits a code cannot be found in the 72 hours it lives. So
// are recoveries, apart from them.
func NewEnrolment(o Options) *Enrolment {
	if o.Recovery <= 0 {
		o.Recovery = DefaultRecovery
	}
	return &Enrolment{o: o, joins: rate.NewLimiter(5, 20), recovers: rate.NewLimiter(5, 20)}
}

// Stats returns the counters.
func (e *Enrolment) Stats() Stats {
	return Stats{Enrolled: e.enrolled.Load(), Renewed: e.renewed.Load(), Recovered: e.recovered.Load(), Refused: e.refused.Load(), Copies: e.copies.Load()}
}

// NewJoin makes a join string for one agent of a store. Only a keyed hash of the
// code is kept.
func (e *Enrolment) NewJoin(ctx context.Context, merchant, store, host string) (pki.Join, error) {
	if _, _, err := e.o.Describe(ctx, merchant, store); err != nil {
		return pki.Join{}, err
	}
	ring, err := e.o.Ring()
	if err != nil {
		return pki.Join{}, err
	}
	code, err := pki.NewCode()
	if err != nil {
		return pki.Join{}, err
	}
	hash, err := hash(ring.Active(), code)
	if err != nil {
		return pki.Join{}, err
	}
	pin := ring.Active().Pin()
	if err := e.o.Store.AddCode(ctx, Code{Hash: hash, Merchant: merchant, Store: store, Authority: pin, ExpiresAt: e.o.Now().Add(CodeLife)}); err != nil {
		return pki.Join{}, fmt.Errorf("store join code: %w", err)
	}
	return pki.Join{Code: code, Host: host, Pin: pin}, nil
}

// Enrol redeems a join code and signs the agent's first certificate.
func (e *Enrolment) Enrol(ctx context.Context, r *tillbookv1.EnrolRequest) (*tillbookv1.EnrolResponse, error) {
	if !e.joins.Allow() {
		return nil, status.Error(codes.ResourceExhausted, "too many enrolments at once; try again in a minute")
	}
	if len(r.GetCsr()) > maxRequest || len(r.GetHost()) > maxText || len(r.GetVersion()) > maxText {
		return nil, status.Error(codes.InvalidArgument, "enrolment request is too large")
	}
	// The request is checked before the code is used up.
	if _, err := pki.CheckRequest(r.GetCsr()); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if _, err := pki.CleanCode(r.GetCode()); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	ring, err := e.o.Ring()
	if err != nil {
		return nil, err
	}
	identity, err := e.redeem(ctx, ring, r)
	if errors.Is(err, ErrCode) {
		return nil, refused("join_code", "make a new one with `tillbook-collector join-code`")
	}
	if err != nil {
		return nil, fmt.Errorf("redeem join code: %w", err)
	}
	e.enrolled.Add(1)
	e.o.Logger.InfoContext(ctx, "agent enrolled", "merchant", identity.Merchant, "store", identity.Store, "agent", identity.Agent)
	return e.certify(ctx, ring, identity, nil, r.GetCsr())
}

// redeem tries the code with each authority: it was hashed with the one that its
// join string pins.
func (e *Enrolment) redeem(ctx context.Context, ring *pki.Ring, r *tillbookv1.EnrolRequest) (identity Identity, err error) {
	agent, err := newAgentID()
	if err != nil {
		return Identity{}, err
	}
	for _, authority := range ring.All() {
		hash, err := hash(authority, r.GetCode())
		if err != nil {
			return Identity{}, err
		}
		identity, err := e.o.Store.Redeem(ctx, hash, agent, r.GetHost(), r.GetVersion(), e.o.Now())
		if !errors.Is(err, ErrCode) {
			return identity, err
		}
	}
	return Identity{}, ErrCode
}

// Renew signs the next certificate of the agent that asks with its present one.
func (e *Enrolment) Renew(ctx context.Context, r *tillbookv1.RenewRequest) (*tillbookv1.EnrolResponse, error) {
	certificate, err := peerCertificate(ctx)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	identity, err := Identify(certificate)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	if len(r.GetCsr()) > maxRequest {
		return nil, status.Error(codes.InvalidArgument, "renewal request is too large")
	}
	ring, err := e.o.Ring()
	if err != nil {
		return nil, err
	}
	return e.certify(ctx, ring, identity, certificate, r.GetCsr())
}

// Recover signs the next certificate of an agent whose present one has expired,
// and which proves that it holds its key. It needs no certificate on the
// connection.
func (e *Enrolment) Recover(ctx context.Context, r *tillbookv1.RecoverRequest) (*tillbookv1.EnrolResponse, error) {
	if !e.recovers.Allow() {
		e.refused.Add(1)
		return nil, status.Error(codes.ResourceExhausted, "too many recoveries at once; try again in a minute")
	}
	if len(r.GetCsr()) > maxRequest || len(r.GetCertificate()) > maxRequest || len(r.GetProof()) > maxRequest {
		return nil, status.Error(codes.InvalidArgument, "recovery request is too large")
	}
	ring, err := e.o.Ring()
	if err != nil {
		return nil, err
	}
	certificate, err := ring.CheckProof(r.GetCertificate(), r.GetCsr(), r.GetProof())
	var identity Identity
	if err == nil {
		identity, err = Identify(certificate)
	}
	if err != nil {
		e.refused.Add(1)
		e.o.Logger.WarnContext(ctx, "recovery refused", "reason", err)
		return nil, refused("certificate_refused", err.Error())
	}
	log := e.o.Logger.With("merchant", identity.Merchant, "store", identity.Store, "agent", identity.Agent, "expired", certificate.NotAfter)
	if over := e.o.Now().Sub(certificate.NotAfter); over > e.o.Recovery {
		e.refused.Add(1)
		log.WarnContext(ctx, "recovery refused", "reason", "expired too long ago")
		return nil, refused("recovery_over", fmt.Sprintf("the certificate expired on %s, %s ago; recovery ends after %s",
			certificate.NotAfter.UTC().Format(time.DateOnly), days(over), days(e.o.Recovery)))
	}
	answer, err := e.certify(ctx, ring, identity, certificate, r.GetCsr())
	if err != nil {
		e.refused.Add(1)
		log.WarnContext(ctx, "recovery refused", "reason", err)
	}
	return answer, err
}

func days(d time.Duration) string { return fmt.Sprintf("%d days", int(d.Hours()/24)) }

// certify signs a certificate for the request, if the store's verdict allows it.
// by is the certificate that was asked with; nil at enrolment.
func (e *Enrolment) certify(ctx context.Context, ring *pki.Ring, identity Identity, by *x509.Certificate, csr []byte) (*tillbookv1.EnrolResponse, error) {
	key, err := pki.CheckRequest(csr)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	now := e.o.Now().UTC().Truncate(time.Second)
	ask := Ask{Next: Certificate{Key: key, Issuer: ring.Active().Pin(), IssuedAt: now, ExpiresAt: now.Add(pki.AgentLife)}, At: now}
	if by != nil {
		ask.By = Certificate{Key: pki.KeyOf(by), Issuer: ring.IssuerOf(by), IssuedAt: pki.IssuedAt(by), ExpiresAt: by.NotAfter}
	}
	// Noted before it is signed: the answer may be lost, and is asked for again.
	verdict, err := e.o.Store.Certify(ctx, identity, ask)
	if errors.Is(err, ErrUnknown) {
		return nil, refused("revoked", "the collector does not know this agent")
	}
	if err != nil {
		return nil, fmt.Errorf("certify agent %s: %w", identity.Agent, err)
	}
	log := e.o.Logger.With("merchant", identity.Merchant, "store", identity.Store, "agent", identity.Agent)
	switch verdict {
	case Denied:
		return nil, refused("revoked", "the agent was revoked")
	case Undecided:
		return nil, status.Error(codes.Unavailable, ErrDoubted.Error())
	case CopyDenied:
		e.copies.Add(1)
		log.WarnContext(ctx, "certificate refused to a copy of an agent")
		return nil, refused("identity_copied", "this certificate was renewed or recovered before, by another copy of this agent")
	case CopyGiven:
		e.copies.Add(1)
		log.WarnContext(ctx, "certificate given to a copy of an agent")
	case Recovered:
		e.recovered.Add(1)
		log.WarnContext(ctx, "agent recovered with an expired certificate", "expired", by.NotAfter)
	}
	if by != nil {
		e.renewed.Add(1)
	}
	leaf, err := ring.Active().Agent(csr, pki.Name(identity), now)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	currency, zone, err := e.o.Describe(ctx, identity.Merchant, identity.Store)
	if err != nil {
		return nil, fmt.Errorf("describe store %s: %w", identity.Store, err)
	}
	return &tillbookv1.EnrolResponse{
		Agent: identity.Agent, Merchant: identity.Merchant, Store: identity.Store,
		Chain: [][]byte{leaf}, Authorities: ring.Certificates(), Currency: currency, Zone: zone,
	}, nil
}

// refused is a refusal for good; the text begins with the code's title, by which
// the agent knows it.
func refused(code, detail string) error {
	return status.Error(codes.PermissionDenied, problem.New(code, detail).Error())
}

// hash returns under what a code is kept.
func hash(authority *pki.Authority, code string) ([32]byte, error) {
	clean, err := pki.CleanCode(code)
	if err != nil {
		return [32]byte{}, err
	}
	secret, err := authority.Secret("join codes")
	if err != nil {
		return [32]byte{}, err
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(clean))
	return [32]byte(mac.Sum(nil)), nil
}

// Identify returns for whom a verified certificate speaks.
func Identify(certificate *x509.Certificate) (Identity, error) {
	name, err := pki.NameOf(certificate)
	return Identity(name), err
}

// peerCertificate returns the certificate of a gRPC call's connection. The
// server has verified it.
func peerCertificate(ctx context.Context) (*x509.Certificate, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, errors.New("no connection")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil, errors.New("no agent certificate: enrol first")
	}
	return info.State.VerifiedChains[0][0], nil
}

// Allowed returns nil if the agent may speak, ErrRevoked or ErrUnknown if not, and
// ErrDoubted if not yet.
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
	if !agent.DoubtedAt.IsZero() {
		return ErrDoubted
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
