package document

import (
	"fmt"
	"math"

	"tillbook.example/tillbook/proto/tillbookv1"
)

// toProto copies a document field by field. Structs that are empty are left out.
func toProto(d *Document) (*tillbookv1.Document, error) {
	hash, err := hashBytes(d.ContentHash)
	if err != nil {
		return nil, err
	}
	captured, err := instant("source/captured_at", d.Source.CapturedAt)
	if err != nil {
		return nil, err
	}
	at, err := timeToProto(&d.Time)
	if err != nil {
		return nil, err
	}
	for i, l := range d.Links {
		if l.Line < math.MinInt32 || l.Line > math.MaxInt32 {
			return nil, fmt.Errorf("links/%d/line: %d is out of range", i+1, l.Line)
		}
	}
	m := &tillbookv1.Document{
		Key:         keyToProto(&d.Key),
		ContentHash: hash,
		Deleted:     d.Deleted,
		Kind:        string(d.Kind),
		State:       string(d.State),
		Time:        at,
		Fiscal:      each(d.Fiscal, fiscalToProto),
		Currency:    d.Currency,
		PriceBasis:  string(d.PriceBasis),
		Links:       each(d.Links, linkToProto),
		Lines:       each(d.Lines, lineToProto),
		Tenders:     each(d.Tenders, tenderToProto),
	}
	if s := d.Source; s != (Source{}) {
		m.Source = &tillbookv1.Source{Adapter: s.Adapter, Format: s.Format, Recipe: s.Recipe, Version: s.Version, Raw: s.Raw, Reason: s.Reason}
		if !captured.IsZero() {
			m.Source.CapturedAtUs = captured.UnixMicro()
		}
	}
	if s := d.StatedDay; s != (StatedDay{}) {
		m.StatedDay = &tillbookv1.StatedDay{Date: s.Date, Session: s.Session, Z: s.Z}
	}
	if p := d.Place; p != (Place{}) {
		m.Place = &tillbookv1.Place{Store: p.Store, Terminal: p.Terminal, Drawer: p.Drawer, Session: p.Session, Operator: p.Operator}
	}
	if n := d.Numbers; n != (Numbers{}) {
		m.Numbers = &tillbookv1.Numbers{Receipt: n.Receipt, Sequence: n.Sequence, Z: n.Z}
	}
	if r := d.Rate; r != nil {
		m.Rate = &tillbookv1.Rate{To: r.To, Value: int64(r.Value), Source: r.Source, Date: r.Date}
	}
	if c := d.Customer; c != nil {
		m.Customer = &tillbookv1.Customer{Key: c.Key, AccountNo: c.AccountNo, TaxClass: c.TaxClass}
		if e := c.Exemption; e != nil {
			m.Customer.Exemption = &tillbookv1.Exemption{Reason: e.Reason, Certificate: e.Certificate}
		}
	}
	if i := d.Invoice; i != nil {
		m.Invoice = &tillbookv1.Invoice{Number: i.Number, BookedElsewhere: i.BookedElsewhere}
	}
	if v := d.Movement; v != nil {
		m.Movement = &tillbookv1.Movement{
			Amount: int64(v.Amount), From: string(v.From), To: string(v.To), Reason: v.Reason,
			Counterparty: v.Counterparty, ReceiptRef: v.ReceiptRef, Lines: each(v.Lines, lineToProto),
		}
	}
	if c := d.Count; c != nil {
		m.Count = &tillbookv1.Count{
			Stage: c.Stage, Blind: c.Blind, ByTender: each(c.ByTender, tenderAmountToProto),
			Denominations: each(c.Denominations, denominationToProto), Left: (*int64)(c.Left), Removed: (*int64)(c.Removed),
		}
	}
	if b := d.TenderBatch; b != nil {
		m.TenderBatch = &tillbookv1.TenderBatch{
			Terminal: b.Terminal, Acquirer: b.Acquirer, Number: b.Number, ByBrand: each(b.ByBrand, batchAmountToProto),
		}
	}
	m.Close = closeToProto(d.Close)
	if t := d.Totals; t.Stated != nil || t.Computed != nil || len(t.Differences) > 0 {
		m.Totals = &tillbookv1.Totals{
			Stated: amountsToProto(t.Stated), Computed: amountsToProto(t.Computed), Differences: each(t.Differences, differenceToProto),
		}
	}
	return m, nil
}

// each maps the elements of a list; an empty one becomes nil.
func each[A, B any](in []A, f func(*A) *B) []*B {
	if len(in) == 0 {
		return nil
	}
	out := make([]*B, len(in))
	for i := range in {
		out[i] = f(&in[i])
	}
	return out
}

func keyToProto(k *Key) *tillbookv1.Key {
	if k == nil {
		return nil
	}
	return &tillbookv1.Key{Merchant: k.Merchant, Store: k.Store, Terminal: k.Terminal, Space: string(k.Space), Number: k.Number, Scope: k.Scope}
}

func timeToProto(t *Time) (*tillbookv1.Time, error) {
	m := &tillbookv1.Time{AsGiven: t.AsGiven, ZoneFrom: t.ZoneFrom, Flags: t.Flags}
	if t.Offset != nil {
		if *t.Offset < math.MinInt32 || *t.Offset > math.MaxInt32 {
			return nil, fmt.Errorf("time/offset: %d is out of range", *t.Offset)
		}
		offset := int32(*t.Offset)
		m.Offset = &offset
	}
	utc, err := instant("time/utc", t.UTC)
	if err != nil {
		return nil, err
	}
	if !utc.IsZero() {
		us := utc.UnixMicro()
		m.UtcUs = &us
	}
	return m, nil
}

func fiscalToProto(f *Fiscal) *tillbookv1.Fiscal {
	return &tillbookv1.Fiscal{Scheme: f.Scheme, Id: f.ID, Signature: f.Signature}
}

func linkToProto(l *Link) *tillbookv1.Link {
	return &tillbookv1.Link{Relation: string(l.Relation), Key: keyToProto(l.Key), Number: l.Number, Line: int32(l.Line)}
}

func lineToProto(l *Line) *tillbookv1.Line {
	m := &tillbookv1.Line{
		Kind: string(l.Kind), Category: l.Category, Sku: l.SKU, Text: l.Text,
		Quantity: int64(l.Quantity), UnitPrice: int64(l.UnitPrice), Extended: int64(l.Extended),
		Adjustments: each(l.Adjustments, adjustmentToProto), Taxes: each(l.Taxes, taxToProto),
		Consumption: l.Consumption, Voucher: voucherToProto(l.Voucher),
	}
	if c := l.Cost; c != nil {
		m.Cost = &tillbookv1.Money{Amount: int64(c.Amount), Currency: c.Currency}
	}
	if a := l.Agency; a != nil {
		m.Agency = &tillbookv1.Agency{Principal: a.Principal, Part: a.Part}
	}
	return m
}

func adjustmentToProto(a *Adjustment) *tillbookv1.Adjustment {
	return &tillbookv1.Adjustment{Kind: string(a.Kind), Level: a.Level, Amount: int64(a.Amount), Reason: a.Reason}
}

func taxToProto(t *Tax) *tillbookv1.Tax {
	return &tillbookv1.Tax{
		Code: t.Code, Scheme: t.Scheme, Rate: int64(t.Rate), Base: int64(t.Base), Amount: int64(t.Amount),
		Jurisdiction: t.Jurisdiction, Liable: t.Liable, ExemptReason: t.ExemptReason,
	}
}

func voucherToProto(v *Voucher) *tillbookv1.Voucher {
	if v == nil {
		return nil
	}
	return &tillbookv1.Voucher{Ref: v.Ref, Purpose: v.Purpose, Issuer: v.Issuer, Funding: v.Funding, Expires: v.Expires}
}

func tenderToProto(t *Tender) *tillbookv1.Tender {
	m := &tillbookv1.Tender{
		Kind: string(t.Kind), Direction: string(t.Direction), Amount: int64(t.Amount), Label: t.Label, Tip: int64(t.Tip),
		Acquirer: t.Acquirer, Mid: t.MID, Batch: t.Batch, Brand: t.Brand, Masked: t.Masked, Voucher: voucherToProto(t.Voucher),
	}
	if f := t.Foreign; f != nil {
		m.Foreign = &tillbookv1.Foreign{Currency: f.Currency, Amount: int64(f.Amount), Rate: int64(f.Rate)}
	}
	return m
}

func tenderAmountToProto(t *TenderAmount) *tillbookv1.TenderAmount {
	return &tillbookv1.TenderAmount{Kind: string(t.Kind), Label: t.Label, Amount: int64(t.Amount), Count: t.Count}
}

func denominationToProto(d *Denomination) *tillbookv1.Denomination {
	return &tillbookv1.Denomination{Value: int64(d.Value), Quantity: d.Quantity}
}

func batchAmountToProto(b *BatchAmount) *tillbookv1.BatchAmount {
	return &tillbookv1.BatchAmount{Brand: b.Brand, Kind: string(b.Kind), Count: b.Count, Amount: int64(b.Amount), Tips: int64(b.Tips)}
}

func closeToProto(c *Close) *tillbookv1.Close {
	if c == nil {
		return nil
	}
	return &tillbookv1.Close{
		Opened: c.Opened, Closed: c.Closed, FirstReceipt: c.FirstReceipt, LastReceipt: c.LastReceipt, Receipts: c.Receipts,
		Gross: (*int64)(c.Gross), Net: (*int64)(c.Net), Tax: (*int64)(c.Tax),
		ByTax: each(c.ByTax, taxToProto), ByTender: each(c.ByTender, tenderAmountToProto),
		OpeningFloat: (*int64)(c.OpeningFloat), Counted: (*int64)(c.Counted), Expected: (*int64)(c.Expected),
		OverShort: (*int64)(c.OverShort), GrandTotal: (*int64)(c.GrandTotal),
	}
}

func amountsToProto(a *Amounts) *tillbookv1.Amounts {
	if a == nil {
		return nil
	}
	return &tillbookv1.Amounts{
		Gross: (*int64)(a.Gross), Net: (*int64)(a.Net), Tax: (*int64)(a.Tax), Discount: (*int64)(a.Discount),
		Rounding: (*int64)(a.Rounding), Tip: (*int64)(a.Tip), Paid: (*int64)(a.Paid), Change: (*int64)(a.Change),
	}
}

func differenceToProto(d *Difference) *tillbookv1.Difference {
	return &tillbookv1.Difference{Rule: d.Rule, Amount: int64(d.Amount)}
}
