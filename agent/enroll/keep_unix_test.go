//go:build unix

package enroll_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillbook.example/tillbook/agent/enroll"
)

// secrets makes a folder with the secret that a service manager gives.
func secrets(t *testing.T, secret string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, enroll.Credential), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestAPlainKeyIsSealedWhenTheServiceHasASecretAndOnlyThatOneOpensIt(t *testing.T) {
	t.Parallel()
	_, join := serve(t)
	identity, folder := joined(t, join, enroll.WithCredentials(""), enroll.WithTPM(""))
	if got := identity.KeyProtection(); got != "file" {
		t.Fatalf("the key is kept by %s", got)
	}
	secret := enroll.WithCredentials(secrets(t, strings.Repeat("s", 32)))
	for _, step := range []func(*enroll.Identity) error{
		(*enroll.Identity).Protect,
		func(i *enroll.Identity) error { return i.Renew(t.Context(), "test") },
	} {
		service, err := enroll.Load(folder, secret, enroll.WithTPM(""))
		if err != nil {
			t.Fatal(err)
		}
		if err := step(service); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(folder, enroll.File))
		if err != nil || strings.Contains(string(text), "PRIVATE KEY") || service.KeyProtection() != "credential" {
			t.Errorf("the key is kept by %s (%v):\n%s", service.KeyProtection(), err, text)
		}
		if err := service.Renew(t.Context(), "test"); err != nil {
			t.Errorf("the sealed key is of no use: %v", err)
		}
	}
	for name, option := range map[string]enroll.Option{
		"without it": enroll.WithCredentials(""), "with another": enroll.WithCredentials(secrets(t, strings.Repeat("x", 32))),
		"with a short one": enroll.WithCredentials(secrets(t, "short")),
	} {
		if _, err := enroll.Load(folder, option); err == nil || !strings.Contains(err.Error(), "credential") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnIdentityOfTheFirstVersionIsRead(t *testing.T) {
	t.Parallel()
	_, join := serve(t)
	_, folder := joined(t, join, enroll.WithCredentials(""), enroll.WithTPM(""))
	content := present(t, folder)
	content["version"], content["key"] = 1, content["key"].(map[string]any)["text"]
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, enroll.File)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := enroll.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Renew(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Load(folder); err != nil {
		t.Error(err)
	}
	content["version"] = 99
	if text, err = json.Marshal(content); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Load(folder); err == nil || errors.Is(err, enroll.ErrNone) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a file of a newer agent: %v", err)
	}
}
