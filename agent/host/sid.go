package host

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// serviceSID is the security identifier of a service's account, which Windows
// makes from the name alone: it is known before the service is.
func serviceSID(name string) string {
	var text bytes.Buffer
	for _, unit := range utf16.Encode([]rune(strings.ToUpper(name))) {
		text.Write(binary.LittleEndian.AppendUint16(nil, unit))
	}
	sum := sha1.Sum(text.Bytes())
	sid := "S-1-5-80"
	for i := 0; i < len(sum); i += 4 {
		sid += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(sum[i:]))
	}
	return sid
}
