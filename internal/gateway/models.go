package gateway

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rota-run/rota"
)

const (
	listTimeout = 3 * time.Second // for a provider's list of its models
	listBytes   = 4 << 20         // of such a list
	listModels  = 1000            // of one provider
)

// Models lists what can be asked: of each provider the default model, and what its own
// list at GET {BaseURL}/models names. The providers are asked side by side, for three
// seconds at most; one that has no such list, or does not answer, has its default model
// alone. Each is named as Resolve knows it, with the prefix of its provider only where it
// needs one. Models of a demo are the stand-in.
func (g *Gateway) Models(ctx context.Context) []rota.Model {
	if g.demo {
		return []rota.Model{rota.NewModel(StandIn, StandIn)}
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	lists := make([][]rota.Model, len(g.providers))
	var all sync.WaitGroup
	for i, p := range g.providers {
		all.Go(func() { lists[i] = g.modelsOf(ctx, p) })
	}
	all.Wait()
	return slices.Concat(lists...)
}

func (g *Gateway) modelsOf(ctx context.Context, p *provider) []rota.Model {
	known, found := map[string]bool{}, []rota.Model(nil)
	for _, m := range append([]listedModel{{ID: p.DefaultModel}}, p.list(ctx)...) {
		if m.ID == "" || len(m.ID) > maxModelName || known[m.ID] || len(found) == listModels {
			continue
		}
		known[m.ID] = true
		found = append(found, m.shown(g.shortest(p, m.ID), p.Name))
	}
	return found
}

// maxModelName is how long the name of a model may be, with the prefix of its provider.
const maxModelName = 200

// shortest returns the shortest name under which Resolve finds a model of a provider.
func (g *Gateway) shortest(p *provider, model string) string {
	if by, name, err := g.Resolve(model); err == nil && by == p.Name && name == model {
		return model
	}
	return p.Name + "/" + model
}

// A listedModel is what a provider says of a model. Servers have several names for how
// many tokens it can take.
type listedModel struct {
	ID            string   `json:"id"`
	Created       rota.Any `json:"created"`
	ContextWindow rota.Any `json:"context_window"`
	ContextLength rota.Any `json:"context_length"`
	MaxModelLen   rota.Any `json:"max_model_len"`
	Meta          struct {
		Context rota.Any `json:"n_ctx"`
	} `json:"meta"`
}

func (m listedModel) shown(id, provider string) rota.Model {
	out := rota.NewModel(id, provider)
	if n := whole(m.Created); n != nil {
		out.Created = *n
	}
	for _, v := range []rota.Any{m.ContextWindow, m.ContextLength, m.MaxModelLen, m.Meta.Context} {
		if n := whole(v); n != nil && out.ContextWindow == nil {
			out.ContextWindow = n
		}
	}
	return out
}

// whole returns a whole number that is not negative, or nil.
func whole(v rota.Any) *int64 {
	var n int64
	if len(v.RawMessage) == 0 || json.Unmarshal(v.RawMessage, &n) != nil || n <= 0 {
		return nil
	}
	return &n
}

// list returns the models that the provider names, or nil.
func (p *provider) list(ctx context.Context) []listedModel {
	secret, err := p.secret()
	if err != nil {
		return nil
	}
	req, err := p.request(ctx, secret, http.MethodGet, strings.TrimRight(p.BaseURL, "/")+"/models", nil)
	if err != nil {
		return nil
	}
	req.Header.Set("Accept", "application/json")
	resp, err := p.Transport.RoundTrip(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var answer struct {
		Data []json.RawMessage `json:"data"`
	}
	if resp.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(resp.Body, listBytes)).Decode(&answer) != nil {
		return nil
	}
	var models []listedModel
	for _, raw := range answer.Data {
		var m listedModel
		if json.Unmarshal(raw, &m) == nil {
			models = append(models, m)
		}
	}
	return models
}
