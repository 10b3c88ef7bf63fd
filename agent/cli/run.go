package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/internal/program"
	"tillbook.example/tillbook/shared/buildinfo"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

// enrollTimeout bounds a join, so that a wrong address is told at once.
const enrollTimeout = 20 * time.Second

// memoryLimit is what the agent's heap is kept under by collecting more often: a
// store PC has better uses for its memory. The variable GOMEMLIMIT takes its place.
const memoryLimit = 40 << 20

func (e env) run() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Take in and send sales until stopped", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := e.load()
			if err != nil {
				return err
			}
			if os.Getenv("GOMEMLIMIT") == "" {
				debug.SetMemoryLimit(memoryLimit)
			}
			agent, err := app.New(config, program.Logger(cmd.ErrOrStderr(), config.Log.Level, config.Log.Format))
			if err != nil {
				return err
			}
			return errors.Join(agent.Run(cmd.Context()), agent.Close())
		},
	}
}

func (e env) enroll() *cobra.Command {
	var replace bool
	cmd := &cobra.Command{
		Use: "enroll JOIN-STRING", Short: "Join the collector with the string it gave", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := e.load()
			if err != nil {
				return err
			}
			host, err := os.Hostname()
			if err != nil {
				return fmt.Errorf("this machine's name: %w", err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), enrollTimeout)
			defer cancel()
			identity, err := enroll.Join(ctx, config.Data, args[0], host, buildinfo.Version, replace)
			if errors.Is(err, enroll.ErrEnrolled) {
				return err
			}
			if err != nil {
				return exit.With(exit.Unreachable, problem.With("join", err))
			}
			return e.Print(cmd, map[string]any{
				"agent": identity.Agent, "merchant": identity.Merchant, "store": identity.Store, "collector": identity.Collector, "expires": identity.Expires(),
			}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "joined %s as agent %s of store %s, merchant %s\n", identity.Collector, identity.Agent, identity.Store, identity.Merchant)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "give up the present identity")
	return cmd
}
