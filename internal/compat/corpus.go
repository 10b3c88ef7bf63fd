package compat

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// Files of one release's folder.
const (
	upFile     = "up.bin"    // tillbookv1.Up messages of an agent's session, each with its length before it
	downFile   = "down.bin"  // tillbookv1.Down messages that answered them
	enrolFile  = "enrol.bin" // one tillbookv1.EnrolResponse
	expectFile = "expect.json"
	outboxDir  = "outbox" // as it was before the session
)

// Expected is what is known of a release's files.
type Expected struct {
	Agent, Merchant, Store string
	Records                []Record
	Digest                 []byte            // chained, after the last record
	State                  map[string]string // of the outbox
	Lost                   uint64            // numbers declared lost after the records
}

// Record is one record of the log, and what became of it.
type Record struct {
	Number         uint64
	Hash           []byte `json:",omitempty"` // of the document
	Code           string `json:",omitempty"` // with which it was rejected
	IdempotencyKey string `json:",omitempty"`
}

// Corpus is what one release left.
type Corpus struct {
	Folder   string
	Expected Expected
	Ups      []*tillbookv1.Up
	Downs    []*tillbookv1.Down
	Enrolled *tillbookv1.EnrolResponse
}

// Read reads the folder of a release.
func Read(folder string) (*Corpus, error) {
	c := &Corpus{Folder: folder, Enrolled: &tillbookv1.EnrolResponse{}}
	text, err := os.ReadFile(filepath.Join(folder, expectFile))
	if err == nil {
		err = json.Unmarshal(text, &c.Expected)
	}
	if err == nil {
		c.Ups, err = readAll(filepath.Join(folder, upFile), func() *tillbookv1.Up { return &tillbookv1.Up{} })
	}
	if err == nil {
		c.Downs, err = readAll(filepath.Join(folder, downFile), func() *tillbookv1.Down { return &tillbookv1.Down{} })
	}
	if err == nil {
		text, err = os.ReadFile(filepath.Join(folder, enrolFile))
	}
	if err == nil {
		err = proto.Unmarshal(text, c.Enrolled)
	}
	if err != nil {
		return nil, fmt.Errorf("read corpus %s: %w", folder, err)
	}
	return c, nil
}

// Write writes all but the outbox, which is copied there. The folder must be new.
func (c *Corpus) Write() error {
	expected, err := json.MarshalIndent(c.Expected, "", "\t")
	if err != nil {
		return fmt.Errorf("write corpus: %w", err)
	}
	enrolled, err := proto.Marshal(c.Enrolled)
	return errors.Join(err,
		os.WriteFile(filepath.Join(c.Folder, expectFile), append(expected, '\n'), 0o644),
		os.WriteFile(filepath.Join(c.Folder, enrolFile), enrolled, 0o644),
		writeAll(filepath.Join(c.Folder, upFile), c.Ups),
		writeAll(filepath.Join(c.Folder, downFile), c.Downs),
	)
}

// Outbox is where the log of the release lies.
func (c *Corpus) Outbox() string { return filepath.Join(c.Folder, outboxDir) }

func readAll[M proto.Message](name string, empty func() M) (all []M, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	in := bufio.NewReader(f)
	for {
		m := empty()
		switch err := protodelim.UnmarshalFrom(in, m); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("message %d of %s: %w", len(all)+1, name, err)
		}
		all = append(all, m)
	}
}

func writeAll[M proto.Message](name string, all []M) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	for _, m := range all {
		if _, err := protodelim.MarshalTo(f, m); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}
