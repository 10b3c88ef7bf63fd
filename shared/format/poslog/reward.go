package poslog

import (
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format/xmlscan"
	"tillbook.example/tillbook/shared/money"
)

// reward is one LoyaltyReward row that is money.
type reward struct {
	promotion, event string
	amount           money.Decimal
	operator         string // the item it belongs to, by NCR's number
	level            string
	kind             document.AdjustmentKind
	detailed         bool
	summary          bool
	void             bool
}

// itemDiscounts reads the reductions on an item: its price modifiers, and the
// sum the till states of them, which wins.
func (x *transaction) itemDiscounts(i *item, n xmlscan.Node, regular bool) {
	sign := money.Decimal(-1)
	if i.line.Extended < 0 {
		sign = 1
	}
	var modified money.Decimal
	for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
		if string(x.tree.Name(c)) != "RetailPriceModifier" || x.flag(c, "VoidFlag") {
			continue
		}
		amount, ok := x.amount(c, "Amount")
		action := x.attr(x.tree.Child(c, "Amount"), "Action")
		if !ok || amount == 0 || action == "Replace" {
			continue
		}
		if amount = amount.Abs(); action == "Add" {
			amount = -amount
		}
		modified = x.add(modified, amount)
		a := document.Adjustment{Kind: document.Discount, Level: document.LevelLine, Amount: sign * amount,
			Reason: x.reason(c)}
		switch method := x.attr(c, "MethodCode"); {
		case method == "PriceOverride":
			a.Kind = document.PriceOverride
		case action == "Add":
			a.Kind = document.SurchargeAdjust
		}
		if x.attr(x.tree.Child(c, "PriceDerivationRule"), "ApplicationType") == "Total" {
			a.Level = document.LevelDocument
		}
		i.discounts = append(i.discounts, a)
	}
	i.discount = modified
	if stated, ok := x.amount(n, "ExtendedDiscountAmount"); ok && stated != 0 && stated.Abs() != modified {
		i.discount = stated.Abs()
		i.discounts = []document.Adjustment{{Kind: document.Discount, Level: document.LevelLine, Amount: sign * i.discount}}
	}
	if i.discount == 0 {
		i.discounts = nil
		return
	}
	// Is Extended before or after? Its own arithmetic says, where the regular
	// price is known.
	before := x.times(i.line.UnitPrice, i.line.Quantity)
	switch {
	case regular && before == i.line.Extended:
	case regular && x.add(before, sign*i.discount) == i.line.Extended:
		i.line.Extended = before
	default:
		i.open = true
	}
}

// reason names a promotion or reason code, never a text.
func (x *transaction) reason(n xmlscan.Node) string {
	if id := x.value(n, "PromotionID"); id != "" && id != "0" {
		return "promotion " + id
	}
	if id := x.value(n, "ReasonCode"); id != "" && id != "0" {
		return "reason " + id
	}
	if id := x.value(x.tree.Child(n, "PriceDerivationRule"), "PriceDerivationRuleID"); id != "" {
		return "rule " + id
	}
	return ""
}

// docDiscount reads a reduction on the whole receipt.
func (x *transaction) docDiscount(r *receipt, n xmlscan.Node, isVoid bool) {
	amount, ok := x.amount(n, "Amount")
	if !ok || amount == 0 {
		return
	}
	r.discounts = append(r.discounts, docDiscount{amount: -amount.Abs(), reason: x.reason(n), kind: document.Discount, void: isVoid})
}

// reward reads a LoyaltyReward. Offers that are messages or points carry their
// count where money stands in others.
func (x *transaction) reward(r *receipt, n xmlscan.Node, isVoid bool) {
	if category := local(x.value(n, "RewardCategory")); category != "" && category != "Monetary" {
		return
	}
	amount, ok := x.amount(n, "ExtendedRewardAmount")
	if !ok {
		if amount, ok = x.amount(n, "Amount"); amount > 0 {
			amount = -amount // plain ARTS states what was taken off
		}
	}
	if !ok || amount == 0 {
		return
	}
	w := reward{promotion: x.value(n, "PromotionID"), event: x.value(n, "EventID"), amount: amount,
		operator: x.value(n, "OperatorSequenceReference"), level: document.LevelDocument, kind: document.Discount,
		detailed: x.flag(n, "detailedData"), summary: x.flag(n, "summarizedActivity"), void: isVoid}
	if local(x.value(n, "RewardLevel")) == "Item" {
		w.level = document.LevelLine
	}
	if x.flag(n, "membershipRequired") {
		w.kind = document.Loyalty
	}
	r.rewards = append(r.rewards, w)
}

// reduce puts the rewards on the items they belong to, each once, and leaves
// the rest with the discounts of the receipt.
func (x *transaction) reduce(r *receipt) {
	r.rewards = netVoids(r.rewards, func(w *reward) void { return void{w.void, -w.amount, w.promotion + "/" + w.event, false} }, &r.voided)
	for _, w := range onceEach(r.rewards, x.add) {
		adjustment := document.Adjustment{Kind: w.kind, Level: w.level, Amount: w.amount, Reason: "promotion " + w.promotion}
		if i := r.itemOf(w.operator); i != nil {
			i.line.Adjustments = append(i.line.Adjustments, adjustment)
			continue
		}
		r.discounts = append(r.discounts, docDiscount{amount: w.amount, reason: adjustment.Reason, kind: w.kind})
	}
}

func (r *receipt) itemOf(operator string) *item {
	if operator == "" || operator == "0" {
		return nil
	}
	for i := range r.items {
		if r.items[i].operator == operator {
			return &r.items[i]
		}
	}
	return nil
}

// onceEach leaves out the summaries of rewards that are there in detail. Where
// the details do not add up to their summary, the summary stands for them.
func onceEach(rewards []reward, add func(...money.Decimal) money.Decimal) []reward {
	var once []reward
	for i, w := range rewards {
		var detail, summary money.Decimal
		details, summaries, first := 0, 0, i
		for j, v := range rewards {
			if v.promotion != w.promotion || v.event != w.event {
				continue
			}
			first = min(first, j)
			switch {
			case v.detailed:
				detail, details = add(detail, v.amount), details+1
			case v.summary:
				summary, summaries = add(summary, v.amount), summaries+1
			}
		}
		repeated := details > 0 && summaries > 0
		switch {
		case !repeated:
		case detail == summary && !w.detailed:
			continue
		case detail != summary && w.detailed:
			continue
		}
		once = append(once, w)
	}
	return once
}
