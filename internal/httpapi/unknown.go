package httpapi

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// generated reports whether a request comes from a client that was generated from
// the published API. Such a client cannot mistype a name: one that is unknown here
// is a default of a newer version, and is ignored.
func generated(r *http.Request) bool {
	return strings.HasPrefix(r.UserAgent(), "speakeasy-sdk/")
}

// ignored puts on record that an unknown name was ignored.
func (a *api) ignored(r *http.Request, place, name string) {
	a.Log.LogAttrs(r.Context(), slog.LevelWarn, "an unknown name was ignored",
		slog.String("place", place), slog.String("name", name), slog.String("route", route(r)), slog.String("user_agent", r.UserAgent()))
	if a.OnIgnored != nil {
		a.OnIgnored(route(r), place)
	}
}

// checkQuery refuses query parameters that the operation does not have.
func (a *api) checkQuery(op *operation, r *http.Request) error {
	for _, name := range slices.Sorted(maps.Keys(r.URL.Query())) {
		shown := fieldPath(nil).to(name)
		switch {
		case slices.Contains(op.queries, name), op.open, metadataKey.MatchString(name) && slices.Contains(op.queries, "metadata"):
		case generated(r):
			a.ignored(r, "query", shown[0])
		case len(op.queries) == 0:
			return shown.invalid("is not a parameter here; there are none")
		default:
			return shown.invalid("is not a parameter here; these are: %s", strings.Join(op.queries, ", "))
		}
	}
	return nil
}
