package diagnose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/host"
	"tillbook.example/tillbook/agent/outbox"
)

// Bounds of what is well.
const (
	lyingSync = 50 * time.Microsecond // no disk is faster
	slowSync  = 50 * time.Millisecond
	quiet     = 7 * 24 * time.Hour // a source without a new file
	releases  = 3                  // that work together
)

func (s *Subject) configuration(context.Context) Result {
	if s.Config != nil {
		return found(Fail, "configuration", "%v", s.Config)
	}
	return pass("valid")
}

func (s *Subject) folder(context.Context) Result {
	info, err := os.Stat(s.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found(Fail, "folder_missing", "%s", s.Data).repairedBy(func() error { return os.MkdirAll(s.Data, 0o700) })
	case errors.Is(err, fs.ErrPermission):
		return found(Fail, "no_rights", "%v", err)
	case err != nil:
		return found(Fail, "folder_not_writable", "%v", err)
	case !info.IsDir():
		return found(Fail, "folder_not_writable", "%s is not a folder", s.Data)
	}
	err = s.Machine.Write(s.Data)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return found(Fail, "no_rights", "%v", err)
	case err != nil:
		return found(Fail, "folder_not_writable", "%v", err)
	}
	return pass("%s", s.Data)
}

func (s *Subject) permissions(context.Context) Result {
	looked := 0
	for _, path := range append(slices.Clone(s.Secrets), s.Data) {
		private, known, err := s.Machine.Private(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return found(Fail, "folder_not_writable", "%v", err)
		case !known:
			return skip("permissions cannot be told on this system; the installer sets them")
		case !private && path == s.Data:
			return found(Warn, "folder_open", "%s", path).repairedBy(s.shut)
		case !private:
			return found(Fail, "secret_open", "%s", path).repairedBy(s.shut)
		}
		looked++
	}
	if looked == 0 {
		return skip("nothing is there yet")
	}
	return pass("only the service's account can read key and token")
}

// shut takes the rights of others away.
func (s *Subject) shut() error {
	var problems []error
	for _, path := range append(slices.Clone(s.Secrets), s.Data) {
		info, err := os.Stat(path)
		if err == nil {
			err = os.Chmod(path, info.Mode().Perm()&^0o077)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func (s *Subject) there() bool {
	info, err := os.Stat(s.Data)
	return err == nil && info.IsDir()
}

func (s *Subject) space(context.Context) Result {
	if !s.there() {
		return skip("the data folder is not there")
	}
	free, err := s.Machine.Free(s.Data)
	switch {
	case err != nil:
		return skip("it cannot be told: %v", err)
	case free < s.HardFree:
		return found(Fail, "disk_full", "%d MiB are free", free>>20)
	case free < s.SoftFree:
		return found(Warn, "disk_short", "%d MiB are free", free>>20)
	}
	return pass("%d MiB are free", free>>20)
}

func (s *Subject) sync(context.Context) Result {
	if !s.there() {
		return skip("the data folder is not there")
	}
	took, err := s.Machine.Sync(s.Data)
	shown := fmt.Sprintf("a sync takes %.3f ms", float64(took.Microseconds())/1000)
	switch {
	case err != nil:
		return found(Fail, "sync_failed", "%v", err)
	case took < lyingSync:
		return found(Warn, "sync_lies", "%s", shown)
	case took > slowSync:
		return found(Warn, "sync_slow", "%s", shown)
	}
	return pass("%s", shown)
}

func (s *Subject) buffer(context.Context) Result {
	if s.Status != nil {
		o := s.Status.Outbox
		switch {
		case o.Lost > 0:
			return found(Fail, "outbox_lost", "%d numbers are lost", o.Lost)
		case o.Damaged > 0:
			return found(Fail, "outbox_damaged", "%d places", o.Damaged)
		case o.Full:
			return found(Fail, "no_room", "new sales are refused")
		}
		return pass("%d taken, %d unsent, %d of %d MiB", o.Taken, o.Unsent, o.Bytes>>20, o.MaxBytes>>20)
	}
	report, err := s.Verify()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return skip("there is none yet")
	case errors.Is(err, outbox.ErrLocked):
		return found(Warn, "running", "another process has it open and does not answer")
	case err != nil:
		return found(Fail, "outbox_damaged", "%v", err)
	case len(report.Gaps) > 0:
		return found(Fail, "outbox_lost", "%d gaps, the first from number %d to %d", len(report.Gaps), report.Gaps[0].First, report.Gaps[0].Last)
	case len(report.Damage) > 0:
		return found(Fail, "outbox_damaged", "%d places, the first in segment %d", len(report.Damage), report.Damage[0].Segment)
	}
	return pass("every byte of %d records was read and is as written", report.Records)
}

func (s *Subject) identity(context.Context) Result {
	switch {
	case s.Identity != nil:
		return pass("store %s of merchant %s, agent %s; key kept by %s", s.Identity.Store, s.Identity.Merchant, s.Identity.Agent, s.Identity.Kept)
	case errors.Is(s.Joined, enroll.ErrNone):
		return found(Fail, "not_enrolled", "")
	case s.Status != nil: // only the service can open the key
		return pass("store %s of merchant %s, agent %s; key kept by %s", s.Status.Store, s.Status.Merchant, s.Status.Agent, s.Status.Collector.Key)
	}
	return found(Fail, "identity_unreadable", "%v", s.Joined)
}

func (s *Subject) certificate(context.Context) Result {
	var since, until time.Time
	switch {
	case s.Identity != nil:
		since, until = s.Identity.Since, s.Identity.Until
	case s.Status != nil:
		until = s.Status.Collector.Expires
	default:
		return skip("there is no identity")
	}
	switch {
	case s.Now.Before(since):
		return found(Fail, "clock_wrong", "this machine's clock says %s; the certificate begins %s", s.Now.UTC().Format(time.RFC3339), since.UTC().Format(time.RFC3339))
	case s.Now.After(until):
		return found(Fail, "certificate_expired", "it ended %s", until.UTC().Format(time.RFC3339))
	case until.Sub(s.Now) < expiring:
		return found(Warn, "certificate_expiring", "it ends %s", until.UTC().Format(time.RFC3339))
	}
	return pass("until %s", until.UTC().Format(time.DateOnly))
}

func (s *Subject) clock(context.Context) Result {
	if s.Status == nil || s.Status.Collector.HeardAt.IsZero() {
		return skip("only the running service can compare it with the collector's")
	}
	by := skew(s.Status.Collector.Skew)
	if by.Abs() > maxSkew {
		return found(Warn, "clock_skew", "%s", off(by))
	}
	return pass("%s", off(by))
}

func (s *Subject) zones(context.Context) Result {
	zones := map[string]string{}
	if s.Identity != nil && s.Identity.Zone != "" {
		zones[s.Identity.Zone] = "the store"
	}
	for _, source := range s.Sources {
		if source.Zone != "" {
			zones[source.Zone] = "source " + source.Name
		}
	}
	for zone, of := range zones {
		if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
			return found(Fail, "zone_unknown", "%q of %s", zone, of)
		}
	}
	return pass("all are known")
}

func (s *Subject) service(context.Context) Result {
	state, err := s.Machine.Service()
	switch {
	case err != nil && s.Status == nil && s.Joined == nil:
		return found(Warn, "not_running", "nothing answers, and the service manager cannot be asked: %v", err)
	case err != nil:
		return skip("the service manager cannot be asked: %v", err)
	case state == host.Absent && s.Status != nil:
		return found(Warn, "service_absent", "the agent runs, but not as a service")
	case state == host.Absent:
		return found(Fail, "service_absent", "")
	case state != host.Running && s.Status != nil:
		return found(Warn, "service_stopped", "the agent runs, but the service is %s", state)
	case state != host.Running:
		return found(Fail, "service_stopped", "it is %s", state)
	case s.Status == nil && errors.Is(s.Joined, enroll.ErrNone):
		return pass("running, and waits to be enrolled")
	case s.Status == nil:
		return found(Fail, "not_running", "the service manager says that it runs, and it does not answer")
	}
	return pass("running")
}

func (s *Subject) port(ctx context.Context) Result {
	if s.Status != nil {
		return pass("the service answers at %s", s.Left)
	}
	if s.Left != "" && s.Machine.Listens(ctx, s.Left) {
		return found(Warn, "stale_address", "something that is not the agent listens at %s", s.Left).repairedBy(func() error { return os.Remove(s.LeftFile) })
	}
	if _, port, err := net.SplitHostPort(s.Listen); err != nil || port == "0" {
		return skip("a free one is taken at each start")
	}
	if s.Machine.Listens(ctx, s.Listen) {
		return found(Fail, "port_taken", "something else listens at %s", s.Listen)
	}
	return pass("%s is free", s.Listen)
}

var release = regexp.MustCompile(`^v?(\d{1,6})\.(\d{1,6})`)

// version compares releases: those of one major version that are less than three
// apart work together.
func (s *Subject) version(context.Context) Result {
	if s.Status == nil || s.Status.Collector.Version == "" {
		return skip("the collector's is known to the running service only")
	}
	theirs := s.Status.Collector.Version
	a, b := release.FindStringSubmatch(s.Version), release.FindStringSubmatch(theirs)
	switch {
	case s.Version == theirs:
		return pass("both %s", theirs)
	case a == nil || b == nil:
		return skip("agent %s, collector %s: not two releases", s.Version, theirs)
	}
	mine, _ := strconv.Atoi(a[2]) // digits
	their, _ := strconv.Atoi(b[2])
	if a[1] != b[1] || max(mine-their, their-mine) > releases {
		return found(Warn, "version_differs", "agent %s, collector %s", s.Version, theirs)
	}
	return pass("agent %s, collector %s", s.Version, theirs)
}

func (s *Subject) source(source Source) Result {
	if err := source.Format(); err != nil {
		return found(Fail, "recipe_broken", "%v", err)
	}
	entries, err := os.ReadDir(source.Folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found(Fail, "source_missing", "%s", source.Folder)
	case err != nil:
		return found(Fail, "source_unreadable", "%v", err)
	}
	var newest fs.FileInfo
	files := 0
	for _, entry := range entries {
		if !matches(source.Patterns, entry.Name()) || entry.IsDir() {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			continue // gone meanwhile
		}
		if files++; newest == nil || info.ModTime().After(newest.ModTime()) {
			newest = info
		}
	}
	if newest == nil {
		if source.Moves {
			return pass("no file waits in %s", source.Folder)
		}
		return found(Warn, "source_empty", "none of %d files in %s matches %q", len(entries), source.Folder, source.Patterns)
	}
	opened, err := os.Open(filepath.Join(source.Folder, newest.Name()))
	if err != nil {
		return found(Fail, "source_unreadable", "%v", err)
	}
	if err := opened.Close(); err != nil {
		return found(Fail, "source_unreadable", "%v", err)
	}
	if s.Status != nil {
		for _, f := range s.Status.Folders {
			switch {
			case f.Name != source.Name:
			case f.Error != "":
				return found(Fail, "source_unreadable", "%s", f.Error)
			case f.Refused > 0:
				return found(Warn, "source_refused", "%d parts", f.Refused)
			}
		}
	}
	if age := s.Now.Sub(newest.ModTime()); age > quiet {
		return found(Warn, "source_quiet", "the newest of %d files is %d days old", files, int(age.Hours()/24))
	}
	return pass("%d files match, the newest is from %s", files, ago(s.Now, newest.ModTime()))
}

func matches(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if ok, err := filepath.Match(pattern, name); err == nil && ok {
			return true
		}
	}
	return false
}
