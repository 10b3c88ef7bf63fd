package day

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// stating is a document that states Z 7, or the close of that number.
func stating(kind document.Kind, at, date string) *document.Document {
	d := &document.Document{
		Key:  document.Key{Store: "s", Terminal: "1", Space: document.SpaceReceipt, Number: at},
		Kind: kind, State: document.Completed, StatedDay: document.StatedDay{Date: date, Z: "7"},
		Time: document.Time{AsGiven: at}, Source: document.Source{CapturedAt: utc("2026-11-04T05:00:00Z")},
	}
	if at, err := time.Parse(time.RFC3339, at); err == nil {
		d.Time.UTC = at
	}
	return d
}

func TestDocumentsAreOfTheDayOfTheirPeriodCloseUnlessItSpansSeveral(t *testing.T) {
	t.Parallel()
	bar := rule(t, "Europe/London", "04:00")
	sale := func(at string) *document.Document { return stating(document.Sale, at, "") }
	for _, test := range []struct {
		name      string
		documents []*document.Document
		want      []bizday.Day
	}{
		{"no close", []*document.Document{sale("2026-11-03T22:00:00Z"), sale("2026-11-04T04:30:00Z")}, []bizday.Day{"2026-11-03", "2026-11-04"}},
		{"trade after the cut-off", []*document.Document{
			sale("2026-11-03T22:00:00Z"), sale("2026-11-04T04:30:00Z"), stating(document.PeriodClose, "2026-11-04T05:00:00Z", "2026-11-03"),
		}, []bizday.Day{"2026-11-03", "2026-11-03", "2026-11-03"}},
		{"45 terminal clock that is two hours slow", []*document.Document{
			sale("2026-11-03T03:10:00Z"), sale("2026-11-03T12:00:00Z"), stating(document.PeriodClose, "2026-11-03T20:00:00Z", ""),
		}, []bizday.Day{"2026-11-03", "2026-11-03", "2026-11-03"}},
		{"45 clock that jumps back before the Z", []*document.Document{
			sale("2026-11-04T05:00:00Z"), sale("2026-11-03T22:00:00Z"), stating(document.PeriodClose, "2026-11-04T03:00:00Z", ""),
		}, []bizday.Day{"2026-11-03", "2026-11-03", "2026-11-03"}},
		{"78 Z forgotten, the next spans two days", []*document.Document{
			sale("2026-11-30T10:00:00Z"), sale("2026-12-01T10:00:00Z"), stating(document.PeriodClose, "2026-12-01T20:00:00Z", ""),
		}, []bizday.Day{"2026-11-30", "2026-12-01", "2026-12-01"}},
		{"78 the same, but the Z states its date", []*document.Document{
			sale("2026-11-30T18:00:00Z"), sale("2026-12-01T10:00:00Z"), stating(document.PeriodClose, "2026-12-01T20:00:00Z", "2026-12-01"),
		}, []bizday.Day{"2026-11-30", "2026-12-01", "2026-12-01"}},
		{"Z printed the next morning", []*document.Document{
			sale("2026-11-03T10:00:00Z"), stating(document.PeriodClose, "2026-11-04T08:00:00Z", ""),
		}, []bizday.Day{"2026-11-03", "2026-11-04"}},
		{"a time that cannot be read", []*document.Document{
			sale("yesterday"), stating(document.PeriodClose, "2026-11-03T23:00:00Z", ""),
		}, []bizday.Day{"2026-11-03", "2026-11-03"}},
		{"a time that cannot be read, captured long after", []*document.Document{
			sale("yesterday"), stating(document.PeriodClose, "2026-10-03T23:00:00Z", ""),
		}, []bizday.Day{"2026-11-04", "2026-10-03"}},
		{"a number that is used again each day", []*document.Document{
			sale("2026-11-03T10:00:00Z"), stating(document.PeriodClose, "2026-11-03T23:00:00Z", ""),
			sale("2026-11-04T10:00:00Z"), sale("2026-11-05T05:00:00Z"), stating(document.PeriodClose, "2026-11-05T05:30:00Z", "2026-11-04"),
		}, []bizday.Day{"2026-11-03", "2026-11-03", "2026-11-04", "2026-11-04", "2026-11-04"}},
	} {
		var ties []Tie
		for _, d := range test.documents {
			own, _, _ := Derive(d, bar, nil)
			ties = append(ties, TieOf(d, bar, own))
		}
		if got := Place(ties); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v; want %v", test.name, got, test.want)
		}
	}
}

func TestNothingTiesADocumentThatStatesItsDateOrNoPeriod(t *testing.T) {
	t.Parallel()
	r := rule(t, "Europe/London", "04:00")
	none, gone := stating(document.Sale, "2026-11-03T10:00:00Z", ""), stating(document.PeriodClose, "2026-11-03T10:00:00Z", "")
	none.StatedDay.Z, gone.Deleted = "", true
	for _, d := range []*document.Document{none, gone, stating(document.Sale, "2026-11-03T10:00:00Z", "2026-11-03")} {
		if tie := TieOf(d, r, "2026-11-03"); len(tie.Periods) != 0 {
			t.Errorf("%s %s is tied to %v", d.Kind, d.StatedDay.Date, tie.Periods)
		}
	}
	session := stating(document.PeriodClose, "2026-11-03T10:00:00Z", "")
	session.StatedDay.Session = "s1"
	if tie := TieOf(session, r, "2026-11-03"); !slices.Equal(tie.Periods, []string{"z 7", "session s1"}) {
		t.Errorf("a close is called %v", tie.Periods)
	}
}

// What storage leaves out or does not move must not matter.
func TestAChangeMovesOnlyWhatIsNearAndIsSeenFromWhatIsNear(t *testing.T) {
	t.Parallel()
	r := rule(t, "Europe/London", "04:00")
	begin := utc("2026-11-03T00:00:00Z")
	rapid.Check(t, func(t *rapid.T) {
		var ties []Tie
		for i := range rapid.IntRange(1, 40).Draw(t, "ties") {
			at := begin.Add(time.Duration(rapid.IntRange(0, 24*40).Draw(t, "hour"))*time.Hour + time.Duration(i)*time.Second)
			tie := Tie{At: at, Own: r.Of(at), Unread: rapid.IntRange(0, 9).Draw(t, "unread") == 0}
			if rapid.IntRange(0, 2).Draw(t, "close") == 0 {
				tie.Close, tie.Unread, tie.Own = true, false, tie.Own.Add(rapid.IntRange(-1, 1).Draw(t, "stated"))
				tie.From, tie.Until = r.Start(tie.Own).Add(-slack), r.End(tie.Own).Add(slack)
			}
			ties = append(ties, tie)
		}
		with := Place(ties)
		x := rapid.IntRange(0, len(ties)-1).Draw(t, "changed")
		without := slices.Insert(Place(slices.Delete(slices.Clone(ties), x, x+1)), x, bizday.Day(""))
		var near []Tie
		var which []int
		for i, tie := range ties {
			away := tie.At.Sub(ties[x].At).Abs()
			if away <= Near {
				near, which = append(near, tie), append(which, i)
			}
			if away > Changes && with[i] != without[i] {
				t.Fatalf("%v away: of %s with, of %s without", away, with[i], without[i])
			}
		}
		for n, day := range Place(near) {
			i := which[n]
			if ties[i].At.Sub(ties[x].At).Abs() <= Changes && day != with[i] {
				t.Fatal(fmt.Sprint("of ", day, " from near, of ", with[i], " from all"))
			}
		}
	})
}
