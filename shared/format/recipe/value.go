package recipe

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is where a field comes from: a column, a constant, or the first of
// several that is not empty. The zero value is never there.
type Value struct {
	column    string
	columns   []string // joined by a space
	constant  string
	either    []Value
	words     map[string]string
	prefix    string
	match     *regexp.Regexp
	otherwise string
	set       bool
	line      int
}

// valueKeys is the long form of a Value.
type valueKeys struct {
	Column     string            `yaml:"column"`
	Join       []string          `yaml:"join"`
	Value      *string           `yaml:"value"`
	Map        map[string]string `yaml:"map"`
	TrimPrefix string            `yaml:"trim_prefix"`
	Match      string            `yaml:"match"`
	Default    string            `yaml:"default"`
}

// UnmarshalYAML reads the short form (a column's name), a list of alternatives,
// or the long form.
func (v *Value) UnmarshalYAML(node *yaml.Node) error {
	v.line, v.set = node.Line, true
	switch node.Kind {
	case yaml.ScalarNode:
		v.column = node.Value
		if v.column == "" {
			return wrong(node.Line, "an empty column name")
		}
		return nil
	case yaml.SequenceNode:
		for _, element := range node.Content {
			var one Value
			if err := one.UnmarshalYAML(element); err != nil {
				return err
			}
			v.either = append(v.either, one)
		}
		return nil
	}
	var k valueKeys
	if err := strict(node, &k); err != nil {
		return err
	}
	sources := 0
	for _, is := range []bool{k.Column != "", len(k.Join) > 0, k.Value != nil} {
		if is {
			sources++
		}
	}
	if sources != 1 {
		return wrong(node.Line, "one of column, join and value belongs here")
	}
	v.column, v.columns, v.prefix, v.otherwise = k.Column, k.Join, k.TrimPrefix, k.Default
	if k.Value != nil {
		v.constant = *k.Value
	}
	if k.Map != nil {
		v.words = map[string]string{}
		for word, meaning := range k.Map {
			v.words[strings.ToLower(strings.TrimSpace(word))] = meaning
		}
	}
	if k.Match != "" {
		re, err := regexp.Compile(k.Match)
		if err != nil {
			return wrong(node.Line, "match: %v", err)
		}
		v.match = re
	}
	return nil
}

// row is one row of a file, or one object of a JSON file.
type row interface {
	get(column string) string
}

// of returns the value for a row, without white space around it.
func (v *Value) of(r row) string {
	if !v.set {
		return ""
	}
	if v.either != nil {
		for i := range v.either {
			if s := v.either[i].of(r); s != "" {
				return s
			}
		}
		return ""
	}
	s := v.constant
	switch {
	case v.column != "":
		s = strings.TrimSpace(r.get(v.column))
	case v.columns != nil:
		var parts []string
		for _, c := range v.columns {
			if part := strings.TrimSpace(r.get(c)); part != "" {
				parts = append(parts, part)
			}
		}
		s = strings.Join(parts, " ")
	}
	s = strings.TrimPrefix(s, v.prefix)
	if v.match != nil {
		m := v.match.FindStringSubmatch(s)
		switch {
		case m == nil:
			s = ""
		case len(m) > 1:
			s = m[1]
		default:
			s = m[0]
		}
	}
	if v.words != nil {
		meaning, ok := v.words[strings.ToLower(s)]
		switch {
		case ok:
			s = meaning
		case v.otherwise != "":
			s = v.otherwise
		}
	}
	if s == "" {
		s = v.otherwise
	}
	return s
}

// name is the column for messages.
func (v *Value) name() string {
	switch {
	case v.column != "":
		return v.column
	case v.columns != nil:
		return strings.Join(v.columns, " ")
	case len(v.either) > 0:
		return v.either[0].name()
	}
	return "value"
}

// each calls f for every column that the value reads.
func (v *Value) each(f func(column string, line int)) {
	if v.column != "" {
		f(v.column, v.line)
	}
	for _, c := range v.columns {
		f(c, v.line)
	}
	for i := range v.either {
		v.either[i].each(f)
	}
}

// fixed returns every word the value can be without reading a column, for
// checking them against what is known.
func (v *Value) fixed() []string {
	var words []string
	if v.constant != "" {
		words = append(words, v.constant)
	}
	for _, w := range v.words {
		words = append(words, w)
	}
	if v.otherwise != "" {
		words = append(words, v.otherwise)
	}
	for i := range v.either {
		words = append(words, v.either[i].fixed()...)
	}
	slices.Sort(words)
	return words
}

// Condition is what a row must be like: every column its test. An empty one is
// met by all.
type Condition struct {
	tests []columnTest
}

type columnTest struct {
	column string
	test   test
	line   int
}

// test is what a column's text must be like: every part that is set.
type test struct {
	equals   []string // any of them, letter case apart
	prefix   string
	suffix   string
	contains string
	match    *regexp.Regexp
	empty    *bool
	negative *bool
	not      *test
}

type testKeys struct {
	Prefix   string    `yaml:"prefix"`
	Suffix   string    `yaml:"suffix"`
	Contains string    `yaml:"contains"`
	Match    string    `yaml:"match"`
	Empty    *bool     `yaml:"empty"`
	Negative *bool     `yaml:"negative"`
	Not      yaml.Node `yaml:"not"`
}

// UnmarshalYAML reads a block of columns and their tests.
func (c *Condition) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return wrong(node.Line, "a block of columns and what they must be belongs here")
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		t, err := readTest(node.Content[i+1])
		if err != nil {
			return err
		}
		c.tests = append(c.tests, columnTest{node.Content[i].Value, t, node.Content[i].Line})
	}
	return nil
}

func readTest(node *yaml.Node) (test, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		return test{equals: []string{node.Value}}, nil
	case yaml.SequenceNode:
		var t test
		for _, element := range node.Content {
			if element.Kind != yaml.ScalarNode {
				return t, wrong(element.Line, "a word belongs here")
			}
			t.equals = append(t.equals, element.Value)
		}
		return t, nil
	}
	var k testKeys
	if err := strict(node, &k); err != nil {
		return test{}, err
	}
	t := test{prefix: k.Prefix, suffix: k.Suffix, contains: k.Contains, empty: k.Empty, negative: k.Negative}
	if k.Match != "" {
		re, err := regexp.Compile(k.Match)
		if err != nil {
			return t, wrong(node.Line, "match: %v", err)
		}
		t.match = re
	}
	if k.Not.Kind != 0 {
		inner, err := readTest(&k.Not)
		if err != nil {
			return t, err
		}
		t.not = &inner
	}
	return t, nil
}

// met reports whether a row is like this.
func (c *Condition) met(r row) bool {
	for i := range c.tests {
		if !c.tests[i].test.met(strings.TrimSpace(r.get(c.tests[i].column))) {
			return false
		}
	}
	return true
}

func (t *test) met(s string) bool {
	if t.equals != nil && !slices.ContainsFunc(t.equals, func(word string) bool { return strings.EqualFold(word, s) }) {
		return false
	}
	if !strings.HasPrefix(s, t.prefix) || !strings.HasSuffix(s, t.suffix) || !strings.Contains(s, t.contains) {
		return false
	}
	if t.match != nil && !t.match.MatchString(s) {
		return false
	}
	if t.empty != nil && *t.empty != (s == "") {
		return false
	}
	if t.negative != nil && *t.negative != isNegative(s) {
		return false
	}
	return t.not == nil || !t.not.met(s)
}

// isNegative reports whether a text is a negative number in any writing.
func isNegative(s string) bool {
	return strings.ContainsAny(s, "123456789") &&
		(strings.HasPrefix(s, "-") || strings.HasPrefix(s, "−") || strings.HasSuffix(s, "-") || strings.HasPrefix(s, "("))
}

// pattern is a regular expression that may be absent.
type pattern struct{ *regexp.Regexp }

func (p pattern) matches(s string) bool { return p.Regexp != nil && p.MatchString(s) }

// columnUse is one mention of a column.
type columnUse struct {
	from   string // role or path; empty: the main file
	column string
	line   int
}

func (u columnUse) String() string { return fmt.Sprintf("%q", u.column) }
