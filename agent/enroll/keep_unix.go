//go:build unix && !linux

package enroll

// keepers returns what keeps keys on this machine better than a file does.
func keepers(_ string, s settings) []keeper {
	if k := credential(s.credentials); k != nil {
		return []keeper{k}
	}
	return nil
}
