package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/logbook"
)

// Verify opens a backup's copy in a scratch folder, compares it with the manifest
// and recomputes the promises over it, as of when it was made; the books are not
// asked. It fails with ErrDamaged where the copy is not what the manifest says. A
// broken promise is in the report. The scratch folder is one of the system's
// temporary files and takes as much room as the copy.
func Verify(ctx context.Context, folder string, open Opener) (m Manifest, report audit.Report, err error) {
	if m, err = Read(folder); err != nil {
		return m, report, err
	}
	if m.Copy == nil {
		return m, report, fmt.Errorf("verify %s: it has a manifest only: restore the server's own backup beside, and name it", folder)
	}
	scratch, err := os.MkdirTemp("", "tillbook-verify-")
	if err != nil {
		return m, report, fmt.Errorf("verify %s: %w", folder, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	path := filepath.Join(scratch, copyName)
	if err := unpack(ctx, folder, m, path); err != nil {
		return m, report, fmt.Errorf("verify %s: %w", folder, err)
	}
	db, err := open(ctx, path)
	if err != nil {
		return m, report, fmt.Errorf("verify %s: %w", folder, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	report, err = VerifyCopy(ctx, m, db)
	return m, report, err
}

// VerifyCopy is Verify for a copy that is open. One that the server's own means
// made must have at least what the manifest says.
func VerifyCopy(ctx context.Context, m Manifest, db Database) (audit.Report, error) {
	if err := holds(ctx, m, db); err != nil {
		return audit.Report{}, fmt.Errorf("compare copy with manifest: %w", err)
	}
	return audit.Verify(ctx, audit.Options{Source: db, Now: m.At})
}

// holds compares a database with a manifest.
func holds(ctx context.Context, m Manifest, db Database) error {
	have, want, err := db.Versions(ctx)
	if err != nil {
		return err
	}
	if have != want {
		return fmt.Errorf("its tables have version %d, this program's %d; verify it with the program that made it, %s: %w", have, want, m.Program, ErrVersion)
	}
	var is Manifest
	if err := describe(ctx, db, &is); err != nil {
		return err
	}
	if !bytes.Equal(is.Incarnation, m.Incarnation) {
		return ErrOther
	}
	if m.Copy != nil {
		if is.Tables != m.Tables || !reflect.DeepEqual(is.Contents, m.Contents) {
			return fmt.Errorf("%w: it does not hold what the manifest says", ErrDamaged)
		}
		return nil
	}
	a, b := is.Contents, m.Contents
	if a.Agents < b.Agents || a.Documents < b.Documents || a.Rejected < b.Rejected || a.Days < b.Days || a.Entries < b.Entries || a.Postings < b.Postings {
		return fmt.Errorf("%w: it holds less than the manifest says", ErrDamaged)
	}
	for _, s := range m.Contents.Streams {
		at, known, err := db.DigestOf(ctx, s)
		if err != nil {
			return err
		}
		if !known || !bytes.Equal(at[:], s.Digest) {
			return fmt.Errorf("%w: agent %s of merchant %s is not stored up to number %d of epoch %d", ErrDamaged, s.Agent, s.Merchant, s.Stored, s.Order)
		}
	}
	wrong, err := LogsMeet(ctx, db, m.Contents.Logs)
	if err == nil && len(wrong) > 0 {
		err = fmt.Errorf("%w: %s", ErrDamaged, wrong[0])
	}
	return err
}

// LogsMeet says what is wrong where a database's logs do not have the ends that
// they had when they were noted.
func LogsMeet(ctx context.Context, db interface {
	HashOfAct(ctx context.Context, merchant string, number int64) ([32]byte, error)
}, noted []Log) (wrong []string, err error) {
	for _, l := range noted {
		at, err := db.HashOfAct(ctx, l.Merchant, l.Number)
		if err != nil {
			return nil, err
		}
		head := logbook.Head{Number: l.Number}
		copy(head.Hash[:], l.Hash)
		if text := head.Meets(at); text != "" {
			wrong = append(wrong, fmt.Sprintf("log of merchant %s: %s", l.Merchant, text))
		}
	}
	return wrong, nil
}

// unpack copies a backup's copy to a new file, synced, and compares its checksum.
func unpack(ctx context.Context, folder string, m Manifest, path string) error {
	from, err := os.Open(filepath.Join(folder, copyName))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(to, hash), io.LimitReader(reader{ctx, from}, m.Copy.Size+1))
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return err
	}
	if size != m.Copy.Size || !bytes.Equal(hash.Sum(nil), m.Copy.SHA256) {
		return fmt.Errorf("%w: the checksum of %s is another", ErrDamaged, from.Name())
	}
	return nil
}

// reader stops where its context ends.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
