package poslog

import (
	"bytes"
	"regexp"

	"tillbook.example/tillbook/shared/format"
)

// personal matches the start tags of elements whose text is about a person, and
// personalAttr such attributes, in any dialect.
var (
	personal = regexp.MustCompile(`<(?:[\w.-]+:)?\w*(?:Name|Customer\w*ID|LoyaltyID|MembershipID|HouseholdID|Address\w*|Street\w*|` +
		`Phone\w*|Telephone\w*|E[mM]ail\w*|Birth\w*|Signature\w*|AccountNumber|CardNumber|PrimaryAccountNumber|Track\w*|SerialNumber)\b[^<>]*>([^<]*)`)
	personalAttr = regexp.MustCompile(`\b\w*(?:Name|Phone|Email|Address)\s*=\s*(?:"[^"]*"|'[^']*')`)
)

// maskXML blanks what is about persons in a part that is refused and kept, and
// the digits of card numbers, and cuts it to format.MaxRaw.
func maskXML(raw []byte) []byte {
	raw = bytes.Clone(raw[:min(len(raw), format.MaxRaw)])
	for _, m := range personal.FindAllSubmatchIndex(raw, -1) {
		blank(raw[m[2]:m[3]])
	}
	for _, m := range personalAttr.FindAllIndex(raw, -1) {
		value := raw[m[0]:m[1]]
		quote := bytes.IndexAny(value, `"'`)
		blank(value[quote+1 : len(value)-1])
	}
	return format.MaskRaw(raw)
}

func blank(b []byte) {
	for i, c := range b {
		if c != '\n' && c != '\r' {
			b[i] = '*'
		}
	}
}
