package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Keep sets keys of the first level in a configuration file and leaves all else
// in it, comments too, as it is. A file that is not there is made, with its
// folder, so that the agent's account can read it.
func Keep(path string, values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read configuration: %w", err)
	}
	if text, err = set(text, values); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close(), readable(file.Name())); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// set is Keep on the text of a file.
func set(text []byte, values map[string]string) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if document.Kind == 0 { // empty, or nothing but comments, which the parser does not keep
		document = yaml.Node{Kind: yaml.DocumentNode, HeadComment: string(bytes.TrimSpace(text)), Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, errors.New("the file does not hold keys and values")
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value := &yaml.Node{}
		value.SetString(values[key])
		at := slices.IndexFunc(top.Content, func(n *yaml.Node) bool { return n.Value == key })
		for at >= 0 && at%2 == 1 { // a value that reads like the key
			next := slices.IndexFunc(top.Content[at+1:], func(n *yaml.Node) bool { return n.Value == key })
			if next < 0 {
				at = -1
				break
			}
			at += 1 + next
		}
		if at < 0 {
			name := &yaml.Node{}
			name.SetString(key)
			top.Content = append(top.Content, name, value)
			continue
		}
		value.LineComment, value.FootComment = top.Content[at+1].LineComment, top.Content[at+1].FootComment
		top.Content[at+1] = value
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(&document), encoder.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
