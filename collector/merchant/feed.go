package merchant

import (
	"maps"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/suggest"
)

// Feed is one source in the cloud that states what happened: a payment provider,
// a web shop, a bank. What opens it is kept apart and sealed.
type Feed struct {
	ID     string     `yaml:"id" json:"id"`
	Source string     `yaml:"source" json:"source"`
	Start  bizday.Day `yaml:"start,omitempty" json:"start,omitempty"` // nothing that happened earlier is asked for
	// Stores says in which store the documents of a location count, as the source
	// names it; * is all other locations. None: documents are not asked for.
	Stores   map[string]string `yaml:"stores,omitempty" json:"stores,omitempty"`
	Settings map[string]string `yaml:"settings,omitempty" json:"settings,omitempty"` // by source; see feed.go
}

// AnyLocation is the key of Stores for locations that are not named.
const AnyLocation = "*"

// feedKind is what there is to say of a source.
type feedKind struct {
	pulled   bool // it is asked by itself; else its files are imported
	stores   bool // it may state documents
	settings map[string]setting
	secrets  []string // names of what opens it
	optional []string // secrets that it may do without
}

// feeds are the kinds of source.
var feeds = map[string]feedKind{
	"stripe": {pulled: true, secrets: []string{"key"}, optional: []string{"webhook"}, settings: map[string]setting{
		"account": {}, // of a platform's connected account
		"url":     {check: SecureURL},
	}},
	"shopify": {pulled: true, stores: true, secrets: []string{"token"}, optional: []string{"webhook"}, settings: map[string]setting{
		"shop":     {required: true, check: shopName},
		"payments": {words: []string{"yes", "no"}}, // whether the shop uses Shopify Payments
		"url":      {check: SecureURL},
	}},
	"square": {pulled: true, stores: true, secrets: []string{"token"}, optional: []string{"webhook"}, settings: map[string]setting{
		"locations": {}, // whose payments are read, with commas between; those of stores where it is empty
		"url":       {check: SecureURL},
	}},
	"http": {pulled: true, stores: true, optional: []string{"token", "user", "password", "client_id", "client_secret"}, settings: map[string]setting{
		"url":      {required: true, check: SecureURL},
		"recipe":   {required: true, check: absoluteFolder}, // file that says what the API is
		"provider": {},                                      // of movements; the feed's own name where it is empty
	}},
	"adyen":   {settings: map[string]setting{}},
	"paypal":  {settings: map[string]setting{"account": {}}},
	"camt053": {settings: map[string]setting{"account": {}}},
	"mt940":   {settings: map[string]setting{"account": {}}},
	"ofx":     {settings: map[string]setting{"account": {}, "currency": {check: aCurrency}}},
	"columns": {settings: map[string]setting{
		"recipe":   {required: true, check: absoluteFolder}, // file that says what the columns mean
		"provider": {},                                      // of movements; the feed's own name where it is empty
		"account":  {}, "currency": {check: aCurrency},
	}},
}

func aCurrency(value string) string {
	if _, err := money.Places(value); err != nil {
		return "must be a currency such as GBP"
	}
	return ""
}

func shopName(value string) string {
	name, ok := strings.CutSuffix(value, ".myshopify.com")
	if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return notAlphanumeric(r) && r != '-' }) {
		return "must be the shop's own address such as example.myshopify.com"
	}
	return ""
}

// Pulled says whether the feed's source is asked by itself.
func (f Feed) Pulled() bool { return feeds[f.Source].pulled }

// Secrets returns the names of what opens the feed's source: those that it needs
// and those that it may do without.
func (f Feed) Secrets() (needed, optional []string) {
	return feeds[f.Source].secrets, feeds[f.Source].optional
}

// Store returns in which store a location's documents count; empty: in none.
func (f Feed) Store(location string) string {
	if store, ok := f.Stores[location]; ok {
		return store
	}
	return f.Stores[AnyLocation]
}

// StoreIDs returns the stores that the feed speaks for, each once, in order.
func (f Feed) StoreIDs() []string {
	return slices.Compact(slices.Sorted(maps.Values(f.Stores)))
}

// Feed returns a feed by its id.
func (m Merchant) Feed(id string) (Feed, bool) {
	i := slices.IndexFunc(m.Feeds, func(f Feed) bool { return f.ID == id })
	if i < 0 {
		return Feed{}, false
	}
	return m.Feeds[i], true
}

func (p *problems) feed(path string, f Feed, stores map[string]bool) {
	p.id(path+".id", f.ID)
	kind, known := feeds[f.Source]
	if !known {
		kinds := slices.Sorted(maps.Keys(feeds))
		p.add(path+".source", "%q is not known; there is %s%s", f.Source, strings.Join(kinds, ", "), suggest.DidYouMean(f.Source, kinds))
		return
	}
	if f.Start != "" {
		if wrong := aDay(string(f.Start)); wrong != "" {
			p.add(path+".start", "%q %s", f.Start, wrong)
		}
	}
	if len(f.Stores) > 0 && !kind.stores {
		p.add(path+".stores", "source %s states no documents; take it out", f.Source)
	}
	p.count(path+".stores", len(f.Stores), maxStores)
	for _, location := range slices.Sorted(maps.Keys(f.Stores)) {
		p.text(path+".stores", location, maxName)
		if !stores[f.Stores[location]] {
			p.add(path+".stores."+location, "%q is no store of this merchant", f.Stores[location])
		}
	}
	p.settings(path, "source "+f.Source, f.Settings, kind.settings)
}
