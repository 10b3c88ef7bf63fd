package diagnose_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source/filedrop"
)

// planted is what must never leave the shop, each in a form of its own.
var planted = map[string]string{
	"card number":      "4111111111111111",
	"spaced card":      "5500 0000 0000 0004",
	"dashed card":      "3400-0000-0000-009",
	"push token":       "0f3a9c1d5b7e2f4a6c8e0b1d3f5a7c9e1b3d5f7a9c1e3b5d",
	"bearer":           "Bearer abc.def-123",
	"password":         "hunter2hunter2",
	"join string":      "7K3M-Q2XD-9A@collector.example:7443#Zm9vYmFyYmF6cXV4",
	"key":              "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----",
	"amount":           "4912.35",
	"amount, grouped":  "1,234.56",
	"amount, European": "1.234,56",
	"name":             "Jane Q. Customer",
	"mail":             "jane@customer.example",
}

// text is all of it in one line, as an error would say it.
func text() string {
	return "card " + planted["card number"] + " or " + planted["spaced card"] + " or " + planted["dashed card"] + ", token " + planted["push token"] +
		", " + planted["bearer"] + ", http://user:" + planted["password"] + "@proxy:3128/, join " + planted["join string"] + ", paid " + planted["amount"] +
		", " + planted["amount, grouped"] + " and " + planted["amount, European"] + ` by "` + planted["name"] + `" <` + planted["mail"] + "> " + planted["key"]
}

// sold is a subject of support with everything planted everywhere.
func sold(t *testing.T) diagnose.Support {
	t.Helper()
	s, _ := well(t)
	s.Config = errors.New(text())
	s.Status.Folders = []filedrop.Status{{Name: "till-1", Folder: "/tills/" + planted["card number"], Error: text()}}
	s.Status.Collector.Error, s.Status.Collector.Text, s.Status.Reasons = text(), text(), []string{text()}
	s.Status.Collector.Connected = false
	s.Status.Answers = s.Status.Ask(now)
	s.Sources[0].Format = func() error { return errors.New(text()) }
	log := diagnose.NewLog(slog.DiscardHandler)
	logger := slog.New(log).With("source", text()).WithGroup("g")
	logger.Info("opened " + text())
	logger.Warn("file", "error", errors.New(text()), "value", 4912.35, "any", struct{ Card string }{planted["card number"]}, slog.Group("in", "text", text()))
	return diagnose.Support{
		At: now, Version: "v1.4.0", Status: s.Status, Doctor: diagnose.Examine(t.Context(), *s, false), Log: append(log.Lines(), text()),
		Settings: []diagnose.Setting{
			{Key: "listen", Value: "127.0.0.1:7410", Layer: "default"}, {Key: "proxy", Value: "http://user:" + planted["password"] + "@proxy:3128", Layer: "flag"},
			{Key: "carrier.broker", Value: "tls://" + planted["password"] + "@broker:8883", Layer: "flag"}, {Key: "mqtt.password", Value: planted["password"], Layer: "flag"},
			{Key: "sources", Value: text(), Layer: "agent.yaml"}, {Key: "yet.to.come", Value: planted["name"], Layer: "agent.yaml"},
		},
		Metrics: "# HELP tillbook_agent_outbox_bytes " + text() + "\ntillbook_agent_outbox_bytes 17\n" +
			`tillbook_agent_source_files_waiting{source="` + planted["card number"] + `"} 2` + "\n" +
			`other_metric{name="` + planted["name"] + `"} 4912.35` + "\n" + text(),
		Outbox: outbox.Stats{Next: 319, IndexFailure: text()}, Identity: s.Identity,
		Secrets: []string{planted["push token"], ""},
	}
}

func TestNothingThatMustStayIsInASupportFile(t *testing.T) {
	t.Parallel()
	bundle, err := sold(t).Build()
	if err != nil {
		t.Fatal(err)
	}
	files := unzip(t, bundle)
	for name, body := range files {
		for what, secret := range planted {
			for line := range strings.Lines(secret) {
				if strings.Contains(body, strings.TrimSpace(line)) {
					t.Errorf("the %s is in %s:\n%s", what, name, body)
				}
			}
		}
	}
	for name, want := range map[string][]string{
		"manifest.json": {bundle.ID, `"config.json"`, `"sha256"`}, "config.json": {"127.0.0.1:7410", `"http://proxy:3128"`, `"tls://broker:8883"`, "(not shown)"},
		"status.json": {`"taken": 318`, "2026-11-02"}, "doctor.json": {`"recipe_broken"`, `"PASS"`}, "metrics.txt": {"tillbook_agent_outbox_bytes 17", `[number]"} 2`},
		"log.txt": {"INFO opened", "g.error=", "[amount]"}, "outbox.json": {`"next": 319`}, "versions.json": {`"v1.4.0"`, `"go"`}, "certificate.json": {`"not_after"`, "corner"},
	} {
		for _, w := range want {
			if !strings.Contains(files[name], w) {
				t.Errorf("no %s in %s:\n%s", w, name, files[name])
			}
		}
	}
	if strings.Contains(files["metrics.txt"], "other_metric") || strings.Contains(files["metrics.txt"], "#") {
		t.Errorf("metrics of others are in it:\n%s", files["metrics.txt"])
	}
}

func TestTheManifestIsWhatIsInTheFile(t *testing.T) {
	t.Parallel()
	bundle, err := sold(t).Build()
	if err != nil {
		t.Fatal(err)
	}
	files := unzip(t, bundle)
	var manifest diagnose.Bundle
	if err := json.Unmarshal([]byte(files["manifest.json"]), &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Sections) != len(files)-1 || len(manifest.ID) != 7 {
		t.Errorf("%d sections of %d files, id %q", len(manifest.Sections), len(files)-1, manifest.ID)
	}
	for _, s := range manifest.Sections {
		if body, ok := files[s.Name]; !ok || len(body) != s.Bytes || s.What == "" {
			t.Errorf("%+v of %d bytes", s, len(body))
		}
	}
}

func TestASupportFileWithASecretInItIsNotMade(t *testing.T) {
	t.Parallel()
	s := sold(t)
	s.Secrets = append(s.Secrets, "corner") // it is in the status, as nothing secret ever should be
	if _, err := s.Build(); err == nil || strings.Contains(err.Error(), "corner") {
		t.Errorf("%v; want it refused without citing the secret", err)
	}
}

func TestMaskLeavesWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	for _, same := range []string{
		"version 1.26.0 at 127.0.0.1:7410 and 10.10.10.10", "took 1.52s, 250ms", "go1.26 linux/amd64", "uplink: session ended", "file sales-20261103.xml: line 12, byte 3400",
		"v1.4.0-12-gabcdef0", "/var/lib/tillbook-agent/outbox/log", "rpc error: code = Unavailable desc = no such host", "2026-11-03T18:00:00Z", "[::1]:7410",
	} {
		if got := diagnose.Mask(same); got != same {
			t.Errorf("%q became %q", same, got)
		}
	}
	for in, want := range map[string]string{
		"paid 12.50": "paid [amount]", "12,50 EUR": "[amount] EUR", "total=1'234.50;": "total=[amount];", "a@b.example": "[mail]",
		"password: abc": "password: [secret]", "4111111111111111.": "[number].", "(4111-1111-1111-1111)": "([number])",
	} {
		if got := diagnose.Mask(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzMaskHidesCardNumbers(f *testing.F) {
	f.Add("card ", " paid")
	f.Add("x", "9")
	f.Fuzz(func(t *testing.T, before, after string) {
		if got := diagnose.Mask(before + planted["card number"] + after); strings.Contains(got, planted["card number"]) {
			t.Errorf("%q", got)
		}
	})
}

func TestTheLogIsKeptInBoundsAndPassedOn(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := diagnose.NewLog(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	logger := slog.New(log)
	for i := range 700 {
		logger.Info("line", "n", i, "at", time.Unix(0, 0), "took", time.Second, "yes", true)
	}
	logger.Warn("last", "text", strings.Repeat("x\n", 5000))
	logger.Debug("not kept")
	lines := log.Lines()
	if len(lines) != 500 || !strings.Contains(lines[0], "n=201 at=1970-01-01T00:00:00Z took=1s yes=true") || !strings.Contains(lines[499], "WARN last text=x x") {
		t.Errorf("%d lines, from %q to %.40q", len(lines), lines[0], lines[len(lines)-1])
	}
	for _, line := range lines {
		if len(line) > 1<<10 || strings.Contains(line, "\n") {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if passed := out.String(); strings.Count(passed, "msg=") != 1 || !strings.Contains(passed, "msg=last") {
		t.Errorf("passed on %d records, want the one of its level", strings.Count(passed, "msg="))
	}
}

func unzip(t *testing.T, b diagnose.Bundle) map[string]string {
	t.Helper()
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		opened, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(opened)
		if err := errors.Join(err, opened.Close()); err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(body)
	}
	return files
}
