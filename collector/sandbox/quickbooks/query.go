package quickbooks

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

var (
	statement  = regexp.MustCompile(`(?i)^select \* from (\w+)(?: where (.+?))?(?: startposition (\d+))?(?: maxresults (\d+))?$`)
	number     = regexp.MustCompile(`(?i)^DocNumber (=|like) '([^']*)'$`)
	dated      = regexp.MustCompile(`(?i)^TxnDate = '(\d{4}-\d{2}-\d{2})'$`)
	everything = regexp.MustCompile(`(?i)^Active IN \(true, ?false\)$`)
	attachedTo = regexp.MustCompile(`(?i)^AttachableRef\.EntityRef\.Type = '(\w+)' and AttachableRef\.EntityRef\.value = '(\w+)'$`)
)

// query answers the statements that posting needs.
func (c *Company) query(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := statement.FindStringSubmatch(strings.TrimSpace(r.URL.Query().Get("query")))
	if m == nil {
		fault(w, http.StatusBadRequest, "ValidationFault", "4000", "Error parsing query", "QueryParserError: "+r.URL.Query().Get("query"))
		return
	}
	entity, where := m[1], m[2]
	var all []any
	inactive := everything.MatchString(where)
	switch entity {
	case "Account":
		for _, a := range c.accounts {
			if !a.Inactive || inactive {
				all = append(all, map[string]any{
					"Id": a.ID, "Name": a.Name, "FullyQualifiedName": a.Name, "AcctNum": a.Number, "AccountType": a.Type, "AccountSubType": a.SubType,
					"Classification": a.Class, "Active": !a.Inactive, "SyncToken": "0", "domain": "QBO", "sparse": false,
				})
			}
		}
	case "TaxCode":
		for _, t := range c.taxes {
			if t.inactive && !inactive {
				continue
			}
			rates := []any{}
			for _, rate := range t.sales {
				rates = append(rates, map[string]any{"TaxRateRef": map[string]any{"value": rate.id}, "TaxTypeApplicable": "TaxOnAmount"})
			}
			all = append(all, map[string]any{
				"Id": t.id, "Name": t.name, "Active": !t.inactive, "Taxable": true, "TaxGroup": true,
				"SalesTaxRateList": map[string]any{"TaxRateDetail": rates}, "PurchaseTaxRateList": map[string]any{"TaxRateDetail": rates},
			})
		}
	case "TaxRate":
		for _, t := range c.taxes {
			for _, rate := range t.sales {
				all = append(all, map[string]any{"Id": rate.id, "Name": t.name + " " + rate.id, "Active": true, "RateValue": json.Number(rate.percent.String())})
			}
		}
	case "Class":
		all = named(c.classes)
	case "Department":
		all = named(c.departments)
	case "Item":
		for _, i := range c.items {
			all = append(all, map[string]any{"Id": i.id, "Name": i.name, "Type": "Service", "Active": true, "IncomeAccountRef": map[string]any{"value": i.account.ID, "name": i.account.Name}})
		}
	case "Attachable":
		if to := attachedTo.FindStringSubmatch(where); to != nil {
			for _, a := range c.attachments {
				if a.kind == to[1] && a.of == to[2] {
					all = append(all, a.element())
				}
			}
		}
	case journal, receipt, refund:
		keep := func(*document) bool { return true }
		if cut := number.FindStringSubmatch(where); cut != nil {
			keep = func(d *document) bool {
				prefix, like := strings.CutSuffix(cut[2], "%")
				return d.number == cut[2] || like && strings.EqualFold(cut[1], "like") && strings.HasPrefix(d.number, prefix)
			}
		} else if on := dated.FindStringSubmatch(where); on != nil {
			keep = func(d *document) bool { return string(d.date) == on[1] }
		} else if where != "" {
			fault(w, http.StatusBadRequest, "ValidationFault", "4001", "Invalid query", "QueryValidationError: "+where)
			return
		}
		for _, d := range c.documents {
			if d.kind == entity && keep(d) {
				all = append(all, c.element(d))
			}
		}
	default:
		fault(w, http.StatusBadRequest, "ValidationFault", "4001", "Invalid query", "QueryValidationError: "+entity)
		return
	}
	start, most := 1, 100
	if n, err := strconv.Atoi(m[3]); err == nil {
		start = n
	}
	if n, err := strconv.Atoi(m[4]); err == nil {
		most = min(n, 1000)
	}
	from := min(start-1, len(all))
	page := all[from:min(from+most, len(all))]
	found := map[string]any{}
	if len(page) > 0 {
		found[entity], found["startPosition"], found["maxResults"] = page, start, len(page)
	}
	answer(w, c.stamp(map[string]any{"QueryResponse": found}))
}

func named(names []string) []any {
	var all []any
	for i, name := range names {
		all = append(all, map[string]any{"Id": strconv.Itoa(200 + i), "Name": name, "FullyQualifiedName": name, "Active": true})
	}
	return all
}

func isNamed(names []string, id string) bool {
	n, err := strconv.Atoi(id)
	return err == nil && n >= 200 && n < 200+len(names)
}
