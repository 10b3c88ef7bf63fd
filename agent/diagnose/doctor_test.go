package diagnose_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/host"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source/filedrop"
	"tillbook.example/tillbook/agent/uplink"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/problem"
)

var now = time.Date(2026, 11, 3, 18, 0, 0, 0, time.UTC)

// machine is one on which all is well, until a test changes an answer.
type machine struct {
	diagnose.This // for files

	free                                      uint64
	sync                                      time.Duration
	service                                   host.State
	proxy                                     string
	listens                                   map[string]bool
	write, syncs, asked, resolve, tcp, encode error
}

func (m *machine) Write(folder string) error { return errors.Join(m.write, m.This.Write(folder)) }
func (m *machine) Sync(string) (time.Duration, error) {
	return m.sync, m.syncs
}
func (m *machine) Free(string) (uint64, error)                        { return m.free, nil }
func (m *machine) Listens(_ context.Context, address string) bool     { return m.listens[address] }
func (m *machine) Proxy(string) (string, error)                       { return m.proxy, nil }
func (m *machine) Resolve(context.Context, string) error              { return m.resolve }
func (m *machine) Connect(context.Context, string) error              { return m.tcp }
func (m *machine) Encrypt(context.Context, string, *tls.Config) error { return m.encode }
func (m *machine) Service() (host.State, error)                       { return m.service, m.asked }

// carrier answers a hello with a refusal, or cannot be dialled.
type carrier struct {
	code string
	err  error
}

func (c carrier) Dial(context.Context) (uplink.Session, error) { return c, c.err }
func (c carrier) Close()                                       {}

func (c carrier) Send(up *tillbookv1.Up) error {
	if hello := up.GetHello(); hello == nil || hello.Protocol != 0 || hello.Epoch != nil {
		return fmt.Errorf("a probe says %v, want a hello that begins nothing", up)
	}
	return nil
}

func (c carrier) Recv() (*tillbookv1.Down, error) {
	return &tillbookv1.Down{Message: &tillbookv1.Down_Refusal{Refusal: &tillbookv1.Refusal{Code: c.code, Text: "said the collector"}}}, nil
}

// well is an agent on which all is well: the service is stopped but for the
// manager's word, so that every check has something to do.
func well(t *testing.T) (*diagnose.Subject, *machine) {
	t.Helper()
	data, till := t.TempDir(), t.TempDir()
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(data, "push.token")
	file := filepath.Join(till, "1.xml")
	for _, path := range []string{secret, file} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(file, now, now); err != nil {
		t.Fatal(err)
	}
	m := &machine{free: 8 << 30, sync: 2 * time.Millisecond, service: host.Running, listens: map[string]bool{}}
	return &diagnose.Subject{
		Now: now, Version: "v1.4.0", Data: data, Secrets: []string{secret, filepath.Join(data, "gone")}, Listen: "127.0.0.1:7410",
		SoftFree: 1 << 30, HardFree: 256 << 20, Verify: func() (outbox.Report, error) { return outbox.Report{Records: 3}, nil },
		Status: running(),
		Identity: &diagnose.Identity{
			Merchant: "corner", Store: "S1", Agent: "a1", Collector: "collector.example:7443", Zone: "Europe/London",
			Since: now.AddDate(0, 0, -5), Until: now.AddDate(0, 0, 25), Kept: "file",
		},
		Sources: []diagnose.Source{{Name: "till-1", Folder: till, Patterns: []string{"*.xml"}, Format: func() error { return nil }}},
		Ways: []diagnose.Way{{
			Name: "grpc", Address: "collector.example:7443", TLS: func() (*tls.Config, error) { return &tls.Config{}, nil }, Carrier: carrier{code: "protocol"},
		}},
		Explain: enroll.Explain, Machine: m,
	}, m
}

// running is what a service says on which all is well.
func running() *diagnose.Status {
	return &diagnose.Status{
		At: now, Merchant: "corner", Store: "S1", Agent: "a1", Version: "v1.4.0", Work: diagnose.WorkOK,
		Outbox:    diagnose.OutboxStatus{Taken: 318, LastAt: now.Add(-time.Minute), MaxBytes: 2 << 30},
		Folders:   []filedrop.Status{{Name: "till-1"}},
		Collector: diagnose.CollectorStatus{Address: "collector.example:7443", Connected: true, Since: now.Add(-time.Hour), HeardAt: now, Expires: now.AddDate(0, 0, 25), Version: "v1.5.0"},
		Days:      []diagnose.DayState{{Day: "2026-11-03", State: "open"}, {Day: "2026-11-02", State: "ready"}}, DaysAt: now,
	}
}

func TestDoctorFindsNothingWhereAllIsWell(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*diagnose.Subject, *machine){
		"running": func(*diagnose.Subject, *machine) {},
		"running, with a key that only the service can open": func(s *diagnose.Subject, _ *machine) {
			s.Identity, s.Ways[0].TLS, s.Ways[0].Carrier, s.Joined = nil, nil, nil, errors.New("the key is kept by credential")
		},
		"through a proxy":    func(_ *diagnose.Subject, m *machine) { m.proxy, m.resolve = "proxy:3128", errors.New("no such host") },
		"no service manager": func(_ *diagnose.Subject, m *machine) { m.asked = errors.New("none") },
		"waits to be enrolled": func(s *diagnose.Subject, _ *machine) {
			s.Status = nil
		},
	} {
		s, m := well(t)
		change(s, m)
		r := diagnose.Examine(t.Context(), *s, false)
		for _, c := range r.Results {
			if (c.Grade == diagnose.Warn || c.Grade == diagnose.Fail) && (name != "waits to be enrolled" || c.Check != "service") {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}

func TestEachTroubleIsFoundWithItsCodeAndWhatToDo(t *testing.T) {
	t.Parallel()
	stopped := func(s *diagnose.Subject, m *machine) { s.Status, m.service = nil, host.Running }
	away := func(err error) func(*diagnose.Subject, *machine) {
		return func(s *diagnose.Subject, m *machine) {
			stopped(s, m)
			s.Ways[0].Carrier = carrier{err: err}
		}
	}
	for _, c := range []struct {
		name, check, code, grade string
		change                   func(*diagnose.Subject, *machine)
	}{
		{"configuration that cannot work", "configuration", "configuration", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Config = errors.New("listen: no") }},
		{"no data folder", "data folder", "folder_missing", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Data += "/none" }},
		{"a file in the folder's place", "data folder", "folder_not_writable", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Data = s.Secrets[0] }},
		{"a folder that is read-only", "data folder", "folder_not_writable", diagnose.Fail, func(_ *diagnose.Subject, m *machine) { m.write = syscall.EROFS }},
		{"a folder that this account may not write in", "data folder", "no_rights", diagnose.Fail, func(_ *diagnose.Subject, m *machine) { m.write = syscall.EACCES }},
		{"a folder that others look into", "permissions", "folder_open", diagnose.Warn, func(s *diagnose.Subject, _ *machine) { chmod(t, s.Data, 0o755) }},
		{"a token that others read", "permissions", "secret_open", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { chmod(t, s.Secrets[0], 0o640) }},
		{"little space", "disk space", "disk_short", diagnose.Warn, func(_ *diagnose.Subject, m *machine) { m.free = 1<<30 - 1 }},
		{"no space", "disk space", "disk_full", diagnose.Fail, func(_ *diagnose.Subject, m *machine) { m.free = 256<<20 - 1 }},
		{"a sync that fails", "disk sync", "sync_failed", diagnose.Fail, func(_ *diagnose.Subject, m *machine) { m.syncs = syscall.EIO }},
		{"a sync that is slow", "disk sync", "sync_slow", diagnose.Warn, func(_ *diagnose.Subject, m *machine) { m.sync = 51 * time.Millisecond }},
		{"a sync that is too fast to be true", "disk sync", "sync_lies", diagnose.Warn, func(_ *diagnose.Subject, m *machine) { m.sync = 49 * time.Microsecond }},
		{"lost numbers", "buffer", "outbox_lost", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Status.Outbox.Lost = 2 }},
		{"damage while it runs", "buffer", "outbox_damaged", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Status.Outbox.Damaged = 1 }},
		{"a full buffer", "buffer", "no_room", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Status.Outbox.Full = true }},
		{"gaps in a stopped buffer", "buffer", "outbox_lost", diagnose.Fail, func(s *diagnose.Subject, m *machine) {
			stopped(s, m)
			s.Verify = func() (outbox.Report, error) { return outbox.Report{Gaps: []outbox.Gap{{First: 3, Last: 4}}}, nil }
		}},
		{"a stopped buffer that cannot be read", "buffer", "outbox_damaged", diagnose.Fail, func(s *diagnose.Subject, m *machine) {
			stopped(s, m)
			s.Verify = func() (outbox.Report, error) { return outbox.Report{}, syscall.EIO }
		}},
		{"a buffer that another has", "buffer", "running", diagnose.Warn, func(s *diagnose.Subject, m *machine) {
			stopped(s, m)
			s.Verify = func() (outbox.Report, error) { return outbox.Report{}, outbox.ErrLocked }
		}},
		{"no identity", "identity", "not_enrolled", diagnose.Fail, func(s *diagnose.Subject, m *machine) { stopped(s, m); s.Identity, s.Joined = nil, enroll.ErrNone }},
		{"an identity that cannot be read", "identity", "identity_unreadable", diagnose.Fail, func(s *diagnose.Subject, m *machine) {
			stopped(s, m)
			s.Identity, s.Joined = nil, errors.New("the key is kept by tpm")
		}},
		{"a certificate that is not yet valid", "certificate", "clock_wrong", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Identity.Since = now.Add(time.Hour) }},
		{"a certificate that has ended", "certificate", "certificate_expired", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Identity.Until = now.Add(-time.Hour) }},
		{"a certificate that ends soon", "certificate", "certificate_expiring", diagnose.Warn, func(s *diagnose.Subject, _ *machine) { s.Identity.Until = now.AddDate(0, 0, 6) }},
		{"a clock that is ahead", "clock", "clock_skew", diagnose.Warn, func(s *diagnose.Subject, _ *machine) { s.Status.Collector.Skew = 121 }},
		{"a clock that is behind", "clock", "clock_skew", diagnose.Warn, func(s *diagnose.Subject, _ *machine) { s.Status.Collector.Skew = -121 }},
		{"a store's zone that there is not", "time zone", "zone_unknown", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Identity.Zone = "Europe/Leeds" }},
		{"a source's zone that there is not", "time zone", "zone_unknown", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Sources[0].Zone = "Leeds" }},
		{"no service", "service", "service_absent", diagnose.Fail, func(s *diagnose.Subject, m *machine) { stopped(s, m); m.service = host.Absent }},
		{"an agent that runs by hand", "service", "service_absent", diagnose.Warn, func(_ *diagnose.Subject, m *machine) { m.service = host.Absent }},
		{"a stopped service", "service", "service_stopped", diagnose.Fail, func(s *diagnose.Subject, m *machine) { stopped(s, m); m.service = host.Stopped }},
		{"a failed service", "service", "service_stopped", diagnose.Fail, func(s *diagnose.Subject, m *machine) { stopped(s, m); m.service = host.Failed }},
		{"a service that does not answer", "service", "not_running", diagnose.Fail, stopped},
		{"nobody who answers or can be asked", "service", "not_running", diagnose.Warn, func(s *diagnose.Subject, m *machine) { stopped(s, m); m.asked = errors.New("none") }},
		{"a port that another has", "local port", "port_taken", diagnose.Fail, func(s *diagnose.Subject, m *machine) { stopped(s, m); m.listens[s.Listen] = true }},
		{"an address of a service that is gone", "local port", "stale_address", diagnose.Warn, func(s *diagnose.Subject, m *machine) {
			stopped(s, m)
			s.Left, m.listens["127.0.0.1:9"] = "127.0.0.1:9", true
		}},
		{"no DNS", "name", "no_such_host", diagnose.Fail, func(s *diagnose.Subject, m *machine) {
			m.resolve = errors.New("lookup collector.example: no such host")
		}},
		{"nothing listens", "line", "connection_refused", diagnose.Fail, func(_ *diagnose.Subject, m *machine) { m.tcp = syscall.ECONNREFUSED }},
		{"a firewall", "line", "no_answer", diagnose.Fail, func(_ *diagnose.Subject, m *machine) { m.tcp = context.DeadlineExceeded }},
		{"a proxy that wants a login", "line", "proxy_login", diagnose.Fail, func(_ *diagnose.Subject, m *machine) {
			m.proxy, m.tcp = "proxy:3128", errors.New("proxy proxy:3128: it answered 407 Proxy Authentication Required")
		}},
		{"a proxy that says no", "line", "proxy_refused", diagnose.Fail, func(_ *diagnose.Subject, m *machine) {
			m.proxy, m.tcp = "proxy:3128", errors.New("proxy proxy:3128: it answered 403 Forbidden to connecting to collector.example:7443")
		}},
		{"something that opens TLS", "encryption", "tls_inspection", diagnose.Fail, func(_ *diagnose.Subject, m *machine) {
			m.encode = errors.New("certificate issued by CN=Corporate Proxy, valid from 2026-01-01T00:00:00Z until 2027-01-01T00:00:00Z: x509: certificate signed by unknown authority")
		}},
		{"a revoked agent, by the service", "collector", "revoked", diagnose.Fail, func(s *diagnose.Subject, _ *machine) {
			s.Status.Collector.Connected, s.Status.Collector.Code = false, "revoked"
		}},
		{"a revoked agent, asked", "collector", "revoked", diagnose.Fail, func(s *diagnose.Subject, m *machine) {
			stopped(s, m)
			s.Ways[0].Carrier = carrier{code: "revoked"}
		}},
		{"a collector that wants another certificate", "collector", "certificate_refused", diagnose.Fail, away(errors.New("remote error: tls: bad certificate"))},
		{"trouble that nobody foresaw", "collector", "no_answer", diagnose.Fail, away(errors.New("what is this"))},
		{"a drill", "collector", "drill", diagnose.Warn, func(s *diagnose.Subject, _ *machine) {
			s.Status.Collector.Connected, s.Status.Collector.Cut = false, true
		}},
		{"a broker that cannot be trusted", "encryption", "no_answer", diagnose.Fail, func(s *diagnose.Subject, _ *machine) {
			s.Ways[0].TLS = func() (*tls.Config, error) { return nil, errors.New("carrier.authorities: no such file") }
		}},
		{"gRPC blocked and MQTT open", "other way", "other_carrier", diagnose.Warn, func(s *diagnose.Subject, m *machine) {
			away(context.DeadlineExceeded)(s, m)
			s.Ways = append(s.Ways, diagnose.Way{Name: "mqtt", Carrier: carrier{code: "protocol"}})
		}},
		{"the port blocked and MQTT open", "other way", "other_carrier", diagnose.Warn, func(s *diagnose.Subject, m *machine) {
			stopped(s, m)
			m.tcp = context.DeadlineExceeded
			s.Ways = append(s.Ways, diagnose.Way{Name: "mqtt", Carrier: carrier{code: "protocol"}})
		}},
		{"a collector of long ago", "version", "version_differs", diagnose.Warn, func(s *diagnose.Subject, _ *machine) { s.Status.Collector.Version = "v1.0.9" }},
		{"a collector of another age", "version", "version_differs", diagnose.Warn, func(s *diagnose.Subject, _ *machine) { s.Status.Collector.Version = "2.4.0" }},
		{"no folder of a source", "source till-1", "source_missing", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Sources[0].Folder += "/none" }},
		{"a source's folder that is none", "source till-1", "source_unreadable", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Sources[0].Folder = s.Secrets[0] }},
		{"a source that the service cannot read", "source till-1", "source_unreadable", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Status.Folders[0].Error = "permission denied" }},
		{"no file that matches", "source till-1", "source_empty", diagnose.Warn, func(s *diagnose.Subject, _ *machine) { s.Sources[0].Patterns = []string{"*.csv"} }},
		{"a source without news", "source till-1", "source_quiet", diagnose.Warn, func(s *diagnose.Subject, _ *machine) { s.Now = now.AddDate(0, 0, 8) }},
		{"parts that could not be read", "source till-1", "source_refused", diagnose.Warn, func(s *diagnose.Subject, _ *machine) { s.Status.Folders[0].Refused = 1 }},
		{"a recipe that is none", "source till-1", "recipe_broken", diagnose.Fail, func(s *diagnose.Subject, _ *machine) { s.Sources[0].Format = func() error { return fs.ErrNotExist } }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, m := well(t)
			c.change(s, m)
			r := diagnose.Examine(t.Context(), *s, false)
			got := result(t, r, c.check)
			if got.Grade != c.grade || got.Code != c.code {
				t.Errorf("%+v; want %s %s", got, c.grade, c.code)
			}
			kind, ok := problem.Find(c.code)
			if !ok || got.Fix != kind.Fix || got.Detail == "" {
				t.Errorf("it says %q and to do %q; want the fix of %s, which is known: %t", got.Detail, got.Fix, c.code, ok)
			}
			if r.Worst == diagnose.Pass || r.Worst == diagnose.Warn && c.grade == diagnose.Fail {
				t.Errorf("all in all %s", r.Worst)
			}
		})
	}
}

func TestWhatLiesBehindAFailedStepIsNotTold(t *testing.T) {
	t.Parallel()
	s, m := well(t)
	s.Status, m.tcp = nil, syscall.ECONNREFUSED
	r := diagnose.Examine(t.Context(), *s, false)
	for _, check := range []string{"encryption", "collector"} {
		if got := result(t, r, check); got.Grade != diagnose.Skip || !strings.Contains(got.Detail, `"line"`) {
			t.Errorf("%+v; want it skipped for the line", got)
		}
	}
}

func TestFixSetsRightWhatIsSafeAndOnlyThat(t *testing.T) {
	t.Parallel()
	s, m := well(t)
	token := s.Secrets[0]
	chmod(t, token, 0o644)
	chmod(t, s.Data, 0o755)
	s.LeftFile = filepath.Join(s.Data, "listen.addr")
	if err := os.WriteFile(s.LeftFile, []byte("127.0.0.1:9"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Status, s.Left, m.listens["127.0.0.1:9"] = nil, "127.0.0.1:9", true
	inner := filepath.Join(s.Data, "outbox")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	chmod(t, inner, 0o755)
	s.Secrets = append(s.Secrets, inner)
	if got := result(t, diagnose.Examine(t.Context(), *s, true), "permissions"); got.Grade != diagnose.Pass || !got.Fixed {
		t.Errorf("%+v; want it set right", got)
	}
	for path, want := range map[string]fs.FileMode{token: 0o600, s.Data: 0o700, inner: 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %o", path, info.Mode(), err, want)
		}
	}
	if _, err := os.Stat(s.LeftFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the address is still there: %v", err)
	}
	if text, err := os.ReadFile(token); err != nil || string(text) != "x" {
		t.Errorf("the token was changed: %q %v", text, err)
	}
	s.Data = filepath.Join(s.Data, "new", "folder")
	if got := result(t, diagnose.Examine(t.Context(), *s, true), "data folder"); got.Grade != diagnose.Pass || !got.Fixed {
		t.Errorf("%+v; want the folder made", got)
	}
}

func TestThisMachineTimesItsDiskAndTellsWhatOthersMayRead(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var here diagnose.This
	if took, err := here.Sync(folder); err != nil || took <= 0 {
		t.Errorf("a sync takes %s: %v", took, err)
	}
	if err := here.Write(folder); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v %v", left, err)
	}
	if err := here.Write(filepath.Join(folder, "none")); err == nil {
		t.Error("wrote to a folder that is not there")
	}
	chmod(t, folder, 0o750)
	if private, known, err := here.Private(folder); err != nil || known && private {
		t.Errorf("0750 is private: %t %t %v", private, known, err)
	}
}

func result(t *testing.T, r diagnose.Report, check string) diagnose.Result {
	t.Helper()
	for _, c := range r.Results {
		if c.Check == check {
			return c
		}
	}
	t.Fatalf("no check %q", check)
	return diagnose.Result{}
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Error(err)
	}
}
