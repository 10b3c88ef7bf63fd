package quickbooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Kinds of documents.
const (
	journal = "JournalEntry"
	receipt = "SalesReceipt"
	refund  = "RefundReceipt"
)

type document struct {
	kind, id   string
	token      int
	number     string
	date       bizday.Day
	note       string
	department string
	deposit    string
	customer   string
	lines      []line
	taxes      []taxLine
	totalTax   money.Minor
	voided     bool
	changed    time.Time
}

type line struct {
	text       string
	amount     money.Minor // of a journal, debits positive
	account    *Account
	item       string
	class      string
	department string
	tax        *taxCode
	taxAmount  money.Minor
	on         string
}

type taxLine struct {
	rate   string
	amount money.Minor
	net    money.Minor
}

type ref struct {
	Value string `json:"value"`
}

type form struct {
	ID                  string `json:"Id"`
	SyncToken           string
	Sparse              bool `json:"sparse"`
	DocNumber           string
	TxnDate             string
	PrivateNote         string
	DepartmentRef       *ref
	CustomerRef         *ref
	DepositToAccountRef *ref
	Line                []struct {
		Description, DetailType string
		Amount                  json.Number
		JournalEntryLineDetail  *struct {
			PostingType, TaxApplicableOn                    string
			AccountRef, ClassRef, DepartmentRef, TaxCodeRef *ref
			TaxAmount                                       json.Number
			Entity                                          *struct{ EntityRef ref }
		}
		SalesItemLineDetail *struct{ ItemRef, ClassRef, TaxCodeRef *ref }
	}
	TxnTaxDetail *struct {
		TotalTax json.Number
		TaxLine  []struct {
			Amount        json.Number
			TaxLineDetail struct {
				TaxRateRef       ref
				NetAmountTaxable json.Number
			}
		}
	}
}

// refusal is a fault of a document.
type refusal struct{ code, message, detail string }

func (r *refusal) Error() string { return r.code + " " + r.detail }

func refuse(code, message, format string, arguments ...any) *refusal {
	return &refusal{code, message, fmt.Sprintf(format, arguments...)}
}

// once answers a request id that was used before as it was answered then,
// whatever is asked now.
func (c *Company) once(handle func(r *http.Request, body []byte) (int, any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			fault(w, http.StatusBadRequest, "ValidationFault", "2010", "Request has invalid or unsupported property", err.Error())
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		id := r.URL.Query().Get("requestid")
		if len(id) > 50 {
			fault(w, http.StatusBadRequest, "ValidationFault", "2010", "Request has invalid or unsupported property", "requestid is longer than 50 characters")
			return
		}
		was, known := c.requests[id]
		if id == "" || !known {
			status, result := handle(r, body)
			text, err := json.Marshal(result)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			was = remembered{status, text}
			if id != "" && status == http.StatusOK {
				c.requests[id] = was
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(was.status)
		_, _ = w.Write(was.answer)
	}
}

func kindOf(path string) string {
	for _, kind := range []string{journal, receipt, refund} {
		if strings.ToLower(kind) == path {
			return kind
		}
	}
	return ""
}

// change creates, voids or deletes a document.
func (c *Company) change(r *http.Request, body []byte) (int, any) {
	kind := kindOf(r.PathValue("kind"))
	var f form
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&f); err != nil || kind == "" {
		return http.StatusBadRequest, faultBody("ValidationFault", "2010", "Request has invalid or unsupported property", fmt.Sprint("Property Name: ", kind, " ", err))
	}
	var d *document
	var bad *refusal
	operation := r.URL.Query().Get("operation")
	switch {
	case operation == "delete", operation == "update" && r.URL.Query().Get("include") == "void":
		d, bad = c.remove(kind, f, operation == "delete")
	case operation == "" && f.ID == "":
		d, bad = c.create(kind, f)
	default:
		bad = refuse("2010", "Request has invalid or unsupported property", "operation %s is not supported here", operation)
	}
	if bad != nil {
		return http.StatusBadRequest, faultBody("ValidationFault", bad.code, bad.message, bad.detail)
	}
	if operation == "delete" {
		return http.StatusOK, c.stamp(map[string]any{kind: map[string]any{"status": "Deleted", "domain": "QBO", "Id": d.id}})
	}
	result := map[string]any{kind: c.element(d)}
	if gate.Warned(r) {
		result["Warnings"] = map[string]any{"Warning": []any{map[string]any{"Message": "Duplicate Document Number Warning", "code": "6140"}}}
	}
	return http.StatusOK, c.stamp(result)
}

func (c *Company) remove(kind string, f form, whole bool) (*document, *refusal) {
	i := slices.IndexFunc(c.documents, func(d *document) bool { return d.kind == kind && d.id == f.ID })
	if i < 0 {
		return nil, refuse("610", "Object Not Found", "Object Not Found : Something you're trying to use has been made inactive.")
	}
	d := c.documents[i]
	switch {
	case strconv.Itoa(d.token) != f.SyncToken:
		return nil, refuse("5010", "Stale Object Error", "Stale Object Error : You and someone else were working on this at the same time.")
	case c.isClosed(d.date):
		return nil, c.closedRefusal()
	case whole:
		c.delete(i)
	case kind == journal:
		return nil, refuse("6000", "A business validation error has occurred", "A journal entry cannot be voided")
	default:
		c.void(d)
	}
	return d, nil
}

func (c *Company) void(d *document) {
	d.voided, d.totalTax, d.taxes, d.note = true, 0, nil, "Voided - "+d.note
	d.token++
	d.changed = c.Now()
	for i := range d.lines {
		d.lines[i].amount, d.lines[i].taxAmount = 0, 0
	}
}

func (c *Company) isClosed(d bizday.Day) bool { return c.closed != "" && d <= c.closed }

func (c *Company) closedRefusal() *refusal {
	return refuse("6210", "Account Period Closed, Cannot Update Through Services API", "The account period has closed and the account books cannot be updated through through the QBO Services API. Please contact the QBO account administrator to reopen the account books and try again.")
}

func (c *Company) minor(n json.Number) (money.Minor, *refusal) {
	if n == "" {
		return 0, nil
	}
	d, err := money.Parse(n.String())
	m, rest := money.ToMinor(d, c.places())
	if err != nil || rest != 0 {
		return 0, refuse("2010", "Request has invalid or unsupported property", "Amount %s", n)
	}
	return m, nil
}

func (c *Company) places() int {
	places, err := money.Places(c.currency)
	if err != nil {
		return 2
	}
	return places
}

func (c *Company) create(kind string, f form) (*document, *refusal) {
	d := &document{kind: kind, number: f.DocNumber, date: bizday.Day(f.TxnDate), note: f.PrivateNote, department: valueOf(f.DepartmentRef), deposit: valueOf(f.DepositToAccountRef), customer: valueOf(f.CustomerRef)}
	switch {
	case c.simple && kind == journal:
		return nil, refuse("5030", "Feature Not Supported Error", "Feature Not Supported Error : The subscription has no journal entries")
	case len(f.DocNumber) > 21, len(f.PrivateNote) > 4000:
		return nil, refuse("2050", "String length is either shorter or longer than supported by specification", "Max length exceeded")
	case c.isClosed(d.date):
		return nil, c.closedRefusal()
	case d.department != "" && !isNamed(c.departments, d.department):
		return nil, c.invalidReference("Department", d.department)
	case kind == refund && d.deposit == "":
		return nil, refuse("2020", "Required param missing, need to supply the required value for the API", "Required parameter DepositToAccountRef is missing in the request")
	}
	if _, err := bizday.Parse(f.TxnDate); err != nil {
		return nil, refuse("2010", "Request has invalid or unsupported property", "TxnDate")
	}
	for _, given := range f.Line {
		l := line{text: given.Description}
		var bad *refusal
		if len(l.text) > 4000 {
			return nil, refuse("2050", "String length is either shorter or longer than supported by specification", "Description")
		}
		if l.amount, bad = c.minor(given.Amount); bad != nil {
			return nil, bad
		}
		switch {
		case given.DetailType == "JournalEntryLineDetail" && given.JournalEntryLineDetail != nil && kind == journal:
			in := given.JournalEntryLineDetail
			if l.amount < 0 {
				return nil, refuse("2010", "Request has invalid or unsupported property", "Amount must not be negative")
			}
			if l.taxAmount, bad = c.minor(in.TaxAmount); bad != nil {
				return nil, bad
			}
			switch in.PostingType {
			case "Debit":
			case "Credit":
				l.amount, l.taxAmount = -l.amount, -l.taxAmount
			default:
				return nil, refuse("2170", "Invalid Enumeration", "PostingType")
			}
			l.account, l.class, l.department, l.on = c.account(valueOf(in.AccountRef)), valueOf(in.ClassRef), valueOf(in.DepartmentRef), in.TaxApplicableOn
			if l.account != nil && l.account.SubType == "AccountsReceivable" && in.Entity == nil {
				return nil, refuse("6000", "A business validation error has occurred", "When you use Accounts Receivable, you must choose a customer in the Name field.")
			}
			if in.TaxCodeRef != nil {
				if c.country == "US" || c.country == "CA" {
					return nil, refuse("2010", "Request has invalid or unsupported property", "TaxCodeRef is not supported on journal entries of this company")
				}
				if l.tax = c.taxCode(in.TaxCodeRef.Value); l.tax == nil || l.tax.inactive {
					return nil, c.invalidReference("TaxCode", in.TaxCodeRef.Value)
				}
			} else if l.taxAmount != 0 {
				return nil, refuse("2010", "Request has invalid or unsupported property", "TaxAmount without TaxCodeRef")
			}
		case given.DetailType == "SalesItemLineDetail" && given.SalesItemLineDetail != nil && kind != journal:
			in := given.SalesItemLineDetail
			i := slices.IndexFunc(c.items, func(i *item) bool { return i.id == valueOf(in.ItemRef) })
			if i < 0 {
				return nil, c.invalidReference("Item", valueOf(in.ItemRef))
			}
			l.item, l.account, l.class = c.items[i].id, c.items[i].account, valueOf(in.ClassRef)
			if l.tax = c.taxCode(valueOf(in.TaxCodeRef)); l.tax == nil || l.tax.inactive {
				return nil, refuse("6000", "A business validation error has occurred", "Make sure all your transactions have a tax rate before you save.")
			}
		default:
			return nil, refuse("2170", "Invalid Enumeration", "DetailType %s of %s", given.DetailType, kind)
		}
		switch {
		case l.account == nil:
			return nil, c.invalidReference("Account", "")
		case l.account.Inactive:
			return nil, refuse("610", "Object Not Found", "Object Not Found : Something you're trying to use has been made inactive. Check the fields with accounts, customers, items, vendors or employees.")
		case l.account.SubType == "SalesTaxPayable" || l.account.SubType == "GlobalTaxPayable":
			return nil, refuse("6000", "A business validation error has occurred", "Account %s is used for sales tax only", l.account.Name)
		case l.class != "" && !isNamed(c.classes, l.class):
			return nil, c.invalidReference("Class", l.class)
		case l.department != "" && !isNamed(c.departments, l.department):
			return nil, c.invalidReference("Department", l.department)
		}
		d.lines = append(d.lines, l)
	}
	if len(d.lines) == 0 {
		return nil, refuse("2020", "Required param missing, need to supply the required value for the API", "Required parameter Line is missing in the request")
	}
	if bad := c.addUp(d, f); bad != nil {
		return nil, bad
	}
	c.last++
	d.id = strconv.Itoa(c.last)
	d.changed = c.Now()
	c.documents = append(c.documents, d)
	return d, nil
}

func valueOf(r *ref) string {
	if r == nil {
		return ""
	}
	return r.Value
}

func (c *Company) invalidReference(what, id string) *refusal {
	return refuse("2500", "Invalid Reference Id", "Invalid Reference Id : %s element id %s not found", what, id)
}

// addUp checks that a journal balances, tax included, and works out what a
// receipt comes to.
func (c *Company) addUp(d *document, f form) *refusal {
	var sum money.Minor
	for _, l := range d.lines {
		sum += l.amount + l.taxAmount
	}
	if d.kind == journal {
		if sum != 0 {
			return refuse("6000", "A business validation error has occurred", "The transaction is not balanced. Make sure debits equal credits.")
		}
		return nil
	}
	if f.TxnTaxDetail != nil && c.country != "US" {
		for _, t := range f.TxnTaxDetail.TaxLine {
			amount, bad := c.minor(t.Amount)
			if bad != nil {
				return bad
			}
			net, bad := c.minor(t.TaxLineDetail.NetAmountTaxable)
			if bad != nil {
				return bad
			}
			d.taxes = append(d.taxes, taxLine{t.TaxLineDetail.TaxRateRef.Value, amount, net})
			d.totalTax += amount
		}
	}
	if total := sum + d.totalTax; total < 0 || d.totalTax < 0 {
		return refuse("6070", "Negative Amount", "Transaction amount must be 0 or greater.")
	}
	return nil
}

func (c *Company) get(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.documents {
		if d.kind == kindOf(r.PathValue("kind")) && d.id == r.PathValue("id") {
			answer(w, c.stamp(map[string]any{d.kind: c.element(d)}))
			return
		}
	}
	fault(w, http.StatusBadRequest, "ValidationFault", "610", "Object Not Found", "Object Not Found : Something you're trying to use has been made inactive.")
}

func (c *Company) number(m money.Minor) json.Number { return json.Number(m.Format(c.places())) }

// element is how a document is shown.
func (c *Company) element(d *document) map[string]any {
	var lines []any
	var sum money.Minor
	for i, l := range d.lines {
		one := map[string]any{"Id": strconv.Itoa(i), "LineNum": i + 1, "Description": l.text}
		if d.kind == journal {
			detail := map[string]any{"AccountRef": map[string]any{"value": l.account.ID, "name": l.account.Name}, "PostingType": "Debit"}
			amount, tax := l.amount, l.taxAmount
			if amount < 0 || amount == 0 && tax < 0 {
				detail["PostingType"], amount, tax = "Credit", -amount, -tax
			}
			if l.tax != nil {
				detail["TaxCodeRef"], detail["TaxApplicableOn"], detail["TaxAmount"] = ref{l.tax.id}, l.on, c.number(tax)
			}
			refs(detail, l)
			one["Amount"], one["DetailType"], one["JournalEntryLineDetail"] = c.number(amount), "JournalEntryLineDetail", detail
		} else {
			sum += l.amount
			detail := map[string]any{"ItemRef": ref{l.item}, "TaxCodeRef": ref{l.tax.id}, "ItemAccountRef": map[string]any{"value": l.account.ID, "name": l.account.Name}}
			refs(detail, l)
			one["Amount"], one["DetailType"], one["SalesItemLineDetail"] = c.number(l.amount), "SalesItemLineDetail", detail
		}
		lines = append(lines, one)
	}
	if d.kind != journal {
		lines = append(lines, map[string]any{"Amount": c.number(sum), "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": map[string]any{}})
	}
	e := map[string]any{
		"Id": d.id, "SyncToken": strconv.Itoa(d.token), "DocNumber": d.number, "TxnDate": string(d.date), "PrivateNote": d.note, "Line": lines,
		"domain": "QBO", "sparse": false, "CurrencyRef": map[string]any{"value": c.currency},
		"MetaData": map[string]any{"CreateTime": "2026-11-04T00:00:00-08:00", "LastUpdatedTime": "2026-11-04T00:00:00-08:00"},
	}
	if d.department != "" {
		e["DepartmentRef"] = ref{d.department}
	}
	if d.deposit != "" {
		e["DepositToAccountRef"] = ref{d.deposit}
	}
	if d.kind != journal {
		e["TotalAmt"] = c.number(sum + d.totalTax)
		taxes := []any{}
		for _, t := range d.taxes {
			taxes = append(taxes, map[string]any{"Amount": c.number(t.amount), "DetailType": "TaxLineDetail", "TaxLineDetail": map[string]any{
				"TaxRateRef": ref{t.rate}, "PercentBased": true, "NetAmountTaxable": c.number(t.net),
			}})
		}
		e["TxnTaxDetail"] = map[string]any{"TotalTax": c.number(d.totalTax), "TaxLine": taxes}
	}
	return e
}

func refs(detail map[string]any, l line) {
	if l.class != "" {
		detail["ClassRef"] = ref{l.class}
	}
	if l.department != "" {
		detail["DepartmentRef"] = ref{l.department}
	}
}
