package enroll

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// attempt bounds one try to get a certificate.
const attempt = time.Minute

// RenewAfter returns when the certificate should be renewed: when a third of its
// life has passed, and up to a twelfth more, so that agents that joined on one
// day do not all ask at once.
func (i *Identity) RenewAfter() time.Time {
	leaf := i.current.Load().certificate.Leaf
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	sum := sha256.Sum256(leaf.Raw)
	spread := time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(life/12+1))
	return leaf.NotBefore.Add(life/3 + spread)
}

// Renew has the collector sign the next certificate, for a new key, and keeps it.
func (i *Identity) Renew(ctx context.Context, version string) error {
	config, err := i.TLS()
	if err != nil {
		return err
	}
	return i.change(ctx, "renew certificate", config, func(client tillbookv1.EnrolmentClient, csr []byte) (*tillbookv1.EnrolResponse, error) {
		return client.Renew(ctx, &tillbookv1.RenewRequest{Csr: csr, Version: version})
	})
}

// Recover has the collector sign the next certificate though the present one has
// expired: it shows none, and proves that it holds its key.
func (i *Identity) Recover(ctx context.Context, version string) error {
	config, err := i.serverTLS()
	if err != nil {
		return err
	}
	return i.change(ctx, "recover with the expired certificate", config, func(client tillbookv1.EnrolmentClient, csr []byte) (*tillbookv1.EnrolResponse, error) {
		present := i.current.Load().certificate
		key, ok := present.PrivateKey.(crypto.Signer)
		if !ok {
			return nil, errors.New("the key cannot sign")
		}
		proof, err := pki.Prove(key, present.Certificate[0], csr)
		if err != nil {
			return nil, err
		}
		return client.Recover(ctx, &tillbookv1.RecoverRequest{Certificate: present.Certificate[0], Csr: csr, Proof: proof, Version: version})
	})
}

// change asks for a certificate for the next key and makes both the identity's.
func (i *Identity) change(ctx context.Context, what string, config *tls.Config, ask func(tillbookv1.EnrolmentClient, []byte) (*tillbookv1.EnrolResponse, error)) error {
	i.changing.Lock()
	defer i.changing.Unlock()
	s, request, err := i.next()
	if err != nil {
		return err
	}
	connection, err := dial(i.Collector, config)
	if err != nil {
		return err
	}
	defer connection.Close()
	answer, err := ask(tillbookv1.NewEnrolmentClient(connection), request)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	changed, err := s.adopt(i.folder, i.place, answer)
	if err != nil {
		return err
	}
	i.current.Store(changed.current.Load())
	return nil
}

// next returns the request for the next key: the one that was asked for before
// without an answer, or a new one, which is kept before anybody is asked.
func (i *Identity) next() (saved, []byte, error) {
	s, err := read(i.folder)
	if err != nil {
		return s, nil, err
	}
	var key crypto.Signer
	if s.Next != nil {
		key, err = i.load(*s.Next)
	} else {
		var kept keptKey
		if key, kept, err = i.newKey(); err == nil {
			s.Next, s.Version = &kept, fileVersion
			err = s.write(i.folder)
		}
	}
	if err != nil {
		return s, nil, err
	}
	request, err := pki.Request(key)
	return s, request, err
}

// Protect keeps a key that lies in a plain file by something better, if this
// machine has it by now.
func (i *Identity) Protect() error {
	i.changing.Lock()
	defer i.changing.Unlock()
	s, err := read(i.folder)
	if err != nil {
		return err
	}
	changed, err := i.protect(&s.Key, s.Next)
	if err != nil || !changed {
		return err
	}
	s.Version = fileVersion
	again, err := s.identity(i.folder, i.place)
	if err != nil {
		return err
	}
	if err := s.write(i.folder); err != nil {
		return err
	}
	i.current.Store(again.current.Load())
	return nil
}

// Refresh gets the next certificate in whichever way there is: by recovery after
// the end of the present one, and where no connection comes about with it. The
// collector may find it expired, and a connection that it ends for that seldom
// lets its reason through. Recovering what has not expired is a renewal.
func (i *Identity) Refresh(ctx context.Context, version string) error {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	if !i.now().After(i.Expires()) {
		if err := i.Renew(ctx, version); status.Code(err) != codes.Unavailable {
			return err
		}
	}
	return i.Recover(ctx, version)
}

// KeepRenewed keeps the key protected and the certificate renewed until ctx
// ends. What was done and what failed is told to report; what failed is tried
// again within the hour, with jitter, or within two minutes where the
// certificate has expired and the collector may still help.
func (i *Identity) KeepRenewed(ctx context.Context, version string, report func(error)) {
	if err := i.Protect(); err != nil {
		report(fmt.Errorf("protect the key: %w", err))
	}
	for {
		wait := i.RenewAfter().Sub(i.now())
		if wait <= 0 {
			err := i.Refresh(ctx, version)
			if ctx.Err() != nil {
				return
			}
			report(err)
			if err == nil {
				continue
			}
			most := time.Hour
			if i.now().After(i.Expires()) && status.Code(err) != codes.PermissionDenied {
				most = 2 * time.Minute
			}
			wait = most/10 + rand.N(most*9/10)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(wait, time.Hour)): // the clock may have been set meanwhile
		}
	}
}
