package app_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/app"
)

func TestARoleIsAllOrSomeOfThree(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]app.Roles{
		"all":               {Intake: true, Work: true, Web: true},
		"intake":            {Intake: true},
		"work, web":         {Work: true, Web: true},
		"web,intake,work":   {Intake: true, Work: true, Web: true},
		"intake,intake,all": {Intake: true, Work: true, Web: true},
	} {
		got, err := app.ParseRoles(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
		if again, err := app.ParseRoles(got.String()); err != nil || again != got {
			t.Errorf("%q is said as %q, which reads %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "intake,", "intak"} {
		if got, err := app.ParseRoles(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
	if _, err := app.ParseRoles("intak"); !strings.Contains(err.Error(), `did you mean "intake"`) {
		t.Errorf("a slip of the pen: %v", err)
	}
}

// inRole runs a collector of a role over a PostgreSQL database until the test ends.
func inRole(t *testing.T, dsn, role string) (collector *app.App, data string) {
	t.Helper()
	data = t.TempDir()
	c := config(data)
	c.Database.DSN, c.Role = dsn, role
	collector, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- collector.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, collector.Close()); err != nil {
			t.Errorf("role %s: %v", role, err)
		}
	})
	return collector, data
}

func TestEachRoleStartsOnlyItsRoomsAndSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, c := range []struct {
		role            string
		agents, counts  bool // listens for agents, and counts what they send
		works           bool
		needs, needsNot string
	}{
		{"intake", true, true, false, "certificate for agents: ok", "role: all"},
		{"work", false, false, true, "database: ok", "certificate for agents"},
		{"web", false, false, false, "database: ok", "certificate for agents"},
		{"all", true, true, true, "certificate for agents: ok", "role: intake"},
	} {
		t.Run(c.role, func(t *testing.T) {
			t.Parallel()
			collector, data := inRole(t, dsn, c.role)
			if code, text := get(t, collector, "/readyz"); code != http.StatusOK || !strings.HasPrefix(text, "role: "+c.role+"\n") ||
				!strings.Contains(text, c.needs) || strings.Contains(text, c.needsNot) {
				t.Errorf("/readyz: %d %s", code, text)
			}
			if got := collector.Addr() != ""; got != c.agents {
				t.Errorf("it listens for agents: %t", got)
			}
			if _, err := os.Stat(filepath.Join(data, "authority.key")); errors.Is(err, fs.ErrNotExist) == c.agents {
				t.Errorf("the authority's key: %v", err)
			}
			_, metrics := get(t, collector, "/metrics")
			if got := strings.Contains(metrics, "\ntillbook_collector_intake_sessions "); got != c.counts {
				t.Errorf("it counts sessions: %t", got)
			}
			if got := strings.Contains(metrics, "\ntillbook_collector_merchants_stopped "); got != c.works {
				t.Errorf("it watches days: %t", got)
			}
		})
	}
}

func TestAProcessThatOnlyWorksClosesDays(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.sell(1200)
	c := config(t.TempDir())
	c.Database.DSN, c.Role = p.dsn, "work"
	collector, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	if err := collector.WorkOnce(t.Context()); err != nil {
		t.Error(err)
	}
	days, err := collector.DB().Days(t.Context(), "m")
	if err != nil || len(days) == 0 || days[0].Entry == 0 {
		t.Errorf("the day was not closed: %+v, %v", days, err)
	}
}
