package recipe

import (
	"errors"
	"fmt"
	"path"

	"tillbook.example/tillbook/shared/format"
)

// Open returns a reader of the inputs by the recipe. The inputs are told apart
// by the names that the recipe's files match; the first file is the main one,
// in whose bytes places are counted. It fails before the first document if an
// input is missing or is no such file, or if a column that the recipe names is
// not there; the error is then a *format.Refusal.
func (r *Recipe) Open(inputs []format.Input, o format.Options) (format.Reader, error) {
	if r.Format == "json" {
		if len(inputs) != 1 {
			return nil, fmt.Errorf("%s reads one file, not %d", r, len(inputs))
		}
		return r.openJSON(inputs[0], o)
	}
	sorted, err := r.Assign(inputs)
	if err != nil {
		return nil, err
	}
	return r.openCSV(sorted, o)
}

// Assign puts the inputs into the order of the recipe's files by their names.
func (r *Recipe) Assign(inputs []format.Input) ([]format.Input, error) {
	if len(r.Files) == 1 && len(inputs) == 1 {
		return inputs, nil
	}
	sorted := make([]format.Input, len(r.Files))
	taken := make([]bool, len(inputs))
	for i, f := range r.Files {
		found := -1
		for j, in := range inputs {
			match, err := path.Match(f.Match, path.Base(in.Name))
			if err != nil || !match || taken[j] {
				continue
			}
			if found >= 0 {
				return nil, fmt.Errorf("%s: both %s and %s could be its %s (%s); give one set of files at a time", r, inputs[found].Name, in.Name, f.Role, f.Match)
			}
			found = j
		}
		if found < 0 {
			return nil, fmt.Errorf("%s: no file for its %s (%s)", r, f.Role, f.Match)
		}
		taken[found], sorted[i] = true, inputs[found]
	}
	for j, was := range taken {
		if !was {
			return nil, fmt.Errorf("%s: %s is none of its files", r, inputs[j].Name)
		}
	}
	return sorted, nil
}

// refusal returns the refusal in an error, or nil.
func refusal(err error) *format.Refusal {
	var r *format.Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}
