// Package web sends requests to accounting systems in the cloud and says what
// became of them: answered, definitely not carried out (target.ErrUnavailable,
// target.ErrDisconnected), or unclear (any other error).
//
// It renews access once when a token is not let in, keeps within the limits of a
// connection and rests when it is told to. It never sends a request twice that
// may have been carried out, and it reads no bodies.
package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/target"
)

// maxBody bounds an answer, in bytes.
const maxBody = 32 << 20

// unsaidRest is how long to rest where a system throttles and does not say.
const unsaidRest = time.Minute

// Access gives access tokens. Package oauth has one.
type Access interface {
	Token(ctx context.Context) (string, error)
	Reject(ctx context.Context, token string) error
}

// Options say whom a Client talks to.
type Options struct {
	Base     string // URL that paths are appended to
	HTTP     *http.Client
	Access   Access
	Scheme   string        // of the Authorization header; empty: Bearer
	Header   http.Header   // sent with each request
	InFlight int           // requests at the same time
	Limit    *rate.Limiter // nil: none
	Now      func() time.Time
	// Spent reads from an answer's header how long to rest before the next request;
	// nil: never.
	Spent func(http.Header) time.Duration
	// Forbidden says what a status 403 means, as an ErrUnavailable; nil, or where it
	// returns nil: ErrDisconnected.
	Forbidden func(Response) error
}

// Client talks to one connection's books. Its methods may be called at the same
// time.
type Client struct {
	o     Options
	slots chan struct{}

	mu     sync.Mutex
	resume time.Time // no request before
	reason error
}

// NewClient returns a client.
func NewClient(o Options) *Client {
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	return &Client{o: o, slots: make(chan struct{}, max(o.InFlight, 1))}
}

// Request is one request.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Header http.Header
	Type   string // media type of Body
	Body   []byte
	Writes bool // it changes the books: where no answer comes it may have been carried out
}

// Response is an answer other than "not let in", "too many" and "broken".
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	release, err := c.enter(ctx)
	if err != nil {
		return Response{}, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	defer release()
	for try := 0; ; try++ {
		token, err := c.o.Access.Token(ctx)
		if err != nil {
			return Response{}, err
		}
		response, err := c.send(ctx, r, token)
		if err != nil {
			return Response{}, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
		if response.Status != http.StatusUnauthorized {
			response, err = c.judge(r, response)
			if err != nil {
				err = fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
			}
			return response, err
		}
		if try > 0 {
			return Response{}, fmt.Errorf("%s %s: %w: %s", r.Method, r.Path, target.ErrDisconnected, excerpt(response.Body))
		}
		if err := c.o.Access.Reject(ctx, token); err != nil {
			return Response{}, err
		}
	}
}

// enter waits for the limits, or says how long they are spent.
func (c *Client) enter(ctx context.Context) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", target.ErrUnavailable, err)
	}
	c.mu.Lock()
	rest, reason := c.resume.Sub(c.o.Now()), c.reason
	c.mu.Unlock()
	if rest > 0 {
		return nil, &target.Later{Rest: rest, Err: reason}
	}
	if c.o.Limit != nil {
		if err := c.o.Limit.Wait(ctx); err != nil {
			return nil, fmt.Errorf("%w: %w", target.ErrUnavailable, err)
		}
	}
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", target.ErrUnavailable, ctx.Err())
	}
}

func (c *Client) send(ctx context.Context, r Request, token string) (Response, error) {
	address := c.o.Base + r.Path
	if len(r.Query) > 0 {
		address += "?" + r.Query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, address, bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	if r.Writes {
		// With it, and an Idempotency-Key, net/http sends a request again by itself.
		request.GetBody = nil
	}
	for _, header := range []http.Header{c.o.Header, r.Header} {
		for name, values := range header {
			request.Header[name] = values
		}
	}
	request.Header.Set("Authorization", cmp.Or(c.o.Scheme, "Bearer")+" "+token)
	request.Header.Set("Accept", "application/json")
	if r.Type != "" {
		request.Header.Set("Content-Type", r.Type)
	}
	answer, err := c.o.HTTP.Do(request)
	if err != nil {
		return Response{}, c.lost(r, err)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return Response{}, c.lost(r, err)
	}
	if len(body) > maxBody {
		return Response{}, fmt.Errorf("the answer has more than %d bytes", maxBody)
	}
	return Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}

// lost says what a failed exchange means: a request that only reads, or never
// left, changed nothing.
func (c *Client) lost(r Request, err error) error {
	var of *net.OpError
	if !r.Writes || errors.As(err, &of) && of.Op == "dial" {
		return fmt.Errorf("%w: %w", target.ErrUnavailable, err)
	}
	return err
}

// judge takes out the answers that mean the same everywhere.
func (c *Client) judge(r Request, response Response) (Response, error) {
	if c.o.Spent != nil {
		if rest := c.o.Spent(response.Header); rest > 0 {
			c.rest(rest, errors.New("the limit of requests is used up"))
		}
	}
	switch status := response.Status; {
	case status == http.StatusForbidden:
		if c.o.Forbidden != nil {
			if err := c.o.Forbidden(response); err != nil {
				return response, err
			}
		}
		return response, fmt.Errorf("%w: status 403: %s", target.ErrDisconnected, excerpt(response.Body))
	case status == http.StatusTooManyRequests:
		rest := unsaidRest
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds >= 0 {
			rest = min(time.Duration(seconds)*time.Second, 24*time.Hour)
		}
		err := fmt.Errorf("too many requests: %s", excerpt(response.Body))
		c.rest(rest, err)
		return response, &target.Later{Rest: rest, Err: err}
	case status >= 500 && r.Writes:
		return response, fmt.Errorf("status %d: %s", status, excerpt(response.Body))
	case status >= 500:
		return response, fmt.Errorf("%w: status %d: %s", target.ErrUnavailable, status, excerpt(response.Body))
	}
	return response, nil
}

func (c *Client) rest(rest time.Duration, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := c.o.Now().Add(rest); until.After(c.resume) {
		c.resume, c.reason = until, reason
	}
}

// excerpt is enough of a body to see what it says.
func excerpt(body []byte) string {
	if len(body) > 300 {
		body = body[:300]
	}
	return string(bytes.ToValidUTF8(bytes.Join(bytes.Fields(body), []byte(" ")), []byte("?")))
}
