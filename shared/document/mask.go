package document

import (
	"bytes"
	"strings"
)

// A payment card number has 13 to 19 digits, the last of them a check digit
// (ISO/IEC 7812-1, Luhn's formula), and is printed in groups.
const (
	minCard   = 13
	maxCard   = 19
	cardShown = 4 // digits that stay
)

// MaskPANs replaces card numbers in text by stars, one for each digit, save
// their last four digits, and returns the text; text itself is not changed. It
// is for what is kept as it came, such as input that could not be read.
//
// A card number is 13 to 19 digits that satisfy Luhn's formula, in one group or
// in several with a single space or dash between them; a single group of more
// digits is something else. Numbers that begin with 0, 19 or 20 are no issuer's
// but mostly padding and dates, and those of 13 digits that do not begin with 4,
// 5 or 6 are article numbers. One in ten of the other numbers of such a length
// satisfies the formula by chance; it is masked.
func MaskPANs(text []byte) []byte {
	out, changed := text, false
	for i := 0; i < len(out); {
		if !isDigit(out[i]) {
			i++
			continue
		}
		if n := cardAt(out[i:]); n > 0 {
			if !changed {
				out, changed = bytes.Clone(out), true
			}
			i += star(out[i : i+n]) // what is left may begin another number
			continue
		}
		for i < len(out) && isDigit(out[i]) {
			i++
		}
	}
	return out
}

// MaskCard is MaskPANs for the text of one field. A field that is nothing but a
// card number, that is, at least 12 digits, characters that stand for hidden
// digits (* x X # •) and separators, is masked to its last four digits even if
// its check digit is wrong or part of it is hidden already.
func MaskCard(s string) string {
	digits, hidden := 0, 0
	for _, r := range s {
		switch {
		case '0' <= r && r <= '9':
			digits++
		case strings.ContainsRune("*xX#•", r):
			hidden++
		case r != ' ' && r != '-':
			return string(MaskPANs([]byte(s)))
		}
	}
	if digits+hidden < minCard-1 {
		return s
	}
	out := []byte(s)
	star(out)
	return string(out)
}

// cardAt returns where the card number ends that text begins with, or 0. Of
// several the longest is taken.
func cardAt(text []byte) int {
	end, digits := 0, 0
	for i := 0; i < len(text) && digits <= maxCard; {
		for i < len(text) && isDigit(text[i]) {
			i++
			digits++
		}
		if isCard(text[:i], digits) {
			end = i
		}
		if i+1 >= len(text) || (text[i] != ' ' && text[i] != '-') || !isDigit(text[i+1]) {
			break
		}
		i++
	}
	return end
}

// isCard reports whether the given number of digits in text make a card number.
func isCard(text []byte, digits int) bool {
	if digits < minCard || digits > maxCard {
		return false
	}
	first, second := text[0], text[1]
	if !isDigit(second) {
		second = text[2]
	}
	switch {
	case first == '0', first == '1' && second == '9', first == '2' && second == '0':
		return false
	case digits == minCard && (first < '4' || first > '6'):
		return false
	}
	sum, double := 0, false
	for i := len(text) - 1; i >= 0; i-- {
		if !isDigit(text[i]) {
			continue
		}
		n := int(text[i] - '0')
		if double {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum, double = sum+n, !double
	}
	return sum%10 == 0
}

// star overwrites all digits but the last four and returns where those begin.
func star(text []byte) int {
	left := -cardShown
	for _, c := range text {
		if isDigit(c) {
			left++
		}
	}
	i := 0
	for ; left > 0; i++ {
		if isDigit(text[i]) {
			text[i] = '*'
			left--
		}
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
