package app

import (
	"fmt"
	"os"
	"strconv"

	"tillbook.example/tillbook/agent/source/filedrop"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/formats"
)

// drop makes a watched folder from its settings.
func (a *App) drop(s Source) (*filedrop.Drop, error) {
	open, version, err := opener(s)
	if err != nil {
		return nil, err
	}
	zone := s.Zone
	if zone == "" {
		zone = a.identity.Zone
	}
	rule, err := bizday.NewRule(zone, "")
	if err != nil {
		return nil, err
	}
	return filedrop.New(filedrop.Config{
		Name: s.Name, Folder: s.Folder, Patterns: s.Patterns, Open: open, Recipe: version,
		Options: format.Options{Store: a.identity.Store, Terminal: s.Terminal, Currency: a.identity.Currency, Rule: &rule, Encoding: s.Encoding},
		Settle:  s.Settle, Quiet: s.Quiet, MoveTo: s.MoveTo,
	}, a.captures.desk(s.Name, a.desk), a.log), nil
}

// opener returns how a source's files are read, and the version of its recipe.
func opener(s Source) (filedrop.Open, uint32, error) {
	chosen, err := choose(s)
	if err != nil {
		return nil, 0, err
	}
	if chosen.Files() != len(s.Patterns) {
		return nil, 0, fmt.Errorf("the format reads %d file(s) together, but there are %d patterns", chosen.Files(), len(s.Patterns))
	}
	return chosen.Open, chosen.Version(), nil
}

func choose(s Source) (formats.Format, error) {
	if s.Recipe == "" {
		return formats.Named(s.Format)
	}
	text, err := os.ReadFile(s.Recipe)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	return formats.FromRecipe(text)
}

// reloadRecipe reads the source's recipe again, checks that it has the version
// that was asked for, and has the files read again with it.
func (a *App) reloadRecipe(drop *filedrop.Drop, s Source, version string) error {
	open, has, err := opener(s)
	if err != nil {
		return err
	}
	if version != "" && version != strconv.FormatUint(uint64(has), 10) {
		return fmt.Errorf("source %s: the recipe has version %d, not %s", s.Name, has, version)
	}
	drop.Reread(open, has)
	return nil
}
