package reconcile

import (
	"cmp"

	"tillbook.example/tillbook/shared/document"
)

// precedes reports whether one document was made before another, as far as their
// numbers tell: by the till's sequence, else by numbers of one space and scope.
// Clocks are never asked.
func precedes(x, y *document.Document) (before, known bool) {
	if x == nil || y == nil || x.Key.Store != y.Key.Store || x.Key.Terminal != y.Key.Terminal {
		return false, false
	}
	if c, ok := compareText(x.Numbers.Sequence, y.Numbers.Sequence); ok {
		return c < 0, c != 0
	}
	if x.Key.Space == y.Key.Space && x.Key.Scope == y.Key.Scope && x.Key.Space != document.SpacePush {
		if c, ok := compareText(x.Key.Number, y.Key.Number); ok {
			return c < 0, c != 0
		}
	}
	return false, false
}

// compareText compares two numbers as printed, if they are written alike.
func compareText(x, y string) (int, bool) {
	xPrefix, xValue, _, xOK := split(x)
	yPrefix, yValue, _, yOK := split(y)
	if !xOK || !yOK || xPrefix != yPrefix {
		return 0, false
	}
	return cmp.Compare(xValue, yValue), true
}

// compareNumbers sorts numbers as printed: those written alike by value.
func compareNumbers(x, y string) int {
	xPrefix, xValue, _, _ := split(x)
	yPrefix, yValue, _, _ := split(y)
	return cmp.Or(cmp.Compare(xPrefix, yPrefix), cmp.Compare(xValue, yValue), cmp.Compare(x, y))
}
