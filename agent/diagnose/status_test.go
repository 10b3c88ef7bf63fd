package diagnose_test

import (
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/shared/problem"
)

func TestEachQuestionIsAnsweredWithAReasonAndANextStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, question, state, code, says string
		change                            func(*diagnose.Status)
	}{
		{"all is well", diagnose.Arriving, diagnose.Well, "", "318 so far, the last 1m0s ago", func(*diagnose.Status) {}},
		{"closed for days", diagnose.Arriving, diagnose.Well, "", "72h0m0s ago", func(s *diagnose.Status) { s.Outbox.LastAt = now.Add(-72 * time.Hour) }},
		{"nothing yet", diagnose.Arriving, diagnose.Unknown, "", "Nothing has come yet", func(s *diagnose.Status) { s.Outbox.Taken = 0 }},
		{"no room", diagnose.Arriving, diagnose.Bad, "no_room", "new sales are refused", func(s *diagnose.Status) { s.Outbox.Full = true }},
		{"room again", diagnose.Arriving, diagnose.Weak, "no_room", "2 were refused", func(s *diagnose.Status) { s.Outbox.Refused = 2 }},
		{"lost", diagnose.Arriving, diagnose.Weak, "outbox_lost", "lost 2", func(s *diagnose.Status) { s.Outbox.Lost = 2 }},
		{"short", diagnose.Arriving, diagnose.Weak, "disk_short", "short", func(s *diagnose.Status) { s.Outbox.Short = true }},
		{"refused parts", diagnose.Arriving, diagnose.Weak, "source_refused", "3 parts", func(s *diagnose.Status) { s.Folders[0].Refused = 3 }},
		{"a folder", diagnose.Arriving, diagnose.Weak, "source_unreadable", "till-1", func(s *diagnose.Status) { s.Folders[0].Error = "permission denied" }},

		{"all sent", diagnose.Leaving, diagnose.Well, "", "everything is with the collector", func(*diagnose.Status) {}},
		{"some on their way", diagnose.Leaving, diagnose.Well, "", "2 are on their way", func(s *diagnose.Status) { s.Outbox.Unsent, s.Outbox.OldestUnsent = 2, now }},
		{"slow", diagnose.Leaving, diagnose.Weak, "slow_line", "31m0s ago", func(s *diagnose.Status) { s.Outbox.Unsent, s.Outbox.OldestUnsent = 2, now.Add(-31*time.Minute) }},
		{"no line", diagnose.Leaving, diagnose.Weak, "no_such_host", "2 wait safely", func(s *diagnose.Status) {
			s.Collector.Connected, s.Collector.Code, s.Collector.Text, s.Outbox.Unsent = false, "no_such_host", "no address was found", 2
		}},
		{"no line for a reason nobody knows", diagnose.Leaving, diagnose.Weak, "no_line", "odd", func(s *diagnose.Status) { s.Collector.Connected, s.Collector.Error = false, "odd" }},
		{"connecting", diagnose.Leaving, diagnose.Weak, "no_line", "connecting", func(s *diagnose.Status) { s.Collector.Connected = false }},
		{"revoked", diagnose.Leaving, diagnose.Weak, "revoked", "may not speak", func(s *diagnose.Status) { s.Collector.Connected, s.Collector.Code = false, "revoked" }},
		{"a drill", diagnose.Leaving, diagnose.Weak, "drill", "drill", func(s *diagnose.Status) { s.Collector.Connected, s.Collector.Cut = false, true }},
		{"a certificate", diagnose.Leaving, diagnose.Weak, "certificate_expiring", "ends", func(s *diagnose.Status) { s.Collector.Expires = now.Add(time.Hour) }},
		{"a clock", diagnose.Leaving, diagnose.Weak, "clock_skew", "2m1s behind", func(s *diagnose.Status) { s.Collector.Skew = -121 }},

		{"in the books", diagnose.Closing, diagnose.Well, "", "2026-11-02 is closed and in the books", func(*diagnose.Status) {}},
		{"on its way", diagnose.Closing, diagnose.Well, "", "on its way", func(s *diagnose.Status) { s.Days[1].Due = 1 }},
		{"held", diagnose.Closing, diagnose.Weak, "agent_behind", "Not 2026-11-02", func(s *diagnose.Status) { s.Days[1].State, s.Days[1].Hold = "held", "agent_behind" }},
		{"held for what this agent does not know", diagnose.Closing, diagnose.Weak, "new_hold", "Not 2026-11-02", func(s *diagnose.Status) { s.Days[1].State, s.Days[1].Hold = "held", "new_hold" }},
		{"the first day", diagnose.Closing, diagnose.Well, "", "2026-11-03 is open", func(s *diagnose.Status) { s.Days = s.Days[:1] }},
		{"not told", diagnose.Closing, diagnose.Unknown, "", "has told of no day", func(s *diagnose.Status) { s.Days = nil }},
		{"told long ago", diagnose.Closing, diagnose.Well, "", "as of 1h0m0s ago", func(s *diagnose.Status) { s.DaysAt = now.Add(-time.Hour) }},
	} {
		s := *running()
		c.change(&s)
		answers := s.Ask(now)
		if len(answers) != 3 {
			t.Fatalf("%s: %d answers", c.name, len(answers))
		}
		for _, a := range answers {
			if a.Question != c.question {
				if a.State != diagnose.Well {
					t.Errorf("%s: also %+v", c.name, a)
				}
				continue
			}
			if a.State != c.state || a.Code != c.code || !strings.Contains(a.Text, c.says) {
				t.Errorf("%s: %+v; want %s %s %q", c.name, a, c.state, c.code, c.says)
			}
			if a.State != diagnose.Well && a.Next == "" && c.code != "new_hold" {
				t.Errorf("%s: nothing to do is said", c.name)
			}
			if kind, ok := problem.Find(c.code); ok && a.Next != kind.Fix && c.code != "drill" {
				t.Errorf("%s: next %q, want %q", c.name, a.Next, kind.Fix)
			}
		}
		worst := diagnose.Worst(answers)
		if want := c.state; worst != want && want != diagnose.Unknown {
			t.Errorf("%s: the worst is %s, want %s", c.name, worst, want)
		} else if want == diagnose.Unknown && worst != diagnose.Well {
			t.Errorf("%s: not to know is an alarm", c.name)
		}
	}
}
