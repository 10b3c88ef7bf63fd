package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/books/profile"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

// previewed is what preview prints.
type previewed struct {
	Entries  []books.Entry              `json:"entries"`  // by store and day
	Problems []previewedProblem         `json:"problems"` // what would hold the days
	Proof    map[string]reconcile.Proof `json:"proof"`    // by subject
}

type previewedProblem struct {
	Subject string `json:"subject"`
	books.Problem
}

// Preview returns the command that shows what documents would become in the
// books, without a database: entries, what would hold them, and the proof.
func Preview() *cobra.Command {
	var mappingFile, zone, cutoff string
	var explained bool
	cmd := &cobra.Command{
		Use:   "preview --mapping FILE DOCUMENTS.jsonl",
		Short: "Show the entries that documents would become",
		Long: `Read documents as JSON lines (- for standard input) and print one JSON object:
the entries by store and business day, the problems that would hold the days,
and the proof of each; with --explain instead, for people, each line with the
sentence that says how it came to be, the law behind its tax code where the
mapping names one, and the documents that it is made of.

A document belongs to the date the till printed, else to the day of its period
close, else to the day of its time by --zone and --cutoff; without a zone, to
the date as it was given. Of two documents with one key the later line counts.

The exit code is 0 if every day is proven and without problems, 1 if there are
problems or open differences, 2 if something could not be read.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(mappingFile)
			if err != nil {
				return problem.With("file", fmt.Errorf("read mapping: %w", err))
			}
			mapping, err := books.ParseMapping(text, profile.Complete)
			if err != nil {
				return problem.With("file", fmt.Errorf("%s: %w", mappingFile, err))
			}
			dates, err := dating(zone, cutoff)
			if err != nil {
				return err
			}
			documents, err := readDocuments(cmd.InOrStdin(), args[0])
			if err != nil {
				return problem.With("file", err)
			}
			days, err := byDay(documents, dates)
			if err != nil {
				return problem.With("file", fmt.Errorf("%s: %w", args[0], err))
			}
			shown := preview(days, mapping, documents)
			if explained {
				err = explain(cmd.OutOrStdout(), shown, mapping)
			} else {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetEscapeHTML(false)
				out.SetIndent("", "  ")
				err = out.Encode(shown)
			}
			if err != nil {
				return fmt.Errorf("write preview: %w", err)
			}
			if !shown.clean() {
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&mappingFile, "mapping", "", "the mapping, as YAML (required)")
	cmd.Flags().StringVar(&zone, "zone", "", "the stores' time zone, such as Europe/London")
	cmd.Flags().StringVar(&cutoff, "cutoff", "", "when their business day begins, HH:MM (with --zone; default 00:00)")
	cmd.Flags().BoolVar(&explained, "explain", false, "say for each line how it came to be and of what it is made")
	_ = cmd.MarkFlagRequired("mapping") // it fails only for a flag that is not there
	return cmd
}

func (p previewed) clean() bool {
	return len(p.Problems) == 0 && !slices.ContainsFunc(slices.Collect(maps.Values(p.Proof)), func(p reconcile.Proof) bool { return !p.Proven })
}

// readDocuments reads JSON lines. Documents are current revisions: a later line
// with the same key replaces an earlier one.
func readDocuments(stdin io.Reader, path string) ([]*document.Document, error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read documents: %w", err)
		}
		defer file.Close()
		in = file
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), document.MaxJSONBytes+1)
	at := map[string]int{}
	var documents []*document.Document
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		d, err := document.ParseJSON(line)
		if err == nil {
			err = d.Check()
		}
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		key := d.Key.String()
		if i, again := at[key]; again {
			documents[i] = d
			continue
		}
		at[key] = len(documents)
		documents = append(documents, d)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read documents from %s: %w", path, err)
	}
	return documents, nil
}

// dating returns the rule that gives a document its business day.
func dating(zone, cutoff string) (func(*document.Document, day.Period) (bizday.Day, error), error) {
	if zone == "" {
		if cutoff != "" {
			return nil, errors.New("--cutoff needs --zone: a time of day means nothing without one")
		}
		return dateAsGiven, nil
	}
	rule, err := bizday.NewRule(zone, cutoff)
	if err != nil {
		return nil, fmt.Errorf("--zone and --cutoff: %w", err)
	}
	return func(d *document.Document, period day.Period) (bizday.Day, error) {
		date, _, err := day.Derive(d, rule, period)
		return date, err
	}, nil
}

// dateAsGiven is the date that the till printed, or with which its time begins.
func dateAsGiven(d *document.Document, period day.Period) (bizday.Day, error) {
	given := cmp.Or(d.StatedDay.Date, d.Time.AsGiven)
	if d.StatedDay.Date == "" && d.Kind != document.PeriodClose {
		if date, ok := period(d.StatedDay.Session, d.StatedDay.Z); ok {
			return date, nil
		}
	}
	date, err := bizday.Parse(given[:min(len(given), len(time.DateOnly))])
	if err != nil {
		date, _, err = day.Derive(d, bizday.Rule{Zone: time.UTC}, period)
	}
	if err != nil {
		return "", fmt.Errorf("%w; name the stores' --zone", err)
	}
	return date, nil
}

type storeDay struct {
	store string
	day   bizday.Day
}

// byDay groups documents by store and business day: period closes first, since
// other documents may belong to their day.
func byDay(documents []*document.Document, date func(*document.Document, day.Period) (bizday.Day, error)) (map[storeDay][]*document.Document, error) {
	type period struct{ store, terminal, name string }
	sessions, zs := map[period]bizday.Day{}, map[period]bizday.Day{}
	days := map[storeDay][]*document.Document{}
	for _, closes := range []bool{true, false} {
		for _, d := range documents {
			if (d.Kind == document.PeriodClose) != closes {
				continue
			}
			at := period{d.Key.Store, d.Key.Terminal, ""}
			found, err := date(d, func(session, z string) (bizday.Day, bool) {
				for _, known := range []struct {
					days map[period]bizday.Day
					name string
				}{{zs, z}, {sessions, session}} {
					at.name = known.name
					if found, ok := known.days[at]; ok && known.name != "" {
						return found, true
					}
				}
				return "", false
			})
			if err != nil {
				return nil, err
			}
			days[storeDay{d.Key.Store, found}] = append(days[storeDay{d.Key.Store, found}], d)
			if closes {
				at.name = cmp.Or(d.Numbers.Z, d.StatedDay.Z, d.Key.Number)
				zs[at] = found
				at.name = d.StatedDay.Session
				sessions[at] = found
			}
		}
	}
	return days, nil
}

// preview proves and books each day.
func preview(days map[storeDay][]*document.Document, mapping books.Mapping, all []*document.Document) previewed {
	originals := make(map[string]*document.Document, len(all))
	for _, d := range all {
		originals[d.Key.String()] = d
	}
	shown := previewed{Entries: []books.Entry{}, Problems: []previewedProblem{}, Proof: map[string]reconcile.Proof{}}
	order := slices.SortedFunc(maps.Keys(days), func(x, y storeDay) int {
		return cmp.Or(cmp.Compare(x.store, y.store), cmp.Compare(x.day, y.day))
	})
	for _, one := range order {
		subject := day.Subject(day.Ref{Store: one.store, Day: one.day})
		proof := reconcile.Prove(reconcile.Input{
			Documents: days[one], Originals: originals, Rounding: mapping.Rounding,
			Previous: days[storeDay{one.store, one.day.Add(-1)}],
		})
		entry, problems := books.Build(books.Input{
			Subject: subject, Store: one.store, Day: string(one.day), Mapping: mapping,
			Documents: days[one], Originals: originals, OverShort: reconcile.OverShort(proof),
		})
		shown.Entries = append(shown.Entries, entry)
		shown.Proof[subject] = proof
		for _, p := range problems {
			shown.Problems = append(shown.Problems, previewedProblem{subject, p})
		}
	}
	return shown
}
