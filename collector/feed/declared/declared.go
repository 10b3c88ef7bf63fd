package declared

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/fetch"
)

// perSecond is how often an API is asked at most.
const perSecond = 5

// tokenTimeout bounds one request for a token.
const tokenTimeout = 30 * time.Second

// Options say whose API is read.
type Options struct {
	Base      string // https address, without a / at its end
	Recipe    *Recipe
	Secrets   map[string]string
	Provider  string // in what is stated
	Currency  string // where an item states none
	Store     func(location string) string
	Start     time.Time
	Now       func() time.Time
	Transport http.RoundTripper
	Limit     *rate.Limiter // nil: the package's own
}

// Source is one platform's API.
type Source struct {
	o      Options
	base   *url.URL
	client *fetch.Client
}

// Open returns an API's source. A secret that its recipe needs and that is not there
// is feed.ErrDenied.
func Open(o Options) (*Source, error) {
	base, err := url.Parse(o.Base)
	if err != nil {
		return nil, fmt.Errorf("address of the API: %w", err)
	}
	if o.Limit == nil {
		o.Limit = rate.NewLimiter(perSecond, perSecond)
	}
	authorize, err := o.authorize()
	if err != nil {
		return nil, err
	}
	return &Source{o, base, fetch.New(fetch.Options{Base: o.Base, Authorize: authorize, Limit: o.Limit, Transport: o.Transport, Now: o.Now})}, nil
}

// authorize returns what completes requests with what lets them in.
func (o *Options) authorize() (func(context.Context, *http.Request) error, error) {
	for _, name := range map[string][]string{"bearer": {"token"}, "header": {"token"}, "basic": {"user", "password"}, "oauth": {"client_id", "client_secret"}}[o.Recipe.Auth.Kind] {
		if o.Secrets[name] == "" {
			return nil, fmt.Errorf("%w: secret %q is not set", feed.ErrDenied, name)
		}
	}
	secret, auth := o.Secrets, o.Recipe.Auth
	switch auth.Kind {
	case "header":
		return func(_ context.Context, r *http.Request) error { r.Header.Set(auth.Header, secret["token"]); return nil }, nil
	case "basic":
		return func(_ context.Context, r *http.Request) error {
			r.SetBasicAuth(secret["user"], secret["password"])
			return nil
		}, nil
	case "oauth":
		config := clientcredentials.Config{ClientID: secret["client_id"], ClientSecret: secret["client_secret"], TokenURL: auth.Token, Scopes: auth.Scopes}
		client := &http.Client{Timeout: tokenTimeout, Transport: o.Transport}
		tokens := oauth2.ReuseTokenSource(nil, config.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, client)))
		return func(_ context.Context, r *http.Request) error {
			token, err := tokens.Token()
			var refused *oauth2.RetrieveError
			if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode >= 400 && refused.Response.StatusCode < 500 && refused.Response.StatusCode != http.StatusTooManyRequests {
				return fmt.Errorf("%w: no token was given: status %d", feed.ErrDenied, refused.Response.StatusCode)
			}
			if err != nil {
				return errors.New("no token was given: its server cannot be reached or answers with something else")
			}
			token.SetAuthHeader(r)
			return nil
		}, nil
	}
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+secret["token"])
		return nil
	}, nil
}

// cursor is how far the API is read.
type cursor struct {
	List  int       `json:"list,omitempty"`
	Page  string    `json:"page,omitempty"` // the API's own, a number, or path and query
	Last  string    `json:"last,omitempty"` // sum of the page before
	Since time.Time `json:"since"`
	Begun time.Time `json:"begun,omitzero"`
}

// Pull implements feed.Source.
func (s *Source) Pull(ctx context.Context, text string) (feed.Page, error) {
	c := cursor{Since: s.o.Start}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return feed.Page{}, fmt.Errorf("%w: %w", feed.ErrCursor, err)
		}
		if c.List < 0 || c.List >= len(s.o.Recipe.Lists) {
			return feed.Page{}, fmt.Errorf("%w: its list is not in the recipe any more", feed.ErrCursor)
		}
	}
	if c.Begun.IsZero() {
		c.Begun = s.o.Now().UTC().Truncate(time.Second)
	}
	l := &s.o.Recipe.Lists[c.List]
	header, answer, err := s.ask(ctx, &c, l)
	if err != nil {
		return feed.Page{}, err
	}
	found, err := at(answer, l.Items)
	if err != nil {
		return feed.Page{}, fmt.Errorf("GET %s: items: %w", l.Path, err)
	}
	items, ok := found.([]any)
	if !ok && found != nil {
		return feed.Page{}, fmt.Errorf("GET %s: %s is no list", l.Path, l.Items)
	}
	var page feed.Page
	for i, item := range items {
		if err := s.item(l, item, &page); err != nil {
			return feed.Page{}, fmt.Errorf("GET %s: item %d: %w", l.Path, i+1, err)
		}
	}
	if err := s.next(&c, l, header, answer, items); err != nil {
		return feed.Page{}, fmt.Errorf("GET %s: %w", l.Path, err)
	}
	page.More = true
	if c.Page == "" {
		c.Last = ""
		if c.List++; c.List == len(s.o.Recipe.Lists) {
			s.end(&c, &page)
		}
	}
	next, err := json.Marshal(c)
	page.Next = string(next)
	return page, err
}

// end ends a round.
func (s *Source) end(c *cursor, page *feed.Page) {
	overlap := time.Duration(0)
	for _, l := range s.o.Recipe.Lists {
		overlap = max(overlap, l.Since.Overlap)
	}
	c.List, page.More, page.Covered = 0, false, c.Begun.Add(-time.Minute)
	if c.Since = c.Begun.Add(-overlap); c.Since.Before(s.o.Start) {
		c.Since = s.o.Start
	}
	c.Begun = time.Time{}
}

// ask asks for the present page.
func (s *Source) ask(ctx context.Context, c *cursor, l *List) (http.Header, any, error) {
	path, query := l.Path, url.Values{}
	if l.Paging.Kind == "link" && c.Page != "" {
		path = c.Page
	} else {
		for name, value := range l.Query {
			query.Set(name, value)
		}
		if l.Paging.Size != "" {
			query.Set(l.Paging.Size, strconv.Itoa(l.Paging.Items))
		}
		if l.Since.Param != "" {
			query.Set(l.Since.Param, written(c.Since, l.Since.Format))
		}
		switch {
		case c.Page != "":
			query.Set(l.Paging.Param, c.Page)
		case l.Paging.Kind == "page":
			query.Set(l.Paging.Param, strconv.Itoa(l.Paging.First))
		}
	}
	var answer any
	header, err := s.client.Get(ctx, path, query, &answer)
	var status *fetch.Status
	if errors.As(err, &status) && c.Page != "" && l.Paging.Kind != "page" && status.Code >= 400 && status.Code < 500 {
		err = fmt.Errorf("%w: %w", feed.ErrCursor, err)
	}
	return header, answer, err
}

func written(at time.Time, format string) string {
	switch format {
	case "unix":
		return strconv.FormatInt(at.Unix(), 10)
	case "day":
		return at.UTC().Format(time.DateOnly)
	}
	return at.UTC().Format(time.RFC3339)
}

var nextLink = regexp.MustCompile(`<([^>]*)>\s*;[^,]*rel="?next"?`)

// next finds where the list goes on; c.Page is empty where it ends.
func (s *Source) next(c *cursor, l *List, header http.Header, answer any, items []any) error {
	before := c.Page
	c.Page = ""
	switch l.Paging.Kind {
	case "cursor":
		token, err := textAt(answer, l.Paging.Next)
		if err != nil {
			return fmt.Errorf("next: %w", err)
		}
		c.Page = token
	case "link":
		m := nextLink.FindStringSubmatch(header.Get("Link"))
		if m == nil {
			return nil
		}
		to, err := s.base.Parse(m[1])
		if err != nil || to.Host != s.base.Host || to.Scheme != s.base.Scheme || !strings.HasPrefix(to.Path, s.base.Path) {
			return errors.New("its next page is at another address")
		}
		c.Page = strings.TrimPrefix(to.EscapedPath(), strings.TrimSuffix(s.base.EscapedPath(), "/"))
		if to.RawQuery != "" {
			c.Page += "?" + to.RawQuery
		}
	case "page":
		number := l.Paging.First
		if before != "" {
			var err error
			if number, err = strconv.Atoi(before); err != nil {
				return fmt.Errorf("%w: %w", feed.ErrCursor, err)
			}
		}
		// Numbered pages cannot be told by what they state: a page that comes twice in
		// a row hides another.
		text, err := json.Marshal(items)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		is := hex.EncodeToString(sum[:8])
		if is == c.Last && len(items) > 0 {
			return fmt.Errorf("page %d is the page before once more", number)
		}
		c.Last = is
		if len(items) >= l.Paging.Items {
			c.Page = strconv.Itoa(number + 1)
		}
	}
	return nil
}
