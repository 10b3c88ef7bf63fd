package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Properties of the summary (MS-OLEPS) and their types.
const (
	revision, created, saved = 9, 12, 13
	typeText, typeTime       = 0x1e, 0x40
)

// summaryFormat is the identifier that the summary's property set begins with.
var summaryFormat = []byte{0xe0, 0x85, 0x9f, 0xf2, 0xf9, 0x4f, 0x68, 0x10, 0xab, 0x91, 0x08, 0x00, 0x2b, 0x27, 0xb3, 0xd9}

// stamp overwrites the three properties in place; each keeps its length.
func stamp(msi []byte, seconds int64, code string) error {
	at := bytes.Index(msi, summaryFormat)
	const header = 28 // bytes of the stream before the identifier
	if at < header || bytes.Contains(msi[at+1:], summaryFormat) {
		return errors.New("the summary cannot be found")
	}
	number := func(at int) (int, error) {
		if at < 0 || at+4 > len(msi) {
			return 0, errors.New("the summary ends early")
		}
		return int(binary.LittleEndian.Uint32(msi[at:])), nil
	}
	offset, err := number(at + len(summaryFormat))
	if err != nil {
		return err
	}
	section := at - header + offset
	count, err := number(section + 4)
	if err != nil || count > 100 {
		return errors.Join(err, fmt.Errorf("the summary has %d properties", count))
	}
	done := 0
	for i := range count {
		id, err := number(section + 8 + 8*i)
		if err != nil {
			return err
		}
		offset, err := number(section + 12 + 8*i)
		if err != nil {
			return err
		}
		value := section + offset
		kind, err := number(value)
		if err != nil || value+8+len(code) > len(msi) {
			return errors.Join(err, errors.New("the summary ends early"))
		}
		switch {
		case id == revision && kind == typeText && msi[value+8] == '{':
			copy(msi[value+8:], code)
			done++
		case (id == created || id == saved) && kind == typeTime:
			const epoch = 11644473600 // seconds from 1601 to 1970
			binary.LittleEndian.PutUint64(msi[value+4:], uint64(seconds+epoch)*1e7)
			done++
		}
	}
	if done != 3 {
		return fmt.Errorf("%d of 3 properties are as expected", done)
	}
	return nil
}
