package rota

// A Page asks for one page of a list, in the order of creation unless Sort says
// otherwise.
type Page struct {
	Limit     int    // 1..100
	Ascending bool   // oldest first; the default is newest first
	After     string // only what follows this id in the order of the list; may be empty
	Before    string // only what precedes it, the nearest first page; may be empty
	Offset    int    // how many to pass over, 0 or more; not together with After or Before
	Sort      Sort   // what the list is in the order of; not every list has every Sort
	Count     bool   // whether to count what the list has in all, up to MaxCount

	// Look bounds how many rows are looked at for conditions that no index answers; 0 is
	// the list's own bound. A page that ends there goes on, though it may have few rows or
	// none: see List.
	Look int

	// Bytes lets the page end early, after the row with which it has so many bytes;
	// the List is then Cut. What follows is the page After its last row, and Before
	// what it was before. 0 means that the page has all its rows.
	Bytes int
}

// Backwards reports whether the page is read from its end. With After and Before both,
// it is a part of one that was.
func (p Page) Backwards() bool { return p.Before != "" && (p.After == "" || p.Bytes == 0) }

// A Sort is what a list is in the order of.
type Sort string

const (
	SortCreated Sort = "created_at"  // what the empty Sort is
	SortName    Sort = "name"        // by its bytes; what has no name is like one that is empty
	SortNextRun Sort = "next_run_at" // what has no next run follows all others
)

// MaxCount is up to how many rows a list counts.
const MaxCount = 10_000

// A List is one page, as the API answers it. A page of a list with conditions that no
// index answers may have fewer rows than were asked for, or none, while HasMore is true:
// then LastID (FirstID, if Before was given) is how far it has looked.
type List[T any] struct {
	Object  string  `json:"object"` // "list"
	Data    []T     `json:"data"`
	FirstID *string `json:"first_id"`
	LastID  *string `json:"last_id"`
	HasMore bool    `json:"has_more"` // whether the list goes on past this page, in its direction

	// Count is how many rows the list has in all, if that was asked for; with
	// CountIsMinimum there are as many or more.
	Count          *int64 `json:"count,omitzero"`
	CountIsMinimum bool   `json:"count_is_minimum,omitzero"`

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
