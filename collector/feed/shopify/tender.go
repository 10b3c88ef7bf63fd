package shopify

import (
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// transaction is one step of a payment: an authorisation alone moves no money.
type transaction struct {
	ID          int64         `json:"id"`
	Kind        string        `json:"kind"`
	Status      string        `json:"status"`
	Test        bool          `json:"test"`
	Gateway     string        `json:"gateway"`
	Amount      money.Decimal `json:"amount"`
	Currency    string        `json:"currency"`
	ProcessedAt string        `json:"processed_at"`
	CreatedAt   string        `json:"created_at"`
	Details     struct {
		Number  string `json:"credit_card_number"`
		Company string `json:"credit_card_company"`
	} `json:"payment_details"`
}

// tenders returns the payments of an order, or of a refund, and when the last of
// them was made. total is what they come to in the shop's currency, where some were
// made in the customer's.
func tenders(all []transaction, currency string, total money.Decimal, direction document.Direction) (rows []document.Tender, last string, err error) {
	kinds := []string{"sale", "capture", "change"}
	if direction == document.Refund {
		kinds = []string{"refund"}
	}
	foreign := false
	for _, t := range all {
		if t.Status != "success" || !slices.Contains(kinds, t.Kind) || t.Amount == 0 {
			continue
		}
		row := document.Tender{
			Kind: kindOf(t.Gateway), Direction: direction, Amount: t.Amount.Abs(), Label: t.Gateway, Brand: t.Details.Company, Masked: lastFour(t.Details.Number),
		}
		if t.Kind == "change" {
			row.Direction = document.Change
		}
		if row.Direction != document.Paid {
			row.Amount = -row.Amount
		}
		if t.Currency != "" && t.Currency != currency {
			foreign = true
			row.Foreign = &document.Foreign{Currency: t.Currency, Amount: row.Amount}
		}
		if at := firstOf(t.ProcessedAt, t.CreatedAt); at > last {
			last = at
		}
		rows = append(rows, row)
	}
	if foreign && total != 0 {
		err = convert(rows, currency, total)
	}
	return rows, last, err
}

// convert splits a total in the shop's currency over payments that were made in the
// customer's: what each comes to is not stated, only all of them together.
func convert(rows []document.Tender, currency string, total money.Decimal) error {
	weights := make([]money.Decimal, len(rows))
	for i := range rows {
		weights[i] = rows[i].Amount.Abs()
	}
	places, err := money.Places(currency)
	if err != nil {
		return err
	}
	shares, err := money.Split(total, weights, places)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].Amount = shares[i]
		if f := rows[i].Foreign; f != nil {
			if f.Rate, err = money.Div(shares[i], f.Amount); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastFour is what is shown of a card: four digits after dots.
func lastFour(shown string) string {
	shown = strings.TrimSpace(shown)
	if n := len(shown); n >= 4 && strings.Trim(shown[n-4:], "0123456789") == "" {
		return shown[n-4:]
	}
	return ""
}

// kindOf tells what a gateway's payments are. Most gateways take cards.
func kindOf(gateway string) document.TenderKind {
	switch g := strings.ToLower(gateway); {
	case g == "gift_card":
		return document.GiftCard
	case g == "store_credit", g == "shopify_store_credit":
		return document.StoreCredit
	case g == "cash", g == "cash on delivery (cod)":
		return document.Cash
	case strings.Contains(g, "bank"), g == "manual":
		return document.BankTransfer
	case strings.Contains(g, "paypal"), strings.Contains(g, "amazon"), strings.Contains(g, "klarna"):
		return document.Wallet
	}
	return document.CardUnknown
}
