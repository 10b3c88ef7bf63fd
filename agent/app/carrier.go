package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/grpc"
	"tillbook.example/tillbook/agent/uplink/mqtt"
	"tillbook.example/tillbook/shared/pki"
)

// Kinds of carriers.
const (
	carrierGRPC = "grpc"
	carrierMQTT = "mqtt"
)

// open returns the carrier that is configured.
func (c Carrier) open(identity *enroll.Identity) (uplink.Carrier, error) {
	if c.Kind != carrierMQTT {
		return grpc.New(grpc.Options{Target: identity.Collector, TLS: identity.TLS})
	}
	return mqtt.New(mqtt.Options{
		Broker: c.Broker, Merchant: identity.Merchant, Agent: identity.Agent,
		TLS: func(host string) (*tls.Config, error) {
			roots, err := c.roots()
			if err != nil {
				return nil, err
			}
			return identity.BrokerTLS(host, roots), nil
		},
	})
}

// roots are who the broker's certificate is signed by; nil: the collector's
// authorities. The file is read again for each connection.
func (c Carrier) roots() (*x509.CertPool, error) {
	if c.Authorities == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.Authorities)
	if err != nil {
		return nil, fmt.Errorf("carrier.authorities: %w", err)
	}
	certificates, err := pki.ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("carrier.authorities: %s: %w", c.Authorities, err)
	}
	roots := x509.NewCertPool()
	for _, certificate := range certificates {
		roots.AddCert(certificate)
	}
	return roots, nil
}
