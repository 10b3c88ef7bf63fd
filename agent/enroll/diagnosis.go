package enroll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/problem"
)

// renewal is how old the collector lets its own certificate become.
const renewal = pki.ServerLife / 3

// Explain says what keeps the agent from the collector: a code of the error
// table and what was seen, in words. The code is empty for an error that it
// knows nothing of, and for none. now is this machine's clock.
//
// It reads the error's text as well as its type, since a carrier may pass on
// nothing but the text.
func Explain(err error, now time.Time) (code, text string) {
	if err == nil {
		return "", ""
	}
	said := err.Error()
	if chain, reason := chainOf(err, said); chain != nil {
		return chain.explain(err, reason, now)
	}
	for _, code := range []string{"join_code", "recovery_over", "identity_copied", "certificate_refused", "revoked"} {
		if kind, ok := problem.Find(code); ok && strings.Contains(said, kind.Title) {
			_, detail, _ := strings.Cut(said, kind.Title)
			return code, strings.TrimPrefix(detail, ": ")
		}
	}
	if found := refusal.FindStringSubmatch(said); found != nil {
		if _, ok := problem.Find(found[1]); ok {
			return found[1], found[2]
		}
	}
	for _, sign := range signs {
		if sign.is != nil && sign.is(err) || sign.says != nil && sign.says.MatchString(said) {
			return sign.code, sign.text
		}
	}
	return "", said
}

// refusal is how the uplink puts a refusal by the collector.
var refusal = regexp.MustCompile(`the collector refused \((\w+)\): (.*)`)

// signs are tried in order: the more special first.
var signs = []struct {
	code, text string
	is         func(error) bool
	says       *regexp.Regexp
}{
	{"certificate_expired", "by the collector's clock this agent's certificate has expired; it recovers by itself for as long as the collector allows", alerted(45), regexp.MustCompile(`remote error: tls: expired certificate`)},
	{"certificate_refused", "the collector does not accept this agent's certificate", alerted(42, 46, 48, 116), regexp.MustCompile(`remote error: tls: (bad certificate|unknown certificate|certificate required)`)},
	{"proxy_login", "the proxy wants a user and a password", nil, regexp.MustCompile(`(?i)\b407\b`)},
	{"proxy_refused", "the proxy makes no connection to the collector", nil, regexp.MustCompile(`(?i)\bproxy [^ ]+: it answered `)},
	{"no_such_host", "no address was found for the name", as[*net.DNSError], regexp.MustCompile(`no such host|server misbehaving|produced zero addresses`)},
	{"connection_refused", "the machine was reached, and nothing listens at the port", is(syscall.ECONNREFUSED), regexp.MustCompile(`(?i)connection refused|actively refused`)},
	{"not_a_collector", "what answers speaks another protocol", as[tls.RecordHeaderError], regexp.MustCompile(`does not look like a TLS handshake|missing selected ALPN property|http2: frame too large|unexpected HTTP status code|malformed HTTP`)},
	{"no_answer", "the connection was cut off", func(err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) },
		regexp.MustCompile(`broken pipe|connection reset|forcibly closed|connection was aborted`)},
	{"no_answer", "nothing came back in time", func(err error) bool {
		return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	}, regexp.MustCompile(`i/o timeout|deadline exceeded|no connection within|timed out|network is unreachable|no route to host|host is down`)},
}

func as[T error](err error) bool { _, ok := errors.AsType[T](err); return ok }

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func alerted(alerts ...tls.AlertError) func(error) bool {
	return func(err error) bool {
		for _, alert := range alerts {
			if errors.Is(err, alert) {
				return true
			}
		}
		return false
	}
}

// shown is a server certificate that was not accepted.
type shown struct {
	issuer       string
	since, until time.Time
}

// chainText is how pki.ChainError puts it.
var chainText = regexp.MustCompile(`certificate issued by (.*?), valid from (\S+) until (\S+): (.*)`)

// chainOf returns the certificate that an error is about and what is wrong with it.
func chainOf(err error, said string) (*shown, string) {
	if chain, ok := errors.AsType[*pki.ChainError](err); ok {
		return &shown{chain.Leaf.Issuer.String(), chain.Leaf.NotBefore, chain.Leaf.NotAfter}, chain.Err.Error()
	}
	found := chainText.FindStringSubmatch(said)
	if found == nil {
		return nil, ""
	}
	since, bad := time.Parse(time.RFC3339, found[2])
	until, worse := time.Parse(time.RFC3339, found[3])
	if bad != nil || worse != nil {
		return nil, ""
	}
	return &shown{found[1], since, until}, found[4]
}

func (c *shown) explain(err error, reason string, now time.Time) (code, text string) {
	invalid, typed := errors.AsType[x509.CertificateInvalidError](err)
	ours := strings.Contains(c.issuer, pki.AuthorityName)
	switch {
	case typed && invalid.Reason == x509.Expired, strings.Contains(reason, "expired or is not yet valid"):
		return "clock_wrong", c.clock(now, ours)
	case as[x509.HostnameError](err), strings.Contains(reason, "certificate is valid for"), strings.Contains(reason, "is not valid for any names"), strings.Contains(reason, "doesn't contain any IP SANs"):
		if ours {
			return "wrong_name", reason
		}
		return "tls_inspection", "the certificate that arrived was issued by " + c.issuer
	case ours:
		return "other_authority", "the collector's certificate was issued by " + c.issuer + ", which this agent does not know"
	}
	return "tls_inspection", "the certificate that arrived was issued by " + c.issuer
}

// clock says by how much a clock is off, from the dates of a certificate. One
// that a collector signed itself it renews when a third of its life has passed.
func (c *shown) clock(now time.Time, ours bool) string {
	earliest, latest := c.since, c.until
	if ours {
		earliest, latest = c.since.Add(pki.Backdate), c.since.Add(pki.Backdate+renewal)
	}
	off, by := "behind", earliest.Sub(now)
	if now.After(latest) {
		off, by = "ahead", now.Sub(latest)
	}
	return fmt.Sprintf("this machine's clock says %s; by the collector's certificate it is between %s and %s: this clock is at least %s %s, or the collector's is wrong",
		now.UTC().Format(time.RFC3339), earliest.UTC().Format(time.RFC3339), latest.UTC().Format(time.RFC3339), by.Round(time.Minute), off)
}
