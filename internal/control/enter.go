package control

import (
	"context"
	"log/slog"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// anyScope is the scope of an operation that every key may ask for.
const anyScope rota.Scope = ""

// maxLogged bounds what the log shows of an identifier: callers write them.
const maxLogged = 64

// enter begins every operation. It returns Denied unless the caller has the scope,
// and logs who asks for what: reading at debug, everything else at info. objects
// are what the operation is about, see [on].
func (c *Control) enter(ctx context.Context, who auth.Caller, scope rota.Scope, operation string, objects ...slog.Attr) error {
	var err error
	if scope != anyScope {
		err = who.Require(scope)
	}
	level := slog.LevelInfo
	if scope.Reads() {
		level = slog.LevelDebug
	}
	c.Audit.LogAttrs(ctx, level, "operation", append([]slog.Attr{
		slog.String("operation", operation), slog.Bool("allowed", err == nil), slog.String("key_id", string(who.Key)),
		slog.String("account", who.Owner.Account), slog.String("end_user", who.Owner.EndUser), slog.String("request_id", who.RequestID),
	}, objects...)...)
	return err
}

// on names an object that an operation is about.
func on[T ~string](name string, id T) slog.Attr {
	return slog.String(name, string(id[:min(len(id), maxLogged)]))
}
