package books

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// knownFields reports every field of a YAML mapping that the struct has not,
// with its line and the field that was probably meant.
func knownFields(node *yaml.Node, of any) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a block of fields belongs here", node.Line)
	}
	t := reflect.TypeOf(of)
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
	}
	var errs []error
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		found := key.Value == "<<" // YAML's merge of an anchor
		for _, name := range names {
			found = found || name == key.Value
		}
		if !found {
			errs = append(errs, fmt.Errorf("line %d: unknown field %q%s", key.Line, key.Value, didYouMean(key.Value, names)))
		}
	}
	return errors.Join(errs...)
}

// didYouMean returns "; did you mean X?" for the nearest of the names, or "".
func didYouMean(word string, names []string) string {
	best, least := "", 4
	if len(word) > 60 {
		return ""
	}
	for _, name := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(name)); d < least && d*2 <= len(name) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the number of bytes to insert, remove or replace to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, change)
		}
	}
	return row[len(b)]
}
