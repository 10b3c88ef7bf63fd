// Package oauth keeps access to one connection's books: it renews the token
// before it expires, and lets exactly one renew it at a time, since a refresh
// token can be used once.
//
// A renewed token is stored before it is used: whoever crashes after that finds
// it again. The protocol itself is golang.org/x/oauth2's. Where tokens lie, and
// how they are sealed there, is the business of whoever implements Tokens.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"tillbook.example/tillbook/collector/target"
)

// Token is what lets us in.
type Token struct {
	Access  string
	Refresh string
	Expiry  time.Time // of Access
	Until   time.Time // of Refresh, if it is not renewed before; zero: not said
	// Ended says why the refresh token is of no use any more; empty while it is.
	Ended   string
	Version int64 // rises with each Save
}

var (
	// ErrClaimed: somebody else is renewing the token, or has done so.
	ErrClaimed = errors.New("token is being renewed by another")
	// ErrNone: no token is kept for the connection.
	ErrNone = errors.New("no token: the books were never connected")
)

// Tokens keeps the tokens of connections. Each method is one transaction, also
// among several processes.
type Tokens interface {
	// Load returns the token of a connection, or ErrNone.
	Load(ctx context.Context, connection string) (Token, error)
	// Claim makes the caller the only one to renew the token until a moment. It
	// fails with ErrClaimed if the token is not at the version any more, or if a
	// claim has not run out at now. Tokens that several machines share go by their
	// own clock and take only the time between both from the caller's.
	Claim(ctx context.Context, connection string, version int64, now, until time.Time) error
	// Release ends a claim on a version without a new token.
	Release(ctx context.Context, connection string, version int64) error
	// Save stores a token with the version after the given one and ends the claim;
	// ErrClaimed if the token is not at the version any more. Version 0 stores the
	// first token of a connection, or one that replaces what is there.
	Save(ctx context.Context, connection string, version int64, t Token) error
}

const (
	// margin is how long before it expires a token is renewed.
	margin = 2 * time.Minute
	// claimed is how long one may take to renew.
	claimed = 90 * time.Second
	// glance is how often one who waits looks whether another has renewed.
	glance = 20 * time.Millisecond
)

// Source gives the access token of one connection. Its methods may be called at
// the same time; any number of Sources, in any number of processes, may share
// the Tokens.
type Source struct {
	connection string
	tokens     Tokens
	config     oauth2.Config
	http       *http.Client
	now        func() time.Time

	turn    chan struct{} // held by the one of this process who looks and renews
	held    Token
	refused string // an access token that was not let in
	unsaved *Token // renewed, but not stored yet
}

// Options say whose access a Source gives.
type Options struct {
	Connection string // merchant and connection
	Tokens     Tokens
	Config     oauth2.Config
	HTTP       *http.Client // nil: http.DefaultClient
	Now        func() time.Time
}

// NewSource returns the source of a connection.
func NewSource(o Options) *Source {
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	return &Source{connection: o.Connection, tokens: o.Tokens, config: o.Config, http: o.HTTP, now: o.Now, turn: make(chan struct{}, 1)}
}

// Connect exchanges the code that an authorisation ended with, and stores the
// token. Nothing is stored unless admit, if it is given, takes what the access
// token opens.
func (s *Source) Connect(ctx context.Context, code string, admit ...func(ctx context.Context, access string) error) error {
	asked := s.now()
	t, err := s.config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, s.http), code)
	if err != nil {
		return fmt.Errorf("connect %s: %w", s.connection, err)
	}
	for _, takes := range admit {
		if err := takes(ctx, t.AccessToken); err != nil {
			return fmt.Errorf("connect %s: %w", s.connection, err)
		}
	}
	first := Token{Access: t.AccessToken, Refresh: t.RefreshToken, Expiry: expiry(asked, t), Until: until(asked, t)}
	if err := s.tokens.Save(ctx, s.connection, 0, first); err != nil {
		return fmt.Errorf("connect %s: store the token: %w", s.connection, err)
	}
	return nil
}

// Token returns an access token that is good for at least two minutes.
// ErrDisconnected means that only the merchant can help, by connecting again.
func (s *Source) Token(ctx context.Context) (string, error) {
	release, err := s.wait(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	if !s.good(s.held) {
		if err := s.renew(ctx); err != nil {
			return "", fmt.Errorf("access of %s: %w", s.connection, err)
		}
	}
	return s.held.Access, nil
}

// Reject says that a token was not let in: the next one will be another.
func (s *Source) Reject(ctx context.Context, token string) error {
	release, err := s.wait(ctx)
	if err != nil {
		return err
	}
	defer release()
	s.refused = token
	return nil
}

func (s *Source) wait(ctx context.Context) (release func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: access of %s: %w", target.ErrUnavailable, s.connection, ctx.Err())
	}
}

func (s *Source) good(t Token) bool {
	return t.Access != "" && t.Access != s.refused && s.now().Add(margin).Before(t.Expiry)
}

// renew brings held to a good token, one of another process's or a new one.
func (s *Source) renew(ctx context.Context) error {
	if s.unsaved != nil {
		if err := s.save(ctx, *s.unsaved); err != nil {
			return err
		}
	}
	for {
		t, err := s.tokens.Load(ctx, s.connection)
		switch {
		case errors.Is(err, ErrNone):
			return fmt.Errorf("%w: %w", target.ErrDisconnected, err)
		case err != nil:
			return fmt.Errorf("%w: read the token: %w", target.ErrUnavailable, err)
		case t.Ended != "":
			return fmt.Errorf("%w: %s", target.ErrDisconnected, t.Ended)
		case s.good(t):
			s.held = t
			return nil
		}
		now := s.now()
		err = s.tokens.Claim(ctx, s.connection, t.Version, now, now.Add(claimed))
		if err == nil {
			return s.exchange(ctx, t)
		}
		if !errors.Is(err, ErrClaimed) {
			return fmt.Errorf("%w: claim the token: %w", target.ErrUnavailable, err)
		}
		look := time.NewTimer(glance)
		select {
		case <-look.C:
		case <-ctx.Done():
			look.Stop()
			return fmt.Errorf("%w: waiting for another who renews the token: %w", target.ErrUnavailable, ctx.Err())
		}
	}
}

// exchange trades the refresh token in. The claim is ours.
func (s *Source) exchange(ctx context.Context, old Token) error {
	// Once the request is out the answer is wanted, even if the caller is not there
	// any more: the old token is gone.
	ctx = context.WithoutCancel(ctx)
	trading, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, s.http), claimed/3)
	defer cancel()
	asked := s.now()
	t, err := s.config.TokenSource(trading, &oauth2.Token{RefreshToken: old.Refresh}).Token()
	var answer *oauth2.RetrieveError
	switch {
	case errors.As(err, &answer) && answer.ErrorCode == "invalid_grant":
		ended := old
		ended.Access, ended.Ended = "", "the right to renew it has ended (invalid_grant)"
		if err := s.tokens.Save(ctx, s.connection, old.Version, ended); err != nil {
			return fmt.Errorf("%w: store that access has ended: %w", target.ErrUnavailable, err)
		}
		return fmt.Errorf("%w: %s", target.ErrDisconnected, ended.Ended)
	case err != nil:
		return errors.Join(fmt.Errorf("%w: renew the token: %w", target.ErrUnavailable, err), s.tokens.Release(ctx, s.connection, old.Version))
	}
	renewed := Token{Access: t.AccessToken, Refresh: t.RefreshToken, Expiry: expiry(asked, t), Until: until(asked, t), Version: old.Version}
	if renewed.Refresh == "" {
		renewed.Refresh = old.Refresh
	}
	if renewed.Until.IsZero() {
		renewed.Until = old.Until
	}
	return s.save(ctx, renewed)
}

// expiry counts from when the token was asked for.
func expiry(asked time.Time, t *oauth2.Token) time.Time {
	return asked.Add(time.Duration(t.ExpiresIn) * time.Second)
}

// longest bounds what an answer may say of a refresh token's life, in seconds.
const longest = 20 * 365 * 24 * 60 * 60

// until is when the refresh token ends, where the answer says so (Intuit's does).
func until(asked time.Time, t *oauth2.Token) time.Time {
	seconds, err := strconv.ParseInt(fmt.Sprintf("%.0f", t.Extra("x_refresh_token_expires_in")), 10, 64)
	if err != nil || seconds <= 0 || seconds > longest { // not said, or nonsense
		return time.Time{}
	}
	return asked.Add(time.Duration(seconds) * time.Second)
}

// save stores a renewed token, and only then has it used.
func (s *Source) save(ctx context.Context, t Token) error {
	s.unsaved = &t
	err := s.tokens.Save(ctx, s.connection, t.Version, t)
	if err != nil && !errors.Is(err, ErrClaimed) {
		return fmt.Errorf("%w: store the renewed token: %w", target.ErrUnavailable, err)
	}
	s.unsaved = nil
	if err == nil {
		t.Version++
		s.held = t
		return nil
	}
	return fmt.Errorf("%w: the token was renewed by another meanwhile", target.ErrUnavailable)
}
