package posting

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
)

// maxRevision is the last revision whose reference fits.
const maxRevision = 99 + 26*36

// Prefix begins the references of all days of a store.
func Prefix(s merchant.Store) string { return "POS-" + s.ShortCode() + "-" }

// prefix begins the references of all revisions of a store-day.
func prefix(s merchant.Store, d bizday.Day) string {
	return Prefix(s) + strings.ReplaceAll(string(d), "-", "")
}

// Reference returns the reference of a revision of a store-day: POS-S1-20261103,
// then POS-S1-20261103-r2 and so on, in 21 characters. Revisions from 100 on are
// written as a letter and a letter or digit, A0 to ZZ.
func Reference(s merchant.Store, d bizday.Day, revision int) (string, error) {
	reference := prefix(s, d)
	switch {
	case revision < 1 || revision > maxRevision:
		return "", fmt.Errorf("revision %d of %s: there are at most %d", revision, reference, maxRevision)
	case revision > 99:
		reference += "-r" + strings.ToUpper(strconv.FormatInt(int64(10*36+revision-100), 36))
	case revision > 1:
		reference += "-r" + strconv.Itoa(revision)
	}
	if err := target.CheckReference(reference); err != nil {
		return "", fmt.Errorf("store %s: %w", s.ID, err)
	}
	return reference, nil
}

// whole is the part of a subject that is posted in one piece.
const whole = "whole"

// key is the full identity of a posting.
func key(r day.Ref, connection string, revision int) string {
	return fmt.Sprintf("%s/store-day/%s/%s/%s/%s/%d", r.Merchant, r.Store, r.Day, whole, connection, revision)
}

// revisionOf reads the revision from the key of a posting of the subject at the
// connection; 0 if it is of another.
func revisionOf(k string, r day.Ref, connection string) int {
	i := strings.LastIndexByte(k, '/')
	revision, err := strconv.Atoi(k[i+1:])
	if err != nil || revision < 1 || revision > maxRevision || k != key(r, connection, revision) {
		return 0
	}
	return revision
}

// Correction begins the reason of a posting that is booked on another day than its
// own, since a period is closed. Such postings are what a total of corrections
// adds up.
const Correction = "correction; "

// Payload returns a revision's payload, with the lines as they are given, booked
// on a day.
func Payload(m merchant.Merchant, s merchant.Store, e day.Entry, connection string, revision int, lines []target.Line, on bizday.Day) (target.Payload, error) {
	reference, err := Reference(s, e.Day, revision)
	if err != nil {
		return target.Payload{}, err
	}
	name := s.Name
	if name == "" {
		name = s.ID
	}
	narration := fmt.Sprintf("%s, business day %s", name, e.Day)
	if revision > 1 {
		narration += fmt.Sprintf(", change %d (%s)", revision-1, e.Reason)
	}
	reason := e.Reason
	if on != e.Day {
		narration += fmt.Sprintf(", booked on %s, the first open day", on)
		reason = Correction + reason
	}
	var proof day.Proof
	if err := proof.Read(e.Proof); err != nil {
		return target.Payload{}, fmt.Errorf("payload %s: %w", reference, err)
	}
	if len(proof.Missing) > 0 {
		reason += "; missing: " + strings.Join(proof.Missing, "; ")
	}
	p := target.Payload{
		Key: key(e.Ref, connection, revision), Reference: reference, Date: on, Currency: m.Currency,
		Narration: plain(narration), Reason: plain(reason), Lines: lines,
	}
	if len(proof.Documents) > 0 {
		p.Narration = plain(fmt.Sprintf("%s; %s", narration, proof.Summary()))
	}
	if err := p.Validate(); err != nil {
		return target.Payload{}, fmt.Errorf("payload of day %s %s: %w", e.Store, e.Day, err)
	}
	return p, nil
}

// plain makes a text that every target takes: one line of valid UTF-8, cut to
// length.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > target.MaxText {
		s = strings.ToValidUTF8(s[:target.MaxText-len("…")], "") + "…"
	}
	return s
}
