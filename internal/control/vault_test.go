package control_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/seal"
	"github.com/rota-run/rota/internal/vault"
)

func (w *world) newMCPServer() rota.MCPServer {
	w.Helper()
	s, err := w.CreateMCPServer(w.Context(), caller, rota.MCPServerCreate{Name: "Docs", ServerLabel: "docs", ServerURL: "https://mcp.example.com/"}, control.Write{})
	require.NoError(w, err)
	return s
}

func (w *world) vault() *vault.Vault {
	return &vault.Vault{Store: ports.Vault(w.db), Secret: w.Tokens.Secret, Now: w.Control.Now}
}

// TestSecretsStayInTheVault: of 50 secrets none is in an answer, a log line, an export or a
// file of the database, and each reaches its server, also after the server's secret has
// changed.
func TestSecretsStayInTheVault(t *testing.T) {
	w := newWorld(t)
	s := w.newMCPServer()
	canary := func(n int) string { return fmt.Sprintf("canary-%d-of-the-vault", n) }
	_, err := w.CreateMCPCredential(t.Context(), caller, s.ID, rota.MCPCredentialCreate{AuthType: "bearer", BearerToken: rota.Some(canary(0))}, control.Write{})
	require.ErrorContains(t, err, "no secret key")
	old := seal.NewSecret()
	w.Tokens.Secret, _ = seal.Parse(old)

	var seen bytes.Buffer
	show := func(v any) { seen.Write(rota.AnyOf(v).RawMessage) }
	ids := map[rota.MCPCredentialID]map[string]string{}
	for n := range 50 {
		in := rota.MCPCredentialCreate{AuthType: "headers", Headers: map[string]string{"x-key": canary(n), "Authorization": canary(n)}}
		want := map[string]string{"X-Key": canary(n), "Authorization": canary(n)}
		switch n % 3 {
		case 0:
			in = rota.MCPCredentialCreate{AuthType: "bearer", BearerToken: rota.Some(canary(n))}
			want = map[string]string{"Authorization": "Bearer " + canary(n)}
		case 1:
			in = rota.MCPCredentialCreate{AuthType: "authorization", Authorization: rota.Some("Basic " + canary(n))}
			want = map[string]string{"Authorization": "Basic " + canary(n)}
		}
		k, err := w.CreateMCPCredential(t.Context(), caller, s.ID, in, control.Write{IdempotencyKey: canary(n)[7:9] + fmt.Sprint(n), Request: []byte(canary(n))})
		require.NoError(t, err)
		show(k)
		ids[k.ID] = want
	}
	l, err := w.MCPCredentials(t.Context(), caller, s.ID, true, rota.Page{Limit: 100})
	require.NoError(t, err)
	show(l)

	secret := seal.NewSecret()
	w.Tokens.Secret, _ = seal.Parse(secret + "\n" + old)
	_, err = w.RotateSigningKey(t.Context(), caller, rota.SigningKeyCreate{})
	require.NoError(t, err)
	w.Tokens.Secret, _ = seal.Parse(secret)
	for id, want := range ids {
		got, err := w.vault().Headers(t.Context(), caller.Owner, s.ID, id)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	var exported []any
	who := caller
	who.Owner.EndUser = ""
	require.NoError(t, w.ExportEndUser(t.Context(), who, "ana", func(context.Context, int) error { return nil }, func(v any) error { exported = append(exported, v); return nil }))
	show(exported)

	seen.Write(w.log.Bytes())
	for _, file := range w.files() {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		seen.Write(b)
	}
	require.Contains(t, seen.String(), "mcp.example.com", "it looks at the database")
	for n := range 50 {
		require.NotContains(t, seen.String(), canary(n))
	}
}

// files are those of the database.
func (w *world) files() []string {
	w.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	require.NoError(w, err)
	return files
}

func TestACredentialHasWhatItsTypeNeeds(t *testing.T) {
	w := newWorld(t)
	w.Tokens.Secret, _ = seal.Parse(seal.NewSecret())
	s := w.newMCPServer()
	for text, want := range map[string]string{
		`{"auth_type":"bearer"}`: "bearer_token: must be there",
		`{"auth_type":"bearer","bearer_token":"a","authorization":"b"}`:                     "authorization: does not go with",
		`{"auth_type":"none","headers":{"a":"b"}}`:                                          "headers: does not go with",
		`{"auth_type":"headers","headers":{}}`:                                              "headers: must be there",
		`{"auth_type":"headers","headers":{"a b":"c"}}`:                                     "headers.a b: must be an HTTP header",
		`{"auth_type":"headers","headers":{"Host":"c"}}`:                                    "headers.Host: must not be set",
		`{"auth_type":"headers","headers":{"mcp-session-id":"c"}}`:                          "headers.mcp-session-id: must not be set",
		`{"auth_type":"headers","headers":{"a":"b\nc"}}`:                                    "headers.a: must be an HTTP header",
		`{"auth_type":"headers","headers":{"a":"b","A":"c"}}`:                               "headers: must have each header once",
		`{"auth_type":"bearer","bearer_token":"a\r\nX: y"}`:                                 "bearer_token: must be an HTTP header",
		`{"auth_type":"bearer","bearer_token":"a","expires_at":"2020-01-01T00:00:00.000Z"}`: "expires_at: must be in the future",
	} {
		_, err := w.CreateMCPCredential(t.Context(), caller, s.ID, body[rota.MCPCredentialCreate](w, text), control.Write{})
		require.ErrorIs(t, err, rota.Invalid, text)
		require.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		`{"server_url":"ftp://x/"}`:             "server_url: must ",
		`{"server_url":"https://u:p@x/"}`:       "server_url: must ",
		`{"server_label":"rota"}`:               "server_label: must begin with",
		`{"allowed_tools":"a"}`:                 "allowed_tools: must be a list",
		`{"allowed_tools":{"tool_names":[1]}}`:  "allowed_tools: must name tools",
		`{"allowed_tools":{"read_only":"yes"}}`: "allowed_tools.read_only: must be true or false",
	} {
		_, err := w.UpdateMCPServer(t.Context(), caller, s.ID, body[rota.MCPServerUpdate](w, text), control.Write{})
		require.ErrorIs(t, err, rota.Invalid, text)
		require.ErrorContains(t, err, want, text)
	}
}

// TestWhichCredential: the newest that may be used, or the one that is named.
func TestWhichCredential(t *testing.T) {
	w := newWorld(t)
	w.Tokens.Secret, _ = seal.Parse(seal.NewSecret())
	s, other := w.newMCPServer(), w.newMCPServer()
	headers := func(id rota.MCPCredentialID) (string, error) {
		h, err := w.vault().Headers(t.Context(), caller.Owner, s.ID, id)
		return h["Authorization"], err
	}
	add := func(server rota.MCPServerID, token string, expires rota.Opt[rota.Instant]) rota.MCPCredentialID {
		w.now = w.now.Add(time.Millisecond)
		k, err := w.CreateMCPCredential(t.Context(), caller, server, rota.MCPCredentialCreate{AuthType: "authorization", Authorization: rota.Some(token), ExpiresAt: expires}, control.Write{})
		require.NoError(t, err)
		return k.ID
	}
	got, err := headers("")
	require.NoError(t, err)
	require.Empty(t, got)

	never := rota.Opt[rota.Instant]{}
	first := add(s.ID, "first", never)
	revoked := add(s.ID, "revoked", never)
	expired := add(s.ID, "expired", rota.Some(rota.InstantOf(w.now.Add(2*time.Second))))
	theirs := add(other.ID, "theirs", never)
	_, err = w.DeleteMCPCredential(t.Context(), caller, revoked, control.Write{})
	require.NoError(t, err)
	w.now = w.now.Add(3 * time.Second)
	for id, want := range map[rota.MCPCredentialID]string{revoked: "is revoked", expired: "has expired", theirs: "of another MCP server", "mcp_cred_none": "there is no credential"} {
		_, err := headers(id)
		require.ErrorIs(t, err, rota.Invalid)
		require.ErrorContains(t, err, want)
	}
	for _, id := range []rota.MCPCredentialID{"", first} {
		got, err = headers(id)
		require.NoError(t, err)
		require.Equal(t, "first", got)
	}
	l, err := w.MCPCredentials(t.Context(), caller, s.ID, false, rota.Page{Limit: 10})
	require.NoError(t, err)
	var used []bool
	for _, k := range l.Data {
		used = append(used, k.LastUsedAt != nil)
	}
	require.Equal(t, []bool{false, true}, used)
}
