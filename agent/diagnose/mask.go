package diagnose

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// masks are what never leaves in a text, by its form. Order counts: the longer
// form first.
var masks = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|$)`), "[key]"},
	{regexp.MustCompile(`([a-z][a-z0-9+.-]*://)[^/@\s"]+@`), "${1}[login]@"},
	{regexp.MustCompile(`[0-9A-Za-z-]{8,24}@[^\s#"]+#[0-9A-Za-z]+`), "[join string]"},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/_=.-]+`), "$1 [token]"},
	{regexp.MustCompile(`(?i)\b(password|passwd|secret|token|apikey|api_key)(["']?\s*[=:]\s*)("[^"]*"|\S+)`), "${1}${2}[secret]"},
	{regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+`), "[mail]"},
	{regexp.MustCompile(`[A-Za-z0-9+=_]{28,}`), "[secret]"},
	{regexp.MustCompile(`\d(?:[ -]?\d){11,}`), "[number]"},
}

// amount looks like one; what stands around it decides.
var amount = regexp.MustCompile(`\d[\d'.,]*[.,]\d{2,6}`)

// quoted is data that an error cites: programs quote what they read.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// Mask takes out of a text what must not leave the shop: keys, logins, tokens,
// join strings, addresses, card numbers and amounts, each by its form.
func Mask(text string) string {
	for _, m := range masks {
		text = m.form.ReplaceAllString(text, m.with)
	}
	var b strings.Builder
	done := 0
	for _, at := range amount.FindAllStringIndex(text, -1) {
		b.WriteString(text[done:at[0]])
		found := text[at[0]:at[1]]
		if alone(text, at[0]-1) && alone(text, at[1]) && strings.Count(found, ".") < 3 { // else of a version, address or duration
			found = "[amount]"
		}
		b.WriteString(found)
		done = at[1]
	}
	return b.String() + text[done:]
}

// alone says whether the byte at i cannot belong to a longer word.
func alone(text string, i int) bool {
	if i < 0 || i >= len(text) {
		return true
	}
	c := text[i]
	return !(c == '.' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z')
}

// MaskError masks the text of an error, with all that it cites.
func MaskError(text string) string { return Mask(quoted.ReplaceAllString(text, `"…"`)) }

// masked returns v as JSON in which every text is masked but times.
func masked(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	return json.MarshalIndent(walk(tree), "", "  ")
}

func walk(tree any) any {
	switch node := tree.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339Nano, node); err == nil {
			return node
		}
		return MaskError(node)
	case []any:
		for i := range node {
			node[i] = walk(node[i])
		}
	case map[string]any:
		for key := range node {
			node[key] = walk(node[key])
		}
	}
	return tree
}
