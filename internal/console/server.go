package console

import (
	"github.com/rota-run/rota"
)

func (c *console) keys(v visit) (view, error) {
	l, err := c.Control.Keys(v.Context(), v.who, v.list())
	return view{Template: "keys", Title: "Keys", Here: "/keys", Data: l}, err
}

func (c *console) system(v visit) (view, error) {
	s := c.System
	s.Time = rota.InstantOf(v.now)
	key, err := c.Control.KeyInUse(v.Context(), v.who)
	return view{Template: "system", Title: "System", Here: "/system", Data: map[string]any{"System": s, "Key": key}}, err
}
