package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/host"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

// forceVariable is how a package manager's scripts are told what --force says.
const forceVariable = "TILLBOOK_FORCE"

// joinFileLimit bounds the file that a join string is read from.
const joinFileLimit = 4 << 10

// failureFile in the data folder says why the installer could not join, since
// silent installers show nothing.
const failureFile = "enrolment-failed.txt"

func (e env) service() *cobra.Command {
	command := &cobra.Command{Use: "service", Short: "Have the operating system run the agent, always"}
	verb := func(use, short string, do func() error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			if err := do(); err != nil {
				return problem.With("service", err)
			}
			return e.state(cmd)
		}}
	}
	command.AddCommand(e.serviceInstall(), e.serviceUninstall(),
		verb("start", "Start the service", host.Start), verb("stop", "Stop the service; it starts again with the machine", host.Stop),
		&cobra.Command{
			Use: "status", Short: "Say whether the service is there and runs; exit code 1 if it does not run", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				if err := e.state(cmd); err != nil {
					return err
				}
				if state, err := host.Status(); err != nil || state != host.Running {
					return exit.With(exit.Degraded, problem.With("service", err))
				}
				return nil
			},
		})
	return command
}

// state prints how the service is.
func (e env) state(cmd *cobra.Command) error {
	state, err := host.Status()
	if err != nil {
		return problem.With("service", err)
	}
	return e.Print(cmd, map[string]any{"service": host.Name, "state": state}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "service %s: %s\n", host.Name, state)
		return err
	})
}

// installation is what service install was told.
type installation struct {
	join, joinFile, proxy string
	noStart               bool
}

func (e env) serviceInstall() *cobra.Command {
	var o installation
	cmd := &cobra.Command{
		Use: "install", Short: "Make the agent a service, or set right the one that is there; join if told how", Args: cobra.NoArgs,
		Long: `Make the agent a service that starts with the machine and after every failure.

To install again repairs: settings, identity and buffer stay. A data folder given
with --data and a proxy given with --proxy are kept in the configuration file.
Where the agent has joined already, --join and --join-file change nothing. That
joining failed does not undo the installation: the service waits, and joins once
"tillbook-agent enroll" has been run. The exit code is then 1.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.installService(cmd, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.join, "join", "", "the collector's join string; other users may see it while the command runs")
	flags.StringVar(&o.joinFile, "join-file", "", "file that holds the join string, where --join does not")
	flags.StringVar(&o.proxy, "proxy", "", "URL of the proxy on the way to the collector")
	flags.BoolVar(&o.noStart, "no-start", false, "leave the service as it is, stopped or running")
	return cmd
}

func (e env) installService(cmd *cobra.Command, o installation) error {
	keep := map[string]string{}
	if o.proxy != "" {
		keep["proxy"] = o.proxy
	}
	settings := e.ConfigPath()
	if data := e.DataGiven(); data != "" {
		absolute, err := filepath.Abs(data)
		if err != nil {
			return err
		}
		keep["data"] = absolute
		_, settings = host.Paths() // the service is started without --data
	}
	if err := host.Keep(settings, keep); err != nil {
		return problem.With("configuration", err)
	}
	config, err := e.load()
	if err != nil {
		return err
	}
	if err := host.Install(config.Data, settings); err != nil {
		return problem.With("service", err)
	}
	joined := e.joinOnce(cmd, config, o)
	if !o.noStart {
		if err := host.Start(); err != nil {
			return errors.Join(problem.With("service", err), joined)
		}
	}
	if err := e.state(cmd); err != nil {
		return err
	}
	if joined != nil {
		return exit.With(exit.Degraded, fmt.Errorf("the service is installed, but has not joined: %w", joined))
	}
	return nil
}

// joinOnce joins as the installer was told, unless the agent has joined. What
// goes wrong is also kept where a person will look.
func (e env) joinOnce(cmd *cobra.Command, config app.Config, o installation) error {
	text := o.join
	var err error
	if text == "" && o.joinFile != "" {
		text, err = readLine(o.joinFile)
	}
	if text == "" && err == nil {
		return nil
	}
	return host.As(config.Data, func() error {
		if _, have := enroll.Load(config.Data); have == nil {
			return nil
		}
		if err == nil {
			_, err = join(cmd.Context(), config.Data, text, false)
		}
		said := filepath.Join(config.Data, failureFile)
		if err == nil {
			if gone := os.Remove(said); gone != nil && !errors.Is(gone, os.ErrNotExist) {
				return gone
			}
			return nil
		}
		note := fmt.Sprintf("%s: joining failed: %v\nGet a new join string and run: tillbook-agent enroll JOIN-STRING\n", time.Now().Format(time.RFC3339), err)
		return errors.Join(err, os.WriteFile(said, []byte(note), 0o600))
	})
}

// readLine reads a short file that holds one line.
func readLine(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", problem.With("file", fmt.Errorf("join string: %w", err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, joinFileLimit))
	if err != nil {
		return "", problem.With("file", fmt.Errorf("join string: %w", err))
	}
	line := strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff"))
	if line == "" {
		return "", problem.With("file", fmt.Errorf("join string: %s is empty", path))
	}
	return line, nil
}

func (e env) serviceUninstall() *cobra.Command {
	var force, check bool
	cmd := &cobra.Command{
		Use: "uninstall", Short: "Take the service away; refuses while sales are unsent. Data and settings stay", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := e.load()
			if err != nil {
				return err
			}
			if check {
				return e.mayGo(config)
			}
			force = force || os.Getenv(forceVariable) == "1"
			if err := e.mayGo(config); err != nil && !force {
				return err
			}
			if err := e.retire(config, force); err != nil {
				return err
			}
			return e.Print(cmd, map[string]string{"service": host.Name, "state": string(host.Absent), "kept": config.Data}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "service %s is gone; its data is kept in %s\n", host.Name, config.Data)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also while sales are unsent; they stay in the data folder ("+forceVariable+"=1 says the same)")
	cmd.Flags().BoolVar(&check, "check", false, "only say, by the exit code, whether everything has been sent")
	return cmd
}

// mayGo returns an error while sales are unsent, or while nobody can tell.
func (e env) mayGo(config app.Config) error {
	n, err := e.unsent(config)
	if err != nil {
		return err
	}
	if n > 0 {
		return problem.With("unsent", fmt.Errorf("%d documents have not reached the collector", n))
	}
	return nil
}

// unsent asks the service, or looks itself where none runs.
func (e env) unsent(config app.Config) (n uint64, err error) {
	var s app.Status
	err = ask(config.Data, http.MethodGet, "/v1/status", &s)
	if exit.Code(err) != exit.Unreachable {
		return s.Outbox.Unsent, err
	}
	return n, host.As(config.Data, func() (err error) {
		n, err = app.Unsent(config.Data)
		return err
	})
}

// retire stops the service, looks once more, since a sale may have come in
// between, and takes it away.
func (e env) retire(config app.Config, force bool) error {
	state, err := host.Status()
	if err != nil {
		return problem.With("service", err)
	}
	if state == host.Running {
		if err := host.Stop(); err != nil {
			return problem.With("service", err)
		}
		if err := e.mayGo(config); err != nil && !force {
			return errors.Join(err, host.Start())
		}
	}
	return problem.With("service", host.Uninstall())
}

// runService runs the agent under the service manager.
func (e env) runService(ctx context.Context, config app.Config, log *slog.Logger) error {
	handler, err := host.Log(log.Handler())
	if err != nil {
		return err
	}
	log = slog.New(handler)
	return host.Run(ctx, log, func(ctx context.Context, tell host.Tell) error {
		if err := waitEnrolled(ctx, config.Data, log, tell); err != nil || ctx.Err() != nil {
			return err
		}
		agent, err := app.New(config, log)
		if err != nil {
			return err
		}
		tell("takes in and sends sales", agent.Progress)
		return errors.Join(agent.Run(ctx), agent.Close())
	})
}

// Waiting for an identity: how often it is looked for, and how long the agent
// may then take to open its buffer.
const (
	lookEvery = 2 * time.Second
	openLimit = 10 * time.Minute
)

// waitEnrolled waits until somebody has enrolled the agent: a service that is
// installed before it has joined is not a service that fails.
func waitEnrolled(ctx context.Context, data string, log *slog.Logger, tell host.Tell) error {
	if _, err := enroll.Load(data); !errors.Is(err, enroll.ErrNone) {
		return err
	}
	log.Warn("waits to be enrolled: run `tillbook-agent enroll JOIN-STRING`")
	tell("waits to be enrolled", func() error { return nil })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := enroll.Load(data); !errors.Is(err, enroll.ErrNone) {
			until := time.Now().Add(openLimit)
			tell("opens its buffer", func() error {
				if time.Now().After(until) {
					return fmt.Errorf("the buffer is not open after %s", openLimit)
				}
				return nil
			})
			return err
		}
	}
}
