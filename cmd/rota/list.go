package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

// maxPage is the most that the server gives at once.
const maxPage = 100

// listFlags choose a part of a list.
type listFlags struct {
	Limit  int    `placeholder:"N" help:"How many at once, 1 to 100; the server's default is 20."`
	Order  string `enum:"asc,desc" default:"desc" placeholder:"ORDER" help:"By time: asc or desc [${default}]."`
	After  string `placeholder:"ID" help:"Only what follows this one."`
	Before string `placeholder:"ID" xor:"part" help:"Only what precedes this one."`
	All    bool   `xor:"part" help:"The list to its end."`
	Offset int    `kong:"-"` // see offsetFlags
	Sort   string `kong:"-"` // see sortedFlags
	Count  bool   `kong:"-"` // see totalFlag
}

// offsetFlags are listFlags of a list that can be read by offset as well.
type offsetFlags struct {
	listFlags
	PassOver int `name:"offset" placeholder:"N" help:"How many to pass over; not together with --after or --before."`
}

func (l offsetFlags) part() listFlags {
	l.Offset = l.PassOver
	return l.listFlags
}

// sortedFlags are listFlags of a list of schedules, which has other orders than that of
// creation.
type sortedFlags struct {
	Limit  int     `placeholder:"N" help:"How many at once, 1 to 100; the server's default is 20."`
	Sort   string  `enum:"created_at,name,next_run_at" default:"created_at" placeholder:"FIELD" help:"In the order of: created_at, name or next_run_at [${default}]."`
	Order  *string `enum:"asc,desc" placeholder:"ORDER" help:"asc or desc; by created_at desc, by the others asc, unless said otherwise."`
	After  string  `placeholder:"CURSOR" help:"Only what follows this one."`
	Before string  `placeholder:"CURSOR" xor:"part" help:"Only what precedes this one."`
	All    bool    `xor:"part" help:"The list to its end."`
}

func (f sortedFlags) part() listFlags {
	l := listFlags{Limit: f.Limit, After: f.After, Before: f.Before, All: f.All, Order: "asc", Sort: f.Sort}
	if f.Sort == string(rota.SortCreated) {
		l.Order, l.Sort = "desc", ""
	}
	if f.Order != nil {
		l.Order = *f.Order
	}
	return l
}

// agentListFlags are listFlags of the list of agents.
type agentListFlags struct {
	Limit    int     `placeholder:"N" help:"How many at once, 1 to 100; the server's default is 20."`
	Sort     string  `enum:"created_at,name" default:"created_at" placeholder:"FIELD" help:"In the order of: created_at or name [${default}]."`
	Order    *string `enum:"asc,desc" placeholder:"ORDER" help:"asc or desc; by created_at desc, by name asc, unless said otherwise."`
	After    string  `placeholder:"CURSOR" help:"Only what follows this one."`
	Before   string  `placeholder:"CURSOR" xor:"part" help:"Only what precedes this one."`
	All      bool    `xor:"part" help:"The list to its end."`
	PassOver int     `name:"offset" placeholder:"N" help:"How many to pass over; not together with --after or --before."`
}

func (f agentListFlags) part() listFlags {
	l := sortedFlags{Limit: f.Limit, Sort: f.Sort, Order: f.Order, After: f.After, Before: f.Before, All: f.All}.part()
	l.Offset = f.PassOver
	return l
}

// totalFlag asks for the number of what a list has.
type totalFlag struct {
	Count bool `help:"Say how many there are in all, up to 10000."`
}

// of adds the question to a part of a list.
func (f totalFlag) of(l listFlags) listFlags {
	l.Count = f.Count
	return l
}

// searchFlags narrow a list by what its rows say.
type searchFlags struct {
	Search   string            `placeholder:"TEXT" help:"Only those with this in what people write of them, or in an error; capitals do not count."`
	Metadata map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Only those with this note; may be repeated, and then with all of them."`
}

func (l listFlags) page() rota.Page {
	p := rota.Page{Limit: l.Limit, Ascending: l.Order == "asc", After: l.After, Before: l.Before, Offset: l.Offset, Sort: rota.Sort(l.Sort), Count: l.Count}
	if l.All && p.Limit == 0 {
		p.Limit = maxPage
	}
	return p
}

// many prints a page of a list, or all of it: as a table, or as the server
// sent it. The calls of fetch must have the options s.call.
func many[T any](s *session, l listFlags, columns []column[T], fetch func(rota.Page) (rota.List[T], error)) error {
	switch {
	case s.json && l.All:
		return printAll(s, l.page(), fetch)
	case s.json:
		return show[rota.List[T]](s, nil)(fetch(l.page()))
	}
	if len(s.fields) > 0 {
		list, err := gatherRaw(s, l.page(), l.All, fetch)
		if err == nil {
			_, err = pick(list.Data, s.fields) // which knows what is no field
		}
		if err != nil {
			return err
		}
		return printPage(s, l, fieldColumns(s.fields), list)
	}
	list, err := gather(l.page(), l.All, fetch)
	if err != nil {
		return err
	}
	return printPage(s, l, columns, list)
}

// printPage prints a page of a list as a table, and what there is to say of it.
func printPage[T any](s *session, l listFlags, columns []column[T], list rota.List[T]) error {
	if err := printTable(s.out, s.width, columns, list.Data); err != nil {
		return err
	}
	notes := countText(list.Count, list.CountIsMinimum) + hint(l, list.HasMore, list.FirstID, list.LastID)
	for _, w := range list.Warnings {
		notes += clean(w.Message) + "\n"
	}
	_, err := io.WriteString(s.err, notes)
	return err
}

// countText says how many there are in all, if that was asked for.
func countText(n *int64, minimum bool) string {
	switch {
	case n == nil:
		return ""
	case minimum:
		return "count: " + number(n) + " or more\n"
	}
	return "count: " + number(n) + "\n"
}

// printAll prints a list to its end as JSON, each thing as the server sent it.
func printAll[T any](s *session, p rota.Page, fetch func(rota.Page) (rota.List[T], error)) error {
	list, err := gatherRaw(s, p, true, fetch)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(list); err != nil {
		return err
	}
	return s.printJSON(b.Bytes())
}

// gatherRaw is gather for the things as the server sent them.
func gatherRaw[T any](s *session, p rota.Page, all bool, fetch func(rota.Page) (rota.List[T], error)) (rota.List[json.RawMessage], error) {
	return gather(p, all, func(p rota.Page) (rota.List[json.RawMessage], error) {
		var page rota.List[json.RawMessage]
		if _, err := fetch(p); err != nil {
			return page, err
		}
		return page, json.Unmarshal(s.answer, &page)
	})
}

// gather returns a page of a list, or all from there on as one.
func gather[T any](p rota.Page, all bool, fetch func(rota.Page) (rota.List[T], error)) (rota.List[T], error) {
	var list rota.List[T]
	for page, err := range client.Pages(p, fetch) {
		if err != nil {
			return list, err
		}
		list = join(list, page)
		if !all {
			break
		}
	}
	return list, nil
}

// join returns two pages that follow each other as one.
func join[T any](a, b rota.List[T]) rota.List[T] {
	if len(a.Data) == 0 {
		return b
	}
	a.Data = append(a.Data, b.Data...)
	a.HasMore, a.Warnings = b.HasMore, b.Warnings
	if b.LastID != nil {
		a.LastID = b.LastID
	}
	return a
}

// hint says how to see what follows a page.
func hint(l listFlags, more bool, first, last *string) string {
	switch {
	case !more:
		return ""
	case l.Before != "" && first != nil:
		return "more: --before " + *first + "\n"
	case last != nil:
		return "more: --after " + *last + "\n"
	}
	return ""
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
