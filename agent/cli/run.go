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
	"tillbook.example/tillbook/agent/host"
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
	var service bool
	cmd := &cobra.Command{
		Use: "run", Short: "Take in and send sales until stopped", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := e.load()
			if err != nil {
				return err
			}
			if os.Getenv("GOMEMLIMIT") == "" {
				debug.SetMemoryLimit(memoryLimit)
			}
			log := program.Logger(cmd.ErrOrStderr(), config.Log.Level, config.Log.Format)
			if service {
				return e.runService(cmd.Context(), config, log)
			}
			return host.As(config.Data, func() error {
				agent, err := app.New(config, log)
				if err != nil {
					return err
				}
				return errors.Join(agent.Run(cmd.Context()), agent.Close())
			})
		},
	}
	cmd.Flags().BoolVar(&service, "service", false, "as the service manager runs it: tell it of progress, and wait to be enrolled")
	return cmd
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
			var identity *enroll.Identity
			err = host.As(config.Data, func() (err error) {
				identity, err = join(cmd.Context(), config.Data, args[0], replace)
				return err
			})
			if err != nil {
				return err
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

// join redeems a join string for this machine.
func join(ctx context.Context, data, text string, replace bool) (*enroll.Identity, error) {
	machine, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("this machine's name: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, enrollTimeout)
	defer cancel()
	identity, err := enroll.Join(ctx, data, text, machine, buildinfo.Version, replace)
	if err != nil && !errors.Is(err, enroll.ErrEnrolled) {
		err = exit.With(exit.Unreachable, problem.With("join", err))
	}
	return identity, err
}
