package document

import (
	"time"

	"tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/money"
)

// fromProto copies a message field by field. Amounts were checked by scan.
func fromProto(m *tillbookv1.Document) (*Document, error) {
	hash, err := hashText(m.ContentHash)
	if err != nil {
		return nil, err
	}
	at, err := timeFromProto(m.Time)
	if err != nil {
		return nil, err
	}
	source, err := sourceFromProto(m.Source)
	if err != nil {
		return nil, err
	}
	d := &Document{
		ContentHash: hash,
		Deleted:     m.Deleted,
		Source:      source,
		Kind:        Kind(m.Kind),
		State:       State(m.State),
		Time:        at,
		Fiscal:      all(m.Fiscal, fiscalFromProto),
		Currency:    m.Currency,
		PriceBasis:  PriceBasis(m.PriceBasis),
		Links:       all(m.Links, linkFromProto),
		Lines:       all(m.Lines, lineFromProto),
		Tenders:     all(m.Tenders, tenderFromProto),
		Close:       closeFromProto(m.Close),
	}
	if m.Key != nil {
		d.Key = keyFromProto(m.Key)
	}
	if s := m.StatedDay; s != nil {
		d.StatedDay = StatedDay{Date: s.Date, Session: s.Session, Z: s.Z}
	}
	if p := m.Place; p != nil {
		d.Place = Place{Store: p.Store, Terminal: p.Terminal, Drawer: p.Drawer, Session: p.Session, Operator: p.Operator}
	}
	if n := m.Numbers; n != nil {
		d.Numbers = Numbers{Receipt: n.Receipt, Sequence: n.Sequence, Z: n.Z}
	}
	if r := m.Rate; r != nil {
		d.Rate = &Rate{To: r.To, Value: money.Decimal(r.Value), Source: r.Source, Date: r.Date}
	}
	if c := m.Customer; c != nil {
		d.Customer = &Customer{Key: c.Key, AccountNo: c.AccountNo, TaxClass: c.TaxClass}
		if e := c.Exemption; e != nil {
			d.Customer.Exemption = &Exemption{Reason: e.Reason, Certificate: e.Certificate}
		}
	}
	if i := m.Invoice; i != nil {
		d.Invoice = &Invoice{Number: i.Number, BookedElsewhere: i.BookedElsewhere}
	}
	if v := m.Movement; v != nil {
		d.Movement = &Movement{
			Amount: money.Decimal(v.Amount), From: MoneyPlace(v.From), To: MoneyPlace(v.To), Reason: v.Reason,
			Counterparty: v.Counterparty, ReceiptRef: v.ReceiptRef, Lines: all(v.Lines, lineFromProto),
		}
	}
	if c := m.Count; c != nil {
		d.Count = &Count{
			Stage: c.Stage, Blind: c.Blind, ByTender: all(c.ByTender, tenderAmountFromProto),
			Denominations: all(c.Denominations, denominationFromProto), Left: decimal(c.Left), Removed: decimal(c.Removed),
		}
	}
	if b := m.TenderBatch; b != nil {
		d.TenderBatch = &TenderBatch{
			Terminal: b.Terminal, Acquirer: b.Acquirer, Number: b.Number, ByBrand: all(b.ByBrand, batchAmountFromProto),
		}
	}
	if t := m.Totals; t != nil {
		d.Totals = Totals{
			Stated: amountsFromProto(t.Stated), Computed: amountsFromProto(t.Computed), Differences: all(t.Differences, differenceFromProto),
		}
	}
	return d, nil
}

// all is the inverse of each.
func all[A, B any](in []*A, f func(*A) B) []B {
	if len(in) == 0 {
		return nil
	}
	out := make([]B, len(in))
	for i := range in {
		out[i] = f(in[i])
	}
	return out
}

func keyFromProto(k *tillbookv1.Key) Key {
	return Key{Merchant: k.Merchant, Store: k.Store, Terminal: k.Terminal, Space: Space(k.Space), Number: k.Number, Scope: k.Scope}
}

func sourceFromProto(m *tillbookv1.Source) (Source, error) {
	if m == nil {
		return Source{}, nil
	}
	s := Source{Adapter: m.Adapter, Format: m.Format, Recipe: m.Recipe, Version: m.Version, Raw: m.Raw, Reason: m.Reason}
	if m.CapturedAtUs == 0 {
		return s, nil
	}
	var err error
	s.CapturedAt, err = instant("source/captured_at", time.UnixMicro(m.CapturedAtUs))
	return s, err
}

func timeFromProto(m *tillbookv1.Time) (Time, error) {
	if m == nil {
		return Time{}, nil
	}
	t := Time{AsGiven: m.AsGiven, ZoneFrom: m.ZoneFrom, Flags: m.Flags}
	if m.Offset != nil {
		offset := int(*m.Offset)
		t.Offset = &offset
	}
	if m.UtcUs == nil {
		return t, nil
	}
	var err error
	t.UTC, err = instant("time/utc", time.UnixMicro(*m.UtcUs))
	return t, err
}

func fiscalFromProto(m *tillbookv1.Fiscal) Fiscal {
	return Fiscal{Scheme: m.Scheme, ID: m.Id, Signature: m.Signature}
}

func linkFromProto(m *tillbookv1.Link) Link {
	l := Link{Relation: Relation(m.Relation), Number: m.Number, Line: int(m.Line)}
	if m.Key != nil {
		key := keyFromProto(m.Key)
		l.Key = &key
	}
	return l
}

func lineFromProto(m *tillbookv1.Line) Line {
	l := Line{
		Kind: LineKind(m.Kind), Category: m.Category, SKU: m.Sku, Text: m.Text,
		Quantity: money.Decimal(m.Quantity), UnitPrice: money.Decimal(m.UnitPrice), Extended: money.Decimal(m.Extended),
		Adjustments: all(m.Adjustments, adjustmentFromProto), Taxes: all(m.Taxes, taxFromProto),
		Consumption: m.Consumption, Voucher: voucherFromProto(m.Voucher),
	}
	if c := m.Cost; c != nil {
		l.Cost = &Money{Amount: money.Decimal(c.Amount), Currency: c.Currency}
	}
	if a := m.Agency; a != nil {
		l.Agency = &Agency{Principal: a.Principal, Part: a.Part}
	}
	return l
}

func adjustmentFromProto(m *tillbookv1.Adjustment) Adjustment {
	return Adjustment{Kind: AdjustmentKind(m.Kind), Level: m.Level, Amount: money.Decimal(m.Amount), Reason: m.Reason}
}

func taxFromProto(m *tillbookv1.Tax) Tax {
	return Tax{
		Code: m.Code, Scheme: m.Scheme, Rate: money.Decimal(m.Rate), Base: money.Decimal(m.Base), Amount: money.Decimal(m.Amount),
		Jurisdiction: m.Jurisdiction, Liable: m.Liable, ExemptReason: m.ExemptReason,
	}
}

func voucherFromProto(m *tillbookv1.Voucher) *Voucher {
	if m == nil {
		return nil
	}
	return &Voucher{Ref: m.Ref, Purpose: m.Purpose, Issuer: m.Issuer, Funding: m.Funding, Expires: m.Expires}
}

func tenderFromProto(m *tillbookv1.Tender) Tender {
	t := Tender{
		Kind: TenderKind(m.Kind), Direction: Direction(m.Direction), Amount: money.Decimal(m.Amount), Label: m.Label,
		Tip: money.Decimal(m.Tip), Acquirer: m.Acquirer, MID: m.Mid, Batch: m.Batch, Brand: m.Brand, Masked: m.Masked,
		Voucher: voucherFromProto(m.Voucher),
	}
	if f := m.Foreign; f != nil {
		t.Foreign = &Foreign{Currency: f.Currency, Amount: money.Decimal(f.Amount), Rate: money.Decimal(f.Rate)}
	}
	return t
}

func tenderAmountFromProto(m *tillbookv1.TenderAmount) TenderAmount {
	return TenderAmount{Kind: TenderKind(m.Kind), Label: m.Label, Amount: money.Decimal(m.Amount), Count: m.Count}
}

func denominationFromProto(m *tillbookv1.Denomination) Denomination {
	return Denomination{Value: money.Decimal(m.Value), Quantity: m.Quantity}
}

func batchAmountFromProto(m *tillbookv1.BatchAmount) BatchAmount {
	return BatchAmount{
		Brand: m.Brand, Kind: TenderKind(m.Kind), Count: m.Count, Amount: money.Decimal(m.Amount), Tips: money.Decimal(m.Tips),
	}
}

func closeFromProto(m *tillbookv1.Close) *Close {
	if m == nil {
		return nil
	}
	return &Close{
		Opened: m.Opened, Closed: m.Closed, FirstReceipt: m.FirstReceipt, LastReceipt: m.LastReceipt, Receipts: m.Receipts,
		Gross: decimal(m.Gross), Net: decimal(m.Net), Tax: decimal(m.Tax),
		ByTax: all(m.ByTax, taxFromProto), ByTender: all(m.ByTender, tenderAmountFromProto),
		OpeningFloat: decimal(m.OpeningFloat), Counted: decimal(m.Counted), Expected: decimal(m.Expected),
		OverShort: decimal(m.OverShort), GrandTotal: decimal(m.GrandTotal),
	}
}

func amountsFromProto(m *tillbookv1.Amounts) *Amounts {
	if m == nil {
		return nil
	}
	return &Amounts{
		Gross: decimal(m.Gross), Net: decimal(m.Net), Tax: decimal(m.Tax), Discount: decimal(m.Discount),
		Rounding: decimal(m.Rounding), Tip: decimal(m.Tip), Paid: decimal(m.Paid), Change: decimal(m.Change),
	}
}

func differenceFromProto(m *tillbookv1.Difference) Difference {
	return Difference{Rule: m.Rule, Amount: money.Decimal(m.Amount)}
}

// decimal gives an optional protobuf amount its type back.
func decimal(v *int64) *money.Decimal { return (*money.Decimal)(v) }
