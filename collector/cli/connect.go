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

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/problem"
)

// backPath is where a browser comes back to.
const backPath = "/connected"

func (e env) connect() *cobra.Command {
	var listen, redirect, code, password string
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "connect MERCHANT CONNECTION", Short: "Have a merchant let the collector into its books", Args: cobra.ExactArgs(2),
		Long: "Print an address at which the merchant consents, wait for the browser to come back, and keep the\n" +
			"tokens sealed. The running collector posts what waits by itself.\n\n" +
			"The address a browser comes back to must be registered with the app at the vendor. Where the\n" +
			"browser cannot reach this machine, run it once more with --code and the code in that address.\n\n" +
			"Tryton has no such consent: name a file with the user's password.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onClouds(cmd, func(db *storage.DB, clouds []app.Cloud) error {
				m, err := db.Merchant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if app.LogsIn(m, args[1]) {
					if password == "" {
						return problem.With("usage", errors.New("name a file with the user's password: --password-file FILE"))
					}
					secret, err := app.ReadSecret(password)
					if err == nil {
						err = app.Admit(cmd.Context(), clouds, m, args[1], secret)
					}
					if err != nil {
						return err
					}
					return e.connected(cmd, args)
				}
				if code != "" {
					consent, err := app.NewConsent(clouds, m, args[1], backTo(redirect, listen))
					if err == nil {
						err = consent.Code(cmd.Context(), code)
					}
					if err != nil {
						return err
					}
					return e.connected(cmd, args)
				}
				listener, err := net.Listen("tcp", listen)
				if err != nil {
					return fmt.Errorf("listen for the browser that comes back: %w; name another place with --listen", err)
				}
				consent, err := app.NewConsent(clouds, m, args[1], backTo(redirect, listener.Addr().String()))
				if err != nil {
					return errors.Join(err, listener.Close())
				}
				if err := e.Print(cmd, map[string]string{"consent": consent.URL()}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "open this address in a browser, as somebody who may connect the books:\n\n  %s\n\nwaiting for the browser to come back\n", consent.URL())
					return err
				}); err != nil {
					return errors.Join(err, listener.Close())
				}
				ctx, cancel := context.WithTimeout(cmd.Context(), wait)
				defer cancel()
				if err := takeBack(ctx, listener, consent); err != nil {
					return err
				}
				return e.connected(cmd, args)
			})
		},
	}
	byFlag(cmd, new(string))
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8586", "host:port that the browser comes back to")
	cmd.Flags().StringVar(&redirect, "redirect", "", "address that is registered with the app, where it is not http://localhost:PORT"+backPath)
	cmd.Flags().StringVar(&code, "code", "", "code that the browser came back with, in place of waiting for it")
	cmd.Flags().StringVar(&password, "password-file", "", "file with the password of the connection's user, for Tryton; it may be removed afterwards")
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "how long to wait for the browser")
	return cmd
}

// backTo is the address a browser comes back to.
func backTo(redirect, listen string) string {
	if redirect != "" {
		return redirect
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil { // then nobody listens there either
		port = ""
	}
	return "http://localhost:" + port + backPath
}

func (e env) connected(cmd *cobra.Command, args []string) error {
	return e.Print(cmd, map[string]string{"connected": args[0] + "/" + args[1]}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "connection %s of merchant %s is connected; what waits is posted by the running collector\n", args[1], args[0])
		return err
	})
}

// takeBack serves until the answer to a consent came back, or ctx ends.
func takeBack(ctx context.Context, listener net.Listener, consent *app.Consent) error {
	taken := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+backPath, func(w http.ResponseWriter, r *http.Request) {
		err := consent.Take(ctx, r.URL.Query())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Referrer-Policy", "no-referrer")
		switch {
		case errors.Is(err, app.ErrBack):
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		case err != nil:
			http.Error(w, "The books are not connected. The command line says why.", http.StatusBadRequest)
		default:
			// The browser may be gone; the command line says it too.
			_, _ = io.WriteString(w, "The books are connected. You can close this page.\n")
		}
		select {
		case taken <- err:
		default: // a code that comes twice was taken
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	var err error
	select {
	case err = <-taken:
	case err = <-ended:
		return fmt.Errorf("listen for the browser that comes back: %w", err)
	case <-ctx.Done():
		err = fmt.Errorf("wait for the browser to come back: %w", ctx.Err())
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(closing))
}

func (e env) disconnect() *cobra.Command {
	return byFlag(&cobra.Command{
		Use: "disconnect MERCHANT CONNECTION", Short: "Give a connection's access back and forget it", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onClouds(cmd, func(db *storage.DB, clouds []app.Cloud) error {
				m, err := db.Merchant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := app.Disconnect(cmd.Context(), clouds, m, args[1]); err != nil {
					return err
				}
				return e.Print(cmd, map[string]string{"disconnected": args[0] + "/" + args[1]}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "connection %s of merchant %s is disconnected; its days wait until it is connected again\n", args[1], args[0])
					return err
				})
			})
		},
	}, new(string))
}

// onClouds runs f over the configured database and accounting systems.
func (e env) onClouds(cmd *cobra.Command, f func(db *storage.DB, clouds []app.Cloud) error) (err error) {
	config, db, err := e.database(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	clouds, err := app.OpenClouds(config, db, time.Now)
	if err != nil {
		return err
	}
	return f(db, clouds)
}
