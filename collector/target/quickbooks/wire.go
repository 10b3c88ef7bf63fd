package quickbooks

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/collector/target/web"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Kinds of documents, as QuickBooks names them.
const (
	journal = "JournalEntry"
	receipt = "SalesReceipt"
	refund  = "RefundReceipt"
)

// The forms in which documents go and come. Fields stand in the order of Intuit's
// schema, by which tests check them as XML.
type (
	wireDocument struct {
		XMLName              xml.Name   `json:"-"`
		ID                   string     `json:"Id,omitempty" xml:"Id,omitempty"`
		SyncToken            string     `json:"SyncToken,omitempty" xml:"SyncToken,omitempty"`
		Sparse               bool       `json:"sparse,omitempty" xml:"sparse,attr,omitempty"`
		DocNumber            string     `json:"DocNumber,omitempty" xml:"DocNumber,omitempty"`
		TxnDate              string     `json:"TxnDate,omitempty" xml:"TxnDate,omitempty"`
		DepartmentRef        *wireRef   `json:"DepartmentRef,omitempty" xml:"DepartmentRef"`
		PrivateNote          string     `json:"PrivateNote,omitempty" xml:"PrivateNote,omitempty"`
		Line                 []wireLine `json:"Line,omitempty" xml:"Line"`
		TxnTaxDetail         *wireTaxes `json:"TxnTaxDetail,omitempty" xml:"TxnTaxDetail"`
		GlobalTaxCalculation string     `json:"GlobalTaxCalculation,omitempty" xml:"GlobalTaxCalculation,omitempty"`
		DepositToAccountRef  *wireRef   `json:"DepositToAccountRef,omitempty" xml:"DepositToAccountRef"`
	}
	wireLine struct {
		Description            string       `json:"Description,omitempty" xml:"Description,omitempty"`
		Amount                 json.Number  `json:"Amount,omitempty" xml:"Amount,omitempty"`
		DetailType             string       `json:"DetailType" xml:"DetailType"`
		TaxLineDetail          *wireRate    `json:"TaxLineDetail,omitempty" xml:"TaxLineDetail"`
		SalesItemLineDetail    *wireItem    `json:"SalesItemLineDetail,omitempty" xml:"SalesItemLineDetail"`
		JournalEntryLineDetail *wireJournal `json:"JournalEntryLineDetail,omitempty" xml:"JournalEntryLineDetail"`
	}
	wireJournal struct {
		PostingType     string      `json:"PostingType" xml:"PostingType"`
		AccountRef      wireRef     `json:"AccountRef" xml:"AccountRef"`
		ClassRef        *wireRef    `json:"ClassRef,omitempty" xml:"ClassRef"`
		DepartmentRef   *wireRef    `json:"DepartmentRef,omitempty" xml:"DepartmentRef"`
		TaxCodeRef      *wireRef    `json:"TaxCodeRef,omitempty" xml:"TaxCodeRef"`
		TaxApplicableOn string      `json:"TaxApplicableOn,omitempty" xml:"TaxApplicableOn,omitempty"`
		TaxAmount       json.Number `json:"TaxAmount,omitempty" xml:"TaxAmount,omitempty"`
	}
	wireItem struct {
		ItemRef    wireRef  `json:"ItemRef" xml:"ItemRef"`
		ClassRef   *wireRef `json:"ClassRef,omitempty" xml:"ClassRef"`
		TaxCodeRef *wireRef `json:"TaxCodeRef,omitempty" xml:"TaxCodeRef"`
	}
	wireTaxes struct {
		TotalTax json.Number `json:"TotalTax" xml:"TotalTax"`
		TaxLine  []wireLine  `json:"TaxLine,omitempty" xml:"TaxLine"`
	}
	wireRate struct {
		TaxRateRef       wireRef     `json:"TaxRateRef" xml:"TaxRateRef"`
		PercentBased     bool        `json:"PercentBased" xml:"PercentBased"`
		NetAmountTaxable json.Number `json:"NetAmountTaxable,omitempty" xml:"NetAmountTaxable,omitempty"`
	}
	wireRef struct {
		Value string `json:"value" xml:",chardata"`
	}
)

func refOf(id string) *wireRef {
	if id == "" {
		return nil
	}
	return &wireRef{id}
}

func (r *wireRef) id() string {
	if r == nil {
		return ""
	}
	return r.Value
}

func (b *Books) number(m money.Minor) json.Number { return json.Number(m.Format(b.places)) }

func (b *Books) minor(n json.Number) (money.Minor, error) { return target.Amount(n, b.places) }

// signOf turns a document's amounts into debits positive.
func signOf(kind string) money.Minor {
	if kind == receipt {
		return -1
	}
	return 1
}

// wire writes a document.
func (b *Books) wire(d document, s *setup) (wireDocument, error) {
	w := wireDocument{
		XMLName: xml.Name{Local: d.kind}, DocNumber: d.number, TxnDate: string(d.date), PrivateNote: d.note, DepartmentRef: refOf(d.location),
	}
	if s.taxes() {
		w.GlobalTaxCalculation = "TaxExcluded"
	}
	sign := signOf(d.kind)
	for _, l := range d.lines {
		out := wireLine{Description: l.text}
		if d.kind != journal {
			out.Amount, out.DetailType = b.number(sign*l.amount), "SalesItemLineDetail"
			out.SalesItemLineDetail = &wireItem{ItemRef: wireRef{l.account}, ClassRef: refOf(l.class), TaxCodeRef: refOf(l.tax)}
			w.Line = append(w.Line, out)
			continue
		}
		detail := &wireJournal{
			PostingType: "Debit", AccountRef: wireRef{l.account}, ClassRef: refOf(l.class), DepartmentRef: refOf(l.location),
			TaxCodeRef: refOf(l.tax), TaxApplicableOn: l.on,
		}
		amount, taxed := l.amount, l.taxed
		if amount < 0 || amount == 0 && taxed < 0 {
			detail.PostingType, amount, taxed = "Credit", -amount, -taxed
		}
		if l.tax != "" {
			detail.TaxAmount = b.number(taxed)
		}
		out.Amount, out.DetailType, out.JournalEntryLineDetail = b.number(amount), "JournalEntryLineDetail", detail
		w.Line = append(w.Line, out)
	}
	if d.kind == journal {
		return w, nil
	}
	if b.o.Deposit != "" {
		account, err := s.chart.ToPost(b.o.Deposit)
		if err != nil {
			return w, fmt.Errorf("deposit: %w", err)
		}
		w.DepositToAccountRef = refOf(account.ID)
	} else if d.kind == refund {
		return w, errors.New("a refund receipt names the account it is paid from; set deposit of the connection")
	}
	if s.taxes() {
		w.TxnTaxDetail = b.wireTaxes(d, s)
	}
	return w, nil
}

func (b *Books) wireTaxes(d document, s *setup) *wireTaxes {
	var total money.Minor
	w := &wireTaxes{}
	sign := signOf(d.kind)
	for _, t := range d.taxes {
		total += sign * t.amount
		var net money.Minor
		for _, l := range d.lines {
			for _, c := range s.chart.Taxes {
				for _, r := range s.rates[c.Code] {
					if r.id == t.rate && s.codes[c.Code] == l.tax {
						net += sign * l.amount
					}
				}
			}
		}
		w.TaxLine = append(w.TaxLine, wireLine{Amount: b.number(sign * t.amount), DetailType: "TaxLineDetail", TaxLineDetail: &wireRate{
			TaxRateRef: wireRef{t.rate}, PercentBased: true, NetAmountTaxable: b.number(net),
		}})
	}
	w.TotalTax = b.number(total)
	return w
}

// document reads one.
func (b *Books) document(kind string, w wireDocument) (document, error) {
	d := document{
		kind: kind, id: w.ID, token: w.SyncToken, number: w.DocNumber, date: bizday.Day(w.TxnDate), note: w.PrivateNote, location: w.DepartmentRef.id(),
		voided: kind != journal && strings.HasPrefix(w.PrivateNote, "Voided"),
	}
	sign := signOf(kind)
	for _, in := range w.Line {
		amount, err := b.minor(in.Amount)
		if err != nil {
			return d, err
		}
		l := line{text: in.Description}
		switch {
		case in.JournalEntryLineDetail != nil:
			detail := in.JournalEntryLineDetail
			taxed, err := b.minor(detail.TaxAmount)
			if err != nil {
				return d, err
			}
			if detail.PostingType == "Credit" {
				amount, taxed = -amount, -taxed
			}
			l.account, l.amount, l.tax, l.taxed, l.on = detail.AccountRef.Value, amount, detail.TaxCodeRef.id(), taxed, detail.TaxApplicableOn
			l.class, l.location = detail.ClassRef.id(), detail.DepartmentRef.id()
		case in.SalesItemLineDetail != nil:
			detail := in.SalesItemLineDetail
			l.account, l.amount, l.tax, l.class = detail.ItemRef.Value, sign*amount, detail.TaxCodeRef.id(), detail.ClassRef.id()
		default:
			continue // a subtotal
		}
		d.lines = append(d.lines, l)
	}
	if w.TxnTaxDetail != nil && kind != journal {
		for _, t := range w.TxnTaxDetail.TaxLine {
			amount, err := b.minor(t.Amount)
			if err != nil || t.TaxLineDetail == nil {
				return d, fmt.Errorf("tax line: %w", err)
			}
			d.taxes = append(d.taxes, taxTotal{t.TaxLineDetail.TaxRateRef.Value, sign * amount})
		}
	}
	return d, nil
}

func (b *Books) kinds(s *setup) []string {
	if b.kindOf(target.Payload{}, s) == journal {
		return []string{journal}
	}
	return []string{receipt, refund}
}

func (b *Books) find(ctx context.Context, s *setup, reference string) ([]document, error) {
	return b.where(ctx, s, "DocNumber = '"+reference+"'", func(d document) bool { return d.number == reference })
}

func (b *Books) list(ctx context.Context, s *setup, prefix string) ([]document, error) {
	if prefix == "" {
		return b.where(ctx, s, "", func(d document) bool { return memo.ReferenceOf(d.note) == d.number })
	}
	if target.CheckReference(prefix) != nil {
		return nil, nil
	}
	return b.where(ctx, s, "DocNumber like '"+prefix+"%'", func(d document) bool { return strings.HasPrefix(d.number, prefix) })
}

func (b *Books) where(ctx context.Context, s *setup, where string, keep func(document) bool) ([]document, error) {
	var found []document
	for _, kind := range b.kinds(s) {
		all, err := queryAll[wireDocument](ctx, b, kind, where)
		if err != nil {
			return nil, err
		}
		for _, w := range all {
			d, err := b.document(kind, w)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", kind, w.DocNumber, err)
			}
			if keep(d) {
				found = append(found, d)
			}
		}
	}
	return found, nil
}

// send books a document and reads it back.
func (b *Books) send(ctx context.Context, d document) (document, error) {
	s, err := b.known(ctx)
	if err != nil {
		return document{}, err
	}
	w, err := b.wire(d, s)
	if err != nil {
		return document{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	answer, warnings, err := b.change(ctx, d.kind, url.Values{"requestid": {b.requestID(d.number)}}, w)
	if err != nil {
		return document{}, err
	}
	booked, err := b.document(d.kind, answer)
	if err != nil {
		return document{}, fmt.Errorf("read what was booked: %w", err)
	}
	if warnings != "" {
		if err := b.remove(ctx, booked); err != nil {
			return document{}, fmt.Errorf("QuickBooks warned: %s; it stands and could not be taken off: %w", warnings, err)
		}
		return document{}, fmt.Errorf("%w: QuickBooks warned: %s; it was taken off again", target.ErrRefused, warnings)
	}
	// The answer may be one of long ago, to the same request id.
	response, err := b.client.Do(ctx, web.Request{Method: http.MethodGet, Path: "/" + strings.ToLower(d.kind) + "/" + booked.id, Query: url.Values{"minorversion": {minorVersion}}})
	if err != nil {
		return document{}, errors.New("it was booked, and could not be read back: " + err.Error())
	}
	if f, isFault := faultOf(response); isFault {
		if f.code == "610" {
			return document{}, fmt.Errorf("%w: %s was booked once and deleted at QuickBooks", target.ErrTaken, d.number)
		}
		return document{}, errors.New("it was booked, and could not be read back: " + f.said())
	}
	var again map[string]json.RawMessage
	err = json.Unmarshal(response.Body, &again)
	if err == nil {
		answer = wireDocument{}
		err = json.Unmarshal(again[d.kind], &answer)
	}
	if err != nil {
		return document{}, fmt.Errorf("read what was booked: %w", err)
	}
	if booked, err = b.document(d.kind, answer); err == nil && booked.voided {
		return document{}, fmt.Errorf("%w: %s was voided at QuickBooks", target.ErrTaken, d.number)
	}
	return booked, err
}

// change sends one change.
func (b *Books) change(ctx context.Context, kind string, query url.Values, w wireDocument) (answer wireDocument, warnings string, err error) {
	text, err := marshal(w)
	if err != nil {
		return answer, "", fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	query.Set("minorversion", minorVersion)
	response, err := b.client.Do(ctx, web.Request{
		Method: http.MethodPost, Path: "/" + strings.ToLower(kind), Query: query, Type: "application/json", Body: text, Writes: true,
	})
	if err != nil {
		return answer, "", err
	}
	if f, isFault := faultOf(response); isFault {
		return answer, "", f.writing()
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(response.Body, &all); err != nil {
		return answer, "", fmt.Errorf("read the answer: %w", err)
	}
	if w, found := all["Warnings"]; found {
		warnings = string(w)
	}
	if err := json.Unmarshal(all[kind], &answer); err != nil {
		return answer, "", fmt.Errorf("read the answer: %w", err)
	}
	return answer, warnings, nil
}

// remove deletes a journal entry, which cannot be voided, and voids a receipt.
func (b *Books) remove(ctx context.Context, d document) error {
	query := url.Values{"operation": {"delete"}}
	w := wireDocument{ID: d.id, SyncToken: d.token}
	if d.kind != journal {
		query = url.Values{"operation": {"update"}, "include": {"void"}}
		w.Sparse = true
	}
	_, _, err := b.change(ctx, d.kind, query, w)
	return err
}

func marshal(body any) ([]byte, error) {
	var w bytes.Buffer
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}
