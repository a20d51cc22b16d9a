package goplugin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// The client's half of an HTTP/2 connection's opening: preface and empty SETTINGS.
const opening = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// greet opens HTTP/2 and reports whether the provider opens it too.
func greet(conn net.Conn) error {
	const settings = 4
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, opening); err != nil {
		return err
	}
	var frame [9]byte
	if _, err := io.ReadFull(conn, frame[:]); err != nil {
		return err
	}
	if frame[3] != settings {
		return fmt.Errorf("no HTTP/2 frame but %q", frame)
	}
	return nil
}

func TestOnlyTheClientsOwnCertificateIsLetIn(t *testing.T) {
	run := start(t, configure(t))
	run.ping(t)
	own := run.config.TLSConfig.Certificates[0]

	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, test := range []struct {
			name         string
			certificates []tls.Certificate
			letIn        bool
		}{
			{"own certificate", []tls.Certificate{own}, true},
			{"no certificate", nil, false},
			{"other certificate", []tls.Certificate{selfSigned(t)}, false},
			{"own certificate without its key", []tls.Certificate{stolen(t, own)}, false},
		} {
			t.Run(tls.VersionName(version)+" "+test.name, func(t *testing.T) {
				err := knock(t, run, version, test.certificates)
				if letIn := err == nil; letIn != test.letIn {
					t.Errorf("let in: %t (%v), want %t", letIn, err, test.letIn)
				}
			})
		}
	}

	t.Run("plain text", func(t *testing.T) {
		address := run.ReattachConfig().Addr
		conn, err := net.Dial(address.Network(), address.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if greet(conn) == nil {
			t.Error("a client without TLS was let in")
		}
	})

	// Whoever was refused did not disturb who was not.
	run.ping(t)
}

// knock connects over TLS; an error says that the provider did not let us in.
func knock(t *testing.T, run started, version uint16, certificates []tls.Certificate) error {
	t.Helper()
	address := run.ReattachConfig().Addr
	raw, err := net.Dial(address.Network(), address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn := tls.Client(raw, &tls.Config{
		// Sent whether or not the provider's hints about its issuer fit.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(certificates) == 0 {
				return &tls.Certificate{}, nil
			}
			return &certificates[0], nil
		},
		RootCAs:    run.config.TLSConfig.RootCAs,
		ServerName: "localhost",
		NextProtos: []string{"h2"},
		MinVersion: version,
		MaxVersion: version,
	})
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Handshake(); err != nil {
		return err
	}
	if protocol := conn.ConnectionState().NegotiatedProtocol; protocol != "h2" {
		t.Errorf("negotiated %q, want h2", protocol)
	}
	return greet(conn)
}

func TestPlainTextIsSpokenWhenTLSIsSwitchedOff(t *testing.T) {
	config := configure(t)
	config.AutoMTLS = false
	run := start(t, config)
	run.ping(t)
	schema(t, run.dispense(t))
	begin := time.Now()
	run.Kill()
	if took := time.Since(begin); took > mustEndWithin {
		t.Errorf("the process took %v to end, want less than %v", took, mustEndWithin)
	}
}

// selfSigned makes a certificate like the one that go-plugin's client makes for itself.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// stolen pairs a certificate, which is public, with a key of our own.
func stolen(t *testing.T, certificate tls.Certificate) tls.Certificate {
	t.Helper()
	return tls.Certificate{Certificate: certificate.Certificate, PrivateKey: newKey(t)}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
