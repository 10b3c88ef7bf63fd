package recipe

import (
	"bytes"
	stdjson "encoding/json"

	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/json"
)

// objects makes receipts of the objects of a JSON file.
type objects struct {
	recipe  *Recipe
	options format.Options
	stream  *json.Stream
}

func (r *Recipe) openJSON(input format.Input, o format.Options) (format.Reader, error) {
	if o.Encoding == "" {
		o.Encoding = r.JSON.Encoding
	}
	s, err := json.Open(input.Bytes(), r.JSON.Receipts, o)
	if err != nil {
		return nil, err
	}
	return &objects{r, o, s}, nil
}

// Next implements format.Reader.
func (r *objects) Next() (format.Result, error) {
	v, err := r.stream.Next()
	if bad := refusal(err); bad != nil {
		return json.Refused(v, bad), nil
	}
	if err != nil {
		return format.Result{}, err
	}
	decoder := stdjson.NewDecoder(bytes.NewReader(v.Raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return json.Refused(v, &format.Refusal{Code: format.Malformed, Reason: err.Error()}), nil
	}
	object := jsonRow{value: value}
	if _, ok := value.(map[string]any); !ok {
		return json.Refused(v, &format.Refusal{Code: format.Malformed, Reason: "the receipt is not an object"}), nil
	}
	d, err := r.recipe.build(r.parts(object), r.options, v.Start)
	if err != nil {
		return json.Refused(v, format.AsRefusal(err, format.BadField)), nil
	}
	return format.Result{Document: d, Start: v.Start, End: v.End}, nil
}

// parts are the receipt itself and the elements of its lists that the recipe
// has rules for.
func (r *objects) parts(object jsonRow) []part {
	main := r.recipe.Files[0].Role
	parts := []part{{from: main, row: object}}
	seen := map[string]bool{main: true}
	for i := range r.recipe.Rows {
		from := r.recipe.Rows[i].From
		if seen[from] {
			continue
		}
		seen[from] = true
		switch list := object.at(from).(type) {
		case []any:
			for _, element := range list {
				parts = append(parts, part{from: from, row: jsonRow{value: element, parent: object}})
			}
		case map[string]any:
			parts = append(parts, part{from: from, row: jsonRow{value: list, parent: object}})
		}
	}
	return parts
}
