// Package suggest finds what somebody meant to write: the known word nearest to
// an unknown one, for error messages. It never corrects anything by itself; a
// caller puts the suggestion into its error and leaves the input as it was.
package suggest

import "strings"

// Nearest returns the known word that is most like the given one, or "" if none
// is near: more than a third of the letters would have to change. A word of more
// than three letters that begins another is one change away. Case and what
// separates words (_ - and spaces) are ignored; of equally near words the first
// wins.
func Nearest(word string, known []string) string {
	given := plain(word)
	best, distance := "", max(1, len(given)/3)+1
	for _, k := range known {
		other := plain(k)
		d := edits(given, other)
		if len(given) > 3 && len(other) > 3 && (strings.HasPrefix(other, given) || strings.HasPrefix(given, other)) {
			d = min(d, 1)
		}
		if d < distance {
			best, distance = k, d
		}
	}
	return best
}

func plain(word string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(word))
}

// DidYouMean returns ` (did you mean "x"?)` for the nearest known word, or "".
func DidYouMean(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return ` (did you mean "` + near + `"?)`
	}
	return ""
}

// edits counts the letters to insert, delete, change or swap (neighbours) to
// get from a to b.
func edits(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = last, row, before
	}
	return rows[1][len(b)]
}
