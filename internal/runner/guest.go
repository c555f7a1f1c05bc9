package runner

import (
	"encoding/json"
	"errors"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/rawjson"
)

// asGuest lets the run of somebody with whom the agent is shared see no tools in what the
// provider sends: a provider says again what it was sent, and that can be secret.
func (c *call) asGuest() {
	c.resp.Body = withoutTools(c.resp.Body)
	var e *gateway.Error
	if errors.As(c.err, &e) {
		told := *e
		told.Response = withoutTools(e.Response)
		c.err = &told
	}
}

// heardAsGuest is the same for events.
func heardAsGuest(hear func(gateway.Event)) func(gateway.Event) {
	return func(e gateway.Event) {
		if response := rawjson.Get(e.Data, "response"); rawjson.Kind(rawjson.Get(response, "tools")) != 'n' {
			o := rawjson.ReadObject(e.Data)
			o.Set("response", withoutTools(response))
			e.Data = o.Encode()
		}
		hear(e)
	}
}

// withoutTools returns a response with no tools in place of those that it has.
func withoutTools(response json.RawMessage) json.RawMessage {
	o := rawjson.ReadObject(response)
	if rawjson.Kind(o.Get("tools")) == 'n' {
		return response
	}
	o.Set("tools", json.RawMessage("[]"))
	return o.Encode()
}

// asksAsGuest leaves of the addresses of servers, which can be secret as well, what says
// whose they are.
func asksAsGuest(asks []rota.Approval) {
	for i := range asks {
		asks[i].ServerURL = answer.Origin(asks[i].ServerURL)
	}
}
