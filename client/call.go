package client

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rota-run/rota"
)

// A CallOption changes one call.
type CallOption func(*callOptions)

type callOptions struct {
	header http.Header
	query  url.Values
	body   json.RawMessage
	answer *json.RawMessage
}

func newCallOptions(opts []CallOption) callOptions {
	o := callOptions{header: http.Header{}, query: url.Values{}}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// IfMatch makes a change only if the object is at this version, and returns
// rota.Precondition otherwise.
func IfMatch(version int64) CallOption {
	return func(o *callOptions) { o.header.Set("If-Match", strconv.Quote(strconv.FormatInt(version, 10))) }
}

// IdempotencyKey makes a change happen once: the same call with the same key
// within 24 hours answers what the first one did, and another call with the
// same key is a rota.Conflict. [Keys.Create] does not take one: the server does
// not keep the secret that it would have to answer again.
func IdempotencyKey(key string) CallOption {
	return func(o *callOptions) { o.header.Set("Idempotency-Key", key) }
}

// OnlyDeleted lets [Agents.List] answer the deleted agents instead of the others.
func OnlyDeleted() CallOption {
	return func(o *callOptions) { o.query.Set("deleted", "true") }
}

// OfEndUser lets a list across agents answer what an end user has, or with "*" what
// the account and all of its end users have, in place of the client's own. It needs
// the scope read:account.
func OfEndUser(user string) CallOption {
	return func(o *callOptions) { o.query.Set("end_user", user) }
}

// DescendsFrom lets [Keys.List] answer the keys that descend from a key: those that it
// has made, those that these have made, and so on.
func DescendsFrom(id rota.KeyID) CallOption {
	return func(o *callOptions) { o.query.Set("descends_from", string(id)) }
}

// ActFor lets one call act for an end user, as [OnBehalfOf] lets all calls of a client.
func ActFor(user string) CallOption {
	return func(o *callOptions) { o.header.Set("X-On-Behalf-Of", user) }
}

// WithDescendants lets [Keys.Revoke] end the keys that descend from a key as well.
func WithDescendants() CallOption {
	return func(o *callOptions) { o.query.Set("descendants", "true") }
}

// IncludeDeleted lets [Schedules.Get] answer a schedule that is deleted.
func IncludeDeleted() CallOption {
	return func(o *callOptions) { o.query.Set("include_deleted", "true") }
}

// Recent lets the calls that return schedules return their last ten occurrences too.
func Recent() CallOption {
	return func(o *callOptions) { o.query.Set("expand", "recent") }
}

// AfterEvent lets [Runs.Events] begin after the event with this id.
func AfterEvent(id string) CallOption {
	return func(o *callOptions) { o.header.Set("Last-Event-ID", id) }
}

// Body sends raw, which must be JSON, as it is, in place of the body that the
// method is given.
func Body(raw json.RawMessage) CallOption {
	return func(o *callOptions) { o.body = raw }
}

// Answer also stores the JSON that the server answered in dst, with whatever
// fields this version of the package does not know.
func Answer(dst *json.RawMessage) CallOption {
	return func(o *callOptions) { o.answer = dst }
}

// with adds an option, and leaves the caller's array alone.
func with(opts []CallOption, more CallOption) []CallOption {
	return append(opts[:len(opts):len(opts)], more)
}

// metadata narrows a list to what has all pairs.
func metadata(pairs map[string]string) CallOption {
	return func(o *callOptions) {
		for k, v := range pairs {
			o.query.Set("metadata["+k+"]", v)
		}
	}
}

// page asks for a page of a list. Zero fields are left to the server.
func page(p rota.Page) CallOption {
	return func(o *callOptions) {
		if p.Limit != 0 {
			o.query.Set("limit", strconv.Itoa(p.Limit))
		}
		switch {
		case p.Sort != "" && p.Sort != rota.SortCreated:
			o.query.Set("sort", string(p.Sort))
			if !p.Ascending {
				o.query.Set("order", "desc")
			}
		case p.Ascending:
			o.query.Set("order", "asc")
		}
		if p.Count {
			o.query.Set("count", "true")
		}
		if p.After != "" {
			o.query.Set("after", p.After)
		}
		if p.Offset != 0 {
			o.query.Set("offset", strconv.Itoa(p.Offset))
		}
		if p.Before != "" {
			o.query.Set("before", p.Before)
		}
	}
}
