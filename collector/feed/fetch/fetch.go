// Package fetch asks sources in the cloud over HTTP and says what became of it, in
// the words of package feed: whom the source does not let in, and who is to come
// later.
//
// It bounds what it reads, follows no redirect, so that a secret goes nowhere but
// to the source's own address, and never repeats a request by itself: the feed is
// asked again when it is due. It does not know any source.
package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/feed"
)

// Limits of one exchange.
const (
	maxBody = 16 << 20 // bytes of an answer
	timeout = 60 * time.Second
)

// Options say whom a Client asks.
type Options struct {
	Base   string // URL that paths are appended to
	Header http.Header
	// Authorize completes a request with what lets it in; nil: Header does.
	Authorize func(ctx context.Context, r *http.Request) error
	Limit     *rate.Limiter     // nil: none
	Transport http.RoundTripper // nil: the usual one
	Now       func() time.Time
}

// Client asks one source.
type Client struct {
	o    Options
	http *http.Client
}

// New returns a client.
func New(o Options) *Client {
	return &Client{o: o, http: &http.Client{Timeout: timeout, Transport: o.Transport, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		return fmt.Errorf("the source sends elsewhere, to %s", r.URL.Host)
	}}}
}

// Status is an answer that says no, other than those that mean the same
// everywhere.
type Status struct {
	Code int
	Body []byte
}

func (s *Status) Error() string { return fmt.Sprintf("status %d: %s", s.Code, excerpt(s.Body)) }

// Get asks for a path and reads the JSON of the answer.
func (c *Client) Get(ctx context.Context, path string, query url.Values, into any) (http.Header, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.exchange(ctx, http.MethodGet, path, nil, into)
}

// Post sends JSON to a path that only asks, and reads the JSON of the answer.
func (c *Client) Post(ctx context.Context, path string, body, into any) (http.Header, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("POST %s: %w", path, err)
	}
	return c.exchange(ctx, http.MethodPost, path, text, into)
}

func (c *Client) exchange(ctx context.Context, method, path string, body []byte, into any) (http.Header, error) {
	header, text, err := c.do(ctx, method, path, body)
	if err == nil {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err = decoder.Decode(into); err != nil {
			err = fmt.Errorf("the answer cannot be read: %w: %s", err, excerpt(text))
		}
	}
	if err != nil {
		where, _, _ := strings.Cut(path, "?") // what is asked for may hold a cursor
		return header, fmt.Errorf("%s %s: %w", method, where, err)
	}
	return header, nil
}

func (c *Client) do(ctx context.Context, method, path string, body []byte) (http.Header, []byte, error) {
	if c.o.Limit != nil {
		if err := c.o.Limit.Wait(ctx); err != nil {
			return nil, nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.o.Base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for name, values := range c.o.Header {
		request.Header[name] = values
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.o.Authorize != nil {
		if err := c.o.Authorize(ctx, request); err != nil {
			return nil, nil, err
		}
	}
	answer, err := c.http.Do(request)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) { // without the address, whose query may hold a cursor
			err = of.Err
		}
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, nil, fmt.Errorf("the answer broke off: %w", err)
	}
	if len(text) > maxBody {
		return nil, nil, fmt.Errorf("the answer has more than %d bytes", maxBody)
	}
	return answer.Header, text, c.judge(answer.StatusCode, answer.Header, text)
}

// judge says what an answer means where it means the same everywhere.
func (c *Client) judge(status int, header http.Header, body []byte) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: status %d: %s", feed.ErrDenied, status, excerpt(body))
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return &feed.Later{Rest: c.rest(header.Get("Retry-After")), Err: &Status{status, body}}
	}
	return &Status{status, body}
}

// rest reads how long to wait: seconds, or a date. 0: it is not said.
func (c *Client) rest(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if whole, _, ok := strings.Cut(value, "."); ok { // some write a fraction of a second
		if seconds, err := strconv.ParseUint(whole, 10, 31); err == nil {
			return time.Duration(seconds+1) * time.Second
		}
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(c.o.Now()), time.Second)
	}
	return 0
}

// excerpt is enough of a body to see what it says.
func excerpt(body []byte) string {
	if len(body) > 300 {
		body = body[:300]
	}
	return string(bytes.ToValidUTF8(bytes.Join(bytes.Fields(body), []byte(" ")), []byte("?")))
}
