package gateway_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rota-run/rota"
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
		"none":            {Name: "none", BaseURL: "http://h"},
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

func TestNewRefusesTwoThatTakeAnyPrefix(t *testing.T) {
	a, b := provider("a"), provider("b")
	a.AnyPrefix, b.AnyPrefix = true, true
	_, err := gateway.New([]gateway.Provider{a, b})
	require.EqualError(t, err, `provider "b": any_prefix is for one provider, and "a" has it`)
}

func TestProviders(t *testing.T) {
	b := provider("b")
	b.MaxConcurrent = 7
	builtIn := []gateway.ProviderInfo{{"echo", 0}, {"none", 0}}
	require.Equal(t, append([]gateway.ProviderInfo{{"b", 7}, {"a", 0}}, builtIn...), open(t, b, provider("a")).Providers())
	require.Equal(t, builtIn, open(t).Providers())
}

// where is where a model leads: a provider and a name there, or an error.
type where struct {
	provider, name string
	err            string
}

const (
	noProvider = "no model provider is configured"
	noDefault  = "auto stands for the default model, and the provider first has none"
	noPrefix   = "begins with the name of no provider; these are: first, second"
)

func resolves(t *testing.T, g *gateway.Gateway, want map[string]where) {
	t.Helper()
	for model, w := range want {
		p, name, err := g.Resolve(model)
		if w.err == "" {
			require.NoError(t, err, model)
			require.Equal(t, w, where{provider: p, name: name}, model)
			continue
		}
		require.ErrorContains(t, err, w.err, model)
		require.Equal(t, w.err != noProvider, errors.Is(err, rota.Invalid), "who is to mend it")
		require.Equal(t, gateway.Unserved, p, "not the stand-in")
	}
}

func TestResolveWithSeveralProviders(t *testing.T) {
	first, second := provider("first"), provider("second")
	second.DefaultModel = "second-large"
	want := map[string]where{
		"gpt":               {provider: "first", name: "gpt"},
		"first/gpt":         {provider: "first", name: "gpt"},
		"second/gpt":        {provider: "second", name: "gpt"},
		"first/meta/x":      {provider: "first", name: "meta/x"},
		"second/auto":       {provider: "second", name: "second-large"},
		"second/":           {provider: "second", name: "second-large"},
		"second":            {provider: "first", name: "second"},
		"second/meta/auto/": {provider: "second", name: "meta/auto/"},
		"echo":              {provider: "echo", name: "echo"},
		"first/echo":        {provider: "first", name: "echo"},
		"auto":              {err: noDefault},
		"":                  {err: noDefault},
		"first/auto":        {err: noDefault},
		"secnd/gpt":         {err: noPrefix},
		"meta-llama/x":      {err: noPrefix},
		"echo/auto":         {err: noPrefix},
		"none/x":            {err: noPrefix},
	}
	resolves(t, open(t, first, second), want)

	second.AnyPrefix = true
	for _, model := range []string{"secnd/gpt", "meta-llama/x", "echo/auto", "none/x"} {
		want[model] = where{provider: "second", name: model}
	}
	resolves(t, open(t, first, second), want)
}

func TestResolveWithOneProvider(t *testing.T) {
	only := provider("only")
	only.DefaultModel = "small"
	resolves(t, open(t, only), map[string]where{
		"gpt":          {provider: "only", name: "gpt"},
		"meta-llama/x": {provider: "only", name: "meta-llama/x"},
		"only/x":       {provider: "only", name: "x"},
		"auto":         {provider: "only", name: "small"},
		"only/auto":    {provider: "only", name: "small"},
		"other/auto":   {provider: "only", name: "other/auto"},
		"echo/x":       {provider: "only", name: "echo/x"},
		"echo":         {provider: "echo", name: "echo"},
	})
}

func TestResolveWithoutProviders(t *testing.T) {
	want := map[string]where{
		"echo": {provider: "echo", name: "echo"},
		"auto": {err: noProvider}, "gpt": {err: noProvider}, "a/b": {err: noProvider}, "echo/auto": {err: noProvider}, "none": {err: noProvider},
	}
	resolves(t, open(t), want)
	demo, err := gateway.Demo()
	require.NoError(t, err)
	t.Cleanup(demo.Close)
	want["auto"] = where{provider: "echo", name: "echo"}
	resolves(t, demo, want)
}

func TestWhatNoProviderServesIsNotAnswered(t *testing.T) {
	a := try(t.Context(), open(t), gateway.Request{Provider: gateway.Unserved, Body: []byte(`{"model":"gpt","input":"hi"}`)})
	require.Equal(t, rota.RunErrMisconfigured, a.failure(t).Code)
}
