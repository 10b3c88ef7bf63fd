package diagnose

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// sectionMost bounds one file of a support file.
const sectionMost = 1 << 20

// Setting is one value of the configuration and where it came from.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Layer string `json:"layer"`
}

// Support is what a support file is made of. Only what is listed here gets in,
// each by its type: no document, no amount and no name of a person is among it.
type Support struct {
	At       time.Time
	Version  string
	Settings []Setting
	Status   *Status // nil: no service answers
	Doctor   Report
	Metrics  string   // Prometheus text
	Log      []string // of the running service
	Outbox   any      // figures of the running service, or a report of the stopped buffer
	Identity *Identity
	// Secrets are texts that must not be in it: it is not made if one is.
	Secrets []string
}

// Section is one file of a support file.
type Section struct {
	Name   string `json:"name"`
	What   string `json:"what"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`

	body []byte
}

// Bundle is a support file before it is written, to be looked at.
type Bundle struct {
	ID       string    `json:"id"` // short, to be read out
	At       time.Time `json:"at"`
	Version  string    `json:"version"`
	Sections []Section `json:"sections"`
}

// plainKeys are the settings whose values are shown; of the places among them
// only host and port. A key that is not here is not shown, also one to come.
var (
	plainKeys = []string{"data", "listen", "log.level", "log.format", "outbox.max_mib", "outbox.soft_free_mib", "outbox.hard_free_mib",
		"uplink.max_kbps", "uplink.open_hours", "carrier.kind", "sources"}
	placeKeys = []string{"proxy", "carrier.broker"}
)

// ours are the metrics that are shown, by name.
var ours = regexp.MustCompile(`^(tillbook_agent|go|process|promhttp)_[a-z0-9_]+(\{[^}]*\})? [0-9eE+.NaInf-]+$`)

// Build makes the sections, and fails if a secret would be in one.
func (s Support) Build() (Bundle, error) {
	b := Bundle{At: s.At, Version: Mask(s.Version)}
	for _, part := range []struct {
		name, what string
		value      any
	}{
		{"versions.json", "versions of the agent and of this machine's system", map[string]any{
			"agent": s.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cpus": runtime.NumCPU()}},
		{"config.json", "the configuration, without values that are secret or unknown", s.settings()},
		{"status.json", "what the service says of itself", s.Status},
		{"doctor.json", "what doctor finds", s.Doctor},
		{"outbox.json", "figures of the buffer, no document", s.Outbox},
		{"certificate.json", "names and dates of the agent's certificate, no key", s.Identity},
	} {
		text, err := masked(part.value)
		if err != nil {
			return Bundle{}, fmt.Errorf("support file: %s: %w", part.name, err)
		}
		b.add(part.name, part.what, text)
	}
	b.add("metrics.txt", "the agent's own figures", []byte(metrics(s.Metrics)))
	var log bytes.Buffer
	for _, line := range s.Log {
		log.WriteString(MaskError(line) + "\n")
	}
	b.add("log.txt", "the last lines of the log, without what is cited in them, amounts, numbers and tokens", log.Bytes())
	whole := sha256.New()
	for _, section := range b.Sections {
		for _, secret := range s.Secrets {
			if secret != "" && bytes.Contains(section.body, []byte(secret)) {
				return Bundle{}, fmt.Errorf("support file: a secret would be in %s", section.Name)
			}
		}
		whole.Write(section.body)
	}
	id := base32.StdEncoding.EncodeToString(whole.Sum(nil))
	b.ID = id[:3] + "-" + id[3:6]
	return b, nil
}

func (b *Bundle) add(name, what string, body []byte) {
	body = body[:min(len(body), sectionMost)]
	sum := sha256.Sum256(body)
	b.Sections = append(b.Sections, Section{name, what, len(body), hex.EncodeToString(sum[:]), body})
}

// Write writes the bundle as a zip archive with a manifest in front.
func (b Bundle) Write(w io.Writer) error {
	manifest, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return fmt.Errorf("write support file: %w", err)
	}
	archive := zip.NewWriter(w)
	for _, section := range append([]Section{{Name: "manifest.json", body: manifest}}, b.Sections...) {
		file, err := archive.CreateHeader(&zip.FileHeader{Name: section.Name, Method: zip.Deflate, Modified: b.At.UTC()})
		if err != nil {
			return fmt.Errorf("write support file: %w", err)
		}
		if _, err := file.Write(section.body); err != nil {
			return fmt.Errorf("write support file: %w", err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("write support file: %w", err)
	}
	return nil
}

// settings are those that may be shown; of the others, only whether they are set.
func (s Support) settings() []Setting {
	shown := make([]Setting, 0, len(s.Settings))
	for _, each := range s.Settings {
		switch {
		case each.Value == "", slices.Contains(plainKeys, each.Key):
		case slices.Contains(placeKeys, each.Key):
			place, err := url.Parse(each.Value)
			if each.Value = "(not shown)"; err == nil && place.Host != "" {
				each.Value = place.Scheme + "://" + place.Host
			}
		default:
			each.Value = "(not shown)"
		}
		shown = append(shown, each)
	}
	return shown
}

// metrics keeps the lines that are figures of the agent.
func metrics(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !ours.MatchString(line) {
			continue
		}
		if labels := strings.IndexByte(line, '}'); labels > 0 {
			line = Mask(line[:labels+1]) + line[labels+1:]
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
