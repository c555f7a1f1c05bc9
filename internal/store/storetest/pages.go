package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var pages = []testCase{
	{"pages of agents", func(w *world) {
		w.pages(func() string { return string(w.addAgent().ID) }, func(p rota.Page) ([]string, bool) {
			l, err := w.store.Agents(w.Context(), w.owner, false, p)
			return listed(w, l, err, func(a rota.Agent) string { return string(a.ID) })
		})
	}},
	{"pages of schedules", func(w *world) {
		a := w.addAgent()
		w.pages(func() string { return string(w.addSchedule(a.ID).ID) }, func(p rota.Page) ([]string, bool) {
			l, err := w.store.Schedules(w.Context(), w.owner, a.ID, p)
			return listed(w, l, err, func(s rota.Schedule) string { return string(s.ID) })
		})
	}},
	{"pages of an owner's schedules", func(w *world) {
		a, b := w.addAgent(), w.addAgent()
		w.pages(func() string {
			a, b = b, a
			return string(w.addSchedule(a.ID).ID)
		}, func(p rota.Page) ([]string, bool) {
			l, err := w.store.AllSchedules(w.Context(), rota.Owners{Owner: w.owner}, rota.ScheduleFilter{}, p)
			return listed(w, l, err, func(s rota.TimedSchedule) string { return string(s.ID) })
		})
	}},
	{"pages of runs", func(w *world) {
		a := w.addAgent()
		w.pages(func() string { return string(w.addRun(a.ID).ID) }, func(p rota.Page) ([]string, bool) {
			l, err := w.store.Runs(w.Context(), w.owner, a.ID, p)
			return listed(w, l, err, func(r rota.Run) string { return string(r.ID) })
		})
	}},
	{"pages of keys", func(w *world) {
		w.pages(func() string { return string(w.addKey().ID) }, func(p rota.Page) ([]string, bool) {
			l, err := w.store.Keys(w.Context(), rota.Owner{Account: w.owner.Account}, p)
			return listed(w, l, err, func(k rota.Key) string { return string(k.ID) })
		})
	}},
	{"pages of occurrences", func(w *world) {
		s := w.addSchedule(w.addAgent().ID)
		w.pages(func() string {
			w.at(w.now.Sub(start) + time.Minute)
			return string(w.fire(1, w.once)[0].Occurrence.ID)
		}, func(p rota.Page) ([]string, bool) {
			l, err := w.store.Occurrences(w.Context(), w.owner, s.AgentID, s.ID, rota.OccurrenceFilter{}, p)
			return listed(w, l, err, func(o rota.Occurrence) string { return string(o.ID) })
		})
	}},
	{"a page is stable while the list grows", stablePages},
}

// listed checks what every list has, and returns its ids.
func listed[T any](w *world, l rota.List[T], err error, id func(T) string) ([]string, bool) {
	w.Helper()
	require.NoError(w, err)
	require.Equal(w, "list", l.Object)
	require.NotNil(w, l.Data, "an empty list is written as []")
	var ids []string
	for _, v := range l.Data {
		ids = append(ids, id(v))
	}
	if len(ids) == 0 {
		require.Nil(w, l.FirstID)
		require.Nil(w, l.LastID)
		return nil, l.HasMore
	}
	require.Equal(w, ids[0], *l.FirstID)
	require.Equal(w, ids[len(ids)-1], *l.LastID)
	return ids, l.HasMore
}

// pages checks every kind of page of a list that begins empty.
func (w *world) pages(add func() string, list func(rota.Page) ([]string, bool)) {
	w.Helper()
	w.page(list, rota.Page{Limit: 1}, nil, false)
	up := []string{add(), add(), add(), add(), add()}
	down := slices.Clone(up)
	slices.Reverse(down)
	for _, asc := range []bool{true, false} {
		all := down
		if asc {
			all = up
		}
		page := func(limit int, after, before string) rota.Page {
			return rota.Page{Limit: limit, Ascending: asc, After: after, Before: before}
		}
		w.page(list, page(100, "", ""), all, false)
		w.page(list, page(5, "", ""), all, false)
		w.page(list, page(4, "", ""), all[:4], true)
		w.page(list, page(1, "", ""), all[:1], true)
		w.page(list, page(2, all[0], ""), all[1:3], true)
		w.page(list, page(2, all[2], ""), all[3:], false)
		w.page(list, page(2, all[4], ""), nil, false)
		w.page(list, page(2, "", all[4]), all[2:4], true)
		w.page(list, page(2, "", all[2]), all[:2], false)
		w.page(list, page(2, "", all[0]), nil, false)
		w.page(list, page(5, all[0], all[4]), all[1:4], false)
		w.page(list, page(1, all[0], all[4]), all[3:4], true)
	}
}

func (w *world) page(list func(rota.Page) ([]string, bool), p rota.Page, want []string, more bool) {
	w.Helper()
	got, gotMore := list(p)
	require.Equal(w, want, got, "%+v", p)
	require.Equal(w, more, gotMore, "has_more of %+v", p)
}

func stablePages(w *world) {
	ids := []rota.AgentID{w.addAgent().ID, w.addAgent().ID, w.addAgent().ID}
	first, err := w.store.Agents(w.Context(), w.owner, false, rota.Page{Limit: 2})
	require.NoError(w, err)
	w.addAgent()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DeleteAgent(ctx, w.owner, ids[1], start, start)
	})
	second, err := w.store.Agents(w.Context(), w.owner, false, rota.Page{Limit: 2, After: *first.LastID})
	require.NoError(w, err)
	require.Len(w, second.Data, 1)
	require.Equal(w, ids[0], second.Data[0].ID, "the cursor works though its row is gone")
}
