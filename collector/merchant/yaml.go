package merchant

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"tillbook.example/tillbook/collector/books/profile"
	"tillbook.example/tillbook/shared/suggest"
)

// Limits of a file.
const (
	maxFile     = 8 << 20
	maxProblems = 50
	maxDepth    = 40
)

// Parse reads a configuration file: one merchant, or a list of them under
// `merchants:`. Unknown keys, wrong types and everything Validate finds are
// errors, each with its line and path; all are returned together.
func Parse(text []byte) ([]Merchant, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("the file has %d bytes, more than %d", len(text), maxFile)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case err == io.EOF:
		return nil, fmt.Errorf("the file is empty; write a merchant, or a list of them under the key merchants")
	case err != nil:
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); err != io.EOF {
		return nil, fmt.Errorf("the file has more than one YAML document; put the merchants into one list under the key merchants")
	}
	r := reader{lines: map[string]int{}}
	root := document.Content[0]
	var merchants []Merchant
	if list := value(root, "merchants"); list != nil {
		var file struct {
			Merchants []Merchant `yaml:"merchants"`
		}
		r.read(root, reflect.ValueOf(&file).Elem(), "")
		merchants = file.Merchants
	} else {
		merchants = make([]Merchant, 1)
		r.read(root, reflect.ValueOf(&merchants[0]).Elem(), "")
	}
	if len(r.found) == 0 {
		listed := value(root, "merchants") != nil
		r.complete(merchants, listed)
		r.check(merchants, listed)
	}
	if len(r.found) > 0 {
		return nil, r.err()
	}
	return merchants, nil
}

// Format writes a merchant's configuration as YAML that Parse reads back equal.
func Format(m Merchant) ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(m), encoder.Close()); err != nil {
		return nil, fmt.Errorf("write merchant %s: %w", m.ID, err)
	}
	return b.Bytes(), nil
}

// reader fills Go values from YAML nodes and remembers on which line each path
// stands.
type reader struct {
	problems
	lines map[string]int
}

// complete adds to each mapping what the profile that it names knows. So what is
// stored says all of it, and no later change of a profile changes what was applied.
func (r *reader) complete(merchants []Merchant, listed bool) {
	for i, m := range merchants {
		prefix := ""
		if listed {
			prefix = fmt.Sprintf("merchants[%d].", i)
		}
		for j := range m.Mappings {
			completed, err := profile.Complete(m.Mappings[j].Mapping)
			if err != nil {
				field, text, _ := strings.Cut(err.Error(), ": ")
				r.add(fmt.Sprintf("%smappings[%d].mapping.%s", prefix, j, field), "%s", text)
				continue
			}
			m.Mappings[j].Mapping = completed
		}
	}
}

func (r *reader) check(merchants []Merchant, listed bool) {
	seen := map[string]bool{}
	for i, m := range merchants {
		prefix := ""
		if listed {
			prefix = fmt.Sprintf("merchants[%d].", i)
		}
		for _, p := range m.check() {
			r.add(prefix+p.path, "%s", p.text)
		}
		if seen[m.ID] {
			r.add(prefix+"id", "%q is used by another merchant", m.ID)
		}
		seen[m.ID] = true
	}
	if len(merchants) > 1 && len(r.found) == 0 {
		r.folders(merchants, func(i, j int) string { return fmt.Sprintf("merchants[%d].connections[%d]", i, j) })
	}
}

func (r *reader) err() error {
	var errs []error
	for i, p := range r.found {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("and %d more", len(r.found)-i))
			break
		}
		errs = append(errs, fmt.Errorf("line %d: %w", r.line(p.path), p))
	}
	return errors.Join(errs...)
}

// line returns the line of a path, or of the nearest thing around it that is
// written.
func (r *reader) line(path string) int {
	for {
		if line, ok := r.lines[path]; ok {
			return line
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return max(r.lines[""], 1)
		}
		path = path[:i]
	}
}

func (r *reader) read(node *yaml.Node, into reflect.Value, path string) {
	r.lines[path] = node.Line
	if strings.Count(path, ".")+strings.Count(path, "[") > maxDepth {
		r.add(path, "is nested too deeply")
		return
	}
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		r.add(path, "anchors and aliases are not read; write it out")
		return
	}
	if node.Tag == "!!null" && node.Kind == yaml.ScalarNode {
		return
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch into.Kind() {
	case reflect.Struct:
		r.object(node, into, path)
	case reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			r.add(path, "must be a list, each item after a -")
			return
		}
		if len(node.Content) == 0 {
			return // none, however it is written
		}
		into.Set(reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content)))
		for i, item := range node.Content {
			r.read(item, into.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		r.table(node, into, path)
	default:
		if node.Kind != yaml.ScalarNode {
			r.add(path, "must be %s", kind(into))
			return
		}
		r.decode(node, into, path)
	}
}

func (r *reader) object(node *yaml.Node, into reflect.Value, path string) {
	if node.Kind != yaml.MappingNode {
		r.add(path, "must have keys and values")
		return
	}
	names, fields := fieldsOf(into)
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, at := node.Content[i].Value, join(path, node.Content[i].Value)
		if !r.once(seen, node.Content[i], at) {
			continue
		}
		field, known := fields[key]
		if !known {
			r.add(at, "is not known here; there is %s%s", strings.Join(names, ", "), suggest.DidYouMean(key, names))
			continue
		}
		r.read(node.Content[i+1], field, at)
		r.lines[at] = node.Content[i].Line
	}
}

func (r *reader) table(node *yaml.Node, into reflect.Value, path string) {
	if node.Kind != yaml.MappingNode {
		r.add(path, "must have keys and values")
		return
	}
	if len(node.Content) == 0 {
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		at := join(path, node.Content[i].Value)
		if !r.once(seen, node.Content[i], at) {
			continue
		}
		key, item := reflect.New(into.Type().Key()).Elem(), reflect.New(into.Type().Elem()).Elem()
		before := len(r.found)
		r.decode(node.Content[i], key, at)
		r.read(node.Content[i+1], item, at)
		r.lines[at] = node.Content[i].Line
		if len(r.found) == before {
			into.SetMapIndex(key, item)
		}
	}
}

// once notes a key's line and refuses one that stands there twice.
func (r *reader) once(seen map[string]bool, key *yaml.Node, path string) bool {
	if _, ok := r.lines[path]; !ok {
		r.lines[path] = key.Line
	}
	switch {
	case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
		r.add(path, "is not a plain key")
		return false
	case seen[key.Value]:
		r.add(path, "stands here twice, also on line %d", key.Line)
		return false
	}
	seen[key.Value] = true
	return true
}

// decode has a scalar read by the YAML library. Structs are never left to it,
// also those that read themselves: here each problem has its path.
func (r *reader) decode(node *yaml.Node, into reflect.Value, path string) {
	var mismatch *yaml.TypeError
	switch err := node.Decode(into.Addr().Interface()); {
	case errors.As(err, &mismatch):
		r.add(path, "%q must be %s", node.Value, kind(into))
	case err != nil:
		r.add(path, "%v", err)
	}
}

func kind(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64, reflect.Int32, reflect.Uint32:
		return "a whole number"
	}
	return "a " + v.Type().Name()
}

// fieldsOf returns the fields of a struct by their YAML names, in their order.
func fieldsOf(v reflect.Value) (names []string, fields map[string]reflect.Value) {
	fields = map[string]reflect.Value{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case !field.IsExported() || name == "-":
		case strings.Contains(options, "inline"):
			more, inner := fieldsOf(v.Field(i))
			names = append(names, more...)
			for _, name := range more {
				fields[name] = inner[name]
			}
		default:
			if name == "" {
				name = strings.ToLower(field.Name)
			}
			names = append(names, name)
			fields[name] = v.Field(i)
		}
	}
	return names, fields
}

// value returns what stands under a key, or nil.
func value(node *yaml.Node, key string) *yaml.Node {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
