package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/host"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/shared/exit"
)

func (e env) outbox() *cobra.Command {
	command := &cobra.Command{Use: "outbox", Short: "Look into the durable buffer while the service is stopped"}
	command.AddCommand(
		&cobra.Command{
			Use: "verify", Short: "Read the whole log, check every frame and the chain of digests", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				config, err := e.load()
				if err != nil {
					return err
				}
				var report outbox.Report
				err = host.As(config.Data, func() (err error) {
					report, err = outbox.Verify(filepath.Join(config.Data, app.OutboxFolder))
					return err
				})
				if errors.Is(err, outbox.ErrLocked) {
					return exit.With(exit.Unreachable, fmt.Errorf("%w: stop the service first", err))
				}
				if err != nil {
					return err
				}
				if err := e.Print(cmd, report, func(w io.Writer) error { return printReport(w, report) }); err != nil {
					return err
				}
				if !report.Intact() {
					return exit.With(exit.Degraded, nil)
				}
				return nil
			},
		},
		&cobra.Command{
			Use: "stats", Short: "Say how much there is and how far it was sent", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				config, err := e.load()
				if err != nil {
					return err
				}
				var stats outbox.Stats
				err = host.As(config.Data, func() error {
					o, err := outbox.Open(filepath.Join(config.Data, app.OutboxFolder), outbox.Options{Ballast: -1})
					if err != nil {
						return err
					}
					stats = o.Stats()
					return o.Close()
				})
				if errors.Is(err, outbox.ErrLocked) {
					return exit.With(exit.Unreachable, fmt.Errorf("%w: ask the running service with `tillbook-agent status`", err))
				}
				if err != nil {
					return err
				}
				return e.Print(cmd, stats, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "numbers %d to %d, %d segments, %d bytes of log, %d of index, %d lost\n",
						stats.First, stats.Next-1, stats.Segments, stats.LogBytes, stats.IndexBytes, stats.Lost)
					return err
				})
			},
		},
	)
	return command
}

func printReport(w io.Writer, r outbox.Report) error {
	_, err := fmt.Fprintf(w, "%d records, numbers %d to %d, in %d segments; %d bytes of a commit that was cut off\n", r.Records, r.First, r.Last, r.Segments, r.Tail)
	for _, d := range r.Damage {
		_, more := fmt.Fprintf(w, "damaged: segment %d at %d, %d bytes: %s\n", d.Segment, d.Offset, d.Bytes, d.Reason)
		err = errors.Join(err, more)
	}
	for _, g := range r.Gaps {
		_, more := fmt.Fprintf(w, "lost: numbers %d to %d: %s\n", g.First, g.Last, g.Reason)
		err = errors.Join(err, more)
	}
	return err
}
