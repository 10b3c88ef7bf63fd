package enroll

import "os"

// keepers returns what keeps keys on this machine better than a file does.
func keepers(_ string, s settings) []keeper {
	var all []keeper
	if _, err := os.Stat(s.tpm); err == nil {
		all = append(all, tpmKeeper{s.tpm})
	}
	if k := credential(s.credentials); k != nil {
		all = append(all, k)
	}
	return all
}
