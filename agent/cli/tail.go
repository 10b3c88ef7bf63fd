package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/app"
)

// followEvery is how often tail looks for more.
const followEvery = time.Second

func (e env) tail() *cobra.Command {
	var n int
	var follow bool
	cmd := &cobra.Command{
		Use: "tail", Short: "Show the newest documents, one a line as JSON", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := e.load()
			if err != nil {
				return err
			}
			encoder := json.NewEncoder(cmd.OutOrStdout())
			last := uint64(0)
			show := func(query url.Values) error {
				var captured []app.Captured
				if err := askIn(cmd.Context(), config.Data, http.MethodGet, "/v1/tail?"+query.Encode(), localTimeout, &captured); err != nil {
					return err
				}
				for _, c := range captured {
					if err := encoder.Encode(c); err != nil {
						return err
					}
					last = c.Number
				}
				return nil
			}
			err = show(url.Values{"n": {strconv.Itoa(n)}})
			if err != nil || !follow {
				return err
			}
			tick := time.NewTicker(followEvery)
			defer tick.Stop()
			for {
				select {
				case <-cmd.Context().Done():
					return nil
				case <-tick.C:
				}
				if err := show(url.Values{"after": {fmt.Sprint(last)}}); err != nil && cmd.Context().Err() == nil {
					return err
				}
			}
		},
	}
	cmd.Flags().IntVarP(&n, "lines", "n", 20, "how many, at most 500")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until stopped")
	return cmd
}
