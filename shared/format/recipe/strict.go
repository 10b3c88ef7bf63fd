package recipe

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"tillbook.example/tillbook/shared/suggest"
)

// problem is one thing that is wrong in a recipe's text.
type problem struct {
	line int
	text string
}

func (p problem) Error() string { return fmt.Sprintf("line %d: %s", p.line, p.text) }

func wrong(line int, format string, args ...any) error {
	return problem{line, fmt.Sprintf(format, args...)}
}

// strict decodes a node and knows no key that its type does not have.
func strict(node *yaml.Node, into any) error {
	if err := keys(node, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	if err := node.Decode(into); err != nil {
		var known problem
		if errors.As(err, &known) {
			return known
		}
		return plain(err)
	}
	return nil
}

// plain words what the YAML library says of a value of the wrong kind.
func plain(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n  ")
	m := regexp.MustCompile(`^line (\d+): cannot unmarshal !!(\w+)(?: ` + "`([^`]*)`" + `)? into (.*)$`).FindStringSubmatch(text)
	if m == nil {
		return errors.New(text)
	}
	wanted := "text"
	switch {
	case strings.HasPrefix(m[4], "[]"):
		wanted = "a list"
	case strings.HasPrefix(m[4], "recipe.") || strings.HasPrefix(m[4], "struct"):
		wanted = "a block of keys"
	case m[4] == "bool":
		wanted = "true or false"
	case strings.HasPrefix(m[4], "uint") || m[4] == "int":
		wanted = "a whole number"
	}
	return fmt.Errorf("line %s: %s belongs here", m[1], wanted)
}

// keys checks the keys of a node against a type, and the nodes below it.
func keys(node *yaml.Node, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if node.Kind == yaml.AliasNode {
		return wrong(node.Line, "references (*%s) are not accepted", node.Value)
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
		return nil // reads its own
	}
	switch {
	case t.Kind() == reflect.Struct && node.Kind == yaml.MappingNode:
		known := map[string]reflect.Type{}
		var names []string
		for i := range t.NumField() {
			if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
				known[tag] = t.Field(i).Type
				names = append(names, tag)
			}
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			field, ok := known[key.Value]
			if !ok {
				return wrong(key.Line, "unknown key %q%s", key.Value, suggest.DidYouMean(key.Value, names))
			}
			if seen[key.Value] {
				return wrong(key.Line, "the key %q is there twice", key.Value)
			}
			seen[key.Value] = true
			if err := keys(node.Content[i+1], field); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Slice && node.Kind == yaml.SequenceNode:
		for _, element := range node.Content {
			if err := keys(element, t.Elem()); err != nil {
				return err
			}
		}
	}
	return nil
}
