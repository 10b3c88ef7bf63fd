//go:build unix

package enroll

// keepers returns what keeps keys on this machine better than a file does.
func keepers(_, credentials string) []keeper {
	if k := credential(credentials); k != nil {
		return []keeper{k}
	}
	return nil
}
