package client

import (
	"iter"

	"github.com/rota-run/rota"
)

// Pages walks a list from page p to its end, one call of fetch per page. It
// stops at the first error, which it yields with an empty page.
//
//	for page, err := range client.Pages(rota.Page{Limit: 100}, func(p rota.Page) (rota.List[rota.Agent], error) {
//		return c.Agents.List(ctx, p)
//	}) { … }
func Pages[T any](p rota.Page, fetch func(rota.Page) (rota.List[T], error)) iter.Seq2[rota.List[T], error] {
	return func(yield func(rota.List[T], error) bool) {
		for {
			l, err := fetch(p)
			if err != nil {
				yield(rota.List[T]{}, err)
				return
			}
			if !yield(l, nil) || !l.HasMore {
				return
			}
			// A list that says that it goes on, and not where, would be
			// walked forever.
			if l.LastID == nil || *l.LastID == p.After {
				yield(rota.List[T]{}, rota.Errorf(rota.Internal, "the list does not say where its next page begins"))
				return
			}
			p.After, p.Offset = *l.LastID, 0
		}
	}
}
