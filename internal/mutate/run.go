package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func run(ctx context.Context, args []string) (int, error) {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	most := flags.Int("n", 100, "how many changes to try")
	seed := flags.Uint64("seed", 1, "which")
	least := flags.Float64("least", 85, "percent of them that tests must notice")
	tests := flags.String("tests", "", "packages whose tests are run, besides those of FOLDER")
	limit := flags.Duration("timeout", 2*time.Minute, "how long tests may run; a change that makes them run longer is noticed")
	if err := flags.Parse(args); err != nil {
		return 2, err
	}
	if flags.NArg() != 1 {
		return 2, errors.New("name one folder")
	}
	folder := flags.Arg(0)
	changes, err := changesOf(folder)
	if err != nil {
		return 2, err
	}
	work, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return 2, fmt.Errorf("make a folder for changes: %w", err)
	}
	defer os.RemoveAll(work)
	r := runner{work: work, limit: *limit, packages: append([]string{"./" + filepath.ToSlash(filepath.Clean(folder))}, strings.Fields(*tests)...)}
	if out, err := r.test(ctx, ""); err != nil {
		return 2, fmt.Errorf("the tests fail without a change: %w\n%s", err, out)
	}
	all := len(changes)
	draw := rand.New(rand.NewPCG(*seed, 0))
	draw.Shuffle(all, func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	tried, noticed := 0, 0
	for _, c := range changes {
		if tried == *most {
			break
		}
		found, err := r.try(ctx, c)
		if errors.Is(err, errNoChange) {
			continue
		}
		if err != nil {
			return 2, err
		}
		tried++
		if found {
			noticed++
			continue
		}
		fmt.Printf("not noticed: %s\n", c)
	}
	if tried == 0 {
		return 2, fmt.Errorf("%s has nothing to change", folder)
	}
	percent := 100 * float64(noticed) / float64(tried)
	fmt.Printf("%s: %d of %d changes noticed, %.1f %% (drawn by %d from %d)\n", folder, noticed, tried, percent, *seed, all)
	if percent < *least {
		return 1, nil
	}
	return 0, nil
}

// errNoChange: the changed code does not compile.
var errNoChange = errors.New("it does not compile")

type runner struct {
	work     string
	limit    time.Duration
	packages []string
}

// try runs the tests over one change, and reports whether they failed.
func (r runner) try(ctx context.Context, c change) (bool, error) {
	replaced := filepath.Join(r.work, "changed.go")
	if err := os.WriteFile(replaced, c.text, 0o600); err != nil {
		return false, fmt.Errorf("write a change: %w", err)
	}
	path, err := filepath.Abs(c.file)
	if err != nil {
		return false, fmt.Errorf("name a change: %w", err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: replaced}})
	if err != nil {
		return false, fmt.Errorf("name a change: %w", err)
	}
	list := filepath.Join(r.work, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return false, fmt.Errorf("write a change: %w", err)
	}
	out, err := r.test(ctx, list)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil && bytes.Contains(out, []byte("[build failed]")) {
		return false, errNoChange
	}
	return err != nil, nil
}

// test runs the tests, over an overlay if one is named.
func (r runner) test(ctx context.Context, overlay string) ([]byte, error) {
	args := []string{"test", "-vet=off", "-count=1", "-failfast", "-timeout", r.limit.String()}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", append(args, r.packages...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return nil, fmt.Errorf("run the tests: %w", err)
	}
	return out.Bytes(), err
}
