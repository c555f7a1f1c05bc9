package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rota-run/rota/internal/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func provider(name string) gateway.Provider {
	return gateway.Provider{Name: name, BaseURL: "http://127.0.0.1:1/v1"}
}

// open returns a gateway that is closed with the test.
func open(t testing.TB, providers ...gateway.Provider) *gateway.Gateway {
	t.Helper()
	g, err := gateway.New(providers)
	require.NoError(t, err)
	t.Cleanup(g.Close)
	return g
}

func TestNewRefuses(t *testing.T) {
	for name, p := range map[string]gateway.Provider{
		"no name":         {BaseURL: "http://h"},
		"upper case":      {Name: "Main", BaseURL: "http://h"},
		"a slash":         {Name: "a/b", BaseURL: "http://h"},
		"line break":      {Name: "a\n", BaseURL: "http://h"},
		"echo":            {Name: "echo", BaseURL: "http://h"},
		"no URL":          {Name: "a"},
		"no host":         {Name: "a", BaseURL: "http:///v1"},
		"other scheme":    {Name: "a", BaseURL: "ftp://h"},
		"relative":        {Name: "a", BaseURL: "h/v1"},
		"query":           {Name: "a", BaseURL: "http://h/?x=1"},
		"negative limit":  {Name: "a", BaseURL: "http://h", IdleTimeout: -1},
		"negative places": {Name: "a", BaseURL: "http://h", MaxConcurrent: -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gateway.New([]gateway.Provider{p})
			require.Error(t, err)
		})
	}
}

func TestNewRefusesTwoOfOneName(t *testing.T) {
	_, err := gateway.New([]gateway.Provider{provider("a"), provider("a")})
	require.ErrorContains(t, err, `"a"`)
}

func TestNewDoesNotQuotePasswords(t *testing.T) {
	for _, base := range []string{"http://u:hunter2@h", "http://u:hunter2@h:port", "u:hunter2@h\x7f"} {
		_, err := gateway.New([]gateway.Provider{{Name: "a", BaseURL: base}})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestProviders(t *testing.T) {
	b := provider("b")
	b.MaxConcurrent = 7
	require.Equal(t, []gateway.ProviderInfo{{"b", 7}, {"a", 0}, {"echo", 0}}, open(t, b, provider("a")).Providers())
	require.Equal(t, []gateway.ProviderInfo{{"echo", 0}}, open(t).Providers())
}

func TestResolve(t *testing.T) {
	first, second := provider("first"), provider("second")
	second.DefaultModel = "second-large"
	g := open(t, first, second)
	for model, want := range map[string][2]string{
		"gpt":               {"first", "gpt"},
		"first/gpt":         {"first", "gpt"},
		"second/gpt":        {"second", "gpt"},
		"meta-llama/x":      {"first", "meta-llama/x"},
		"first/meta/x":      {"first", "meta/x"},
		"auto":              {"first", "auto"},
		"":                  {"first", "auto"},
		"second/auto":       {"second", "second-large"},
		"second/":           {"second", "second-large"},
		"second":            {"first", "second"},
		"echo":              {"echo", "echo"},
		"echo/auto":         {"echo", "echo"},
		"echo/other":        {"echo", "other"},
		"unknown/auto":      {"first", "unknown/auto"},
		"second/meta/auto/": {"second", "meta/auto/"},
	} {
		p, name := g.Resolve(model)
		require.Equal(t, want, [2]string{p, name}, "model %q", model)
	}
}

func TestResolveWithoutProviders(t *testing.T) {
	g := open(t)
	for model, want := range map[string]string{"auto": "echo", "gpt": "gpt", "a/b": "a/b"} {
		p, name := g.Resolve(model)
		require.Equal(t, "echo", p)
		require.Equal(t, want, name)
	}
}
