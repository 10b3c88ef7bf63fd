package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

// longestFeedSecret bounds what opens a source, in bytes.
const longestFeedSecret = 8 << 10

func (e env) feed() *cobra.Command {
	cmd := &cobra.Command{Use: "feed", Short: "Sources in the cloud: list them, give them their secrets, have them asked"}
	cmd.AddCommand(e.feedList(), e.feedSecret(), e.feedForget(), e.feedPull(), e.feedImport())
	return cmd
}

type feedRow struct {
	Merchant  string    `json:"merchant"`
	Feed      string    `json:"feed"`
	Source    string    `json:"source"`
	Pulled    time.Time `json:"pulled,omitzero"`
	CoveredTo time.Time `json:"covered_to,omitzero"`
	Next      time.Time `json:"next,omitzero"`
	Failures  int       `json:"failures"`
	Code      string    `json:"code,omitempty"`
	Error     string    `json:"error,omitempty"`
}

func (e env) feedList() *cobra.Command {
	return &cobra.Command{
		Use: "list MERCHANT", Short: "List a merchant's feeds and how they stand", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDatabase(cmd, func(db *storage.DB) error {
				m, err := db.Merchant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				states, err := db.Feeds(cmd.Context())
				if err != nil {
					return err
				}
				rows, failing := []feedRow{}, false
				for _, f := range m.Feeds {
					row := feedRow{Merchant: m.ID, Feed: f.ID, Source: f.Source}
					for _, s := range states {
						if s.ID == (feed.ID{Merchant: m.ID, Feed: f.ID}) {
							row.Pulled, row.CoveredTo, row.Next, row.Failures, row.Code, row.Error = s.PulledAt, s.CoveredTo, s.NotBefore, s.Failures, s.Code, s.Error
						}
					}
					rows, failing = append(rows, row), failing || row.Failures > 0
				}
				if err := e.Print(cmd, rows, func(w io.Writer) error {
					table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
					fmt.Fprintln(table, "FEED\tSOURCE\tPULLED\tCOVERED TO\tFAILURES\tERROR")
					for _, r := range rows {
						fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n", r.Feed, r.Source, shown(r.Pulled), shown(r.CoveredTo), r.Failures, strings.TrimSpace(r.Code+" "+r.Error))
					}
					return table.Flush()
				}); err != nil {
					return err
				}
				if failing {
					return exit.With(exit.Degraded, nil)
				}
				return nil
			})
		},
	}
}

func shown(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format(time.DateTime)
}

// onFeed runs f over the feed that the arguments name: MERCHANT FEED.
func (e env) onFeed(cmd *cobra.Command, args []string, f func(db *storage.DB, m merchant.Merchant, of merchant.Feed) error) error {
	return e.onDatabase(cmd, func(db *storage.DB) error {
		m, err := db.Merchant(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		of, known := m.Feed(args[1])
		if !known {
			return fmt.Errorf("merchant %s has no feed %q: %w", m.ID, args[1], storage.ErrNone)
		}
		return f(db, m, of)
	})
}

func (e env) feedSecret() *cobra.Command {
	var file, by string
	cmd := &cobra.Command{
		Use: "secret MERCHANT FEED NAME", Short: "Keep what opens a feed's source, sealed; it is read from standard input or a file", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onFeed(cmd, args, func(db *storage.DB, m merchant.Merchant, f merchant.Feed) error {
				needed, optional := f.Secrets()
				if all := append(needed[:len(needed):len(needed)], optional...); !slices.Contains(all, args[2]) {
					return problem.With("usage", fmt.Errorf("source %s has no secret %q; it has %s", f.Source, args[2], strings.Join(all, ", ")))
				}
				secret, err := readFeedSecret(cmd.InOrStdin(), file)
				if err != nil {
					return problem.With("usage", err)
				}
				config, err := e.load()
				if err != nil {
					return err
				}
				keys, err := app.OpenSecrets(config)
				if err != nil {
					return err
				}
				id := feed.ID{Merchant: m.ID, Feed: f.ID}
				if err := db.Credentials(keys).Put(cmd.Context(), id, args[2], secret, time.Now()); err != nil {
					return err
				}
				if err := db.Note(cmd.Context(), logbook.Act{Merchant: m.ID, At: time.Now(), What: logbook.Connect, On: "feed " + f.ID, Detail: "secret " + args[2]}); err != nil {
					return err
				}
				return db.Wake(cmd.Context(), id)
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "file that holds the secret, in place of standard input")
	byFlag(cmd, &by)
	return cmd
}

func readFeedSecret(in io.Reader, file string) (secret string, err error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, longestFeedSecret+1))
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	secret = strings.TrimSpace(string(text))
	if secret == "" || len(text) > longestFeedSecret {
		return "", fmt.Errorf("it is not one secret: it is empty or has more than %d bytes", longestFeedSecret)
	}
	return secret, nil
}

func (e env) feedForget() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use: "forget MERCHANT FEED", Short: "Let go of what opens a feed's source", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onFeed(cmd, args, func(db *storage.DB, m merchant.Merchant, f merchant.Feed) error {
				config, err := e.load()
				if err != nil {
					return err
				}
				keys, err := app.OpenSecrets(config)
				if err != nil {
					return err
				}
				if err := db.Credentials(keys).Forget(cmd.Context(), feed.ID{Merchant: m.ID, Feed: f.ID}); err != nil {
					return err
				}
				return db.Note(cmd.Context(), logbook.Act{Merchant: m.ID, At: time.Now(), What: logbook.Disconnect, On: "feed " + f.ID})
			})
		},
	}
	byFlag(cmd, &by)
	return cmd
}

func (e env) feedPull() *cobra.Command {
	return &cobra.Command{
		Use: "pull MERCHANT FEED", Short: "Have the running collector ask a feed's source at once", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onFeed(cmd, args, func(db *storage.DB, m merchant.Merchant, f merchant.Feed) error {
				if !f.Pulled() {
					return problem.With("usage", fmt.Errorf("source %s is not asked; its files are taken by `feed import`", f.Source))
				}
				return db.Wake(cmd.Context(), feed.ID{Merchant: m.ID, Feed: f.ID})
			})
		},
	}
}

func (e env) feedImport() *cobra.Command {
	var merchantID, source string
	cmd := &cobra.Command{
		Use: "import --merchant M --source FEED FILE...", Short: "Take in settlement reports and bank statements; a file is taken whole or not at all", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onFeed(cmd, []string{merchantID, source}, func(db *storage.DB, m merchant.Merchant, f merchant.Feed) error {
				if f.Pulled() {
					return problem.With("usage", fmt.Errorf("source %s is asked by itself and has no files", f.Source))
				}
				all := []app.Imported{}
				for _, path := range args {
					imported, err := app.ImportFile(cmd.Context(), db, m, f, path, time.Now())
					if err != nil {
						return problem.With("file", err)
					}
					all = append(all, imported)
				}
				return e.Print(cmd, all, func(w io.Writer) error {
					for _, i := range all {
						if _, err := fmt.Fprintf(w, "%s: %d movements, %d payouts, %d bank lines; %d new or changed\n", i.File, i.Movements, i.Payouts, i.Lines, i.New); err != nil {
							return err
						}
					}
					return nil
				})
			})
		},
	}
	cmd.Flags().StringVar(&merchantID, "merchant", "", "whose file it is")
	cmd.Flags().StringVar(&source, "source", "", "the feed, as merchant.yaml names it")
	for _, name := range []string{"merchant", "source"} {
		_ = cmd.MarkFlagRequired(name) // fails only for a flag that does not exist
	}
	return cmd
}
