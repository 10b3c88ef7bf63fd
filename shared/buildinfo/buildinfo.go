// Package buildinfo says which build of a program is running.
//
// The version is set by the linker when a release or a local build is made
// (see the Makefile), the rest is read from what the Go toolchain wrote into
// the binary. Nothing here looks at the machine, the clock or the network, and
// nothing is ever missing: what a build did not record reads "unknown".
package buildinfo

import (
	"runtime"
	"runtime/debug"
)

// Unknown stands where a build recorded nothing.
const Unknown = "unknown"

// Version is the release, such as "1.4.0", or what `git describe` said of the
// commit. It is a variable only because the linker's -X flag sets variables;
// nothing in the program may change it. A plain `go build` leaves "dev".
var Version = "dev"

// Info describes one build. Its JSON form is what the programs' version
// commands and heartbeats carry.
type Info struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source, "unknown" where not recorded
	Go       string `json:"go"`       // toolchain, such as "go1.26.8"
	Platform string `json:"platform"` // such as "linux/amd64"
}

// Read describes the running program.
func Read() Info {
	return Info{
		Version:  Version,
		Revision: Revision(),
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
}

// Revision is the source revision the program was built from: the full commit
// id, with "+changes" where the tree held uncommitted ones. It is "unknown" for
// builds without version control stamping (-buildvcs=false, go test).
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Unknown
	}
	return revision(info.Settings)
}

func revision(settings []debug.BuildSetting) string {
	commit, changed := "", false
	for _, setting := range settings {
		switch setting.Key {
		case "vcs.revision":
			commit = setting.Value
		case "vcs.modified":
			changed = setting.Value == "true"
		}
	}
	if commit == "" {
		return Unknown
	}
	if changed {
		return commit + "+changes"
	}
	return commit
}

// String is the build on one line, such as
// "1.4.0 (revision 1f3c…, go1.26.8, linux/amd64)".
func (i Info) String() string {
	return i.Version + " (revision " + i.Revision + ", " + i.Go + ", " + i.Platform + ")"
}
