package target

import "errors"

// Codes of what keeps a posting from the books. Each has a row in the error
// table, with one action.
const (
	CodeClosed       = "books_closed"
	CodeFiled        = "period_filed"
	CodeAccount      = "account_missing"
	CodeArchived     = "account_archived"
	CodeUnfit        = "account_unfit"
	CodeTax          = "tax_missing"
	CodeTaxUnfit     = "tax_unfit"
	CodeTaken        = "reference_taken"
	CodeUnclear      = "posting_unclear"
	CodeRefused      = "posting_refused"
	CodeUnavailable  = "books_unavailable"
	CodeDisconnected = "connect_again"
	CodeSubscription = "subscription_ended"
	CodeOrganisation = "wrong_organisation"
	CodePlan         = "plan_without_journals"
	CodeCurrency     = "wrong_currency"
)

// Coded is an error that one row of the error table explains.
type Coded struct {
	Code string
	Err  error
}

// Error says what happened; the code says what to do.
func (c *Coded) Error() string { return c.Err.Error() }

// Unwrap returns what happened.
func (c *Coded) Unwrap() error { return c.Err }

// With gives an error a code; nil stays nil.
func With(code string, err error) error {
	if err == nil {
		return nil
	}
	return &Coded{code, err}
}

// CodeOf returns the code of an error: the one it was given, or that of the kind
// of error it is. What is of no kind is unclear.
func CodeOf(err error) string {
	var coded *Coded
	switch {
	case err == nil:
		return ""
	case errors.As(err, &coded):
		return coded.Code
	case errors.Is(err, ErrTaken):
		return CodeTaken
	case errors.Is(err, ErrDisconnected):
		return CodeDisconnected
	case errors.Is(err, ErrUnavailable):
		return CodeUnavailable
	case errors.Is(err, ErrRefused):
		return CodeRefused
	}
	return CodeUnclear
}
