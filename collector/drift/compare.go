package drift

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/target"
)

// Compare returns what the books hold that differs from what the postings of a
// connection say. What is under way is left out: nobody knows it yet.
func Compare(postings []posting.Posting, held []target.Held) []Finding {
	under := map[string][]target.Held{}
	for _, h := range held {
		under[h.Reference] = append(under[h.Reference], h)
	}
	var findings []Finding
	for _, p := range postings {
		here := under[p.Reference]
		delete(under, p.Reference)
		if posting.Settled(p.State) {
			findings = append(findings, compare(p, here)...)
		}
	}
	for _, here := range under {
		for _, h := range here {
			if !h.Voided {
				findings = append(findings, foreign(h, "nothing was posted under it"))
			}
		}
	}
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Reference, b.Reference), strings.Compare(a.Code, b.Code), strings.Compare(a.RemoteID, b.RemoteID))
	})
	return findings
}

// compare compares what stands under a posting's reference with it.
func compare(p posting.Posting, here []target.Held) []Finding {
	var ours, others []target.Held
	voided := false
	for _, h := range here {
		switch {
		case h.Voided:
			voided = true
		case h.Payload != nil && h.Payload.Key == p.Payload.Key, h.RemoteID != "" && h.RemoteID == p.RemoteID:
			ours = append(ours, h)
		default:
			others = append(others, h)
		}
	}
	// The one that we were told of comes first.
	slices.SortStableFunc(ours, func(a, b target.Held) int { return rank(a, p) - rank(b, p) })
	var findings []Finding
	add := func(code, remoteID, text, is string) {
		f := Finding{Ref: p.Ref, Target: p.Target, Reference: p.Reference, RemoteID: remoteID, Code: code, Text: text, Seen: seen(is), State: Opened}
		findings = append(findings, f)
	}
	switch {
	case p.State == posting.Undone: // none of it should stand
	case len(ours) == 0 && voided:
		add(Voided, "", "it was voided in the books", "voided")
	case len(ours) == 0:
		add(Deleted, "", "the books do not hold it any more", "deleted")
	default:
		if text := differs(ours[0].Payload, p.Payload); text != "" {
			add(Edited, "", text, said(ours[0].Payload))
		}
		ours = ours[1:]
	}
	for _, h := range ours {
		add(Doubled, h.RemoteID, "the books hold it a second time", said(h.Payload))
	}
	for _, h := range others {
		f := foreign(h, "it stands beside a posting of ours")
		f.Ref, f.Target = p.Ref, p.Target
		findings = append(findings, f)
	}
	return findings
}

func rank(h target.Held, p posting.Posting) int {
	if h.RemoteID == p.RemoteID {
		return 0
	}
	return 1
}

func foreign(h target.Held, why string) Finding {
	text := "a document that is not ours has this reference; " + why
	if h.Payload != nil && h.Payload.Key != "" {
		text = "a document of " + h.Payload.Key + " has this reference; " + why
	}
	return Finding{Reference: h.Reference, RemoteID: h.RemoteID, Code: Foreign, Text: text, Seen: seen(said(h.Payload)), State: Opened}
}

// said is all that a document says.
func said(p *target.Payload) string {
	if p == nil {
		return "unreadable"
	}
	text, err := p.Canonical()
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// differs says what of a posting was changed in the books; empty if nothing was.
func differs(got *target.Payload, want target.Payload) string {
	switch {
	case got == nil, got.Key != want.Key:
		return "its texts were changed so that it cannot be read any more"
	case got.Equal(want):
		return ""
	case got.Date != want.Date:
		return fmt.Sprintf("it is dated %s there, posted was %s", got.Date, want.Date)
	}
	sums := map[string][2]int64{}
	for i, lines := range [][]target.Line{got.Lines, want.Lines} {
		for _, l := range lines {
			s := sums[l.Account]
			s[i] += int64(l.Amount)
			sums[l.Account] = s
		}
	}
	var texts []string
	for account, s := range sums {
		if s[0] != s[1] {
			texts = append(texts, fmt.Sprintf("%s has %d minor units there, posted were %d", account, s[0], s[1]))
		}
	}
	if len(texts) == 0 {
		return "it has other texts or tax details there"
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}
