package document

// Kind is what a document states.
type Kind string

const (
	Sale           Kind = "SALE"
	Return         Kind = "RETURN"
	Exchange       Kind = "EXCHANGE"
	PostVoid       Kind = "POST_VOID"
	Cancelled      Kind = "CANCELLED"
	Training       Kind = "TRAINING"
	Order          Kind = "ORDER"
	Proforma       Kind = "PROFORMA"
	Copy           Kind = "COPY"
	AccountPayment Kind = "ACCOUNT_PAYMENT"
	DownPayment    Kind = "DOWN_PAYMENT"
	PayIn          Kind = "PAY_IN"
	PayOut         Kind = "PAY_OUT"
	Float          Kind = "FLOAT"
	SafeDrop       Kind = "SAFE_DROP"
	Banking        Kind = "BANKING"
	TillTransfer   Kind = "TILL_TRANSFER"
	TillCount      Kind = "TILL_COUNT"
	Batch          Kind = "TENDER_BATCH"
	PeriodClose    Kind = "PERIOD_CLOSE"
	PeriodRead     Kind = "PERIOD_READ"
	NoSale         Kind = "NO_SALE"
	SignOn         Kind = "SIGN_ON"
	SignOff        Kind = "SIGN_OFF"
	OtherKind      Kind = "OTHER"
)

// Kinds lists every kind this version knows; a document of another kind is
// kept and holds its day until the collector is upgraded.
var Kinds = []Kind{
	Sale, Return, Exchange, PostVoid, Cancelled, Training, Order, Proforma, Copy, AccountPayment, DownPayment,
	PayIn, PayOut, Float, SafeDrop, Banking, TillTransfer, TillCount, Batch, PeriodClose, PeriodRead,
	NoSale, SignOn, SignOff, OtherKind,
}

// Receipt reports whether documents of this kind are receipts: they have lines
// and tenders and, when completed, move money and count as a receipt.
func (k Kind) Receipt() bool {
	switch k {
	case Sale, Return, Exchange, PostVoid, AccountPayment, DownPayment:
		return true
	}
	return false
}

// Movement reports whether documents of this kind move cash without a sale.
func (k Kind) Movement() bool {
	switch k {
	case PayIn, PayOut, Float, SafeDrop, Banking, TillTransfer:
		return true
	}
	return false
}

// State is how far the till got with it. Money moves only by COMPLETED documents.
type State string

const (
	Open      State = "OPEN"
	Suspended State = "SUSPENDED"
	Completed State = "COMPLETED"
	Voided    State = "VOIDED"
)

// States lists every state.
var States = []State{Open, Suspended, Completed, Voided}

// PriceBasis says whether line amounts contain their tax. Where a document does
// not state it they are taken to.
type PriceBasis string

const (
	TaxIncluded PriceBasis = "TAX_INCLUDED"
	TaxExcluded PriceBasis = "TAX_EXCLUDED"
)

// PriceBases lists both.
var PriceBases = []PriceBasis{TaxIncluded, TaxExcluded}

// Where a time's zone came from.
const (
	ZoneFromData   = "DATA"
	ZoneFromConfig = "CONFIG"
	ZoneFromGuess  = "GUESS"
)

// ZoneOrigins lists where a time's zone may come from.
var ZoneOrigins = []string{ZoneFromData, ZoneFromConfig, ZoneFromGuess}

// Relation is how a document stands to the one it links to.
type Relation string

const (
	Returns         Relation = "RETURNS"
	Voids           Relation = "VOIDS"
	Resumes         Relation = "RESUMES"
	Settles         Relation = "SETTLES"
	Copies          Relation = "COPIES"
	SplitOf         Relation = "SPLIT_OF"
	MergedInto      Relation = "MERGED_INTO"
	TransferredFrom Relation = "TRANSFERRED_FROM"
	TipAdjusts      Relation = "TIP_ADJUSTS"
	InvoicedBy      Relation = "INVOICED_BY"
)

// Relations lists every relation.
var Relations = []Relation{Returns, Voids, Resumes, Settles, Copies, SplitOf, MergedInto, TransferredFrom, TipAdjusts, InvoicedBy}

// LineKind is what a line is.
type LineKind string

const (
	Item             LineKind = "ITEM"
	Service          LineKind = "SERVICE"
	DepositOut       LineKind = "DEPOSIT_OUT"
	DepositIn        LineKind = "DEPOSIT_IN"
	VoucherSell      LineKind = "VOUCHER_SELL"
	VoucherLoad      LineKind = "VOUCHER_LOAD"
	VoucherRedeem    LineKind = "VOUCHER_REDEEM"
	TipStaff         LineKind = "TIP_STAFF"
	TipHouse         LineKind = "TIP_HOUSE"
	ServiceCharge    LineKind = "SERVICE_CHARGE"
	Surcharge        LineKind = "SURCHARGE"
	Delivery         LineKind = "DELIVERY"
	Donation         LineKind = "DONATION"
	Fee              LineKind = "FEE"
	DownPaymentLine  LineKind = "DOWN_PAYMENT"
	DownPaymentClear LineKind = "DOWN_PAYMENT_CLEAR"
	DebtCreate       LineKind = "DEBT_CREATE"
	DebtSettle       LineKind = "DEBT_SETTLE"
	AgencyLine       LineKind = "AGENCY"
	CashRounding     LineKind = "CASH_ROUNDING"
	DocDiscount      LineKind = "DOC_DISCOUNT"
	OtherLine        LineKind = "OTHER"
)

// LineKinds lists every kind of line.
var LineKinds = []LineKind{
	Item, Service, DepositOut, DepositIn, VoucherSell, VoucherLoad, VoucherRedeem, TipStaff, TipHouse, ServiceCharge,
	Surcharge, Delivery, Donation, Fee, DownPaymentLine, DownPaymentClear, DebtCreate, DebtSettle, AgencyLine,
	CashRounding, DocDiscount, OtherLine,
}

// AdjustmentKind is why a line's amount was changed.
type AdjustmentKind string

const (
	Discount        AdjustmentKind = "DISCOUNT"
	SurchargeAdjust AdjustmentKind = "SURCHARGE"
	Comp            AdjustmentKind = "COMP"
	Coupon          AdjustmentKind = "COUPON"
	Loyalty         AdjustmentKind = "LOYALTY"
	Staff           AdjustmentKind = "STAFF"
	PriceOverride   AdjustmentKind = "PRICE_OVERRIDE"
)

// AdjustmentKinds lists every kind of adjustment.
var AdjustmentKinds = []AdjustmentKind{Discount, SurchargeAdjust, Comp, Coupon, Loyalty, Staff, PriceOverride}

// Levels of an adjustment.
const (
	LevelLine     = "LINE"
	LevelDocument = "DOCUMENT"
)

// Levels lists both.
var Levels = []string{LevelLine, LevelDocument}

// Words of the fields that are plain strings, as their comments list them.
var (
	TaxSchemes      = []string{"VAT", "SALES", "EXCISE", "MARGIN", "NONE"}
	LiableParties   = []string{"MERCHANT", "FACILITATOR"}
	Consumptions    = []string{"EAT_IN", "TAKE_AWAY", "NA"}
	VoucherPurposes = []string{"SINGLE", "MULTI"}
	VoucherFundings = []string{"PAID", "PROMOTIONAL"}
	AgencyParts     = []string{"SALE", "PRIZE", "COMMISSION"}
	CountStages     = []string{"OPEN", "SPOT", "CLOSE"}
)

// TenderKind is how a receipt was paid.
type TenderKind string

const (
	Cash               TenderKind = "CASH"
	ForeignCash        TenderKind = "FOREIGN_CASH"
	CardDebit          TenderKind = "CARD_DEBIT"
	CardCredit         TenderKind = "CARD_CREDIT"
	CardUnknown        TenderKind = "CARD_UNKNOWN"
	Wallet             TenderKind = "WALLET"
	BankTransfer       TenderKind = "BANK_TRANSFER"
	Check              TenderKind = "CHECK"
	GiftCard           TenderKind = "GIFT_CARD"
	VoucherTender      TenderKind = "VOUCHER"
	StoreCredit        TenderKind = "STORE_CREDIT"
	MealVoucher        TenderKind = "MEAL_VOUCHER"
	Account            TenderKind = "ACCOUNT"
	Room               TenderKind = "ROOM"
	LoyaltyPoints      TenderKind = "LOYALTY_POINTS"
	CouponTender       TenderKind = "COUPON"
	Benefit            TenderKind = "BENEFIT"
	DownPaymentApplied TenderKind = "DOWN_PAYMENT_APPLIED"
	Marketplace        TenderKind = "MARKETPLACE"
	OtherTender        TenderKind = "OTHER"
)

// TenderKinds lists every kind of tender.
var TenderKinds = []TenderKind{
	Cash, ForeignCash, CardDebit, CardCredit, CardUnknown, Wallet, BankTransfer, Check, GiftCard, VoucherTender,
	StoreCredit, MealVoucher, Account, Room, LoyaltyPoints, CouponTender, Benefit, DownPaymentApplied, Marketplace, OtherTender,
}

// Direction is which way a tender went.
type Direction string

const (
	Paid     Direction = "PAID"
	Change   Direction = "CHANGE"
	Cashback Direction = "CASHBACK"
	Refund   Direction = "REFUND"
)

// Directions lists every direction.
var Directions = []Direction{Paid, Change, Cashback, Refund}

// MoneyPlace is where cash lies before or after a movement.
type MoneyPlace string

const (
	Drawer  MoneyPlace = "DRAWER"
	Safe    MoneyPlace = "SAFE"
	Bank    MoneyPlace = "BANK"
	Transit MoneyPlace = "TRANSIT"
	Owner   MoneyPlace = "OWNER"
	Petty   MoneyPlace = "PETTY"
	StaffTo MoneyPlace = "STAFF"
	Carried MoneyPlace = "CARRIED"
)

// MoneyPlaces lists every place.
var MoneyPlaces = []MoneyPlace{Drawer, Safe, Bank, Transit, Owner, Petty, StaffTo, Carried}
