// Command archive packs files into a .tar.gz or .zip, flat, so that the same
// files always give the same bytes: names are sorted, times are
// SOURCE_DATE_EPOCH, owners are nobody's. It reads no folders.
//
//	archive -o NAME.tar.gz|NAME.zip FILE...
package main

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	out := flag.String("o", "", "the archive to write")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func run(out string, files []string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(filepath.Base(a), filepath.Base(b)) })
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	pack := packTar
	if strings.HasSuffix(out, ".zip") {
		pack = packZip
	}
	return errors.Join(pack(file, files, time.Unix(seconds, 0).UTC()), file.Close())
}

// mode is 0755 for programs, 0644 for everything else.
func mode(path string) int64 {
	if info, err := os.Stat(path); err == nil && info.Mode()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

func packTar(file *os.File, files []string, at time.Time) error {
	small, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(small)
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		head := tar.Header{Name: filepath.Base(path), Mode: mode(path), Size: int64(len(content)), ModTime: at, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(&head); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), small.Close())
}

func packZip(file *os.File, files []string, at time.Time) error {
	archive := zip.NewWriter(file)
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		head := zip.FileHeader{Name: filepath.Base(path), Method: zip.Deflate, Modified: at}
		head.SetMode(os.FileMode(mode(path)))
		entry, err := archive.CreateHeader(&head)
		if err != nil {
			return err
		}
		if _, err := entry.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}
