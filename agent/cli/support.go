package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/shared/buildinfo"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

// secretLength is from when on a line of a kept key counts as a secret.
const secretLength = 24

func (e env) supportFile() *cobra.Command {
	var yes bool
	var out string
	cmd := &cobra.Command{
		Use: "support-file", Short: "Write one file for support, after showing what is in it", Args: cobra.NoArgs,
		Long: `Write one file for support, after showing what is in it: versions, the
configuration without secrets, status, doctor, figures and the last lines of the
log. It holds no document, amount, key or token, and is sent to nobody.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			support, err := e.support(cmd)
			if err != nil {
				return err
			}
			bundle, err := support.Build()
			if err != nil {
				return problem.With("support_file", err)
			}
			if out == "" {
				out = "tillbook-support-" + bundle.ID + ".zip"
			}
			if !yes {
				if err := e.preview(cmd, bundle); err != nil {
					return err
				}
				if e.JSON() {
					return nil
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Write %s? [y/N] ", out)
				said, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if err != nil && !errors.Is(err, io.EOF) {
					return fmt.Errorf("read the answer: %w", err)
				}
				if said = strings.ToLower(strings.TrimSpace(said)); said != "y" && said != "yes" {
					return exit.With(exit.Degraded, errors.New("nothing was written"))
				}
			}
			if err := writeBundle(out, bundle); err != nil {
				return problem.With("support_file", err)
			}
			return e.Print(cmd, map[string]string{"id": bundle.ID, "written": out}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "written: %s\nsupport id: %s\n", out, bundle.ID)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "write it without asking")
	cmd.Flags().StringVar(&out, "out", "", "path of the file (default tillbook-support-ID.zip)")
	return cmd
}

// preview shows what a support file will hold.
func (e env) preview(cmd *cobra.Command, b diagnose.Bundle) error {
	return e.Print(cmd, b, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "FILE\tBYTES\tWHAT")
		for _, s := range b.Sections {
			fmt.Fprintf(table, "%s\t%d\t%s\n", s.Name, s.Bytes, s.What)
		}
		return table.Flush()
	})
}

func writeBundle(path string, b diagnose.Bundle) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write support file: %w", err)
	}
	return errors.Join(b.Write(file), file.Close())
}

// support gathers what a support file is made of.
func (e env) support(cmd *cobra.Command) (diagnose.Support, error) {
	s := diagnose.Support{Version: buildinfo.Version}
	config, wrong := e.configured()
	if layers, err := e.Layers(); err == nil && wrong == nil {
		values, err := origins(layers...)
		if err != nil {
			return s, err
		}
		for _, v := range values {
			s.Settings = append(s.Settings, diagnose.Setting(v))
		}
	}
	var err error
	if s.Doctor, err = e.examine(cmd, false); err != nil {
		return s, err
	}
	s.At = s.Doctor.At
	if s.Status = e.running(config); s.Status != nil {
		var figures outbox.Stats
		var metrics string
		err = errors.Join(
			ask(config.Data, http.MethodGet, "/v1/log", &s.Log), ask(config.Data, http.MethodGet, "/v1/outbox", &figures),
			ask(config.Data, http.MethodGet, "/metrics", &metrics),
		)
		s.Outbox, s.Metrics = figures, metrics
	} else if report, verify := outbox.Verify(filepath.Join(config.Data, app.OutboxFolder)); verify == nil {
		s.Outbox = report
	}
	if err != nil {
		return s, err
	}
	s.Identity = app.Subject(config, nil, s.Status, s.At).Identity
	s.Secrets, err = secrets(config.Data)
	return s, err
}

// secrets are the texts of the data folder that must never leave it.
func secrets(folder string) ([]string, error) {
	var found []string
	token, err := os.ReadFile(filepath.Join(folder, app.TokenFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read push token: %w", err)
	}
	found = append(found, strings.TrimSpace(string(token)))
	text, err := os.ReadFile(filepath.Join(folder, enroll.File))
	if errors.Is(err, os.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return found, nil // doctor says that it is damaged
	}
	var each func(any)
	each = func(node any) {
		switch n := node.(type) {
		case string:
			for line := range strings.Lines(n) {
				if line = strings.TrimSpace(line); len(line) >= secretLength && !strings.HasPrefix(line, "-----") {
					found = append(found, line)
				}
			}
		case map[string]any:
			for _, inner := range n {
				each(inner)
			}
		case []any:
			for _, inner := range n {
				each(inner)
			}
		}
	}
	if top, ok := tree.(map[string]any); ok {
		each(top["key"])
		each(top["next"])
	}
	return found, nil
}
