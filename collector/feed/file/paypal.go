package file

import (
	"io"
	"strconv"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/money"
)

// paypalKinds are PayPal's event codes by how they begin; a longer one comes first.
var paypalKinds = []struct {
	begins string
	kind   settle.Kind
}{
	{"T0106", settle.Fee}, {"T01", settle.Fee}, {"T00", settle.Charge}, {"T02", settle.Exchange}, {"T03", settle.Other}, {"T04", settle.PaidOut}, {"T1503", settle.Reserve}, {"T1504", settle.Release},
	{"T1106", settle.Dispute}, {"T1107", settle.Refund}, {"T1108", settle.Fee}, {"T1109", settle.Fee}, {"T1110", settle.Reserve}, {"T1111", settle.Release},
	{"T1112", settle.PayoutFailed}, {"T1114", settle.Dispute}, {"T11", settle.Refund}, {"T1201", settle.Dispute}, {"T1202", settle.DisputeWon}, {"T1207", settle.DisputeWon},
	{"T12", settle.Correction}, {"T15", settle.Reserve}, {"T2101", settle.Reserve}, {"T2102", settle.Release}, {"T2103", settle.Reserve}, {"T2104", settle.Release},
	{"T2105", settle.Reserve}, {"T2106", settle.Release}, {"T22", settle.PaidOut},
}

var paypalColumns = []string{
	"Transaction ID", "Transaction Event Code", "Transaction Completion Date", "Transaction Debit or Credit", "Gross Transaction Amount", "Gross Transaction Currency",
}

// readPayPal reads PayPal's settlement report (STL). It has sections, one for each
// account, whose rows begin with a word of two letters for what they are.
func readPayPal(in io.Reader, o Options, out *sink) error {
	t, err := openTable(in, "", ',')
	if err != nil {
		return err
	}
	out.empty = true // a day without transactions has a report too
	account, rows, begun, ends := o.Account, 0, false, false
	for {
		if err := t.next(); err != nil {
			if err = done(err); err == nil && (!begun || !ends) {
				err = refuse(t.line, "the report is not whole: it has no %s", map[bool]string{true: "end (RF)", false: "beginning (RH)"}[begun])
			}
			return err
		}
		switch what := strings.TrimPrefix(t.fields[0], "\ufeff"); what {
		case "RH":
			begun = true
		case "SH":
			rows = 0
			if len(t.fields) > 3 {
				account = strings.TrimSpace(t.fields[3])
			}
		case "CH":
			if err := t.head(paypalColumns...); err != nil {
				return err
			}
		case "SB":
			if t.names == nil {
				return refuse(t.line, "a row comes before the names of its columns (CH)")
			}
			rows++
			if err := paypalRow(t, account, out); err != nil {
				return err
			}
		case "SC":
			if len(t.fields) > 1 && strings.TrimSpace(t.fields[1]) != strconv.Itoa(rows) {
				return refuse(t.line, "the section says that it has %.20s rows, and has %d", t.fields[1], rows)
			}
		case "RF", "RC":
			ends = true
		case "FH", "FF", "FC", "SF":
		default:
			return refuse(t.line, "a row begins with %.20q, which is none of PayPal's words", what)
		}
	}
}

func paypalRow(t *table, account string, out *sink) error {
	code := t.get("Transaction Event Code")
	m := settle.Movement{
		Provider: "paypal", Account: account, Key: t.get("Transaction ID") + " " + code, Kind: settle.Other, Currency: t.get("Gross Transaction Currency"), Raw: code,
		Receipt: t.get("Invoice ID"), Of: t.get("PayPal Reference ID"), Store: t.get("Store ID"), Terminal: t.get("Terminal ID"),
	}
	if t.get("Transaction ID") == "" {
		return refuse(t.line, "the row has no transaction id")
	}
	for _, k := range paypalKinds {
		if strings.HasPrefix(code, k.begins) {
			m.Kind = k.kind
			break
		}
	}
	var err error
	if m.At, err = time.Parse("2006/01/02 15:04:05 -0700", t.get("Transaction Completion Date")); err != nil {
		return refuse(t.line, "Transaction Completion Date: %.40q is no moment such as 2026/03/02 12:00:00 +0100", t.get("Transaction Completion Date"))
	}
	m.At = m.At.UTC()
	if m.Amount, err = paypalAmount(t, "Gross Transaction Amount", "Transaction Debit or Credit", m.Currency); err != nil {
		return err
	}
	if t.get("Fee Amount") != "" {
		if currency := t.get("Fee Currency"); currency != "" && currency != m.Currency {
			return refuse(t.line, "the fee is in %.10s, the amount in %s", currency, m.Currency)
		}
		fee, err := paypalAmount(t, "Fee Amount", "Fee Debit or Credit", m.Currency)
		if err != nil {
			return err
		}
		m.Fee = -fee
	}
	// Refunds and disputes take from, the same the other way round give back.
	switch {
	case m.Kind == settle.Charge && m.Amount < 0:
		m.Kind = settle.Other // a payment that the merchant made
	case m.Kind == settle.Dispute && m.Amount > 0:
		m.Kind = settle.DisputeWon
	case m.Kind == settle.PaidOut && m.Amount > 0:
		m.Kind = settle.PayoutFailed
	}
	if m.Kind == settle.PaidOut || m.Kind == settle.PayoutFailed {
		m.Payout = t.get("Transaction ID")
	}
	if m.Kind == settle.PaidOut {
		if err := out.payout(settle.Payout{
			Provider: m.Provider, Account: account, Key: m.Payout, State: settle.OnTheWay, Currency: m.Currency, Amount: -m.Amount, Fee: m.Fee, Created: m.At,
			Reference: t.get("Bank Reference ID"),
		}); err != nil {
			return err
		}
	}
	return out.movement(m)
}

// paypalAmount reads whole minor units with the word for their direction.
func paypalAmount(t *table, amount, direction, currency string) (money.Decimal, error) {
	places, err := money.Places(currency)
	if err != nil {
		return 0, refuse(t.line, "%v", err)
	}
	minor, err := strconv.ParseInt(t.get(amount), 10, 64)
	if err != nil || minor < 0 {
		return 0, refuse(t.line, "%s: %.40q is no whole number of minor units", amount, t.get(amount))
	}
	switch t.get(direction) {
	case "CR":
	case "DR":
		minor = -minor
	default:
		return 0, refuse(t.line, "%s: %.20q is neither CR nor DR", direction, t.get(direction))
	}
	d, err := money.FromMinor(money.Minor(minor), places)
	if err != nil {
		return 0, refuse(t.line, "%s: %v", amount, err)
	}
	return d, nil
}
