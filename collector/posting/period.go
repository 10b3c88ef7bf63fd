package posting

import (
	"context"
	"fmt"

	"tillbook.example/tillbook/collector/books/profile"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
)

// policies returns what becomes of a day in closed books, and in a filed period.
// Closed books are held unless the merchant chose otherwise; what becomes of a
// filed period follows the law of the country, and is held where it is not known.
func policies(country string, c merchant.Connection, d bizday.Day) (closed, filed string) {
	closed, filed = merchant.Hold, merchant.Hold
	if p, err := profile.Of(country); err == nil {
		if rule, found := p.Rule(profile.FiledPeriod, string(d)); found && rule.Treatment == profile.FirstOpenDay {
			filed = merchant.NextOpenDay
		}
	}
	for setting, policy := range map[string]*string{merchant.SettingClosed: &closed, merchant.SettingFiled: &filed} {
		if chosen := c.Settings[setting]; chosen == merchant.Hold || chosen == merchant.NextOpenDay {
			*policy = chosen
		}
	}
	return closed, filed
}

// dated returns the day on which a posting is booked: its own, or the first open
// one where that is the policy for all that stands against its own.
func (s *subject) dated(period target.Period) bizday.Day {
	closed, filed := policies(s.config.Country, s.books, s.due.Day)
	if s.due.Day <= period.Closed && closed != merchant.NextOpenDay || s.due.Day <= period.Filed && filed != merchant.NextOpenDay {
		return s.due.Day
	}
	return max(s.due.Day, period.FirstOpen())
}

// datedOtherwise reports whether a refused posting would be booked on another day
// now.
func (s *subject) datedOtherwise(ctx context.Context, p Posting) (bool, error) {
	period, err := s.target.Period(ctx)
	if err != nil {
		return false, fmt.Errorf("ask up to when the books are closed: %w", err)
	}
	return !period.Open(p.Payload.Date) && s.dated(period) != p.Payload.Date, nil
}

// closed says why nothing changes on a day, and what to do.
func (s *subject) closed(period target.Period, d bizday.Day) error {
	if d <= period.Filed {
		return target.With(target.CodeFiled, fmt.Errorf("the tax return up to %s is filed: amend the return, or set %s of the connection to %q", period.Filed, merchant.SettingFiled, merchant.NextOpenDay))
	}
	return target.With(target.CodeClosed, fmt.Errorf("the books are closed up to %s: open them, or set %s of the connection to %q", period.Closed, merchant.SettingClosed, merchant.NextOpenDay))
}
