package wire

import (
	"crypto/sha256"
	"encoding/binary"
)

// Next returns the chained digest after record, where prev is the digest before
// it: SHA-256(prev ‖ big-endian uint32 length ‖ record). The chain of a lane
// begins with 32 zero bytes. It is defined over the marshalled Record message
// and for records below 4 GiB.
func Next(prev [32]byte, record []byte) [32]byte {
	var head [36]byte
	copy(head[:32], prev[:])
	binary.BigEndian.PutUint32(head[32:], uint32(len(record)))
	h := sha256.New()
	h.Write(head[:])
	h.Write(record)
	var next [32]byte
	h.Sum(next[:0])
	return next
}
