//go:build linux

package packagetest

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
)

// beyond is a name of the collector that only a proxy knows.
const beyond = "collector.test"

// proxy is the only way out of a shop: CONNECT and nothing else.
type proxy struct{ *httptest.Server }

func (s *shop) proxy() proxy {
	s.t.Helper()
	p := proxy{httptest.NewServer(http.HandlerFunc(proxy{}.connect))}
	s.t.Cleanup(p.Close)
	return p
}

func (proxy) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	_, port, _ := net.SplitHostPort(r.Host)
	far, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, early, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	go func() {
		defer far.Close()
		_, _ = io.Copy(far, early) // until either side ends
	}()
	_, _ = io.Copy(near, far)
}

// publish serves a release over HTTPS and writes the certificate to trust.
func (s *shop) publish(dist, trust string) (url string) {
	s.t.Helper()
	server := httptest.NewTLSServer(http.FileServer(http.Dir(dist)))
	s.t.Cleanup(server.Close)
	s.must(os.WriteFile(trust, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644))
	return server.URL
}

// cosign writes a stand-in for cosign, which no package source here has. It signs
// and verifies files with a key as cosign does (ECDSA over SHA-256, in base64),
// by openssl, and knows the options that we give it and no others.
func (s *shop) cosign(folder string) {
	s.t.Helper()
	const program = `#!/bin/sh
set -eu
case "$1 $2 $3 $4 $5 $6" in
"sign-blob --yes --tlog-upload=false --key $5 --output-signature") openssl dgst -sha256 -sign "$5" "$8" | base64 -w 0 >"$7" ;;
"verify-blob --insecure-ignore-tlog --key $4 --signature $6") base64 -d "$6" >"$6.bin" && openssl dgst -sha256 -verify "$4" -signature "$6.bin" "$7" ;;
*) exit 2 ;;
esac
`
	s.must(os.MkdirAll(folder, 0o755))
	s.must(os.WriteFile(filepath.Join(folder, "cosign"), []byte(program), 0o755))
}
