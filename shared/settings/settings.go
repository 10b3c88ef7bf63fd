// Package settings turns layers of configuration (defaults, a YAML file, the
// environment, flags) into one struct, and remembers where each value came
// from.
//
// Later layers win, value by value. A key that the struct does not have is an
// error with the nearest known key, in every layer; so is a value of the wrong
// kind. Keys are the struct's koanf tags joined by dots. In the environment a
// key is written with the program's prefix, in capitals, with two underscores
// between its parts: TILLBOOK_AGENT__OUTBOX__MAX.
package settings

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"

	"tillbook.example/tillbook/shared/suggest"
)

// Layer is one place that values come from.
type Layer struct {
	Name   string // as shown beside a value: "agent.yaml", "environment", "flag"
	values map[string]any
}

// YAML reads a layer from a YAML text.
func YAML(name string, text []byte) (Layer, error) {
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(text), yaml.Parser()); err != nil {
		return Layer{}, fmt.Errorf("%s: %w", name, err)
	}
	return Layer{Name: name, values: k.All()}, nil
}

// Environment picks a layer out of an environment (os.Environ).
func Environment(prefix string, environ []string) Layer {
	l := Layer{Name: "environment", values: map[string]any{}}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if key, ok := strings.CutPrefix(name, prefix+"__"); ok {
			l.values[strings.ToLower(strings.ReplaceAll(key, "__", "."))] = value
		}
	}
	return l
}

// Values makes a layer of key and value pairs, as flags give.
func Values(name string, values map[string]string) Layer {
	l := Layer{Name: name, values: map[string]any{}}
	for key, value := range values {
		l.values[key] = value
	}
	return l
}

// Origin is one value with the layer it came from.
type Origin struct {
	Key, Value, Layer string
}

// Load fills into, a pointer to a struct that holds the defaults, and returns
// every value with its origin, by key.
func Load(into any, layers ...Layer) ([]Origin, error) {
	known := map[string]bool{}
	keys(reflect.TypeOf(into).Elem(), "", known)
	names := slices.Sorted(maps.Keys(known))
	k := koanf.New(".")
	from := map[string]string{}
	var problems []error
	for _, layer := range layers {
		for _, key := range slices.Sorted(maps.Keys(layer.values)) {
			if !known[key] {
				problems = append(problems, fmt.Errorf("%s: unknown key %q%s", layer.Name, key, suggest.DidYouMean(key, names)))
				continue
			}
			if err := k.Set(key, layer.values[key]); err != nil {
				problems = append(problems, fmt.Errorf("%s: %s: %w", layer.Name, key, err))
			}
			from[key] = layer.Name
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	decoder := &mapstructure.DecoderConfig{
		Result: into, TagName: "koanf", ErrorUnused: true, WeaklyTypedInput: true,
		DecodeHook: mapstructure.StringToTimeDurationHookFunc(),
	}
	if err := k.UnmarshalWithConf("", into, koanf.UnmarshalConf{Tag: "koanf", DecoderConfig: decoder}); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	var origins []Origin
	describe(reflect.ValueOf(into).Elem(), "", from, &origins)
	return origins, nil
}

// keys collects the keys of a struct type. A list is one key: it is replaced as
// a whole.
func keys(t reflect.Type, prefix string, into map[string]bool) {
	for i := range t.NumField() {
		field := t.Field(i)
		key := prefix + field.Tag.Get("koanf")
		if field.Type.Kind() == reflect.Struct {
			keys(field.Type, key+".", into)
			continue
		}
		into[key] = true
	}
}

func describe(v reflect.Value, prefix string, from map[string]string, into *[]Origin) {
	for i := range v.NumField() {
		key := prefix + v.Type().Field(i).Tag.Get("koanf")
		if v.Field(i).Kind() == reflect.Struct {
			describe(v.Field(i), key+".", from, into)
			continue
		}
		layer := from[key]
		if layer == "" {
			layer = "default"
		}
		value := fmt.Sprint(v.Field(i).Interface())
		if d, ok := v.Field(i).Interface().(time.Duration); ok {
			value = d.String()
		}
		*into = append(*into, Origin{Key: key, Value: value, Layer: layer})
	}
}
