package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/settings"
)

const (
	connectTimeout = 10 * time.Second
	silence        = 2 * time.Minute
)

// openGateway returns the gateway to the providers that are set. The one of
// --model-url comes first and so is the default.
func openGateway(s settings.Settings, log *slog.Logger) (*gateway.Gateway, error) {
	all := s.Providers
	if s.ModelURL != "" {
		all = append([]settings.Provider{{Name: "model", BaseURL: s.ModelURL, KeyEnv: s.ModelKeyEnv, DefaultModel: s.Model, Protocol: s.ModelProtocol}}, all...)
	}
	var out []gateway.Provider
	for _, p := range all {
		key, err := secret(p, s.Works())
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", p.Name, err)
		}
		out = append(out, gateway.Provider{
			Name:           p.Name,
			BaseURL:        p.BaseURL,
			Key:            key,
			DefaultModel:   p.DefaultModel,
			AnyPrefix:      p.AnyPrefix,
			ConnectTimeout: p.ConnectTimeout.Or(connectTimeout),
			IdleTimeout:    p.IdleTimeout.Or(silence),
			MaxConcurrent:  p.MaxConcurrent,
			Background:     p.Background,
			Protocol:       gateway.Protocol(p.Protocol),
			Detected: func(gateway.Protocol) {
				log.Info("the provider has no Responses API; its models are asked over chat completions until the next start", "provider", p.Name)
			},
			SafetyIdentifier: p.SafetyID == "end_user",

			Omit: omit(p),
			Omitted: func(member string) {
				log.Warn("the provider does not take a member of requests; it is left out until the next start", "provider", p.Name, "member", member)
			},
		})
	}
	tell(s, out, log)
	if s.Demo && len(out) == 0 {
		return gateway.Demo()
	}
	return gateway.New(out)
}

// tell logs which providers there are, where that was read, and what was not.
func tell(s settings.Settings, providers []gateway.Provider, log *slog.Logger) {
	file := cmp.Or(s.File, "none")
	if len(s.Strangers) > 0 {
		log.Warn("there are environment variables that look like settings and are none; rota serve --help lists those that are", "names", s.Strangers)
	}
	if len(providers) == 0 && s.Works() && !s.Demo { // in a demo, the stand-in answers
		log.Warn("there is no model provider: runs fail as misconfigured, but for those with the model echo", "settings_file", file)
	}
	for i, p := range providers {
		log.Info("model provider", "provider", p.Name, "base_url", p.BaseURL, "default", i == 0, "default_model", p.DefaultModel, "protocol", cmp.Or(p.Protocol, gateway.ProtocolAuto), "settings_file", file)
	}
}

// omit returns the members of requests that the provider's settings leave out.
func omit(p settings.Provider) []string {
	if p.Metadata != nil && !*p.Metadata {
		return []string{"metadata"}
	}
	return nil
}

// secret returns how to get the provider's key; a key that is missing is found
// at once. Who asks no model needs none.
func secret(p settings.Provider, asks bool) (func() (string, error), error) {
	switch {
	case p.KeyEnv != "" && p.KeyFile != "":
		return nil, fmt.Errorf("key_env and key_file exclude each other")
	case !asks:
		return nil, nil
	case p.KeyEnv != "":
		key := settings.Secret(os.Getenv(p.KeyEnv))
		if key == "" {
			return nil, fmt.Errorf("the environment variable %s is not set", p.KeyEnv)
		}
		return func() (string, error) { return key, nil }, nil
	case p.KeyFile != "":
		read := func() (string, error) {
			b, err := os.ReadFile(p.KeyFile)
			return settings.Secret(string(b)), err
		}
		_, err := read()
		return read, err
	}
	return nil, nil
}
