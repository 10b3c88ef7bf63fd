package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/sandbox"
	sandboxxero "tillbook.example/tillbook/collector/sandbox/xero"
)

// sandboxAddress says where a stand-in is and how a connection is made to it.
type sandboxAddress struct {
	Target   string            `json:"target"`
	Settings map[string]string `json:"settings"` // of the connection
	Token    string            `json:"token_url"`
	Consent  string            `json:"authorize_url"`
	Revoke   string            `json:"revoke_url"`
	Client   string            `json:"client_id"`
	Secret   string            `json:"client_secret"`
	Act      string            `json:"act_url"` // what it holds, and what can be done to it
}

func (e env) sandbox() *cobra.Command {
	var listen string
	options := sandbox.Options{Now: time.Now}
	cmd := &cobra.Command{
		Use: "sandbox", Short: "Serve stand-ins of Xero and QuickBooks Online until stopped, with their rules and with faults on request", Args: cobra.NoArgs,
		Long: "Serve stand-ins of Xero and QuickBooks Online until stopped. Everything is in memory.\n\n" +
			"GET /sandbox/xero and GET /sandbox/quickbooks show what is booked. POST to the same address with\n" +
			"/fault, /lock, /archive, /restore, /void, /edit, /revoke or /disconnect and the parameter name\n" +
			"does what a vendor, an accountant or a bad line would do.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := sandbox.New(options)
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return fmt.Errorf("listen for the sandbox: %w", err)
			}
			base := "http://" + listener.Addr().String()
			addresses := []sandboxAddress{
				{
					Target: "xero", Settings: map[string]string{"tenant": s.Xero.Tenant, "url": base + "/xero/api.xro/2.0"}, Token: base + "/xero/connect/token",
					Consent: base + "/xero/identity/connect/authorize", Revoke: base + "/xero/connect/revocation", Client: sandboxxero.ClientID, Secret: sandboxxero.ClientSecret, Act: base + "/sandbox/xero",
				},
				{
					Target: "quickbooks", Settings: map[string]string{"realm": s.QuickBooks.Realm, "url": base + "/quickbooks"}, Token: base + "/quickbooks/oauth2/v1/tokens/bearer",
					Consent: base + "/quickbooks/connect/oauth2", Revoke: base + "/quickbooks/v2/oauth2/tokens/revoke", Client: sandboxxero.ClientID, Secret: sandboxxero.ClientSecret, Act: base + "/sandbox/quickbooks",
				},
			}
			if err := e.Print(cmd, addresses, func(w io.Writer) error { return printSandbox(w, addresses) }); err != nil {
				return errors.Join(err, listener.Close())
			}
			return serveUntil(cmd.Context(), listener, s.Handler())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8585", "host:port")
	cmd.Flags().StringVar(&options.Country, "country", "GB", "of the organisations")
	cmd.Flags().StringVar(&options.Currency, "currency", "GBP", "of the books")
	return cmd
}

func printSandbox(w io.Writer, addresses []sandboxAddress) error {
	for _, a := range addresses {
		if _, err := fmt.Fprintf(w, "%s\n  settings  %v\n  client    %s, secret %s\n  consent   %s\n  tokens    %s\n  revoke    %s\n  act       %s\n",
			a.Target, a.Settings, a.Client, a.Secret, a.Consent, a.Token, a.Revoke, a.Act); err != nil {
			return err
		}
	}
	return nil
}

// serveUntil serves until ctx ends.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	stop := context.AfterFunc(ctx, func() {
		// Requests that hang on purpose are cut.
		_ = server.Close()
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the sandbox: %w", err)
	}
	return nil
}
