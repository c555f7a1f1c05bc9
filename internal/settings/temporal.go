package settings

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Temporal says how to reach a Temporal server.
type Temporal struct {
	Address       string `default:"127.0.0.1:7233" env:"ROTA_TEMPORAL_ADDRESS" help:"Address of the Temporal server (host:port), with --engine temporal."`
	Namespace     string `default:"default" env:"ROTA_TEMPORAL_NAMESPACE" help:"Namespace in Temporal."`
	TaskQueue     string `default:"rota" env:"ROTA_TEMPORAL_TASK_QUEUE" help:"Beginning of the name of the task queue in Temporal; the name of the installation follows."`
	APIKey        string `name:"api-key" env:"ROTA_TEMPORAL_API_KEY" placeholder:"KEY" help:"API key for Temporal; implies TLS. Prefer the environment: flags show in process lists."`
	TLS           bool   `name:"tls" env:"ROTA_TEMPORAL_TLS" help:"Connect to Temporal with TLS. The other TLS settings imply it."`
	TLSCertPath   string `name:"tls-cert-path" type:"path" env:"ROTA_TEMPORAL_TLS_CERT_PATH" placeholder:"FILE" help:"Client certificate for Temporal (PEM). Goes with the key."`
	TLSKeyPath    string `name:"tls-key-path" type:"path" env:"ROTA_TEMPORAL_TLS_KEY_PATH" placeholder:"FILE" help:"Key of the client certificate (PEM)."`
	TLSCAPath     string `name:"tls-ca-path" type:"path" env:"ROTA_TEMPORAL_TLS_CA_PATH" placeholder:"FILE" help:"Certificates that the server's certificate must follow from (PEM). Default: those of the system."`
	TLSServerName string `name:"tls-server-name" env:"ROTA_TEMPORAL_TLS_SERVER_NAME" placeholder:"NAME" help:"Name that the server's certificate must have. Default: the host of the address."`
}

const (
	ownQueues    = "__temporal_"
	maxTaskQueue = 200 // of the 1,000 that Temporal accepts by default
)

// Check returns an error that begins with the flag that is wrong. Files are read
// later.
func (t Temporal) Check() error {
	return cmp.Or(
		check(isAddress(t.Address), "--temporal-address must be host:port, such as 127.0.0.1:7233, not %q", t.Address),
		check(t.Namespace != "", "--temporal-namespace must not be empty"),
		check(t.TaskQueue != "" && len(t.TaskQueue) <= maxTaskQueue && !strings.HasPrefix(t.TaskQueue, ownQueues),
			"--temporal-task-queue must have 1 to %d bytes and not begin with %s, which is Temporal's own", maxTaskQueue, ownQueues),
		check((t.TLSCertPath == "") == (t.TLSKeyPath == ""), "--temporal-tls-cert-path goes with --temporal-tls-key-path"),
	)
}

// TLSConfig reads the files and returns how to connect; nil without TLS. The
// error begins with the flag that is wrong.
func (t Temporal) TLSConfig() (*tls.Config, error) {
	if !t.TLS && t.APIKey == "" && t.TLSCertPath == "" && t.TLSCAPath == "" && t.TLSServerName == "" {
		return nil, nil
	}
	config := &tls.Config{ServerName: t.TLSServerName, MinVersion: tls.VersionTLS12}
	if t.TLSCertPath != "" {
		pair, err := tls.LoadX509KeyPair(t.TLSCertPath, t.TLSKeyPath)
		if err != nil {
			return nil, fmt.Errorf("--temporal-tls-cert-path: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if t.TLSCAPath == "" {
		return config, nil
	}
	pem, err := os.ReadFile(t.TLSCAPath)
	if err != nil {
		return nil, fmt.Errorf("--temporal-tls-ca-path: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("--temporal-tls-ca-path: the file holds no certificate in PEM")
	}
	return config, nil
}
