package books

import (
	"tillbook.example/tillbook/shared/document"
)

// Role is what a line is for. The mapping gives each role its account.
type Role string

// Roles, in the order in which lines are written.
const (
	CashOnHand          Role = "cash"
	CashFloat           Role = "float"
	ForeignCash         Role = "foreign_cash"
	CardClearing        Role = "card_clearing"
	WalletClearing      Role = "wallet_clearing"
	BankTransfers       Role = "bank_transfers"
	Checks              Role = "checks"
	MealVouchers        Role = "meal_vouchers"
	Vouchers            Role = "vouchers"
	Coupons             Role = "coupons"
	Benefits            Role = "benefits"
	LoyaltyPoints       Role = "loyalty_points"
	RoomLedger          Role = "room_ledger"
	Receivable          Role = "receivable"
	Marketplace         Role = "marketplace_receivable"
	OtherTender         Role = "other_tender"
	ProviderReserve     Role = "provider_reserve"
	Disputed            Role = "disputed_payments"
	InvoiceInterim      Role = "invoice_interim"
	GiftCards           Role = "gift_card_liability"
	StoreCredit         Role = "store_credit"
	VoucherDeferred     Role = "voucher_deferred"
	CustomerDeposits    Role = "customer_deposits"
	TipsPayable         Role = "tips_payable"
	AgencyPayable       Role = "agency_payable"
	DonationsPayable    Role = "donations_payable"
	AccountsPayable     Role = "accounts_payable"
	Loan                Role = "loan"
	Discounts           Role = "discounts"
	StaffCharge         Role = "service_charge_to_staff"
	Sales               Role = "sales"
	Returns             Role = "returns"
	BottleDeposits      Role = "bottle_deposits"
	ServiceCharge       Role = "service_charge"
	Surcharge           Role = "surcharge"
	Delivery            Role = "delivery"
	TipsIncome          Role = "tips_income"
	Fees                Role = "fees"
	AgencyCommission    Role = "agency_commission"
	OtherIncome         Role = "other_income"
	BreakageIncome      Role = "breakage"
	OutputTax           Role = "tax"
	FacilitatorTax      Role = "facilitator_tax"
	InputTax            Role = "input_tax"
	Movement            Role = "movement"
	OwnerMoney          Role = "owner"
	StaffMoney          Role = "staff"
	PettyCash           Role = "petty_cash"
	Safe                Role = "safe"
	Bank                Role = "bank"
	CashInTransit       Role = "cash_in_transit"
	CostOfGoods         Role = "cost_of_goods"
	Inventory           Role = "inventory"
	PaymentFees         Role = "payment_fees"
	MarketplaceFees     Role = "marketplace_commission"
	DisputeFees         Role = "dispute_fees"
	ChargebackLosses    Role = "chargeback_losses"
	PrepaidFinance      Role = "prepaid_finance_cost"
	FinanceCost         Role = "finance_cost"
	ProviderCorrections Role = "provider_corrections"
	ExchangeResult      Role = "exchange_difference"
	OverShort           Role = "over_short"
	OpeningDifference   Role = "opening_difference"
	CashRounding        Role = "cash_rounding"
	TaxRounding         Role = "tax_rounding"
	ConversionRound     Role = "conversion_rounding"
	ReceiptsNotReceived Role = "receipts_not_received"
	Suspense            Role = "suspense"
)

// roles lists every role with the words a question uses for it.
var roles = []struct {
	role Role
	what string
}{
	{CashOnHand, "cash in the tills"},
	{CashFloat, "the floats put into the tills"},
	{ForeignCash, "cash in other currencies"},
	{CardClearing, "card payments until they are paid out"},
	{WalletClearing, "wallet payments until they are paid out"},
	{BankTransfers, "payments by bank transfer"},
	{Checks, "cheques taken"},
	{MealVouchers, "meal vouchers taken"},
	{Vouchers, "vouchers taken"},
	{Coupons, "coupons that a sponsor pays for"},
	{Benefits, "benefit payments taken"},
	{LoyaltyPoints, "loyalty points taken as payment"},
	{RoomLedger, "bills put on a room"},
	{Receivable, "customers who buy on account"},
	{Marketplace, "what marketplaces owe"},
	{OtherTender, "other ways of paying"},
	{ProviderReserve, "what payment providers hold back"},
	{Disputed, "payments that are disputed"},
	{InvoiceInterim, "payments of receipts that another system invoices"},
	{GiftCards, "gift cards not yet used"},
	{StoreCredit, "store credit not yet used"},
	{VoucherDeferred, "single-purpose vouchers not yet used"},
	{CustomerDeposits, "customers' down payments"},
	{TipsPayable, "tips owed to staff"},
	{AgencyPayable, "money taken for somebody else"},
	{DonationsPayable, "donations to pass on"},
	{AccountsPayable, "what suppliers are owed"},
	{Loan, "what a payment provider has lent"},
	{Discounts, "discounts given"},
	{StaffCharge, "service charges passed on to staff"},
	{Sales, "sales"},
	{Returns, "goods taken back"},
	{BottleDeposits, "bottle deposits"},
	{ServiceCharge, "service charges"},
	{Surcharge, "surcharges for a way of paying"},
	{Delivery, "delivery charges"},
	{TipsIncome, "tips that the house keeps"},
	{Fees, "fees charged to customers"},
	{AgencyCommission, "commission earned on what is sold for others"},
	{OtherIncome, "receipt lines of kind OTHER"},
	{BreakageIncome, "gift cards that will not be used"},
	{OutputTax, "tax on sales"},
	{FacilitatorTax, "tax that a marketplace remits"},
	{InputTax, "tax on purchases"},
	{Movement, "cash paid in and out"},
	{OwnerMoney, "the owner's money put in and drawn"},
	{StaffMoney, "cash paid to staff"},
	{PettyCash, "petty cash"},
	{Safe, "the safe"},
	{Bank, "the bank"},
	{CashInTransit, "cash on its way to the bank"},
	{CostOfGoods, "the cost of goods sold"},
	{Inventory, "goods in stock"},
	{PaymentFees, "fees of payment providers"},
	{MarketplaceFees, "commission of marketplaces"},
	{DisputeFees, "fees of disputed payments"},
	{ChargebackLosses, "disputed payments that were lost"},
	{PrepaidFinance, "the cost of a loan that is not yet due"},
	{FinanceCost, "the cost of a loan"},
	{ProviderCorrections, "what payment providers correct"},
	{ExchangeResult, "exchange gains and losses"},
	{OverShort, "cash over and short"},
	{OpeningDifference, "differences between closing and opening counts"},
	{CashRounding, "cash rounding"},
	{TaxRounding, "tax rounding"},
	{ConversionRound, "rounding to whole minor units and of conversions"},
	{ReceiptsNotReceived, "sales that a Z counts and whose receipts have not come"},
	{Suspense, "what is not yet explained"},
}

func (r Role) place() int {
	for i := range roles {
		if roles[i].role == r {
			return i
		}
	}
	return len(roles)
}

func (r Role) what() string {
	if i := r.place(); i < len(roles) {
		return roles[i].what
	}
	return string(r)
}

// AllRoles lists every role that a mapping's accounts may name, in order. Cash
// movements have their accounts in reasons, and suspense is chosen by its own
// field.
func AllRoles() []Role {
	all := make([]Role, 0, len(roles))
	for i := range roles {
		if r := roles[i].role; r != Movement && r != Suspense {
			all = append(all, r)
		}
	}
	return all
}

// TenderRole returns the role of a tender. A gift card or voucher redeemed
// stands against the liability it was sold into; a voucher that states no
// purpose may be a third party's and has a role of its own.
func TenderRole(t document.Tender) Role {
	switch t.Kind {
	case document.GiftCard, document.VoucherTender:
		switch {
		case t.Voucher != nil && t.Voucher.Funding == "PROMOTIONAL":
			return Discounts
		case t.Voucher != nil && t.Voucher.Purpose == "SINGLE":
			return VoucherDeferred
		case t.Kind == document.GiftCard, t.Voucher != nil && t.Voucher.Purpose == "MULTI":
			return GiftCards
		}
	}
	if r := kindRoles[t.Kind]; r != "" {
		return r
	}
	return OtherTender
}

var kindRoles = map[document.TenderKind]Role{
	document.Cash:               CashOnHand,
	document.ForeignCash:        ForeignCash,
	document.CardDebit:          CardClearing,
	document.CardCredit:         CardClearing,
	document.CardUnknown:        CardClearing,
	document.Wallet:             WalletClearing,
	document.BankTransfer:       BankTransfers,
	document.Check:              Checks,
	document.VoucherTender:      Vouchers,
	document.StoreCredit:        StoreCredit,
	document.MealVoucher:        MealVouchers,
	document.Account:            Receivable,
	document.Room:               RoomLedger,
	document.LoyaltyPoints:      LoyaltyPoints,
	document.CouponTender:       Coupons,
	document.Benefit:            Benefits,
	document.DownPaymentApplied: CustomerDeposits,
	document.Marketplace:        Marketplace,
	document.OtherTender:        OtherTender,
}
