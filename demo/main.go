// Command demo runs the main job from nothing on the embedded default: a
// collector and an agent as real processes, a business day of two tills whose
// files arrive while the collector is stopped and started again, until the day
// is closed, proven and posted to a text ledger. It prints what became of the
// day and where to look, and checks each figure against the day's own list.
//
//	go run ./demo [-once] [-keep FOLDER]
//
// It needs both programs in bin/ (make demo builds them) and nothing else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	once := flag.Bool("once", false, "end when the day is posted; exit non-zero if a check fails")
	keep := flag.String("keep", "", "folder to work in and leave behind (default: a temporary one)")
	bin := flag.String("bin", "bin", "folder of the two programs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *bin, *keep, *once)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, folder string, once bool) (err error) {
	if folder == "" {
		if folder, err = os.MkdirTemp("", "tillbook-demo-"); err != nil {
			return err
		}
		defer func() {
			if once && err == nil {
				err = os.RemoveAll(folder)
			}
		}()
	}
	limit := 24 * time.Hour
	if once {
		limit = 55 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s, err := newShop(bin, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.StopAll()) }()
	if err := s.trade(ctx); err != nil {
		return err
	}
	if err := s.check(ctx); err != nil {
		return err
	}
	s.where()
	if once {
		return nil
	}
	say("Both programs run on. Ctrl-C ends them.")
	<-ctx.Done()
	return nil
}

// say prints one step of the demo.
func say(what string, args ...any) { fmt.Printf("• "+what+"\n", args...) }
