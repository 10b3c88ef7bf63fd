package backup_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func open(ctx context.Context, path string) (backup.Database, error) {
	return storage.Open(ctx, storage.Options{Path: path})
}

// place is a database and where its backup goes.
type place struct {
	*testing.T
	db           *storage.DB
	path, folder string
}

// newPlace makes a database with a merchant, an agent and one lost number of it.
func newPlace(t *testing.T) place {
	t.Helper()
	p := place{T: t, path: filepath.Join(t.TempDir(), "collector.db"), folder: filepath.Join(t.TempDir(), "backup")}
	db, err := storage.Open(t.Context(), storage.Options{Path: p.path})
	p.must(err)
	p.db = db
	t.Cleanup(func() { p.must(db.Close()) })
	p.must(db.Migrate(t.Context()))
	p.merchant("acme")
	p.must(db.AddCode(t.Context(), fleet.Code{Hash: [32]byte{1}, Merchant: "acme", Store: "leeds", ExpiresAt: noon.Add(time.Hour)}))
	id, err := db.Redeem(t.Context(), [32]byte{1}, "agent-1", "till-pc", "1.0.0", noon)
	p.must(err)
	_, err = db.Issue(t.Context(), id, [16]byte{1}, [32]byte{}, "test", noon)
	p.must(err)
	_, err = db.DeclareGap(t.Context(), id, [16]byte{1}, intake.Range{First: 1, Last: 1}, [32]byte{7}, "disk", noon)
	p.must(err)
	return p
}

func (p place) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p place) merchant(id string) {
	p.Helper()
	_, err := p.db.Apply(p.Context(), merchant.Merchant{ID: id, Currency: "GBP", Stores: []merchant.Store{{ID: "leeds", Zone: "Europe/London"}}}, noon)
	p.must(err)
}

func (p place) create() backup.Manifest {
	p.Helper()
	m, err := backup.Create(p.Context(), backup.What{Database: p.db, Open: open, Program: "1.2.3", Now: noon}, p.folder)
	p.must(err)
	return m
}

func (p place) restore(path string, replace bool) (backup.Restored, error) {
	return backup.Restore(p.Context(), backup.Where{Path: path, Replace: replace, Open: open, Alone: storage.Alone, Now: noon.Add(time.Hour)}, p.folder)
}

// names are the files of a folder.
func names(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestABackupIsWholeAndItsManifestIsWhatTheCopyHolds(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	made := p.create()
	if got := names(t, p.folder); got != "collector.db manifest.json" {
		t.Errorf("the backup has %s", got)
	}
	if got := names(t, filepath.Dir(p.folder)); got != "backup" {
		t.Errorf("beside it is %s", got)
	}
	read, report, err := backup.Verify(t.Context(), p.folder, open)
	if err != nil || !report.OK() || len(report.Results) != 12 {
		t.Fatalf("%v, %+v", err, report)
	}
	if diff := cmp.Diff(made, read); diff != "" {
		t.Errorf("manifest (-made +read):\n%s", diff)
	}
	if s := read.Contents.Streams; read.Contents.Agents != 1 || len(s) != 1 || s[0].Agent != "agent-1" || s[0].Stored != 1 || s[0].Digest[0] != 7 {
		t.Errorf("contents %+v", read.Contents)
	}
	if _, err := backup.Create(t.Context(), backup.What{Database: p.db, Open: open, Now: noon}, p.folder); !errors.Is(err, backup.ErrThere) {
		t.Errorf("over another backup: %v", err)
	}
}

func TestADamagedBackupIsNeitherVerifiedNorPutBack(t *testing.T) {
	t.Parallel()
	change := func(name string, f func([]byte) []byte) func(place) {
		return func(p place) {
			path := filepath.Join(p.folder, name)
			text, err := os.ReadFile(path)
			p.must(err)
			p.must(os.WriteFile(path, f(text), 0o600))
		}
	}
	for name, damage := range map[string]func(place){
		"one bit":       change("collector.db", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
		"cut off":       change("collector.db", func(b []byte) []byte { return b[:len(b)-1] }),
		"longer":        change("collector.db", func(b []byte) []byte { return append(b, 0) }),
		"no manifest":   change("manifest.json", func([]byte) []byte { return nil }),
		"half manifest": change("manifest.json", func(b []byte) []byte { return b[:len(b)/2] }),
		"no checksum":   change("manifest.json", func([]byte) []byte { return []byte(`{"format":1,"copy":{"size":1}}`) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.create()
			damage(p)
			if _, _, err := backup.Verify(t.Context(), p.folder, open); !errors.Is(err, backup.ErrDamaged) {
				t.Errorf("verify: %v", err)
			}
			folder := t.TempDir()
			if _, err := p.restore(filepath.Join(folder, "collector.db"), false); !errors.Is(err, backup.ErrDamaged) {
				t.Errorf("restore: %v", err)
			}
			if got := names(t, folder); got != "" {
				t.Errorf("the restore left %s", got)
			}
		})
	}
}

func TestACopyThatLacksWhatTheManifestSaysIsNotVerified(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	m := p.create()
	for name, c := range map[string]struct {
		change func(*backup.Manifest)
		want   error
	}{
		"the same":                     {func(*backup.Manifest) {}, nil},
		"another document":             {func(m *backup.Manifest) { m.Contents.Documents++ }, backup.ErrDamaged},
		"another incarnation":          {func(m *backup.Manifest) { m.Incarnation = make(backup.Hex, 16) }, backup.ErrOther},
		"by a server, less":            {func(m *backup.Manifest) { m.Copy, m.Contents.Agents = nil, 0 }, nil},
		"by a server, more":            {func(m *backup.Manifest) { m.Copy, m.Contents.Entries = nil, 1 }, backup.ErrDamaged},
		"by a server, another digest":  {func(m *backup.Manifest) { m.Copy, m.Contents.Streams[0].Digest = nil, make(backup.Hex, 32) }, backup.ErrDamaged},
		"by a server, a later number":  {func(m *backup.Manifest) { m.Copy, m.Contents.Streams[0].Stored = nil, 2 }, backup.ErrDamaged},
		"by a server, a later act":     {func(m *backup.Manifest) { m.Copy, m.Contents.Logs[0].Number = nil, 3 }, backup.ErrDamaged},
		"by a server, another act":     {func(m *backup.Manifest) { m.Copy, m.Contents.Logs[0].Hash = nil, make(backup.Hex, 32) }, backup.ErrDamaged},
		"by a server, another's epoch": {func(m *backup.Manifest) { m.Copy, m.Contents.Streams[0].Agent = nil, "agent-2" }, backup.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			other := m
			other.Contents.Logs = append([]backup.Log(nil), m.Contents.Logs...)
			other.Contents.Streams = append([]backup.Stream(nil), m.Contents.Streams...)
			c.change(&other)
			if _, err := backup.VerifyCopy(t.Context(), other, p.db); !errors.Is(err, c.want) {
				t.Errorf("%v, not %v", err, c.want)
			}
		})
	}
}

func TestARestoreSetsAsideWhatIsThereAndMakesANewIncarnation(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	before, err := p.db.Incarnation(t.Context())
	p.must(err)
	p.create()
	p.merchant("later")
	if _, err := p.restore(p.path, false); !errors.Is(err, backup.ErrThere) {
		t.Errorf("over a database: %v", err)
	}
	if _, err := p.restore(p.path, true); !errors.Is(err, backup.ErrOpen) {
		t.Errorf("while it is open: %v", err)
	}
	p.must(p.db.Close())
	r, err := p.restore(p.path, true)
	p.must(err)
	if got, want := names(t, filepath.Dir(p.path)), "collector.db collector.db.before-20260302T130000Z"; got != want || r.Aside != p.path+".before-20260302T130000Z" {
		t.Errorf("there is %s, set aside was %s", got, r.Aside)
	}
	for path, want := range map[string]struct{ merchants, stopped int }{p.path: {1, 1}, r.Aside: {2, 0}} {
		db, err := storage.Open(t.Context(), storage.Options{Path: path})
		p.must(err)
		all, err := db.Merchants(t.Context())
		p.must(err)
		stopped := 0
		for _, m := range all {
			var s *day.Stop
			s, err = db.Stopped(t.Context(), m.ID)
			p.must(err)
			if s != nil {
				stopped++
			}
		}
		incarnation, err := db.Incarnation(t.Context())
		p.must(err)
		p.must(db.Close())
		if len(all) != want.merchants || stopped != want.stopped || (incarnation == before) != (path == r.Aside) {
			t.Errorf("%s has %d merchants, %d stopped, incarnation as before: %t", filepath.Base(path), len(all), stopped, incarnation == before)
		}
	}
}

func TestADatabaseThatAServerPutBackIsTakenOnceAndOnlyIfTheBackupIsOfIt(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	m, err := backup.Create(t.Context(), backup.What{Database: p.db, Now: noon}, p.folder)
	p.must(err)
	if m.Copy != nil || names(t, p.folder) != "manifest.json" {
		t.Errorf("there is more than a manifest: %s", names(t, p.folder))
	}
	if _, _, err := backup.Verify(t.Context(), p.folder, open); err == nil {
		t.Error("a manifest alone was verified")
	}
	if _, err := p.restore(filepath.Join(t.TempDir(), "collector.db"), true); err == nil {
		t.Error("a manifest alone was put back")
	}
	if _, err := backup.Take(t.Context(), newPlace(t).db, p.folder, noon); !errors.Is(err, backup.ErrOther) {
		t.Errorf("of another database: %v", err)
	}
	r, err := backup.Take(t.Context(), p.db, p.folder, noon)
	p.must(err)
	if s, err := p.db.Stopped(t.Context(), "acme"); err != nil || s == nil || len(r.Merchants) != 1 {
		t.Errorf("merchants %v, stopped %+v: %v", r.Merchants, s, err)
	}
	if _, err := backup.Take(t.Context(), p.db, p.folder, noon); !errors.Is(err, backup.ErrOther) {
		t.Errorf("taken again: %v", err)
	}
}

func TestWhatCannotBeReadIsSetAsideAsItIs(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"a database": "collector.db", "a log without its database": "collector.db-wal"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.create()
			folder, text := t.TempDir(), strings.Repeat("not a database ", 600)
			p.must(os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600))
			_, err := p.restore(filepath.Join(folder, "collector.db"), true)
			p.must(err)
			aside := "collector.db.before-20260302T130000Z" + strings.TrimPrefix(file, "collector.db")
			if got := names(t, folder); got != "collector.db "+aside {
				t.Errorf("there is %s", got)
			}
			if kept, err := os.ReadFile(filepath.Join(folder, aside)); err != nil || string(kept) != text {
				t.Errorf("%d bytes were kept, not %d: %v", len(kept), len(text), err)
			}
		})
	}
}

func TestARestoreAsksTheDatabaseThatItSetsAsideWhoWasRevoked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change           func(place) // of what stands where the backup is put back
		revoked, doubted int
	}{
		"what became of it":   {func(place) {}, 1, 0},
		"nothing":             {func(p place) { p.must(os.Remove(p.path)) }, 0, 1},
		"what cannot be read": {func(p place) { p.must(os.WriteFile(p.path, []byte(strings.Repeat("no ", 9000)), 0o600)) }, 0, 1},
		"another database":    {func(p place) { other := newPlace(p.T); p.must(other.db.Close()); p.must(os.Rename(other.path, p.path)) }, 0, 1},
		"one that lacks the log's end": {func(p place) {
			db, err := sql.Open("sqlite", "file:"+p.path)
			p.must(err)
			_, err = db.ExecContext(p.Context(), `DELETE FROM act`)
			p.must(errors.Join(err, db.Close()))
		}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.create()
			p.must(p.db.Revoke(t.Context(), "acme", "agent-1", noon))
			p.must(p.db.Close())
			c.change(p)
			r, err := p.restore(p.path, true)
			p.must(err)
			if len(r.Revoked) != c.revoked || len(r.Doubted) != c.doubted {
				t.Errorf("revoked %+v, doubted %+v", r.Revoked, r.Doubted)
			}
			db, err := storage.Open(t.Context(), storage.Options{Path: p.path})
			p.must(err)
			err = fleet.Allowed(t.Context(), db, fleet.Identity{Merchant: "acme", Store: "leeds", Agent: "agent-1"})
			if err == nil {
				t.Error("the agent that was revoked may speak")
			}
			p.must(db.Close())
		})
	}
}
