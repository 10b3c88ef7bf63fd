package document

import _ "embed"

//go:embed schema.json
var schema string

// Schema returns the JSON Schema (2020-12) of the JSON form, for those who
// produce documents. It is stricter than ParseJSON: it names every word that
// this version knows, where ParseJSON takes any and leaves it to Check and
// Unknown.
func Schema() []byte { return []byte(schema) }
