package file

import (
	"errors"
	"io"
	"time"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
)

// adyenKinds are the types of rows of Adyen's settlement details report.
var adyenKinds = map[string]settle.Kind{
	"Settled": settle.Charge, "Refunded": settle.Refund, "RefundedReversed": settle.Correction, "Chargeback": settle.Dispute, "SecondChargeback": settle.Dispute,
	"ChargebackReversed": settle.DisputeWon, "Fee": settle.Fee, "MiscCosts": settle.Fee, "PaymentCost": settle.Fee, "InvoiceDeduction": settle.Fee,
	"DepositCorrection": settle.Reserve, "ReserveAdjustment": settle.Reserve, "Balancetransfer": settle.Correction, "ManualCorrected": settle.Correction,
	"MatchedStatement": settle.Correction, "BankInstructionReturned": settle.PayoutFailed, "MerchantPayout": settle.PaidOut,
}

// adyenZones are where the names of zones in the reports are used.
var adyenZones = map[string]string{
	"CET": "Europe/Amsterdam", "CEST": "Europe/Amsterdam", "GMT": "Europe/London", "BST": "Europe/London", "EET": "Europe/Helsinki", "EEST": "Europe/Helsinki",
	"WET": "Europe/Lisbon", "WEST": "Europe/Lisbon", "EST": "America/New_York", "EDT": "America/New_York", "CST": "America/Chicago", "CDT": "America/Chicago",
	"MST": "America/Denver", "MDT": "America/Denver", "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "AEST": "Australia/Sydney", "AEDT": "Australia/Sydney",
	"BRT": "America/Sao_Paulo", "BRST": "America/Sao_Paulo", "SGT": "Asia/Singapore", "JST": "Asia/Tokyo", "NZST": "Pacific/Auckland", "NZDT": "Pacific/Auckland", "UTC": "UTC",
}

var adyenColumns = []string{
	"Merchant Account", "Psp Reference", "Merchant Reference", "Creation Date", "TimeZone", "Type", "Modification Reference", "Net Currency", "Net Debit (NC)", "Net Credit (NC)", "Batch Number",
}

// adyenCosts are the columns of what is kept of a row.
var adyenCosts = []string{"Commission (NC)", "Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)"}

// readAdyen reads Adyen's settlement details report. A batch is a payout: its last
// row pays out what the others come to.
func readAdyen(in io.Reader, o Options, out *sink) error {
	t, err := openTable(in, "", ',')
	if err == nil {
		err = t.next()
	}
	if err == nil {
		err = t.head(adyenColumns...)
	}
	if err != nil {
		return ended(err)
	}
	seen := keys{}
	for {
		if err := t.next(); err != nil {
			return done(err)
		}
		if err := adyenRow(t, seen, out); err != nil {
			return err
		}
	}
}

func adyenRow(t *table, seen keys, out *sink) error {
	m := settle.Movement{
		Provider: "adyen", Account: t.get("Merchant Account"), Kind: settle.Other, Currency: t.get("Net Currency"), Raw: t.get("Type"),
		Receipt: t.get("Merchant Reference"), Brand: t.get("Payment Method"), Terminal: t.get("Terminal ID"), Store: t.get("Store"),
	}
	if kind, known := adyenKinds[m.Raw]; known {
		m.Kind = kind
	}
	batch := t.get("Batch Number")
	if batch == "" {
		return refuse(t.line, "the row has no batch number")
	}
	m.Payout = "batch " + batch
	var err error
	if m.At, err = adyenMoment(t); err != nil {
		return err
	}
	psp, modification := t.get("Psp Reference"), t.get("Modification Reference")
	switch {
	case psp == "":
		if m.Key, err = seen.of(t.line, m.Payout, m.Raw, modification); err != nil {
			return err
		}
	case modification == "" || modification == psp:
		m.Key = psp + " " + m.Raw
	default:
		m.Key = modification + " " + m.Raw
	}
	if m.Kind == settle.Refund || m.Kind == settle.Dispute || m.Kind == settle.DisputeWon {
		m.Of = psp
	}
	credit, err := t.amount("Net Credit (NC)")
	if err != nil {
		return err
	}
	debit, err := t.amount("Net Debit (NC)")
	if err != nil {
		return err
	}
	net, err := add(t.line, credit, -debit)
	if err != nil {
		return err
	}
	for _, name := range adyenCosts {
		cost, err := t.amount(name)
		if err != nil {
			return err
		}
		if m.Fee, err = add(t.line, m.Fee, cost); err != nil {
			return err
		}
	}
	if m.Kind == settle.Fee || m.Kind == settle.PaidOut {
		m.Fee = 0
	}
	if m.Amount, err = add(t.line, net, m.Fee); err != nil {
		return err
	}
	if err := adyenGross(t, &m); err != nil {
		return err
	}
	if m.Kind == settle.PaidOut {
		if err := out.payout(settle.Payout{
			Provider: m.Provider, Account: m.Account, Key: m.Payout, State: settle.OnTheWay, Currency: m.Currency, Amount: -net, Created: m.At,
			Reference: m.Account + " " + m.Payout,
		}); err != nil {
			return err
		}
	}
	return out.movement(m)
}

// adyenGross compares with the gross amount where it is in the same currency, and
// else notes what the customer paid.
func adyenGross(t *table, m *settle.Movement) error {
	credit, err := t.amount("Gross Credit (GC)")
	if err != nil {
		return err
	}
	debit, err := t.amount("Gross Debit (GC)")
	if err != nil {
		return err
	}
	gross, err := add(t.line, credit, -debit)
	currency := t.get("Gross Currency")
	switch {
	case err != nil || currency == "" || gross == 0:
		return err
	case currency != m.Currency:
		m.Presented = &settle.Presented{Currency: currency, Amount: gross}
		if m.Presented.Rate, err = t.amount("Exchange Rate"); err != nil {
			m.Presented.Rate = 0 // it has more places than are kept, and nothing is worked out with it
		}
		return nil
	case gross != m.Amount:
		return refuse(t.line, "the gross amount %s is not the net amount and its costs, %s", gross, m.Amount)
	}
	return nil
}

func adyenMoment(t *table) (time.Time, error) {
	wall, err := time.Parse("2006-01-02 15:04:05", t.get("Creation Date"))
	if err != nil {
		return time.Time{}, refuse(t.line, "Creation Date: %.40q is no moment such as 2026-03-02 12:00:00", t.get("Creation Date"))
	}
	name := t.get("TimeZone")
	zone, known := adyenZones[name]
	if !known {
		zone = name
	}
	rule, err := bizday.NewRule(zone, "")
	if err != nil || zone == "" {
		return time.Time{}, refuse(t.line, "the time zone %.40q is not known", name)
	}
	at, _ := rule.Local(wall) // of an hour that is there twice the first
	return at.UTC(), nil
}

// done ends the rows of a file.
func done(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// ended is an error where a file has not even its head.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return refuse(0, "the file is empty")
	}
	return err
}
