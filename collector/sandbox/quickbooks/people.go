package quickbooks

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

type attachment struct {
	id, kind, of, name, media string
	size                      int
}

func (a *attachment) element() map[string]any {
	return map[string]any{
		"Id": a.id, "SyncToken": "0", "FileName": a.name, "Size": a.size, "ContentType": a.media,
		"AttachableRef": []any{map[string]any{"EntityRef": map[string]any{"type": a.kind, "value": a.of}}},
	}
}

// upload takes one file, with what it belongs to.
func (c *Company) upload(w http.ResponseWriter, r *http.Request) {
	bad := func(detail string) {
		fault(w, http.StatusBadRequest, "ValidationFault", "2010", "Request has invalid or unsupported property", detail)
	}
	if err := r.ParseMultipartForm(10 << 20); err != nil {
		bad(err.Error())
		return
	}
	var meta struct {
		FileName, ContentType string
		AttachableRef         []struct{ EntityRef struct{ Type, Value string } }
	}
	text := r.FormValue("file_metadata_01")
	if part, _, err := r.FormFile("file_metadata_01"); err == nil {
		body, err := io.ReadAll(part)
		if err != nil {
			bad(err.Error())
			return
		}
		text = string(body)
	}
	file, _, err := r.FormFile("file_content_01")
	if err != nil || json.Unmarshal([]byte(text), &meta) != nil || len(meta.AttachableRef) != 1 {
		bad("file_metadata_01 or file_content_01")
		return
	}
	body, err := io.ReadAll(file)
	if err != nil {
		bad(err.Error())
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	to := meta.AttachableRef[0].EntityRef
	c.last++
	a := &attachment{strconv.Itoa(c.last), to.Type, to.Value, meta.FileName, meta.ContentType, len(body)}
	c.attachments = append(c.attachments, a)
	answer(w, c.stamp(map[string]any{"AttachableResponse": []any{map[string]any{"Attachable": a.element()}}}))
}

// unattach deletes a file.
func (c *Company) unattach(w http.ResponseWriter, r *http.Request) {
	var f form
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil || r.URL.Query().Get("operation") != "delete" {
		fault(w, http.StatusBadRequest, "ValidationFault", "2010", "Request has invalid or unsupported property", "operation")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attachments = slices.DeleteFunc(c.attachments, func(a *attachment) bool { return a.id == f.ID })
	answer(w, c.stamp(map[string]any{"Attachable": map[string]any{"status": "Deleted", "domain": "QBO", "Id": f.ID}}))
}

// Delete deletes what stands under a number, as a person might.
func (c *Company) Delete(number string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.documents) - 1; i >= 0; i-- {
		if c.documents[i].number == number {
			c.delete(i)
		}
	}
}

func (c *Company) delete(i int) {
	d := c.documents[i]
	d.changed = c.Now()
	c.deleted = append(c.deleted, d)
	c.documents = slices.Delete(c.documents, i, i+1)
}

// Double books what stands under a number once more, as a request that comes late
// might.
func (c *Company) Double(number string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range slices.Clone(c.documents) {
		if d.number == number {
			again := *d
			again.lines = slices.Clone(d.lines)
			c.last++
			again.id, again.changed = strconv.Itoa(c.last), c.Now()
			c.documents = append(c.documents, &again)
		}
	}
}

// Alien books a document of somebody else under a number, of ten pounds.
func (c *Company) Alien(number string, on bizday.Day) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	sales, bank := c.accounts[6], c.accounts[0]
	c.documents = append(c.documents, &document{
		kind: journal, id: strconv.Itoa(c.last), number: number, date: on, note: "by hand", changed: c.Now(),
		lines: []line{{text: "by hand", account: bank, amount: 1000}, {text: "by hand", account: sales, amount: -1000}},
	})
}

// changes tells what was changed, and of what was deleted the id.
func (c *Company) changes(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since, err := time.Parse(time.RFC3339, r.URL.Query().Get("changedSince"))
	if err != nil {
		fault(w, http.StatusBadRequest, "ValidationFault", "2010", "Request has invalid or unsupported property", "changedSince")
		return
	}
	queries := []any{}
	for kind := range strings.SplitSeq(r.URL.Query().Get("entities"), ",") {
		all := []any{}
		for _, d := range c.documents {
			if d.kind == kind && !d.changed.Before(since) {
				all = append(all, c.element(d))
			}
		}
		for _, d := range c.deleted {
			if d.kind == kind && !d.changed.Before(since) {
				all = append(all, map[string]any{"Id": d.id, "status": "Deleted", "domain": "QBO"})
			}
		}
		found := map[string]any{}
		if len(all) > 0 {
			found[kind] = all
		}
		queries = append(queries, found)
	}
	answer(w, c.stamp(map[string]any{"CDCResponse": []any{map[string]any{"QueryResponse": queries}}}))
}

// Edit moves one minor unit from the first line of a document to the second.
func (c *Company) Edit(number string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.documents {
		if d.number == number && len(d.lines) > 1 {
			d.lines[0].amount++
			d.lines[1].amount--
			d.token++
			d.changed = c.Now()
		}
	}
}

// Attached returns the names of the files at a document.
func (c *Company) Attached(number string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, d := range c.documents {
		for _, a := range c.attachments {
			if d.number == number && a.kind == d.kind && a.of == d.id {
				names = append(names, a.name)
			}
		}
	}
	return names
}

// Documents returns how many documents stand under each number that begins with
// a prefix.
func (c *Company) Documents(prefix string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]int{}
	for _, d := range c.documents {
		if !d.voided && strings.HasPrefix(d.number, prefix) {
			counts[d.number]++
		}
	}
	return counts
}

// Balances adds up the ledger by account number, or name where there is none;
// tax that is worked out stands under the name of the tax account.
func (c *Company) Balances() map[string]money.Minor {
	c.mu.Lock()
	defer c.mu.Unlock()
	taxes := c.accounts[len(c.accounts)-1].Name
	sums := map[string]money.Minor{}
	for _, d := range c.documents {
		sign := map[string]money.Minor{journal: 1, receipt: -1, refund: 1}[d.kind]
		var total money.Minor
		for _, l := range d.lines {
			name := l.account.Number
			if name == "" {
				name = l.account.Name
			}
			sums[name] += sign * l.amount
			sums[taxes] += sign * l.taxAmount
			total += l.amount
		}
		if d.kind != journal {
			sums[taxes] += sign * d.totalTax
			sums["deposits"] -= sign * (total + d.totalTax)
		}
	}
	for name, sum := range sums {
		if sum == 0 {
			delete(sums, name)
		}
	}
	return sums
}
