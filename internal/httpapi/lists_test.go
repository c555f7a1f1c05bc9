package httpapi_test

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// listed is the part of a list that pages are about.
type listed struct {
	Data    []struct{ ID string }
	FirstID *string `json:"first_id"`
	LastID  *string `json:"last_id"`
	HasMore bool    `json:"has_more"`
}

func (l listed) ids() []string {
	var ids []string
	for _, o := range l.Data {
		ids = append(ids, o.ID)
	}
	return ids
}

// walk reads a list page by page, in the direction of the cursor, and returns
// the ids in the order of the list.
func (c caller) walk(path, query, cursor string) []string {
	c.t.Helper()
	var all []string
	target := path + "?" + query
	for {
		page := read[listed](c.send(http.MethodGet, target, "").is(http.StatusOK))
		ids := page.ids()
		require.NotEmpty(c.t, ids, "has_more promised something")
		require.Equal(c.t, ids[0], *page.FirstID)
		require.Equal(c.t, ids[len(ids)-1], *page.LastID)
		next := ids[len(ids)-1]
		if cursor == "before" {
			next = ids[0]
			all = append(ids, all...)
		} else {
			all = append(all, ids...)
		}
		if !page.HasMore {
			return all
		}
		target = fmt.Sprintf("%s?%s&%s=%s", path, query, cursor, next)
	}
}

func TestPages(t *testing.T) {
	c := newAPI(t).acme()
	agent, n := c.newAgent("the first"), 0
	lists := map[string]func() string{
		agents:               func() string { return c.newAgent("a") },
		agent + "/schedules": func() string { return c.newSchedule(agent) },
		agent + "/runs":      func() string { return c.newRun(agent) },
		agent + "/versions": func() string {
			n++
			return c.send(http.MethodPost, agent, fmt.Sprintf(`{"name":"%d"}`, n)).is(http.StatusOK).id()
		},
		keys: func() string {
			return c.send(http.MethodPost, keys, `{"name":"k"}`).is(http.StatusCreated).id()
		},
	}
	for path, add := range lists {
		for range 7 {
			add()
		}
		oldest := c.walk(path, "order=asc&limit=100", "after")
		newest := slices.Clone(oldest)
		slices.Reverse(newest)
		require.GreaterOrEqual(t, len(oldest), 7)
		require.True(t, slices.IsSorted(oldest), "by creation")
		require.Equal(t, newest, read[listed](c.send(http.MethodGet, path, "")).ids(), "newest first is the default")
		for _, limit := range []int{1, 2, 3, 7, 8} {
			require.Equal(t, newest, c.walk(path, fmt.Sprintf("limit=%d", limit), "after"), path)
			require.Equal(t, oldest, c.walk(path, fmt.Sprintf("limit=%d&order=asc", limit), "after"), path)
		}

		last := newest[len(newest)-1]
		for _, limit := range []int{1, 2, 3} {
			back := c.walkFrom(path, fmt.Sprintf("limit=%d", limit), last)
			require.Equal(t, newest[:len(newest)-1], back, "backwards from the end of %s", path)
		}
	}
}

// walkFrom walks backwards from an id.
func (c caller) walkFrom(path, query, id string) []string {
	c.t.Helper()
	page := read[listed](c.send(http.MethodGet, fmt.Sprintf("%s?%s&before=%s", path, query, id), "").is(http.StatusOK))
	if !page.HasMore {
		return page.ids()
	}
	return append(c.walkFrom(path, query, page.ids()[0]), page.ids()...)
}

func TestHasMoreIsTrue(t *testing.T) {
	c := newAPI(t).acme()
	empty := read[listed](c.send(http.MethodGet, agents, "").is(http.StatusOK))
	require.Empty(t, empty.Data)
	require.Nil(t, empty.FirstID)
	require.Nil(t, empty.LastID)
	require.False(t, empty.HasMore)

	for range 3 {
		c.newAgent("a")
	}
	for limit, more := range map[int]bool{1: true, 2: true, 3: false, 4: false} {
		page := read[listed](c.send(http.MethodGet, fmt.Sprintf("%s?limit=%d", agents, limit), ""))
		require.Equal(t, more, page.HasMore, "limit %d of 3", limit)
	}
}

// A cursor stays where it is while others write.
func TestPagesAreStable(t *testing.T) {
	c := newAPI(t).acme()
	for range 4 {
		c.newAgent("a")
	}
	first := read[listed](c.send(http.MethodGet, agents+"?limit=2", ""))
	c.newAgent("new")
	c.send(http.MethodDelete, agents+"/"+*first.LastID, "").is(http.StatusOK)
	second := read[listed](c.send(http.MethodGet, agents+"?limit=2&after="+*first.LastID, "").is(http.StatusOK))
	require.Len(t, second.Data, 2)
	require.False(t, second.HasMore)
	for _, id := range second.ids() {
		require.Less(t, id, *first.LastID)
	}
}

// A list has 20 things unless somebody says otherwise.
func TestDefaultLimit(t *testing.T) {
	c := newAPI(t).acme()
	for range 21 {
		c.newAgent("a")
	}
	page := read[listed](c.send(http.MethodGet, agents, ""))
	require.Len(t, page.Data, 20)
	require.True(t, page.HasMore)
	require.IsType(t, rota.AgentID(""), rota.AgentID(*page.FirstID))
}

// An offset counts what is passed over. A cursor beside an offset of 0, which the
// published clients always send, wins.
func TestOffsets(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	ids := func(path string) []string {
		return read[listed](c.send(http.MethodGet, path, "").is(http.StatusOK)).ids()
	}
	for range 4 {
		c.newAgent("a")
		c.newRun(agent)
	}
	for i := range 4 {
		c.send(http.MethodPost, agent, fmt.Sprintf(`{"name":"%d"}`, i)).is(http.StatusOK)
	}
	for _, path := range []string{agents, agent + "/runs", agent + "/versions"} {
		all := ids(path)
		require.Equal(t, all[1:3], ids(path+"?offset=1&limit=2"), path)
		require.Equal(t, all[:2], ids(path+"?offset=0&limit=2"), path)
		require.Empty(t, ids(path+"?offset=5&limit=2"), path)
		require.Equal(t, all[2:], ids(path+"?offset=0&after="+all[1]), path)
		for query, param := range map[string]string{
			"offset=1&after=" + all[1]: "offset", "offset=1&before=" + all[1]: "offset", "offset=-1": "offset", "offset=x": "offset", "offset=": "offset",
		} {
			require.Equal(t, param, c.send(http.MethodGet, path+"?"+query, "").is(http.StatusBadRequest).failure().param(), query)
		}
	}
	require.Equal(t, "offset", c.send(http.MethodGet, agent+"/schedules?offset=1", "").is(http.StatusBadRequest).failure().param())
}

// TestLargePages: a page that is read and written in parts is the same page.
func TestLargePages(t *testing.T) {
	c := newAPI(t).acme()
	runs := c.newAgent("a") + "/runs"
	var up []string
	for range 5 {
		body := `{"input":"` + strings.Repeat("x", 600_000) + `"}`
		up = append(up, read[struct{ ID string }](c.send(http.MethodPost, runs, body).is(http.StatusCreated)).ID)
	}
	down := slices.Clone(up)
	slices.Reverse(down)
	page := func(query string, want []string, more bool) {
		t.Helper()
		l := read[listed](c.send(http.MethodGet, runs+"?"+query, "").is(http.StatusOK))
		require.Equal(t, want, l.ids(), query)
		require.Equal(t, more, l.HasMore, query)
		require.Equal(t, []string{want[0], want[len(want)-1]}, []string{*l.FirstID, *l.LastID}, query)
	}
	page("limit=5", down, false)
	page("limit=4", down[:4], true)
	page("limit=4&offset=1", down[1:], false)
	for order, all := range map[string][]string{"asc": up, "desc": down} {
		page("limit=3&order="+order, all[:3], true)
		page("limit=4&order="+order+"&after="+all[0], all[1:], false)
		page("limit=3&order="+order+"&before="+all[4], all[1:4], true)
		page("limit=4&order="+order+"&before="+all[4], all[:4], false)
		page("limit=1&order="+order+"&before="+all[1], all[:1], false)
	}
	whole := c.send(http.MethodGet, runs+"?limit=5", "").is(http.StatusOK)
	require.True(t, strings.HasPrefix(string(whole.Body), `{"object":"list","data":[{"object":"agent.run","id":"`+down[0]), "in the order of the document")
	require.True(t, strings.HasSuffix(string(whole.Body), `],"first_id":"`+down[0]+`","last_id":"`+down[4]+`","has_more":false}`+"\n"))
}

// TestLargeAnswersInAPage: a run in a page is what it is alone, however large its
// answer is.
func TestLargeAnswersInAPage(t *testing.T) {
	c := newAPI(t).acme()
	runs := c.newAgent("a") + "/runs"
	var alone []map[string]any
	for _, size := range []int{10, 60_000, 70_000, 1_200_000, 2_000_000} {
		run := read[struct{ ID string }](c.send(http.MethodPost, runs, `{"input":"x"}`).is(http.StatusCreated))
		c.finishWith(rota.RunID(run.ID), rota.AnyOf(map[string]string{"id": "resp_1", "text": strings.Repeat("\u2028<é&\"", size/8)}))
		alone = append(alone, c.send(http.MethodGet, runs+"/"+run.ID, "").is(http.StatusOK).object())
	}
	page := read[struct{ Data []map[string]any }](c.send(http.MethodGet, runs+"?order=asc", "").is(http.StatusOK))
	require.True(t, reflect.DeepEqual(alone, page.Data)) // a difference of megabytes tells nobody anything
}
