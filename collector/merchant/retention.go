package merchant

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillbook.example/tillbook/shared/bizday"
)

// longestKept bounds a retention, in days and in years.
const (
	longestKeptDays  = 36500
	longestKeptYears = 100
)

// keptByLaw is for how many years from the end of the calendar year the law of a
// country's accounting wants what a day's books rest on to be kept; of several
// terms that may apply the longest.
var keptByLaw = map[string]int{
	"AT": 7,  // BAO § 132
	"AU": 5,  // Taxation Administration Act 1953, s 382-5
	"BE": 10, // Code TVA art. 60
	"CA": 6,  // Income Tax Act s 230
	"CH": 10, // OR art. 958f
	"DE": 10, // AO § 147; vouchers alone 8
	"DK": 5,  // Bogføringsloven § 12
	"ES": 6,  // Código de Comercio art. 30
	"FI": 10, // Kirjanpitolaki 2:10; vouchers alone 6
	"FR": 10, // Code de commerce L123-22
	"GB": 6,  // VAT Notice 700/21
	"IE": 6,  // Taxes Consolidation Act 1997, s 886
	"IT": 10, // Codice civile art. 2220
	"NL": 7,  // AWR art. 52
	"NO": 5,  // Bokføringsloven § 13
	"NZ": 7,  // Tax Administration Act 1994, s 22
	"SE": 7,  // Bokföringslagen 7:2
	"US": 7,  // no one term; the longest that the IRS names for losses
}

// keptElsewhere is for countries that are not in keptByLaw.
const keptElsewhere = 10

// PersonalBefore returns the first business day whose documents keep what they
// state of persons; on days before it nobody needs that any more. Without a
// setting it is what the law of accounting wants kept (keptByLaw).
func (m Merchant) PersonalBefore(today bizday.Day) bizday.Day {
	if m.KeepPersonal == "" {
		years, known := keptByLaw[m.Country]
		if !known {
			years = keptElsewhere
		}
		return yearsBefore(today, years)
	}
	n, unit, err := keeping(m.KeepPersonal)
	if err != nil { // a configuration that was checked has none
		return ""
	}
	if unit == "y" {
		return yearsBefore(today, n)
	}
	return today.Add(-n)
}

// yearsBefore is the first day of which so many calendar years have not yet ended.
func yearsBefore(today bizday.Day, years int) bizday.Day {
	year, _ := strconv.Atoi(string(today)[:4]) // a day begins with its year
	return bizday.Day(time.Date(year-years, time.January, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
}

// keeping reads a retention: 90d or 6y.
func keeping(text string) (n int, unit string, err error) {
	for unit, most := range map[string]int{"d": longestKeptDays, "y": longestKeptYears} {
		if number, is := strings.CutSuffix(text, unit); is {
			n, err := strconv.Atoi(number)
			if err == nil && n >= 1 && n <= most {
				return n, unit, nil
			}
		}
	}
	return 0, "", fmt.Errorf("%q must be days or years, such as 90d or 6y", text)
}
