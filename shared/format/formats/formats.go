// Package formats opens inputs by the name of their format or by a recipe: the
// one place that knows all formats. Everything else knows only format.Reader.
//
// It does not guess: what an input is, the caller says.
package formats

import (
	"fmt"
	"io"
	"strings"

	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/json"
	"tillbook.example/tillbook/shared/format/poslog"
	"tillbook.example/tillbook/shared/format/recipe"
)

// Input is one opened file.
type Input = format.Input

// Format is a way to read inputs.
type Format interface {
	// Open returns a reader of the inputs: one file, or the files of a recipe
	// that joins several, in any order.
	Open(inputs []Input, o format.Options) (format.Reader, error)
	// Version is the recipe's; formats without a recipe have 0.
	Version() uint32
	// Files is how many files are read together.
	Files() int
}

// Names are the formats that need no recipe.
var Names = []string{poslog.Name, json.Name}

// Named returns the format of a name.
func Named(name string) (Format, error) {
	switch name {
	case poslog.Name:
		return single{name, func(src io.Reader, o format.Options) (format.Reader, error) { return poslog.New(src, o) }}, nil
	case json.Name:
		return single{name, func(src io.Reader, o format.Options) (format.Reader, error) { return json.NewDocuments(src, o) }}, nil
	case "csv", "json":
		return nil, fmt.Errorf("format %q needs a recipe that says what its columns mean; see docs/recipes.md", name)
	}
	return nil, fmt.Errorf("format %q is not known; it is one of %s, or give a recipe", name, strings.Join(Names, ", "))
}

// FromRecipe returns the format that a recipe describes.
func FromRecipe(text []byte) (Format, error) {
	r, err := recipe.Parse(text)
	if err != nil {
		return nil, err
	}
	return byRecipe{r}, nil
}

// single is a format of one file.
type single struct {
	name string
	open func(src io.Reader, o format.Options) (format.Reader, error)
}

func (s single) Open(inputs []Input, o format.Options) (format.Reader, error) {
	if len(inputs) != 1 {
		return nil, fmt.Errorf("format %s reads one file at a time, not %d", s.name, len(inputs))
	}
	r, err := s.open(inputs[0].Bytes(), o)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", inputs[0].Name, err)
	}
	return r, nil
}

func (single) Version() uint32 { return 0 }
func (single) Files() int      { return 1 }

// byRecipe is what a recipe describes.
type byRecipe struct{ recipe *recipe.Recipe }

func (b byRecipe) Open(inputs []Input, o format.Options) (format.Reader, error) {
	return b.recipe.Open(inputs, o)
}
func (b byRecipe) Version() uint32 { return b.recipe.Version }
func (b byRecipe) Files() int      { return len(b.recipe.Files) }
