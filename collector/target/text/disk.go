package text

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/internal/durable"
)

// Temporary files lie in the books' folder itself, which nothing includes.
const (
	temporary  = ".tillbook-"
	forgotten  = time.Hour // after which one is left over from a crash
	largestLog = 16 << 20  // bytes of a posting's file
)

// disk creates files that appear whole and are never replaced.
type disk struct {
	links bool
	link  func(old, name string) error
	step  func(string) // tests stop here, as a crash would
}

func (d disk) at(step string) {
	if d.step != nil {
		d.step(step)
	}
}

// create writes a new file, or returns fs.ErrExist. An error that wraps
// target.ErrUnavailable means that the file is not there; any other that it may
// be.
func (d disk) create(folder, path string, body []byte) error {
	name, err := d.write(folder, body)
	if err != nil {
		return fmt.Errorf("%w: %w", target.ErrUnavailable, err)
	}
	d.at("written")
	if d.links {
		err = d.link(name, path)
	} else {
		err = d.claim(name, path)
	}
	d.at("linked")
	if removed := os.Remove(name); removed != nil && !errors.Is(removed, fs.ErrNotExist) && err == nil {
		err = removed
	}
	d.at("cleared")
	if err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

// write puts body into a temporary file and syncs it.
func (d disk) write(folder string, body []byte) (name string, err error) {
	f, err := os.CreateTemp(folder, temporary+"*")
	if err != nil {
		return "", err
	}
	d.at("temporary file made")
	half := len(body) / 2
	_, err = f.Write(body[:half])
	d.at("half written")
	if err == nil {
		_, err = f.Write(body[half:])
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// claim is for file systems without links: an empty file takes the name, the
// written one replaces it. An empty file counts as none, so a crash in between
// leaves nothing; two writers at the same instant are not kept apart.
func (d disk) claim(name, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		if info, statErr := os.Stat(path); statErr != nil || info.Size() > 0 {
			return err
		}
	} else if err != nil {
		return err
	} else if err := f.Close(); err != nil {
		return err
	}
	d.at("claimed")
	return os.Rename(name, path)
}

// probe tells whether the folder's file system has links.
func (d disk) probe(folder string) (bool, error) {
	name, err := d.write(folder, nil)
	if err != nil {
		return false, err
	}
	defer os.Remove(name)
	linked := name + "-link"
	if err := d.link(name, linked); err != nil {
		return false, nil
	}
	return true, os.Remove(linked)
}

// clear removes temporary files that a crash left.
func (d disk) clear(folder string) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, file := range files {
		if !strings.HasPrefix(file.Name(), temporary) {
			continue
		}
		info, err := file.Info()
		if err != nil || time.Since(info.ModTime()) < forgotten {
			continue // gone since, or another collector's that is being written
		}
		if err := os.Remove(filepath.Join(folder, file.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, largestLog+1))
	if err != nil {
		return nil, err
	}
	if len(body) > largestLog {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, largestLog)
	}
	return body, nil
}
