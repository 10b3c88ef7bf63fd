package app

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/shared/buildinfo"
)

// Subject is an agent as doctor examines it, from outside the service: what its
// configuration and its folder say. wrong is what is wrong with the
// configuration, status what the running service says of itself (nil: none
// answers).
func Subject(config Config, wrong error, status *Status, now time.Time) diagnose.Subject {
	path := func(name string) string { return filepath.Join(config.Data, name) }
	s := diagnose.Subject{
		Now: now, Version: buildinfo.Version, Config: wrong, Data: config.Data, Listen: config.Listen, LeftFile: path(AddressFile),
		Secrets:  []string{path(enroll.File), path(TokenFile), path(OutboxFolder)},
		SoftFree: uint64(max(0, config.Outbox.SoftFreeMiB)) << 20, HardFree: uint64(max(0, config.Outbox.HardFreeMiB)) << 20,
		Status: status, Explain: enroll.Explain, Machine: diagnose.This{},
		Verify: func() (outbox.Report, error) {
			if _, err := os.Stat(path(OutboxFolder)); err != nil {
				return outbox.Report{}, err
			}
			return outbox.Verify(path(OutboxFolder))
		},
	}
	if left, err := os.ReadFile(s.LeftFile); err == nil {
		s.Left = strings.TrimSpace(string(left))
	}
	for _, each := range config.Sources {
		s.Sources = append(s.Sources, diagnose.Source{
			Name: each.Name, Folder: each.Folder, Zone: each.Zone, Patterns: each.Patterns, Moves: each.MoveTo != "",
			Format: func() error { _, _, err := opener(each); return err },
		})
	}
	identity, err := enroll.Load(config.Data)
	if err == nil {
		s.Identity, err = described(identity)
	}
	if err != nil {
		s.Joined, identity = err, nil
	}
	s.Ways = ways(config.Carrier, identity, status)
	return s
}

// ways are the configured way to the collector, and the other one that there is.
// Without an identity only where they begin is known.
func ways(c Carrier, identity *enroll.Identity, status *Status) []diagnose.Way {
	direct := diagnose.Way{Name: carrierGRPC}
	if identity != nil {
		direct.Address = identity.Collector
		direct.TLS = func() (*tls.Config, error) {
			config, err := identity.TLS()
			if err == nil {
				config.NextProtos = []string{"h2"}
			}
			return config, err
		}
		if carrier, err := (Carrier{Kind: carrierGRPC}).open(identity); err == nil {
			direct.Carrier = carrier
		}
	} else if status != nil {
		direct.Address = status.Collector.Address
	}
	var known []diagnose.Way
	if at, err := url.Parse(c.Broker); c.Kind == carrierMQTT && err == nil {
		known = append(known, broker(c, at, identity))
	}
	if direct.Address != "" {
		known = append(known, direct)
	}
	return known
}

// broker is the way over a broker.
func broker(c Carrier, at *url.URL, identity *enroll.Identity) diagnose.Way {
	port := cmp.Or(at.Port(), map[string]string{"wss": "443", "tls": "8883"}[at.Scheme])
	w := diagnose.Way{Name: carrierMQTT, Address: net.JoinHostPort(at.Hostname(), port)}
	if identity == nil {
		return w
	}
	w.TLS = func() (*tls.Config, error) {
		roots, err := c.roots()
		if err != nil {
			return nil, err
		}
		config := identity.BrokerTLS(at.Hostname(), roots)
		config.ServerName = cmp.Or(config.ServerName, at.Hostname())
		return config, nil
	}
	if carrier, err := c.open(identity); err == nil {
		w.Carrier = carrier
	}
	return w
}

// described is what may be told of an identity.
func described(i *enroll.Identity) (*diagnose.Identity, error) {
	config, err := i.TLS()
	if err != nil {
		return nil, err
	}
	certificate, err := config.GetClientCertificate(&tls.CertificateRequestInfo{})
	if err != nil {
		return nil, err
	}
	if certificate.Leaf == nil {
		return nil, errors.New("the identity has no certificate")
	}
	leaf := certificate.Leaf
	return &diagnose.Identity{
		Merchant: i.Merchant, Store: i.Store, Agent: i.Agent, Collector: i.Collector, Zone: i.Zone, Subject: leaf.Subject.String(),
		Issuer: leaf.Issuer.String(), Serial: leaf.SerialNumber.Text(16), Since: leaf.NotBefore, Until: leaf.NotAfter, Kept: i.KeyProtection(),
	}, nil
}
