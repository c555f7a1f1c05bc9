package rota

// A Page asks for one page of a list, in the order of creation.
type Page struct {
	Limit     int    // 1..100
	Ascending bool   // oldest first; the default is newest first
	After     string // only what follows this id in the order of the list; may be empty
	Before    string // only what precedes it, the nearest first page; may be empty
	Offset    int    // how many to pass over, 0 or more; not together with After or Before

	// Bytes lets the page end early, after the row with which it has so many bytes;
	// the List is then Cut. What follows is the page After its last row, and Before
	// what it was before. 0 means that the page has all its rows.
	Bytes int
}

// A List is one page, as the API answers it.
type List[T any] struct {
	Object  string  `json:"object"` // "list"
	Data    []T     `json:"data"`
	FirstID *string `json:"first_id"`
	LastID  *string `json:"last_id"`
	HasMore bool    `json:"has_more"` // whether the list goes on past this page, in its direction

	// Warnings say why a list of occurrences is empty; others have none.
	Warnings []Warning `json:"warnings,omitzero"`

	Cut  bool `json:"-"` // the page ended early, and HasMore does not say whether there is more: see Page.Bytes
	Size int  `json:"-"` // about how many bytes its rows have
}

// NewList returns the page that holds data.
func NewList[T any](data []T, id func(T) string, more bool) List[T] {
	l := List[T]{Object: "list", Data: data, HasMore: more}
	if len(data) == 0 {
		l.Data = []T{}
		return l
	}
	first, last := id(data[0]), id(data[len(data)-1])
	l.FirstID, l.LastID = &first, &last
	return l
}

// Deleted is the answer to a deletion.
type Deleted[ID ~string] struct {
	Object  string `json:"object"` // "agent.deleted", "agent.schedule.deleted"
	ID      ID     `json:"id"`
	Deleted bool   `json:"deleted"` // true
}
