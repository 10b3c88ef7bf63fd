package merchant

import (
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/suggest"
)

// Settings that connections of every target have.
const (
	// SettingFiled is what becomes of a day whose tax return is filed, SettingClosed
	// of one in books that are closed: hold, or next open day.
	SettingFiled  = "filed"
	SettingClosed = "closed"
	// SettingFiledTo is the last day of which a tax return is filed.
	SettingFiledTo = "tax_filed_to"
)

// Settings of targets that have forms. A day keeps the form of its first posting,
// so another form holds from a day on.
const (
	SettingForm       = "form"
	SettingFormBefore = "form_before" // the form of the days before
	SettingFormFrom   = "form_from"   // first business day of SettingForm
)

// Reformed reports whether a changed connection would look for days before a day
// in another form than they were booked in.
func (c Connection) Reformed(changed Connection) bool {
	was, is := c.Settings, changed.Settings
	if was[SettingForm] == is[SettingForm] {
		return was[SettingFormFrom] != is[SettingFormFrom] || was[SettingFormBefore] != is[SettingFormBefore]
	}
	return is[SettingFormFrom] == "" || was[SettingForm] != "" && is[SettingFormBefore] != was[SettingForm] || was[SettingFormFrom] != ""
}

// What becomes of a day that nothing may change any more.
const (
	Hold        = "hold"
	NextOpenDay = "next open day"
)

// setting is one setting of a target.
type setting struct {
	required bool
	words    []string                  // it is one of them
	check    func(value string) string // what is wrong with it; empty: nothing
}

// The kinds of target and their settings.
var targets = map[string]map[string]setting{
	"text": {
		"folder": {required: true, check: absoluteFolder},
		"format": {required: true, words: []string{"hledger", "beancount"}},
	},
	"xero": {
		"tenant": {required: true}, // of the organisation, as Xero names it
		"form":   {words: []string{"journal", "invoice", "payments"}},
		// The form of days before form_from.
		"form_before": {words: []string{"journal", "invoice", "payments"}}, "form_from": {check: aDay},
		"contact":  {}, // whom invoices are addressed to
		"rounding": {}, // account for the tills' tax less Xero's
		"url":      {check: SecureURL},
	},
	"quickbooks": {
		"realm": {required: true}, // of the company
		"form":  {words: []string{"journal", "receipt"}},
		// The form of days before form_from.
		"form_before": {words: []string{"journal", "receipt"}}, "form_from": {check: aDay},
		"untaxed":  {}, // tax code of lines outside the scope of tax
		"deposit":  {}, // account that receipts are deposited to
		"class":    {}, // the dimension that is a class
		"location": {}, // the dimension that is a location
		"url":      {check: SecureURL},
	},
	"tryton": {
		"url":      {required: true, check: SecureURL},
		"database": {required: true},
		"user":     {required: true}, // whose password opens it
		"company":  {},               // its name; the user's own
		"journal":  {},               // its code or name
	},
}

// settings are those of every target.
var settings = map[string]setting{
	SettingFiled:   {words: []string{Hold, NextOpenDay}},
	SettingClosed:  {words: []string{Hold, NextOpenDay}},
	SettingFiledTo: {check: aDay},
}

func absoluteFolder(value string) string {
	if !filepath.IsAbs(value) {
		return "must be an absolute path"
	}
	return ""
}

func aDay(value string) string {
	if _, err := bizday.Parse(value); err != nil {
		return "must be a day such as 2026-03-31"
	}
	return ""
}

// SecureURL says what is wrong with the address of an accounting system, and
// nothing if it is good. A stand-in's is good too, where it is on this machine.
func SecureURL(value string) string {
	u, err := url.Parse(value)
	if err == nil && u.Host != "" {
		address, notAddress := netip.ParseAddr(u.Hostname())
		if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || notAddress == nil && address.IsLoopback()) {
			return ""
		}
	}
	return "must be an https address, or one of this machine"
}

func (p *problems) connection(path string, c Connection) {
	p.id(path+".id", c.ID)
	own, known := targets[c.Target]
	if !known {
		kinds := slices.Sorted(maps.Keys(targets))
		p.add(path+".target", "%q is not known; there is %s%s", c.Target, strings.Join(kinds, ", "), suggest.DidYouMean(c.Target, kinds))
		return
	}
	all := maps.Clone(own)
	maps.Copy(all, settings)
	p.settings(path, "target "+c.Target, c.Settings, all)
	if (c.Settings[SettingFormBefore] == "") != (c.Settings[SettingFormFrom] == "") {
		p.add(path+".settings", "%s and %s belong together: the form of days before a day", SettingFormBefore, SettingFormFrom)
	}
}

// settings checks what is set of what can be set.
func (p *problems) settings(path, of string, set map[string]string, all map[string]setting) {
	names := slices.Sorted(maps.Keys(all))
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if _, known := all[name]; !known {
			p.add(path+".settings."+name, "is not a setting of %s; it has %s%s", of, strings.Join(names, ", "), suggest.DidYouMean(name, names))
		}
	}
	for _, name := range names {
		value, given := set[name]
		s := all[name]
		if !given && !s.required {
			continue
		}
		switch {
		case s.words != nil && !slices.Contains(s.words, value):
			p.add(path+".settings."+name, "%q must be %s%s", value, strings.Join(s.words, " or "), suggest.DidYouMean(value, s.words))
		case s.required && value == "":
			p.add(path+".settings."+name, "is missing")
		case s.check != nil && s.check(value) != "":
			p.add(path+".settings."+name, "%q %s", value, s.check(value))
		}
	}
}
