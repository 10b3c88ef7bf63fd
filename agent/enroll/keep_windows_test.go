package enroll_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillbook.example/tillbook/agent/enroll"
)

func TestTheKeyIsSealedForThisMachineAndItsFolder(t *testing.T) {
	t.Parallel()
	_, join := serve(t)
	identity, folder := joined(t, join)
	text, err := os.ReadFile(filepath.Join(folder, enroll.File))
	if err != nil || strings.Contains(string(text), "PRIVATE KEY") || identity.KeyProtection() != "dpapi" {
		t.Errorf("the key is kept by %s (%v)", identity.KeyProtection(), err)
	}
	again, err := enroll.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Renew(t.Context(), "test"); err != nil {
		t.Errorf("the sealed key is of no use: %v", err)
	}
	entropy := filepath.Join(folder, "identity.entropy")
	if err := os.WriteFile(entropy, []byte("another folder's, of 32 bytes...."), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Load(folder); err == nil {
		t.Error("it opens without the folder's entropy")
	}
	if err := os.Remove(entropy); err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Load(folder); err == nil || !strings.Contains(err.Error(), "entropy") {
		t.Errorf("without the entropy: %v", err)
	}
}
