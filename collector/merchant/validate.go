package merchant

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/suggest"
)

// Limits of a configuration.
const (
	maxID          = 40
	maxName        = 200
	maxShort       = 4
	maxStores      = 5000
	maxTerminals   = 500 // of one store
	maxConnections = 50
	maxFeeds       = 50
	maxSettlements = 50
	maxMappings    = 1000
	longestSettle  = 24 * time.Hour
	latestDeadline = 60 * 24 * time.Hour
)

// problem is one thing wrong with a configuration and where.
type problem struct {
	path string // stores[1].zone
	text string
}

func (p problem) Error() string { return p.path + ": " + p.text }

// problems collects them under a path.
type problems struct{ found []problem }

func (p *problems) add(path, format string, arguments ...any) {
	p.found = append(p.found, problem{path, fmt.Sprintf(format, arguments...)})
}

// Validate checks a configuration and returns every problem, each with its path.
func (m Merchant) Validate() error {
	var errs []error
	for _, p := range m.check() {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

func (m Merchant) check() []problem {
	var p problems
	p.id("id", m.ID)
	p.text("name", m.Name, maxName)
	if m.Name == "" {
		p.add("name", "is missing")
	}
	if len(m.Country) != 2 || strings.Trim(m.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		p.add("country", "%q is not a country code of two capital letters, such as GB", m.Country)
	}
	if _, err := money.Places(m.Currency); err != nil {
		p.add("currency", "%v; use one such as GBP", err)
	}
	if known := []string{UnprovenHold, UnprovenPost, UnprovenZ}; m.Unproven != "" && !slices.Contains(known, m.Unproven) {
		p.add("unproven", "%q must be hold, post or z%s", m.Unproven, suggest.DidYouMean(m.Unproven, known))
	}
	if _, _, err := keeping(m.KeepPersonal); m.KeepPersonal != "" && err != nil {
		p.add("keep_personal", "%s", err)
	}
	if limit, err := money.Parse(m.UnprovenLimit); m.UnprovenLimit != "" && (err != nil || limit < 0 || m.Unproven != UnprovenPost) {
		p.add("unproven_limit", "%q must be an amount such as 50.00, beside unproven: post", m.UnprovenLimit)
	}
	p.count("stores", len(m.Stores), maxStores)
	p.count("connections", len(m.Connections), maxConnections)
	p.count("feeds", len(m.Feeds), maxFeeds)
	p.count("settlements", len(m.Settlements), maxSettlements)
	p.count("mappings", len(m.Mappings), maxMappings)
	if len(m.Stores) == 0 {
		p.add("stores", "a merchant has at least one store")
	}
	ids, shorts := map[string]bool{}, map[string]string{}
	for i, s := range m.Stores {
		path := fmt.Sprintf("stores[%d]", i)
		if ids[s.ID] {
			p.add(path+".id", "%q is used by another store", s.ID)
		}
		ids[s.ID] = true
		p.store(path, s)
		short := strings.ToUpper(s.ShortCode())
		if other, taken := shorts[short]; taken {
			p.add(path+".short", "code %q is also that of store %s; posting references would be the same: give one of them its own short", short, other)
		}
		shorts[short] = s.ID
	}
	stores := ids
	ids = map[string]bool{}
	for i, c := range m.Connections {
		path := fmt.Sprintf("connections[%d]", i)
		if ids[c.ID] {
			p.add(path+".id", "%q is used by another connection", c.ID)
		}
		ids[c.ID] = true
		p.connection(path, c)
	}
	ids = map[string]bool{}
	for i, f := range m.Feeds {
		path := fmt.Sprintf("feeds[%d]", i)
		if ids[f.ID] {
			p.add(path+".id", "%q is used by another feed", f.ID)
		}
		ids[f.ID] = true
		p.feed(path, f, stores)
	}
	ids = map[string]bool{}
	for i, a := range m.Settlements {
		path := fmt.Sprintf("settlements[%d]", i)
		if ids[a.Name()] {
			p.add(path+".provider", "this account and currency stand here twice")
		}
		ids[a.Name()] = true
		a.Check(func(field, text string) { p.add(path+"."+field, "%s", text) })
	}
	p.folders([]Merchant{m}, func(_, connection int) string { return fmt.Sprintf("connections[%d]", connection) })
	p.mappings(m)
	return p.found
}

func (p *problems) store(path string, s Store) {
	p.id(path+".id", s.ID)
	p.text(path+".name", s.Name, maxName)
	if code := s.ShortCode(); code == "" || len(code) > maxShort || strings.ContainsFunc(code, notAlphanumeric) {
		p.add(path+".short", "%q must be 1 to %d letters and digits", code, maxShort)
	}
	if _, err := bizday.NewRule(s.Zone, ""); err != nil {
		p.add(path+".zone", "%v", err)
	} else if _, err := bizday.NewRule(s.Zone, s.Cutoff); err != nil {
		p.add(path+".cutoff", "%v", err)
	}
	settle := p.duration(path+".settle", s.Settle, DefaultSettle, longestSettle)
	deadline := p.duration(path+".deadline", s.Deadline, DefaultDeadline, latestDeadline)
	if deadline < settle {
		p.add(path+".deadline", "%s is before the settle time of %s; a day would be late before it is complete", deadline, settle)
	}
	if s.Start != "" {
		if _, err := bizday.Parse(s.Start); err != nil {
			p.add(path+".start", "%v", err)
		}
	}
	p.count(path+".terminals", len(s.Terminals), maxTerminals)
	seen := map[string]bool{}
	for i, terminal := range s.Terminals {
		at := fmt.Sprintf("%s.terminals[%d].id", path, i)
		p.text(at, terminal.ID, maxID) // as the till writes it
		switch {
		case terminal.ID == "":
			p.add(at, "is missing")
		case seen[terminal.ID]:
			p.add(at, "%q is used by another terminal of this store", terminal.ID)
		}
		seen[terminal.ID] = true
	}
}

func (p *problems) mappings(m Merchant) {
	type version struct {
		from   bizday.Day
		number int
	}
	seen := map[version]bool{}
	for i, mapping := range m.Mappings {
		path := fmt.Sprintf("mappings[%d]", i)
		if _, err := bizday.Parse(string(mapping.From)); err != nil {
			p.add(path+".from", "%v", err)
		}
		if mapping.Version < 0 {
			p.add(path+".version", "%d is below 0", mapping.Version)
		}
		if seen[version{mapping.From, mapping.Version}] {
			p.add(path+".from", "another mapping is from %s too; change its date or take one of them out", mapping.From)
		}
		seen[version{mapping.From, mapping.Version}] = true
		if err := mapping.Mapping.Validate(); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				field, text, _ := strings.Cut(line, ": ")
				p.add(path+".mapping"+fieldPath(field), "%s", text)
			}
		} else if mapping.Mapping.Currency != m.Currency {
			p.add(path+".mapping.currency", "%q is not the currency of the merchant's books, %q", mapping.Mapping.Currency, m.Currency)
		}
	}
}

// fieldPath writes the path of a mapping's field as the rest of the file has
// it: taxes/2/rate, counted from 1, is .taxes[1].rate.
func fieldPath(field string) string {
	var w strings.Builder
	for part := range strings.SplitSeq(field, "/") {
		if n, err := strconv.Atoi(part); err == nil && n > 0 {
			fmt.Fprintf(&w, "[%d]", n-1)
		} else {
			w.WriteString("." + part)
		}
	}
	return w.String()
}

// CheckFolders checks that no two connections, of any merchants, keep their
// books in the same folder or one inside the other.
func CheckFolders(all []Merchant) error {
	var p problems
	p.folders(all, func(merchant, connection int) string {
		return fmt.Sprintf("merchants[%d].connections[%d]", merchant, connection)
	})
	var errs []error
	for _, found := range p.found {
		errs = append(errs, found)
	}
	return errors.Join(errs...)
}

func (p *problems) folders(all []Merchant, path func(merchant, connection int) string) {
	type used struct{ folder, by string }
	var folders []used
	for i, m := range all {
		for j, c := range m.Connections {
			folder := c.Settings["folder"]
			if c.Target != "text" || !filepath.IsAbs(folder) {
				continue
			}
			// Compared without case: some file systems do not tell it apart.
			folder = strings.ToLower(strings.TrimSuffix(filepath.ToSlash(filepath.Clean(folder)), "/")) + "/"
			for _, other := range folders {
				if strings.HasPrefix(folder, other.folder) || strings.HasPrefix(other.folder, folder) {
					p.add(path(i, j)+".settings.folder", "%s overlaps with the folder of %s", c.Settings["folder"], other.by)
					break
				}
			}
			folders = append(folders, used{folder, fmt.Sprintf("connection %s of merchant %s", c.ID, m.ID)})
		}
	}
}

func (p *problems) id(path, id string) {
	if id == "" || len(id) > maxID || strings.ContainsFunc(id, func(r rune) bool { return notAlphanumeric(r) && r != '-' && r != '_' }) {
		p.add(path, "%q must be 1 to %d letters, digits, - and _", id, maxID)
	}
}

func (p *problems) text(path, s string, longest int) {
	if len(s) > longest || strings.ContainsFunc(s, unicode.IsControl) {
		p.add(path, "must have at most %d bytes and no control characters", longest)
	}
}

func (p *problems) count(path string, n, most int) {
	if n > most {
		p.add(path, "%d of them are more than %d", n, most)
	}
}

func (p *problems) duration(path, s string, otherwise, longest time.Duration) time.Duration {
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > longest {
		p.add(path, "%q must be a duration from 0s to %s, such as %s", s, longest, otherwise)
		return otherwise
	}
	return d
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
