// Package quickbooks posts to a company at QuickBooks Online, as a journal entry
// or as a sales receipt whose lines net to zero (a refund receipt where more was
// taken back than sold).
//
// Outside the United States taxed lines bear tax codes with the tills' tax, and
// the payload's own tax lines are left to QuickBooks. In the United States
// nothing bears a tax code: the tax of each agency is a line on the merchant's
// own liability account. In Canada journal entries carry no tax codes, so a day
// there is never a journal entry.
//
// What QuickBooks has no field for stands in texts (package memo), so each
// document can be read back whole and compared. Numbers of documents are not
// unique there: a document is asked for by its number before it is sent, and sent
// with a request id, which QuickBooks remembers for an unstated time. A deleted
// document leaves no trace, so what was answered is read once more.
package quickbooks

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Where QuickBooks is.
const (
	API          = "https://quickbooks.api.intuit.com"
	AuthorizeURL = "https://appcenter.intuit.com/connect/oauth2"
	TokenURL     = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"
	RevokeURL    = "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"
	Scope        = "com.intuit.quickbooks.accounting"
)

// Forms of a day.
const (
	FormJournal = "journal"
	FormReceipt = "receipt"
)

// Forms are all of them.
func Forms() []string { return []string{FormJournal, FormReceipt} }

// DefaultForm is the form for a company in a country.
func DefaultForm(country string) string {
	if country == canada {
		return FormReceipt
	}
	return FormJournal
}

const (
	canada = "CA"
	states = "US"
)

// untaxed is the name of the tax code of receipt lines that are outside the
// scope of tax, by country, as QuickBooks makes it.
func untaxed(country string) string {
	switch country {
	case states:
		return "NON"
	case canada, "AU", "NZ":
		return "Out of Scope"
	}
	return "No VAT"
}

const (
	longestRequest = 130 * time.Second // QuickBooks cuts a call after 120
	chartLife      = 30 * time.Minute
	pageSize       = 1000 // documents of one query
	maxPages       = 100
	minorVersion   = "75"
)

// Options say which books.
type Options struct {
	Base       string // API, or a stand-in's
	HTTP       *http.Client
	Access     web.Access
	Realm      string // of the company
	Currency   string // of the books, ISO 4217
	Form       string // empty: DefaultForm
	Untaxed    string // tax code of receipt lines outside the scope of tax; empty: by country
	Deposit    string // account that receipts are deposited to and refunds paid from; they net to zero
	ClassBy    string // the dimension that is a class; may be empty
	LocationBy string // the dimension that is a location; may be empty
	Filed      bizday.Day
	Now        func() time.Time
	PerSecond  int // requests; 0: what QuickBooks allows
}

// Books is one company's books. Its methods may be called at the same time.
type Books struct {
	o      Options
	places int
	client *web.Client
	setup  web.Kept[setup]
}

var _ target.Target = (*Books)(nil)

// Open returns the books. It asks nothing of QuickBooks yet.
func Open(o Options) (*Books, error) {
	places, err := money.Places(o.Currency)
	if err != nil {
		return nil, fmt.Errorf("books at QuickBooks: %w", err)
	}
	if o.Form != "" && !slices.Contains(Forms(), o.Form) {
		return nil, fmt.Errorf("books at QuickBooks: form %q is not one of %s", o.Form, strings.Join(Forms(), ", "))
	}
	if o.Base == "" {
		o.Base = API
	}
	if o.PerSecond == 0 {
		o.PerSecond = 8
	}
	return &Books{o: o, places: places, client: web.NewClient(web.Options{
		Base: o.Base + "/v3/company/" + o.Realm, HTTP: o.HTTP, Access: o.Access, InFlight: 5, Now: o.Now, Forbidden: forbidden,
		Limit: rate.NewLimiter(rate.Limit(o.PerSecond), o.PerSecond),
	})}, nil
}

// Capabilities: only request ids keep a document from being booked twice.
func (b *Books) Capabilities() target.Capabilities {
	return target.Capabilities{Uniqueness: target.KeyWindow, LongestRequest: longestRequest, Chart: true, Closes: true, Reverses: true, Attaches: true}
}

// document is what stands at QuickBooks: the parts that are compared, and what
// it is found by.
type document struct {
	id, token string
	voided    bool

	kind     string
	number   string
	date     bizday.Day
	note     string
	location string // of receipts
	lines    []line
	taxes    []taxTotal // of receipts
}

// line is one line, debits positive.
type line struct {
	account  string // of a journal entry; of a receipt the item. Ids
	amount   money.Minor
	tax      string // id of the tax code
	taxed    money.Minor
	on       string
	class    string
	location string // of journal entries
	text     string
}

// taxTotal is the tax of one rate on a receipt, debits positive.
type taxTotal struct {
	rate   string
	amount money.Minor
}

// errNumber: something stands under the number.
var errNumber = errors.New("number is used")

// Post books the payload.
func (b *Books) Post(ctx context.Context, p target.Payload) (target.Receipt, error) {
	if err := p.Fits(b.o.Currency); err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	s, err := b.known(ctx)
	if err != nil {
		return target.Receipt{}, err
	}
	found, err := b.find(ctx, s, p.Reference)
	if err != nil {
		return target.Receipt{}, err
	}
	if receipt, done, err := b.stands(s, p, found); done || err != nil {
		return receipt, err
	}
	want, err := b.render(p, s, true)
	if err == nil {
		err = s.open(p.Date)
	}
	if err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	booked, err := b.send(ctx, want)
	if err != nil {
		if errors.Is(err, target.ErrRefused) {
			b.setup.Forget() // what was known may be what was wrong
		}
		if errors.Is(err, errNumber) {
			return b.collided(ctx, s, p)
		}
		return target.Receipt{}, err
	}
	if differs := differs(want, booked); differs != "" {
		if other, err := b.read(booked, s); err == nil && !other.Equal(p) && b.isWhole(other, booked, s) {
			return target.Receipt{}, fmt.Errorf("%w: %s holds another posting, of %s", target.ErrTaken, p.Reference, other.Key)
		}
		return target.Receipt{}, fmt.Errorf("post %s: QuickBooks booked something else than was sent: %s", p.Reference, differs)
	}
	return target.Receipt{RemoteID: booked.id}, nil
}

func (b *Books) collided(ctx context.Context, s *setup, p target.Payload) (target.Receipt, error) {
	found, err := b.find(ctx, s, p.Reference)
	if err != nil {
		return target.Receipt{}, err
	}
	receipt, done, err := b.stands(s, p, found)
	if !done && err == nil {
		err = fmt.Errorf("%w: number %s is used at QuickBooks for another kind of document", target.ErrTaken, p.Reference)
	}
	return receipt, err
}

// stands tells whether the payload is booked already: as it is, or as something
// else.
func (b *Books) stands(s *setup, p target.Payload, found []document) (target.Receipt, bool, error) {
	standing := standingOf(found)
	switch {
	case len(found) == 0:
		return target.Receipt{}, false, nil
	case len(standing) == 0:
		return target.Receipt{}, false, fmt.Errorf("%w: %s was voided at QuickBooks", target.ErrTaken, p.Reference)
	case len(standing) > 1:
		return target.Receipt{}, false, fmt.Errorf("%w: %d documents stand under %s at QuickBooks; delete all but one", target.ErrTaken, len(standing), p.Reference)
	}
	want, err := b.render(p, s, false)
	if err == nil {
		if differs := differs(want, standing[0]); differs != "" {
			err = errors.New(differs)
		}
	}
	if err != nil {
		return target.Receipt{}, false, fmt.Errorf("%w: %s stands at QuickBooks otherwise: %w", target.ErrTaken, p.Reference, err)
	}
	return target.Receipt{RemoteID: standing[0].id}, true, nil
}

// Find reads the payload back. Where a person changed what stands, the lines are
// those that stand.
func (b *Books) Find(ctx context.Context, reference string) (*target.Payload, target.Receipt, error) {
	if err := target.CheckReference(reference); err != nil {
		return nil, target.Receipt{}, err
	}
	s, err := b.known(ctx)
	if err != nil {
		return nil, target.Receipt{}, err
	}
	found, err := b.find(ctx, s, reference)
	if err != nil {
		return nil, target.Receipt{}, err
	}
	standing := standingOf(found)
	switch len(standing) {
	case 0:
		return nil, target.Receipt{}, nil
	case 1:
	default:
		return nil, target.Receipt{}, fmt.Errorf("%d documents stand under %s at QuickBooks; delete all but one", len(standing), reference)
	}
	p, err := b.payload(standing[0], s)
	if err != nil {
		return nil, target.Receipt{}, fmt.Errorf("read %s back: %w", reference, err)
	}
	return &p, target.Receipt{RemoteID: standing[0].id}, nil
}

// payload reads a document. The lines of one that a person changed are those that
// stand.
func (b *Books) payload(d document, s *setup) (target.Payload, error) {
	p, err := b.read(d, s)
	if err != nil {
		return p, err
	}
	if !b.isWhole(p, d, s) {
		p.Lines = nil
		for _, l := range d.lines {
			p.Lines = append(p.Lines, target.Line{Account: s.keyOf(d.kind, l.account), Amount: l.amount, Text: l.text})
		}
	}
	return p, nil
}

// isWhole reports whether a document is what a payload is booked as.
func (b *Books) isWhole(p target.Payload, d document, s *setup) bool {
	want, err := b.render(p, s, false)
	return err == nil && differs(want, d) == ""
}

// List returns the references with the prefix, sorted.
func (b *Books) List(ctx context.Context, prefix string) ([]string, error) {
	s, err := b.known(ctx)
	if err != nil {
		return nil, err
	}
	found, err := b.list(ctx, s, prefix)
	if err != nil {
		return nil, err
	}
	var references []string
	for _, d := range standingOf(found) {
		references = append(references, d.number)
	}
	slices.Sort(references)
	return slices.Compact(references), nil
}

// Reverse deletes a journal entry and voids a receipt. One that somebody changed
// meanwhile is read again and tried once more.
func (b *Books) Reverse(ctx context.Context, reference string) error {
	s, err := b.known(ctx)
	if err != nil {
		return err
	}
	return b.takeOff(ctx, s, reference, func(document) bool { return true })
}

// takeOff takes off what stands under a reference and is meant.
func (b *Books) takeOff(ctx context.Context, s *setup, reference string, meant func(document) bool) error {
	for try := 0; ; try++ {
		found, err := b.find(ctx, s, reference)
		if err != nil {
			return err
		}
		for _, d := range standingOf(found) {
			if !meant(d) {
				continue
			}
			if err = s.open(d.date); err != nil {
				return fmt.Errorf("reverse %s: %w: %w", reference, target.ErrRefused, err)
			}
			if err = b.remove(ctx, d); err != nil {
				break
			}
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, errStale) || try > 0 {
			return fmt.Errorf("reverse %s: %w", reference, err)
		}
	}
}

func standingOf(found []document) []document {
	return slices.DeleteFunc(slices.Clone(found), func(d document) bool { return d.voided })
}

// differs says what differs first; empty if nothing does.
func differs(want, got document) string {
	switch {
	case want.kind != got.kind:
		return fmt.Sprintf("a %s instead of a %s", got.kind, want.kind)
	case want.date != got.date:
		return fmt.Sprintf("dated %s instead of %s", got.date, want.date)
	case want.note != got.note:
		return "another posting or text"
	case want.location != got.location:
		return "another location"
	case len(want.lines) != len(got.lines):
		return fmt.Sprintf("%d lines instead of %d", len(got.lines), len(want.lines))
	case !slices.Equal(want.taxes, got.taxes):
		return fmt.Sprintf("tax %+v instead of %+v", got.taxes, want.taxes)
	}
	for i := range want.lines {
		if want.lines[i] != got.lines[i] {
			return fmt.Sprintf("line %d is %+v instead of %+v", i+1, got.lines[i], want.lines[i])
		}
	}
	return ""
}

// requestID does not depend on the payload: two payloads under one reference meet
// at QuickBooks. It has at most 50 characters.
func (b *Books) requestID(reference string) string {
	sum := sha256.Sum256([]byte(strconv.Quote(b.o.Realm) + reference))
	return "tb-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}
