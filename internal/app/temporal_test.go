package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/rota-run/rota/internal/settings"
)

// TestDialTemporal: the connection to Temporal has the certificates and the key
// of the settings.
func TestDialTemporal(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair := selfSigned(t, certificate, key)
	address, seen := secureServer(t, pair)

	s := settings.Temporal{
		Address: address, Namespace: "default", TaskQueue: "rota", APIKey: "key-1\n",
		TLSCertPath: certificate, TLSKeyPath: key, TLSCAPath: certificate, TLSServerName: "temporal.test",
	}
	require.NoError(t, ask(t, s))
	require.Equal(t, []string{"Bearer key-1"}, (<-seen).Get("authorization"))

	wrong := s
	wrong.TLSServerName = "other.test"
	require.ErrorContains(t, ask(t, wrong), "other.test")
	wrong = s
	wrong.TLSCertPath, wrong.TLSKeyPath = "", ""
	require.Error(t, ask(t, wrong), "the server asks for a certificate")
	wrong = s
	wrong.TLSCAPath = filepath.Join(dir, "none")
	_, err := dial(wrong, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "--temporal-tls-ca-path: ")
	wrong.TLSCAPath = key
	_, err = dial(wrong, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "--temporal-tls-ca-path: the file holds no certificate in PEM")
}

// ask asks the server whether it is well.
func ask(t *testing.T, s settings.Temporal) error {
	c, err := dial(s, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = c.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// secureServer serves nothing but its health, to those who have the same
// certificate.
func secureServer(t *testing.T, pair tls.Certificate) (address string, seen <-chan metadata.MD) {
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	headers := make(chan metadata.MD, 100)
	s := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, MinVersion: tls.VersionTLS12,
		})),
		grpc.UnaryInterceptor(func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			headers <- md
			return handle(ctx, in)
		}),
	)
	well := health.NewServer()
	well.SetServingStatus("temporal.api.workflowservice.v1.WorkflowService", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(s, well)
	workflowservice.RegisterWorkflowServiceServer(s, workflowservice.UnimplementedWorkflowServiceServer{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go s.Serve(l) // ends with Stop
	t.Cleanup(s.Stop)
	return l.Addr().String(), headers
}

func selfSigned(t *testing.T, certificate, key string) tls.Certificate {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"temporal.test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}), 0o600))
	pair, err := tls.LoadX509KeyPair(certificate, key)
	require.NoError(t, err)
	return pair
}
