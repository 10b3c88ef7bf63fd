package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake/mqtt"
	"tillbook.example/tillbook/shared/pki"
)

// openMQTT returns the carrier over a broker, nil where none is configured.
func (a *App) openMQTT(e *entrance) (*mqtt.Carrier, error) {
	c := a.config.MQTT
	if c.Broker == "" {
		return nil, nil
	}
	return mqtt.New(mqtt.Options{
		Intake: e.intake, Broker: c.Broker, Share: c.Share, Logger: a.log,
		TLS: func() (*tls.Config, error) { return brokerTLS(c, e.keys) },
		Identify: func(ctx context.Context, merchant, agent string) (fleet.Identity, error) {
			known, err := a.db.Agent(ctx, merchant, agent)
			return known.Identity, err
		},
	})
}

// brokerTLS reads the files of the moment.
func brokerTLS(c MQTT, keys *Keys) (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, fmt.Errorf("mqtt.certificate and mqtt.key: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}}
	if c.Authorities == "" {
		ring, err := keys.Ring()
		if err != nil {
			return nil, err
		}
		config.RootCAs = ring.Pool()
		return config, nil
	}
	text, err := os.ReadFile(c.Authorities)
	if err != nil {
		return nil, fmt.Errorf("mqtt.authorities: %w", err)
	}
	certificates, err := pki.ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("mqtt.authorities: %s: %w", c.Authorities, err)
	}
	config.RootCAs = x509.NewCertPool()
	for _, certificate := range certificates {
		config.RootCAs.AddCert(certificate)
	}
	return config, nil
}
