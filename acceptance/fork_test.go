package acceptance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tillbook.example/tillbook/internal/installation"
)

// ring pushes the sales first to last, each until it is answered 201.
func (s *shop) ring(agent string, first, last int) {
	s.t.Helper()
	for n := first; n <= last; n++ {
		if code := s.push(agent, fmt.Sprintf("k%d", n), sale("1", n, int64(100+n))); code != 201 {
			s.t.Fatalf("sale %d was answered %d", n, code)
		}
	}
}

// sent waits until the agent has nothing unsent.
func (s *shop) sent(agent string) {
	s.t.Helper()
	s.must(installation.Wait(s.ctx, agent+" has sent everything", func() (bool, error) {
		st, err := s.status(agent)
		return err == nil && st.Outbox.Unsent == 0, err
	}))
}

// wants checks that exactly the given sales are stored and booked, each once.
func (s *shop) wants(sales ...int) {
	s.t.Helper()
	s.posted(1)
	stored := s.stored()
	if len(stored) != len(sales) {
		s.t.Errorf("%d documents are stored, want %d", len(stored), len(sales))
	}
	var gross int64
	for _, n := range sales {
		gross += int64(100 + n)
		key := fmt.Sprintf("S1|1|RECEIPT|%d", n)
		if revision := stored[key]; revision != 1 {
			s.t.Errorf("%s has revision %d, want 1", key, revision)
		}
	}
	if got := s.balances(day)["Assets:CardClearing"]; got != gross {
		s.t.Errorf("card clearing holds %s, rung up were %s", pounds(got), pounds(gross))
	}
	s.verify()
}

func span(first, last int) []int {
	var out []int
	for n := first; n <= last; n++ {
		out = append(out, n)
	}
	return out
}

func TestAnAgentFolderRestoredFromACopyLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, "1s")
	s.join("agent", "")
	s.ring("agent", 1, 30)
	s.sent("agent")
	s.must(s.Stop("agent"))
	s.must(os.CopyFS(s.Path("copy"), os.DirFS(s.Path("agent"))))
	s.agent("agent")
	s.ring("agent", 31, 60)
	s.sent("agent")
	s.must(s.Kill("agent"))
	s.must(os.RemoveAll(s.Path("agent")))
	s.must(os.CopyFS(s.Path("agent"), os.DirFS(s.Path("copy"))))
	s.agent("agent")
	s.ring("agent", 61, 90) // takes numbers that 31 to 60 had
	s.sent("agent")
	s.wants(span(1, 90)...)
}

func TestFramesCutOffAfterTheyWereAcknowledgedLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	s := open(t, "1s")
	s.join("agent", "")
	s.ring("agent", 1, 40)
	s.sent("agent")
	s.must(s.Kill("agent"))
	cutTail(t, s.Path("agent", "outbox", "log"), 6000)
	s.agent("agent")
	s.ring("agent", 41, 80)
	s.sent("agent")
	s.wants(span(1, 80)...)
}

// cutTail zeroes the last written bytes of the newest log segment.
func cutTail(t *testing.T, folder string, n int) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var newest string
	var text []byte
	for _, e := range slices.Backward(entries) {
		newest = filepath.Join(folder, e.Name())
		if text, err = os.ReadFile(newest); err != nil {
			t.Fatal(err)
		}
		if written := bytes.TrimRight(text, "\x00"); len(written) > n {
			for i := len(written) - n; i < len(written); i++ {
				text[i] = 0
			}
			break
		}
	}
	if err := os.WriteFile(newest, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAClonedAgentFolderThatRunsTwiceLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, "1s")
	s.join("agent", "")
	s.ring("agent", 1, 20)
	s.sent("agent")
	s.must(s.Stop("agent"))
	s.must(os.CopyFS(s.Path("clone"), os.DirFS(s.Path("agent"))))
	s.agent("agent")
	s.agent("clone")
	for n := 21; n <= 60; n += 2 {
		s.ring("agent", n, n)
		s.ring("clone", n+1, n+1)
	}
	s.sent("agent")
	s.sent("clone")
	s.wants(span(1, 60)...)
}
