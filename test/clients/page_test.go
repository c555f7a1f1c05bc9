package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The vendor's page about changing a schedule, as it is published.
//
//go:embed testdata/update-agent-schedule.txt
var page string

// vendorHost is where the client asks if it is told nothing else.
const vendorHost = "apigw.mka1.com"

// TestPage runs the program on the vendor's page, which names no server: Rota is
// at the vendor's address. It runs once as it stands, and once with a key and ids
// in their places.
func TestPage(t *testing.T) {
	needPython(t)
	t.Parallel()
	s := databases()[0].start(t)
	agent := s.agent(t)
	var schedule struct{ ID string }
	body := `{"name":"n","schedule":{"type":"once","run_at":"2090-11-07T05:31:56Z"},"input":"What is new?"}`
	require.Equal(t, http.StatusCreated, s.ask(t, http.MethodPost, "/agents/"+agent+"/schedules", body, &schedule))
	filled := strings.NewReplacer(
		"<YOUR_BEARER_TOKEN_HERE>", key, `agent_id="<id>"`, fmt.Sprintf("agent_id=%q", agent),
		`schedule_id="<id>"`, fmt.Sprintf("schedule_id=%q", schedule.ID),
	).Replace(program(t))
	environment := atVendorsAddress(t, s.url)
	judge(t, "the answer on the vendor's page", s.compare(t, "/agents/"+agent+"/schedules/"+schedule.ID))
	for _, v := range versions {
		t.Run(v.client, func(t *testing.T) {
			t.Parallel()
			var wrong []string
			if out, err := v.run(t, program(t), environment); err == nil || !strings.Contains(out, "ErrorEnvelope") {
				wrong = append(wrong, "as it stands: "+out)
			}
			if out, err := v.run(t, filled, environment); err != nil || !strings.Contains(out, "id='"+schedule.ID+"'") || !strings.Contains(out, "type='once'") {
				wrong = append(wrong, "filled in: "+out)
			}
			judge(t, "the program on the vendor's page, with "+v.client, wrong)
		})
	}
}

// compare says which members of the answer on the page are not in the server's.
func (s *server) compare(t *testing.T, path string) (wrong []string) {
	t.Helper()
	begin, end := strings.Index(page, "{\n  \"object\""), strings.Index(page, "\n}\n")
	var want, got map[string]any
	require.NoError(t, json.Unmarshal([]byte(page[begin:end+2]), &want))
	require.Len(t, want, 17)
	require.Equal(t, http.StatusOK, s.ask(t, http.MethodPost, path, "{}", &got))
	for name := range want {
		if _, ok := got[name]; !ok {
			wrong = append(wrong, "there is no "+name)
		}
	}
	return wrong
}

// program is the Python on the page, word by word.
func program(t *testing.T) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "Python (SDK)\n")
	require.True(t, ok)
	code, _, ok := strings.Cut(rest, "    print(res)\n")
	require.True(t, ok)
	return code + "    print(res)\n"
}

// run runs a program with the version of the client, and returns what it prints.
func (v version) run(t *testing.T, code string, environment []string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), v.python(t), "-B", "-c", code)
	cmd.Env = append(os.Environ(), environment...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// atVendorsAddress puts the server where the vendor's is, for programs with the
// environment that it returns.
func atVendorsAddress(t *testing.T, target string) []string {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	certificate, path := certify(t, vendorHost)
	secure := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(to))
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	tunnel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != vendorHost+":443" {
			http.Error(w, "the client asks for "+r.Method+" "+r.Host, http.StatusForbidden)
			return
		}
		join(w, secure.Listener.Addr().String())
	}))
	t.Cleanup(tunnel.Close)
	return []string{"HTTPS_PROXY=" + tunnel.URL, "NO_PROXY=", "no_proxy=", "SSL_CERT_FILE=" + path}
}

// join connects who asks with an address.
func join(w http.ResponseWriter, address string) {
	w.WriteHeader(http.StatusOK)
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	server, err := net.Dial("tcp", address)
	if err != nil {
		_ = client.Close()
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
}

// certify makes a certificate for a host that signs itself, and writes it to a
// file.
func certify(t *testing.T, host string) (tls.Certificate, string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "certificate.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, path
}
