package tryton

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/target/web"
)

// longestLogin bounds the answer to a login, in bytes.
const longestLogin = 64 << 10

// Access logs in to a database by a user's password, and again when a session has
// ended. Its methods may be called at the same time.
type Access struct {
	o AccessOptions

	mu  sync.Mutex
	key string // of the session; empty: none
}

var _ web.Access = (*Access)(nil)

// AccessOptions say whom a connection logs in as.
type AccessOptions struct {
	URL        string // of the server
	Database   string
	User       string
	HTTP       *http.Client
	Connection string       // merchant and connection
	Tokens     oauth.Tokens // keeps the password as what renews access
}

// NewAccess returns the access of a connection.
func NewAccess(o AccessOptions) *Access { return &Access{o: o} }

// Connect keeps a password once it has let us in.
func (a *Access) Connect(ctx context.Context, password string) error {
	_, err := a.logIn(ctx, password)
	if err == nil {
		err = a.o.Tokens.Save(ctx, a.o.Connection, 0, oauth.Token{Refresh: password})
	}
	if err != nil {
		return fmt.Errorf("connect %s: %w", a.o.Connection, err)
	}
	return nil
}

// Token returns a session, logging in if there is none. A password that is not
// taken any more is not tried again: ErrDisconnected.
func (a *Access) Token(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.key != "" {
		return a.key, nil
	}
	t, err := a.o.Tokens.Load(ctx, a.o.Connection)
	switch {
	case errors.Is(err, oauth.ErrNone):
		return "", fmt.Errorf("access of %s: %w: %w", a.o.Connection, target.ErrDisconnected, err)
	case err != nil:
		return "", fmt.Errorf("access of %s: %w: read the password: %w", a.o.Connection, target.ErrUnavailable, err)
	case t.Ended != "":
		return "", fmt.Errorf("access of %s: %w: %s", a.o.Connection, target.ErrDisconnected, t.Ended)
	}
	key, err := a.logIn(ctx, t.Refresh)
	if errors.Is(err, target.ErrDisconnected) {
		ended := oauth.Token{Ended: "the password is not taken any more"}
		if err := a.o.Tokens.Save(ctx, a.o.Connection, t.Version, ended); err != nil {
			return "", fmt.Errorf("access of %s: %w: store that access has ended: %w", a.o.Connection, target.ErrUnavailable, err)
		}
	}
	if err != nil {
		return "", fmt.Errorf("access of %s: %w", a.o.Connection, err)
	}
	a.key = key
	return key, nil
}

// Reject says that a session was not let in: the next one will be another.
func (a *Access) Reject(_ context.Context, key string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.key == key {
		a.key = ""
	}
	return nil
}

// logIn begins a session.
func (a *Access) logIn(ctx context.Context, password string) (string, error) {
	body, err := encode("common.db.login", []any{a.o.User, map[string]string{"password": password}, "en"})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address(a.o.URL, a.o.Database), bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.o.HTTP.Do(request)
	if err != nil {
		return "", fmt.Errorf("log in: %w: %w", target.ErrUnavailable, err)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, longestLogin))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return "", fmt.Errorf("log in: %w: %w", target.ErrUnavailable, err)
	}
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return "", fmt.Errorf("log in: %w: user %q or the password is not taken", target.ErrDisconnected, a.o.User)
	case http.StatusNotFound:
		return "", fmt.Errorf("log in: %w: there is no database %q at the server", target.ErrUnavailable, a.o.Database)
	default:
		return "", fmt.Errorf("log in: %w: status %d", target.ErrUnavailable, response.StatusCode)
	}
	var session []any
	if err := decode(text, &session); errors.Is(err, target.ErrDisconnected) {
		return "", fmt.Errorf("log in: %w", err)
	} else if err != nil {
		return "", fmt.Errorf("log in: %w: %w", target.ErrUnavailable, err)
	}
	if len(session) != 2 {
		return "", fmt.Errorf("log in: %w: the answer is no session", target.ErrUnavailable)
	}
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%.0f:%v", a.o.User, session[0], session[1])), nil
}
