package books

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"tillbook.example/tillbook/shared/suggest"
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
			errs = append(errs, fmt.Errorf("line %d: unknown field %q%s", key.Line, key.Value, suggest.DidYouMean(key.Value, names)))
		}
	}
	return errors.Join(errs...)
}
