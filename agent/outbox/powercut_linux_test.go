package outbox

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"tillbook.example/tillbook/agent/outbox/file/filetest"
)

// acknowledged is what a process printed before the power went.
type acknowledged map[uint64]string

// produceUntil runs a process that appends to a folder, and has cut called after
// so many acknowledgements. It adds all that were printed.
func (a acknowledged) produceUntil(t *testing.T, dir string, count int, cut func(process *os.Process)) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+dir, childProducers+"=6")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for heard := 0; lines.Scan(); heard++ {
		number, key, ok := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseUint(number, 10, 64)
		if !ok || err != nil || a[n] != "" {
			t.Errorf("the process printed %q, number %d was %q", lines.Text(), n, a[n])
		}
		a[n] = key
		if heard == count {
			cut(cmd.Process)
		}
	}
	_ = cmd.Wait() // its disk is gone, or it was killed
}

// check opens what the power cut left: every acknowledged record is there with its
// number, numbers are without gaps, and a sale that is pushed again is known.
func (a acknowledged) check(t *testing.T, dir string) error {
	t.Helper()
	b, err := Open(dir, small())
	if err != nil {
		return fmt.Errorf("open after a power cut: %w", err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	if st := b.Stats(); len(b.Gaps()) > 0 || st.Damaged > 0 || st.Lost > 0 {
		return fmt.Errorf("gaps %v after nothing but a power cut: %+v", b.Gaps(), st)
	}
	all := texts(t, readAll(t, b, 1))
	if uint64(len(all)) != b.Next()-1 {
		return fmt.Errorf("%d records, the next number is %d", len(all), b.Next())
	}
	for n, key := range a {
		if n > uint64(len(all)) || all[n-1] != text(key) {
			return fmt.Errorf("record %d, acknowledged as %s, is not there", n, key)
		}
		if got := appendTo(t, b, Group{Items: []Item{push(key, text(key))}}); !got.Duplicate[0] || got.Numbers[0] != n {
			return fmt.Errorf("%s pushed again is %+v, was acknowledged as %d", key, got, n)
		}
	}
	for i, text := range all { // what was not acknowledged may be there, whole
		a[uint64(i+1)], _, _ = strings.Cut(text, " ")
	}
	return nil
}

// TestARealDiskKeepsWhatWasAcknowledgedThroughPowerCuts cuts a real file system
// off twenty times while a process writes, and opens what is left by itself.
func TestARealDiskKeepsWhatWasAcknowledgedThroughPowerCuts(t *testing.T) {
	const size = 96 << 20
	t.Run("the file system stops", func(t *testing.T) {
		random, disk, known := rand.New(rand.NewPCG(1, 1)), filetest.NewLoop(t, size), acknowledged{}
		for range 10 {
			known.produceUntil(t, disk.Dir, random.IntN(400), func(*os.Process) { disk.CutPower() })
			disk.Restart()
			if err := known.check(t, disk.Dir); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d records over 10 power cuts", len(known))
	})
	t.Run("a copy of the disk at one moment", func(t *testing.T) {
		random, disk, known := rand.New(rand.NewPCG(2, 2)), filetest.NewLoop(t, size), acknowledged{}
		for range 10 {
			var copied *filetest.Loop
			known.produceUntil(t, disk.Dir, random.IntN(400), func(p *os.Process) {
				stop(t, p)
				copied = disk.Copy()
				if err := p.Kill(); err != nil {
					t.Error(err)
				}
			})
			disk.Discard()
			disk = copied
			if err := known.check(t, disk.Dir); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d records over 10 copies", len(known))
	})
}

func TestARealDiskShowsWhatIsLostWithoutSync(t *testing.T) {
	t.Setenv(childLies, "1")
	disk, known := filetest.NewLoop(t, 96<<20), acknowledged{}
	known.produceUntil(t, disk.Dir, 200, func(*os.Process) { disk.CutPower() })
	disk.Restart()
	if known.check(t, disk.Dir) == nil {
		t.Error("nothing was missing though nothing was synced: the other tests show nothing")
	}
}

// stop returns when a process has stopped.
func stop(t *testing.T, p *os.Process) {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Error(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Errorf("the process did not stop: %v, %v", status, err)
	}
}
