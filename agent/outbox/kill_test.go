package outbox

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"tillbook.example/tillbook/agent/outbox/file"
)

// childFolder is set in the environment of a process that is to be killed,
// childProducers to how many produce in it, childLies so that it does not sync.
const (
	childFolder    = "OUTBOX_CHILD_FOLDER"
	childProducers = "OUTBOX_CHILD_PRODUCERS"
	childLies      = "OUTBOX_CHILD_LIES"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		run := child
		if os.Getenv(childProducers) != "" {
			run = produce
		}
		if err := run(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child appends for ever and prints each number when it is acknowledged.
func child(dir string) error {
	b, err := Open(dir, small())
	if err != nil {
		return err
	}
	for {
		n := b.Next()
		a, err := b.Append(context.Background(), Group{
			Items: []Item{push(fmt.Sprint("push ", n), fmt.Sprint("doc ", n, strings.Repeat(" ", 500)))},
			State: map[string][]byte{"last": fmt.Append(nil, n)},
		})
		if err != nil {
			return err
		}
		fmt.Println(a.First)
	}
}

// produce has many producers append for ever; each prints the number and the key
// of what was acknowledged to it.
func produce(dir string) error {
	o := small()
	if os.Getenv(childLies) != "" {
		o.System = lying{}
	}
	b, err := Open(dir, o)
	if err != nil {
		return err
	}
	producers, err := strconv.Atoi(os.Getenv(childProducers))
	if err != nil {
		return err
	}
	failed := make(chan error, producers)
	begin := b.Next()
	for p := range producers {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d-%d", begin, p, i)
				a, err := b.Append(context.Background(), Group{Items: []Item{push(key, text(key))}, State: map[string][]byte{fmt.Sprint("mark ", p): []byte(key)}})
				if err != nil {
					failed <- err
					return
				}
				fmt.Printf("%d %s\n", a.First, key)
			}
		}()
	}
	return <-failed
}

// lying is a disk whose sync does nothing.
type lying struct{ file.OS }

func (lying) SyncDir(string) error { return nil }

func (l lying) Create(name string) (file.File, error) { return lie(l.OS.Create(name)) }

func (l lying) Open(name string) (file.File, error) { return lie(l.OS.Open(name)) }

func lie(f file.File, err error) (file.File, error) { return lyingFile{f}, err }

type lyingFile struct{ file.File }

func (lyingFile) Sync() error { return nil }

func text(key string) string { return key + strings.Repeat(" sold", 20+len(key)*7%100) }

// Not parallel, nor are the others that start processes: for the moment between
// fork and exec a process holds the locks of outboxes that are open in this one.
func TestAKilledProcessLeavesEverythingItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	for life := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childFolder+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged uint64
		lines := bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			if _, err := fmt.Sscan(lines.Text(), &acknowledged); err != nil {
				t.Fatal(err)
			}
			if i == 150+50*life {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed

		b := open(t, dir, small())
		if got := b.Next() - 1; got != acknowledged && got != acknowledged+1 {
			t.Fatalf("life %d: %d records, %d acknowledged", life, got, acknowledged)
		}
		all := texts(t, readAll(t, b, 1))
		for i, text := range all {
			if want := fmt.Sprint("doc ", i+1); strings.TrimSpace(text) != want {
				t.Fatalf("life %d: record %d is %.20q", life, i+1, text)
			}
		}
		if v, _ := b.State("last"); len(all) != int(b.Next()-1) || string(v) != fmt.Sprint(len(all)) {
			t.Errorf("life %d: %d records read, state %q", life, len(all), v)
		}
		a := appendTo(t, b, Group{Items: []Item{push(fmt.Sprint("push ", acknowledged), fmt.Sprint("doc ", acknowledged, strings.Repeat(" ", 500)))}})
		if !a.Duplicate[0] || a.Numbers[0] != acknowledged {
			t.Errorf("life %d: pushed again: %+v", life, a)
		}
		if st := b.Stats(); st.Damaged > 0 || len(b.Gaps()) > 0 {
			t.Errorf("life %d: %+v", life, st)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
