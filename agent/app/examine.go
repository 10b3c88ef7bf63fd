package app

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/uplink/grpc"
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
	if err != nil {
		s.Joined = err
		return s
	}
	if s.Identity, s.Joined = described(identity); s.Joined != nil {
		return s
	}
	if carrier, err := grpc.New(grpc.Options{Target: identity.Collector, TLS: identity.TLS}); err == nil {
		s.Ways = append(s.Ways, diagnose.Way{Name: "grpc", Carrier: carrier})
	}
	return s
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
		Issuer: leaf.Issuer.String(), Serial: leaf.SerialNumber.Text(16), Since: leaf.NotBefore, Until: leaf.NotAfter, Kept: i.KeyProtection(), TLS: i.TLS,
	}, nil
}
