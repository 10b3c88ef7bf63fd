package merchant

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/bizday"
)

func TestACalendarHasItsDefaults(t *testing.T) {
	t.Parallel()
	c, err := Store{ID: "s", Zone: "Europe/London"}.Calendar()
	if err != nil {
		t.Fatal(err)
	}
	if c.Rule.Cutoff != 0 || c.Settle != 30*time.Minute || c.Deadline != 36*time.Hour || c.Start != "" {
		t.Errorf("got %+v", c)
	}
	c, err = Store{ID: "s", Zone: "Europe/London", Cutoff: "04:30", Settle: "1h", Deadline: "48h", Start: "2026-11-01"}.Calendar()
	if err != nil {
		t.Fatal(err)
	}
	if c.Rule.Cutoff != 4*time.Hour+30*time.Minute || c.Settle != time.Hour || c.Deadline != 48*time.Hour || c.Start != "2026-11-01" {
		t.Errorf("got %+v", c)
	}
}

func TestACalendarThatCannotBeReadNamesItsStore(t *testing.T) {
	t.Parallel()
	for _, s := range []Store{
		{ID: "s1", Zone: "Nowhere"},
		{ID: "s1", Zone: "UTC", Cutoff: "25:00"},
		{ID: "s1", Zone: "UTC", Settle: "soon"},
		{ID: "s1", Zone: "UTC", Deadline: "later"},
		{ID: "s1", Zone: "UTC", Start: "now"},
	} {
		if _, err := s.Calendar(); err == nil || !strings.Contains(err.Error(), "store s1") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestAShortCodeIsMadeOfTheStoresOwnId(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ id, short, want string }{
		{"s1", "", "S1"},
		{"high", "", "HIGH"},
		{"high-street", "", "HIGH"},
		{"store-1", "", "STO1"},
		{"store-12", "", "ST12"},
		{"store-12345", "", "2345"},
		{"0000012345", "", "2345"},
		{"a_b", "", "AB"},
		{"high-street", "HS", "HS"},
	} {
		if got := (Store{ID: test.id, Short: test.short}).ShortCode(); got != test.want {
			t.Errorf("store %q, short %q: %q, want %q", test.id, test.short, got, test.want)
		}
	}
}

func TestNoTwoStoresOfAValidMerchantHaveTheSameCode(t *testing.T) {
	t.Parallel()
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		m := merchants().Draw(t, "merchant")
		m.Stores = nil
		for range rapid.IntRange(1, 6).Draw(t, "stores") {
			m.Stores = append(m.Stores, Store{
				ID: rapid.StringMatching(`[A-Ca-c_-]{0,3}[0-9]{0,2}`).Draw(t, "id"), Short: rapid.StringMatching(`[A-Ca-c1-2]{0,1}`).Draw(t, "short"), Zone: "UTC",
			})
		}
		seen := map[string]string{}
		same := false
		for _, s := range m.Stores {
			code := strings.ToUpper(s.ShortCode()) // also where capitals are not told apart
			_, taken := seen[code]
			same = same || taken
			seen[code] = s.ID
		}
		if same {
			refused++
			if m.Validate() == nil {
				t.Fatalf("two stores with the same code are valid: %+v", m.Stores)
			}
		}
	})
	if refused == 0 {
		t.Error("the generator never made two stores with the same code")
	}
}

func TestTheMappingOfADayIsTheLatestThatHasBegun(t *testing.T) {
	t.Parallel()
	m := Merchant{Mappings: []Mapping{
		{From: "2026-06-01", Version: 2},
		{From: "2026-01-01", Version: 1},
		{From: "2026-01-01", Version: 3}, // a correction of the first
	}}
	for _, test := range []struct {
		day  bizday.Day
		want int
	}{
		{"2025-12-31", 0},
		{"2026-01-01", 3},
		{"2026-05-31", 3},
		{"2026-06-01", 2},
		{"2027-01-01", 2},
	} {
		got, found := m.MappingFor(test.day)
		if got.Version != test.want || found != (test.want > 0) {
			t.Errorf("%s: version %d, %v; want %d", test.day, got.Version, found, test.want)
		}
	}
}

func TestFoldersOfBooksNeverOverlap(t *testing.T) {
	t.Parallel()
	of := func(id string, folders ...string) Merchant {
		m := Merchant{ID: id}
		for i, folder := range folders {
			m.Connections = append(m.Connections, Connection{ID: fmt.Sprint("c", i), Target: "text", Settings: map[string]string{"folder": folder, "format": "hledger"}})
		}
		return m
	}
	for _, test := range []struct {
		all  []Merchant
		want string
	}{
		{[]Merchant{of("a", "/b/a"), of("b", "/b/b", "/b/bb")}, ""},
		{[]Merchant{of("a", "/b/a"), of("b", "/b/a")}, "merchants[1].connections[0].settings.folder: /b/a overlaps with the folder of connection c0 of merchant a"},
		{[]Merchant{of("a", "/b"), of("b", "/b/x/y")}, "overlaps"},
		{[]Merchant{of("a", "/b/x/y"), of("b", "/b/")}, "overlaps"},
		{[]Merchant{of("a", "/b/x/../y", "/b/Y")}, "merchants[0].connections[1]"},
	} {
		err := CheckFolders(test.all)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v; want %q", test.all, err, test.want)
		}
	}
	if err := of("a", "/b/x", "/b/x/y").Validate(); err == nil || !strings.Contains(err.Error(), "connections[1].settings.folder: /b/x/y overlaps") {
		t.Errorf("within one merchant: %v", err)
	}
}
