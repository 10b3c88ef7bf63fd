package merchant

import (
	"fmt"
	"strings"
	"time"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Defaults of a store's calendar.
const (
	DefaultSettle   = 30 * time.Minute
	DefaultDeadline = 36 * time.Hour
)

// What to do with a day that is not proven when its deadline has passed.
const (
	UnprovenHold = "hold" // the default
	UnprovenPost = "post" // with the unexplained amount on the suspense account
	UnprovenZ    = "z"    // by the Z where only receipts are missing that it counts, until they arrive
)

// Calendar reads the store's zone, cut-off and durations, with their defaults.
func (s Store) Calendar() (Calendar, error) {
	rule, err := bizday.NewRule(s.Zone, s.Cutoff)
	if err != nil {
		return Calendar{}, fmt.Errorf("store %s: %w", s.ID, err)
	}
	c := Calendar{Rule: rule, Settle: DefaultSettle, Deadline: DefaultDeadline}
	if s.Settle != "" {
		if c.Settle, err = time.ParseDuration(s.Settle); err != nil {
			return Calendar{}, fmt.Errorf("store %s: settle %q is not a duration such as 30m", s.ID, s.Settle)
		}
	}
	if s.Deadline != "" {
		if c.Deadline, err = time.ParseDuration(s.Deadline); err != nil {
			return Calendar{}, fmt.Errorf("store %s: deadline %q is not a duration such as 36h", s.ID, s.Deadline)
		}
	}
	if s.Start != "" {
		if c.Start, err = bizday.Parse(s.Start); err != nil {
			return Calendar{}, fmt.Errorf("store %s: start: %w", s.ID, err)
		}
	}
	return c, nil
}

// ShortCode returns the store's code in posting references: Short, or one made
// of the store's own id alone, so that a new store never changes another's. It
// is the id's letters and digits if there are at most four, else its first
// letters and its last digits: store-1 is STO1, store-12 is ST12.
func (s Store) ShortCode() string {
	if s.Short != "" {
		return s.Short
	}
	code := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s.ID)
	if len(code) <= maxShort {
		return code
	}
	letters := strings.TrimRight(code, "0123456789")
	digits := code[len(letters):]
	if len(digits) >= maxShort {
		return digits[len(digits)-maxShort:]
	}
	return letters[:min(len(letters), maxShort-len(digits))] + digits
}

// Store returns the store with the id.
func (m Merchant) Store(id string) (Store, bool) {
	for _, s := range m.Stores {
		if s.ID == id {
			return s, true
		}
	}
	return Store{}, false
}

// Connection returns the connection with the id.
func (m Merchant) Connection(id string) (Connection, bool) {
	for _, c := range m.Connections {
		if c.ID == id {
			return c, true
		}
	}
	return Connection{}, false
}

// MappingFor returns the mapping that holds on a day: of those from that day or
// earlier the one with the latest From, and of these the newest version.
func (m Merchant) MappingFor(day bizday.Day) (Mapping, bool) {
	var best Mapping
	found := false
	for _, mapping := range m.Mappings {
		switch {
		case mapping.From > day:
		case !found, mapping.From > best.From, mapping.From == best.From && mapping.Version >= best.Version:
			best, found = mapping, true
		}
	}
	return best, found
}

// PostUnproven reports whether a day that is not proven is posted at its
// deadline rather than held, if this is its largest open difference, in the books'
// currency.
func (m Merchant) PostUnproven(largest money.Decimal) bool {
	if m.Unproven != UnprovenPost {
		return false
	}
	limit, err := money.Parse(m.UnprovenLimit)
	return m.UnprovenLimit == "" || err == nil && largest <= limit
}
