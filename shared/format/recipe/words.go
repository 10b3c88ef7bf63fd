package recipe

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

// parse reads a number as the till writes it. Signs may stand in front or
// behind; parentheses make negative. Places beyond the sixth are an error in
// amounts and rounded in ratios (quantities, prices, percentages).
func (n *Numbers) parse(s string, ratio bool) (money.Decimal, error) {
	text := strings.Map(func(r rune) rune {
		if strings.ContainsRune(n.Strip, r) || n.Thousands != "" && strings.ContainsRune(n.Thousands, r) || r == ' ' || r == '\u00a0' || r == '\u202f' {
			return -1
		}
		if r == '−' {
			return '-'
		}
		return r
	}, s)
	negative := false
	switch {
	case strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")"):
		text, negative = text[1:len(text)-1], true
	case strings.HasSuffix(text, "-"):
		text, negative = text[:len(text)-1], true
	case strings.HasPrefix(text, "-"):
		text, negative = text[1:], true
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	if strings.ContainsAny(text, "+-") {
		return 0, errNumber(s)
	}
	if n.Decimal == "," {
		if strings.Contains(text, ".") {
			return 0, fmt.Errorf("%q has a point, though the decimal sign is a comma", format.Clip(s))
		}
		text = strings.Replace(text, ",", ".", 1)
	}
	text = strings.TrimSuffix(text, ".")
	up := false
	if _, fraction, _ := strings.Cut(text, "."); ratio && len(fraction) > money.Scale {
		cut := len(text) - len(fraction) + money.Scale
		up = text[cut] >= '5' && text[cut] <= '9'
		text = text[:cut]
	}
	d, err := money.Parse(text)
	if errors.Is(err, money.ErrRange) {
		return 0, fmt.Errorf("%q is too large", format.Clip(s))
	}
	if err != nil {
		return 0, errNumber(s)
	}
	if up {
		d++
	}
	if negative {
		d = -d
	}
	return d, nil
}

func errNumber(s string) error {
	return fmt.Errorf("%q is not a number as the recipe writes them", format.Clip(s))
}

// amount is parse for money, which may be stated in minor units.
func (n *Numbers) amount(s string, places int) (money.Decimal, error) {
	d, err := n.parse(s, false)
	if err != nil || n.Amounts != "minor" {
		return d, err
	}
	unit := money.One
	for range places {
		unit *= 10
	}
	return money.Div(d, unit)
}

// layout is a notation of dates and times, for Go's time package.
type layout struct {
	text     string
	go_      string
	zoned    bool
	dateOnly bool
	epoch    string // seconds, milliseconds
}

// readLayout reads a notation: YYYY or YY, MM or M, DD or D, HH or h, mm, ss,
// SSS (thousandths), A (AM or PM), Z (an offset or Z); everything else stands
// for itself. "epoch" and "epoch-ms" are counts since 1970 in UTC.
func readLayout(s string) (layout, error) {
	l := layout{text: s}
	switch s {
	case "epoch", "epoch-ms":
		l.epoch, l.zoned = s, true
		return l, nil
	}
	tokens := []struct{ ours, theirs string }{
		{"YYYY", "2006"}, {"YY", "06"}, {"MMM", "Jan"}, {"MM", "01"}, {"M", "1"}, {"DD", "02"}, {"D", "2"},
		{"HH", "15"}, {"hh", "03"}, {"h", "3"}, {"mm", "04"}, {"ss", "05"}, {"SSS", "000"}, {"A", "PM"}, {"Z", "Z07:00"},
	}
	var b strings.Builder
	hours, years := false, false
outer:
	for i := 0; i < len(s); {
		for _, t := range tokens {
			if strings.HasPrefix(s[i:], t.ours) {
				switch t.ours {
				case "HH", "hh", "h":
					hours = true
				case "YYYY", "YY":
					years = true
				case "Z":
					l.zoned = true
				}
				b.WriteString(t.theirs)
				i += len(t.ours)
				continue outer
			}
		}
		if c := s[i]; c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' && c != 'T' {
			return l, fmt.Errorf("%q: %q means nothing in it; use YYYY MM DD HH mm ss SSS A Z", s, c)
		}
		b.WriteByte(s[i])
		i++
	}
	if !years {
		return l, fmt.Errorf("%q has no year", s)
	}
	l.go_, l.dateOnly = b.String(), !hours
	return l, nil
}

// parse reads a time in the notation.
func (l *layout) parse(s string) (format.Wall, error) {
	if l.epoch != "" {
		n, err := money.Parse(s)
		if err != nil {
			return format.Wall{}, err
		}
		micros := int64(n)
		if l.epoch == "epoch-ms" {
			micros /= 1000
		}
		return format.Wall{Time: time.UnixMicro(micros).UTC(), Zoned: true}, nil
	}
	t, err := time.Parse(l.go_, s)
	return format.Wall{Time: t, Zoned: l.zoned, DateOnly: l.dateOnly}, err
}

// time reads a time in the first notation that fits.
func (r *Recipe) time(s string) (format.Wall, error) {
	for i := range r.layouts {
		if w, err := r.layouts[i].parse(s); err == nil {
			return w, nil
		}
	}
	if len(r.layouts) == 0 {
		return format.ParseXMLTime(s)
	}
	return format.Wall{}, fmt.Errorf("%q is not a time as the recipe writes them (%s)", format.Clip(s), strings.Join(r.Dates.Formats, ", "))
}

// day reads a date.
func (r *Recipe) day(s string) (string, error) {
	w, err := r.time(s)
	if err != nil {
		if t, plain := time.Parse(time.DateOnly, s); plain == nil {
			return t.Format(time.DateOnly), nil
		}
		return "", err
	}
	return w.Time.Format(time.DateOnly), nil
}
