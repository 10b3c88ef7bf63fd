package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// tpmKeeper makes keys inside the TPM, which gives none of them out: a copy of
// the disk is of no use on another machine. What is kept in the file is the key
// encrypted by the TPM for itself. The device is opened for each use.
type tpmKeeper struct{ path string }

func (tpmKeeper) name() string { return "tpm" }

// take refuses: a key that was outside is not the TPM's own.
func (tpmKeeper) take(*ecdsa.PrivateKey) (string, error) { return "", errors.ErrUnsupported }

// signing is the form of the agent's key: NIST P-256, for signatures, never to
// leave the TPM that made it. It has no password; whoever may use the device and
// read the file may use it.
var signing = tpm2.TPMTPublic{
	Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
	ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true},
	Parameters:       tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256}),
}

func (k tpmKeeper) create() (key crypto.Signer, text string, err error) {
	err = k.use(func(t transport.TPM, parent tpm2.AuthHandle) error {
		made, err := tpm2.Create{ParentHandle: parent, InPublic: tpm2.New2B(signing)}.Execute(t)
		if err != nil {
			return fmt.Errorf("make a key: %w", err)
		}
		public, private := base64.StdEncoding.EncodeToString(tpm2.Marshal(made.OutPublic)), base64.StdEncoding.EncodeToString(tpm2.Marshal(made.OutPrivate))
		text = public + "." + private
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	key, err = k.load(text)
	return key, text, err
}

// load reads what create kept and asks the TPM whether it is its own.
func (k tpmKeeper) load(text string) (crypto.Signer, error) {
	first, second, _ := strings.Cut(text, ".")
	s := &tpmKey{keeper: k}
	for _, part := range []struct {
		text string
		read func([]byte) error
	}{
		{first, func(b []byte) (err error) { s.public, err = unmarshal[tpm2.TPM2BPublic](b); return err }},
		{second, func(b []byte) (err error) { s.private, err = unmarshal[tpm2.TPM2BPrivate](b); return err }},
	} {
		b, err := base64.StdEncoding.DecodeString(part.text)
		if err == nil {
			err = part.read(b)
		}
		if err != nil {
			return nil, fmt.Errorf("read the key: %w", err)
		}
	}
	contents, err := s.public.Contents()
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	public, err := tpm2.Pub(*contents)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	s.key = public
	if err := s.with(func(transport.TPM, tpm2.AuthHandle) error { return nil }); err != nil {
		return nil, err
	}
	return s, nil
}

// unmarshal keeps what the TPM's library panics on an error.
func unmarshal[T tpm2.Marshallable, P interface {
	*T
	tpm2.Unmarshallable
}](b []byte) (T, error) {
	value, err := tpm2.Unmarshal[T, P](b)
	if err != nil {
		var none T
		return none, err
	}
	return *value, nil
}

// use opens the TPM and its storage key, under which it keeps others.
func (k tpmKeeper) use(f func(t transport.TPM, parent tpm2.AuthHandle) error) (err error) {
	device, err := k.open()
	if err != nil {
		return fmt.Errorf("open the TPM: %w", err)
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	t := transport.FromReadWriter(device)
	root, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	if err != nil {
		return fmt.Errorf("the TPM's storage key: %w", err)
	}
	defer func() { err = errors.Join(err, flush(t, root.ObjectHandle)) }()
	return f(t, tpm2.AuthHandle{Handle: root.ObjectHandle, Name: root.Name, Auth: tpm2.PasswordAuth(nil)})
}

// open opens the device, or the socket of a TPM in software.
func (k tpmKeeper) open() (io.ReadWriteCloser, error) {
	info, err := os.Stat(k.path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&os.ModeSocket != 0 {
		return net.Dial("unix", k.path)
	}
	return os.OpenFile(k.path, os.O_RDWR, 0)
}

// flush makes room in the TPM, which has little.
func flush(t transport.TPM, handle tpm2.TPMHandle) error {
	if _, err := (tpm2.FlushContext{FlushHandle: handle}).Execute(t); err != nil {
		return fmt.Errorf("free the TPM's memory: %w", err)
	}
	return nil
}

// tpmKey is a key inside the TPM.
type tpmKey struct {
	keeper  tpmKeeper
	key     crypto.PublicKey
	public  tpm2.TPM2BPublic
	private tpm2.TPM2BPrivate
}

// Public implements crypto.Signer.
func (s *tpmKey) Public() crypto.PublicKey { return s.key }

// with has the TPM take the key in.
func (s *tpmKey) with(f func(t transport.TPM, key tpm2.AuthHandle) error) error {
	return s.keeper.use(func(t transport.TPM, parent tpm2.AuthHandle) (err error) {
		loaded, err := tpm2.Load{ParentHandle: parent, InPublic: s.public, InPrivate: s.private}.Execute(t)
		if err != nil {
			return fmt.Errorf("the TPM does not know the key; was the folder brought here from another machine? %w", err)
		}
		defer func() { err = errors.Join(err, flush(t, loaded.ObjectHandle)) }()
		return f(t, tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth(nil)})
	})
}

// hashes are those that a TPM signs for TLS and certificate requests.
var hashes = map[crypto.Hash]tpm2.TPMIAlgHash{crypto.SHA256: tpm2.TPMAlgSHA256, crypto.SHA384: tpm2.TPMAlgSHA384}

// Sign implements crypto.Signer. The randomness is the TPM's own.
func (s *tpmKey) Sign(_ io.Reader, digest []byte, options crypto.SignerOpts) (signature []byte, err error) {
	hash, ok := hashes[options.HashFunc()]
	if !ok || len(digest) != options.HashFunc().Size() {
		return nil, fmt.Errorf("sign with the TPM: a digest of %d bytes by %s", len(digest), options.HashFunc())
	}
	err = s.with(func(t transport.TPM, key tpm2.AuthHandle) error {
		answer, err := tpm2.Sign{
			KeyHandle: key, Digest: tpm2.TPM2BDigest{Buffer: digest},
			InScheme:   tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSchemeHash{HashAlg: hash})},
			Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
		}.Execute(t)
		if err != nil {
			return err
		}
		pair, err := answer.Signature.Signature.ECDSA()
		if err != nil {
			return err
		}
		signature, err = asn1.Marshal(struct{ R, S *big.Int }{
			new(big.Int).SetBytes(pair.SignatureR.Buffer), new(big.Int).SetBytes(pair.SignatureS.Buffer),
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sign with the TPM: %w", err)
	}
	return signature, nil
}
