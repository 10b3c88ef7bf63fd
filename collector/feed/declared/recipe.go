// Package declared reads a platform's own HTTP API by a recipe: a small YAML file
// that says how to be let in, which lists there are, how they are paged, and where
// in an item stands what.
//
// A list is asked for what changed since the round before, where the API can tell.
// A place in an answer is a JSON pointer (RFC 6901). An item that lacks what it must
// have is an error with the list and the item, and nothing of its page is kept.
//
// It only asks. It does not know any platform, and it is no programming language:
// what a recipe cannot say, the platform does.
package declared

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tillbook.example/tillbook/collector/settle"
)

// MaxSize bounds a recipe's text, in bytes.
const MaxSize = 64 << 10

// Recipe says what a platform's API is.
type Recipe struct {
	Auth  Auth   `yaml:"auth"`
	Lists []List `yaml:"lists"`
}

// Auth is how requests are let in. Secrets are kept apart: token; user and password;
// client_id and client_secret.
type Auth struct {
	Kind   string   `yaml:"kind"`      // bearer, header, basic, oauth
	Header string   `yaml:"header"`    // of kind header: its name
	Token  string   `yaml:"token_url"` // of kind oauth, client credentials
	Scopes []string `yaml:"scopes"`
}

// List is one list of the API.
type List struct {
	Path   string            `yaml:"path"`  // behind the feed's url, beginning with /
	Query  map[string]string `yaml:"query"` // sent with each request
	Items  string            `yaml:"items"` // pointer to the list in an answer; empty: the answer is it
	Paging Paging            `yaml:"paging"`
	Since  Since             `yaml:"since"`
	// Version is where the time of an item's last change stands, or a number that
	// rises with each.
	Version string `yaml:"version"`

	Movement *Movement `yaml:"movement"`
	Payout   *Payout   `yaml:"payout"`
	Document *Document `yaml:"document"`
}

// Paging is how a list goes on.
type Paging struct {
	Kind  string `yaml:"kind"`  // cursor, page, link; empty: it has one page
	Param string `yaml:"param"` // of cursor and page: the name of the query's parameter
	Next  string `yaml:"next"`  // of cursor: pointer to the next one
	First int    `yaml:"first"` // of page: number of the first
	Size  string `yaml:"size"`  // name of the parameter for how many items a page has
	Items int    `yaml:"items"` // how many
}

// Since is how a list is asked for what changed since a moment.
type Since struct {
	Param   string        `yaml:"param"`
	Format  string        `yaml:"format"`  // rfc3339, unix, day
	Overlap time.Duration `yaml:"overlap"` // asked for again each time; 10m
}

// Amounts is how amounts are written.
type Amounts struct {
	Unit     string `yaml:"unit"`     // decimal, minor
	Currency string `yaml:"currency"` // pointer; empty: the merchant's
}

// Movement says where in an item a movement's fields stand.
type Movement struct {
	Amounts   `yaml:",inline"`
	Key       string            `yaml:"key"`
	Kind      string            `yaml:"kind"` // pointer; empty: charge, or refund below 0
	Kinds     map[string]string `yaml:"kinds"`
	At        string            `yaml:"at"`
	Available string            `yaml:"available"`
	Amount    string            `yaml:"amount"`
	Fee       string            `yaml:"fee"`
	Account   string            `yaml:"account"`
	Payout    string            `yaml:"payout"`
	Of        string            `yaml:"of"`
	Batch     string            `yaml:"batch"`
	Receipt   string            `yaml:"receipt"`
	Terminal  string            `yaml:"terminal"`
	Store     string            `yaml:"store"`
	Auth      string            `yaml:"authorisation"`
	LastFour  string            `yaml:"last_four"`
	Brand     string            `yaml:"brand"`
}

// Payout says where in an item a payout's fields stand.
type Payout struct {
	Amounts   `yaml:",inline"`
	Key       string            `yaml:"key"`
	State     string            `yaml:"state"`
	States    map[string]string `yaml:"states"`
	Created   string            `yaml:"created"`
	Arrival   string            `yaml:"arrival"`
	Amount    string            `yaml:"amount"`
	Account   string            `yaml:"account"`
	Reference string            `yaml:"reference"`
}

// Document says where in an item Tillbook's own document stands, as tills push it.
type Document struct {
	Whole    string `yaml:"whole"`    // pointer to it; "" is the item
	Location string `yaml:"location"` // pointer in the item to the location that the feed's stores name; empty: the document's store
}

// pointerForm is how a JSON pointer is written.
var pointerForm = regexp.MustCompile(`^(/[^/~]*(~[01][^/~]*)*)*$`)

// Parse reads and checks a recipe, and names all that is wrong with it.
func Parse(text []byte) (*Recipe, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("the recipe has %d bytes, more than %d", len(text), MaxSize)
	}
	var r Recipe
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&r); err != nil {
		return nil, fmt.Errorf("the recipe cannot be read: %w", err)
	}
	c := checker{}
	c.oneOf("auth.kind", r.Auth.Kind, "bearer", "header", "basic", "oauth")
	if r.Auth.Kind == "header" && r.Auth.Header == "" {
		c.bad("auth.header: name the header")
	}
	if r.Auth.Kind == "oauth" && !strings.HasPrefix(r.Auth.Token, "https://") && !strings.HasPrefix(r.Auth.Token, "http://127.0.0.1:") {
		c.bad("auth.token_url: %q is no https address", r.Auth.Token)
	}
	if len(r.Lists) == 0 || len(r.Lists) > 20 {
		c.bad("lists: there are %d, not 1 to 20", len(r.Lists))
	}
	for i := range r.Lists {
		c.list(fmt.Sprintf("lists[%d]", i), &r.Lists[i])
	}
	return &r, errors.Join(c.problems...)
}

type checker struct{ problems []error }

func (c *checker) bad(what string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(what, args...))
}

func (c *checker) oneOf(at, word string, known ...string) {
	if !slices.Contains(known, word) {
		c.bad("%s: %q is not one of %s", at, word, strings.Join(known, ", "))
	}
}

func (c *checker) pointers(at string, all map[string]string, needed ...string) {
	for _, name := range needed {
		if all[name] == "" {
			c.bad("%s.%s: is missing", at, name)
		}
	}
	for name, pointer := range all {
		if !pointerForm.MatchString(pointer) {
			c.bad("%s.%s: %q is no JSON pointer such as /amount/value", at, name, pointer)
		}
	}
}

func (c *checker) list(at string, l *List) {
	if !strings.HasPrefix(l.Path, "/") || strings.ContainsAny(l.Path, "?#") {
		c.bad("%s.path: %q does not begin with / or has a query", at, l.Path)
	}
	c.pointers(at, map[string]string{"items": l.Items, "version": l.Version, "paging.next": l.Paging.Next})
	c.oneOf(at+".paging.kind", l.Paging.Kind, "", "cursor", "page", "link")
	switch l.Paging.Kind {
	case "cursor":
		if l.Paging.Param == "" || l.Paging.Next == "" {
			c.bad("%s.paging: a cursor has a param and a next", at)
		}
	case "page":
		if l.Paging.Param == "" || l.Paging.Items <= 0 {
			c.bad("%s.paging: pages have a param, and items says how many one has", at)
		}
	}
	if l.Paging.Items < 0 || l.Paging.Items > 500 {
		c.bad("%s.paging.items: %d is not up to 500", at, l.Paging.Items)
	}
	if l.Since.Param != "" {
		c.oneOf(at+".since.format", l.Since.Format, "rfc3339", "unix", "day")
	}
	if l.Since.Overlap == 0 {
		l.Since.Overlap = 10 * time.Minute
	}
	if l.Since.Overlap < 0 || l.Since.Overlap > 30*24*time.Hour {
		c.bad("%s.since.overlap: %s is not up to 720h", at, l.Since.Overlap)
	}
	what := 0
	if m := l.Movement; m != nil {
		what++
		c.oneOf(at+".movement.unit", m.Unit, "decimal", "minor")
		c.pointers(at+".movement", m.pointers(), "key", "at", "amount")
		for word, kind := range m.Kinds {
			if !slices.Contains(settle.Kinds, settle.Kind(kind)) {
				c.bad("%s.movement.kinds.%s: %q is no kind of a movement", at, word, kind)
			}
		}
	}
	if p := l.Payout; p != nil {
		what++
		c.oneOf(at+".payout.unit", p.Unit, "decimal", "minor")
		c.pointers(at+".payout", p.pointers(), "key", "amount", "created")
		for word, state := range p.States {
			c.oneOf(at+".payout.states."+word, state, settle.Pending, settle.OnTheWay, settle.Arrived, settle.Failed, settle.Canceled)
		}
	}
	if d := l.Document; d != nil {
		what++
		c.pointers(at+".document", map[string]string{"whole": d.Whole, "location": d.Location})
		if l.Version == "" {
			c.bad("%s.version: a document needs the time of its last change", at)
		}
	}
	if what != 1 {
		c.bad("%s: say one of movement, payout and document", at)
	}
}

func (m *Movement) pointers() map[string]string {
	return map[string]string{
		"currency": m.Currency, "key": m.Key, "kind": m.Kind, "at": m.At, "available": m.Available, "amount": m.Amount, "fee": m.Fee, "account": m.Account,
		"payout": m.Payout, "of": m.Of, "batch": m.Batch, "receipt": m.Receipt, "terminal": m.Terminal, "store": m.Store, "authorisation": m.Auth,
		"last_four": m.LastFour, "brand": m.Brand,
	}
}

func (p *Payout) pointers() map[string]string {
	return map[string]string{
		"currency": p.Currency, "key": p.Key, "state": p.State, "created": p.Created, "arrival": p.Arrival, "amount": p.Amount, "account": p.Account, "reference": p.Reference,
	}
}
