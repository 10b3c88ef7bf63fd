package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

// localTimeout bounds a question to the running service.
const localTimeout = 5 * time.Second

// answerMost bounds an answer of the service.
const answerMost = 64 << 20

// ask puts a question to the running service and reads its JSON answer.
func ask(folder, method, path string, into any) error {
	return askIn(context.Background(), folder, method, path, localTimeout, into)
}

// askIn is ask for an answer that may take a time of its own.
func askIn(ctx context.Context, folder, method, path string, limit time.Duration, into any) error {
	address, err := os.ReadFile(filepath.Join(folder, app.AddressFile))
	if err != nil {
		return exit.With(exit.Unreachable, problem.With("not_running", fmt.Errorf("the agent has not run here yet: %w", err)))
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+strings.TrimSpace(string(address))+path, nil)
	if err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}
	token, err := os.ReadFile(filepath.Join(folder, app.TokenFile))
	if err != nil {
		return fmt.Errorf("read push token: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	client := http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}} // past any proxy
	response, err := client.Do(request)
	if err != nil {
		return exit.With(exit.Unreachable, problem.With("not_running", fmt.Errorf("the agent does not answer, is the service running? %w", err)))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
	if err != nil {
		return fmt.Errorf("read the service's answer: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		var p problem.Problem
		if err := json.Unmarshal(body, &p); err != nil {
			return fmt.Errorf("the service answered %s", response.Status)
		}
		return p
	}
	if text, ok := into.(*string); ok { // of what is no JSON
		*text = string(body)
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read the service's answer: %w", err)
	}
	return nil
}

func (e env) reread() *cobra.Command {
	var name, version string
	cmd := &cobra.Command{
		Use: "reread", Short: "Read all files again with the corrected recipe; what differs becomes a revision", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := e.load()
			if err != nil {
				return err
			}
			query := url.Values{"source": {name}, "recipe_version": {version}}
			var told map[string][]string
			if err := ask(config.Data, http.MethodPost, "/v1/reread?"+query.Encode(), &told); err != nil {
				return err
			}
			return e.Print(cmd, told, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "reading again: %s\n", strings.Join(told["rereading"], ", "))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "source", "", "of this source only")
	cmd.Flags().StringVar(&version, "recipe-version", "", "the version that the recipe must have")
	return cmd
}
