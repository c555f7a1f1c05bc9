package events_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
)

const run = rota.RunID("arun_1")

func appendAll(l *events.Log, seqs ...int64) {
	for _, s := range seqs {
		l.Append(events.Event{Seq: s, Data: []byte(strconv.FormatInt(s, 10))})
	}
}

// rest reads until the log has ended.
func rest(t *testing.T, r *events.Reader) []int64 {
	t.Helper()
	var got []int64
	for {
		e, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return got
		}
		require.NoError(t, err)
		require.Equal(t, strconv.FormatInt(e.Seq, 10), string(e.Data))
		require.Equal(t, e.Seq, r.After())
		got = append(got, e.Seq)
	}
}

func TestReplayAndResume(t *testing.T) {
	h := events.NewHub()
	appendAll(h.Open(run), 0, 1, 2, 5)
	whole, middle, gap, end := h.Read(run, -1), h.Read(run, 1), h.Read(run, 3), h.Read(run, 5)
	h.End(run)
	require.Equal(t, []int64{0, 1, 2, 5}, rest(t, whole))
	require.Equal(t, []int64{2, 5}, rest(t, middle))
	require.Equal(t, []int64{5}, rest(t, gap))
	require.Empty(t, rest(t, end))
	_, err := whole.Next(t.Context())
	require.ErrorIs(t, err, io.EOF, "the end stays the end")
}

// TestAttempts: sequence numbers of a later attempt never repeat.
func TestAttempts(t *testing.T) {
	h := events.NewHub()
	r := h.Read(run, -1)
	appendAll(h.Open(run), events.FirstSeq(1), events.FirstSeq(1)+1)
	appendAll(h.Open(run), events.FirstSeq(2))
	h.End(run)
	require.Equal(t, []int64{0, 1, 1_000_000}, rest(t, r))
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := events.NewHub()
		r := h.Read(run, -1) // before the run starts
		got := make(chan events.Event)
		go func() {
			defer close(got)
			for {
				e, err := r.Next(t.Context())
				if err != nil {
					return
				}
				got <- e
			}
		}()
		synctest.Wait()
		l := h.Open(run)
		synctest.Wait()
		require.Empty(t, got)
		appendAll(l, 0)
		require.EqualValues(t, 0, (<-got).Seq)
		appendAll(l, 1)
		require.EqualValues(t, 1, (<-got).Seq)
		h.End(run)
		_, more := <-got
		require.False(t, more, "the reader ends with the log")
	})
}

func TestNextGivesUp(t *testing.T) {
	h := events.NewHub()
	r := h.Read(run, -1)
	defer r.Close()
	why := errors.New("the reader has left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err := r.Next(ctx)
	require.ErrorIs(t, err, why)
}

// TestSlowReader: what a reader has not fetched does not hold up the worker,
// and is there when the log has ended.
func TestSlowReader(t *testing.T) {
	h := events.NewHub()
	slow, quick := h.Read(run, -1), h.Read(run, -1)
	l := h.Open(run)
	for i := range int64(1000) {
		appendAll(l, i)
		e, err := quick.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, i, e.Seq)
	}
	h.End(run)
	require.Len(t, rest(t, slow), 1000)
}

func TestBound(t *testing.T) {
	h := events.NewHub()
	l := h.Open(run)
	const size = events.MaxLogBytes / 4
	for i := range int64(6) {
		l.Append(events.Event{Seq: i, Data: make([]byte, size)})
	}
	r := h.Read(run, -1)
	var got []int64
	for range 4 {
		e, err := r.Next(t.Context())
		require.NoError(t, err)
		got = append(got, e.Seq)
	}
	require.Equal(t, []int64{2, 3, 4, 5}, got, "the oldest are forgotten")
	l.Append(events.Event{Seq: 6, Data: make([]byte, 2*events.MaxLogBytes)})
	e, err := h.Read(run, -1).Next(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 6, e.Seq, "one event is kept, however large")
}

// TestLogsEnd: the hub keeps no log that nobody works on or reads.
func TestLogsEnd(t *testing.T) {
	h := events.NewHub()
	first, second := h.Read(run, -1), h.Read(run, -1)
	first.Close()
	first.Close()
	require.Equal(t, 1, h.Logs(), "the second still waits")
	second.Close()
	require.Zero(t, h.Logs())

	r := h.Read(run, -1)
	h.Open(run)
	r.Close()
	require.Equal(t, 1, h.Logs(), "the run is worked on")
	h.End(run)
	h.End(run)
	require.Zero(t, h.Logs())

	old := h.Read(run, -1)
	h.End(run)
	again := h.Read(run, -1)
	old.Close()
	require.Equal(t, 1, h.Logs(), "an old reader does not take a new log along")
	again.Close()
	require.Zero(t, h.Logs())
}

func TestConcurrent(t *testing.T) {
	h := events.NewHub()
	const readers, many = 8, 500
	var group sync.WaitGroup
	for range readers {
		r := h.Read(run, -1)
		group.Go(func() {
			defer r.Close()
			for want := int64(0); ; want++ {
				e, err := r.Next(t.Context())
				switch {
				case errors.Is(err, io.EOF):
					if want != many {
						t.Errorf("it ended after %d events", want)
					}
					return
				case err != nil || e.Seq != want:
					t.Errorf("event %d instead of %d: %v", e.Seq, want, err)
					return
				}
			}
		})
	}
	l := h.Open(run)
	for i := range int64(many) {
		appendAll(l, i)
	}
	h.End(run)
	group.Wait()
	require.Zero(t, h.Logs())
}

// hooked returns a hub, and what its hooks have been told.
func hooked() (*events.Hub, *[]string) {
	h, told := events.NewHub(), new([]string)
	h.Hook(events.Hooks{
		Awaited: func(id rota.RunID) { *told = append(*told, "awaited "+string(id)) },
		Opened:  func(id rota.RunID) { *told = append(*told, "opened "+string(id)) },
	})
	return h, told
}

// TestHooks: the hub says what other processes are asked for, and when work
// begins.
func TestHooks(t *testing.T) {
	h, told := hooked()
	first, second := h.Read(run, -1), h.Read(run, -1)
	require.Equal(t, []string{"awaited arun_1"}, *told)
	require.Equal(t, map[rota.RunID]bool{run: true}, h.Idle())
	l := h.Open(run)
	third := h.Read(run, -1)
	require.Equal(t, []string{"awaited arun_1", "opened arun_1"}, *told)
	require.Empty(t, h.Idle())
	again := h.Open(run) // before the attempt that it overtakes has let go
	h.Rest(run, l)
	require.Len(t, *told, 3)
	h.Rest(run, again)
	require.Equal(t, "awaited arun_1", (*told)[3], "somebody still reads")
	for _, r := range []*events.Reader{first, second, third} {
		r.Close()
	}
	require.Equal(t, map[rota.RunID]bool{run: false}, h.Idle(), "the run may go on")
	h.Read(run, -1)
	require.Len(t, *told, 5)

	l = h.Open("arun_2")
	h.End("arun_2")
	h.Read("arun_2", -1)
	h.Rest("arun_2", l)
	require.Equal(t, "awaited arun_2", (*told)[6], "of the new log")
	require.Len(t, *told, 7)
}

// TestReceive: what another process says joins what was said here.
func TestReceive(t *testing.T) {
	h := events.NewHub()
	awaits := func(last int64, ok bool) {
		t.Helper()
		gotLast, gotOK := h.Awaits(run)
		require.Equal(t, ok, gotOK)
		require.Equal(t, last, gotLast)
	}
	awaits(-1, false)
	h.Receive(run, events.Event{Seq: 1})
	require.Zero(t, h.Logs(), "nobody waits for it")
	r := h.Read(run, -1)
	awaits(-1, true)
	l := h.Open(run)
	awaits(-1, false)
	appendAll(l, 0, 1)
	h.Rest(run, l)
	awaits(1, true)
	for _, seq := range []int64{1, 1_000_000, 2} {
		h.Receive(run, events.Event{Seq: seq, Data: []byte(strconv.FormatInt(seq, 10))})
	}
	appendAll(l, 3) // of an attempt that was overtaken
	awaits(1_000_000, true)
	h.End(run)
	require.Equal(t, []int64{0, 1, 1_000_000}, rest(t, r))
}

// TestFollow: a follower gets what this process has said, and does not count
// as a reader.
func TestFollow(t *testing.T) {
	h := events.NewHub()
	_, ok := h.Follow(run)
	require.False(t, ok)
	r := h.Read(run, -1)
	_, ok = h.Follow(run)
	require.False(t, ok, "it is not worked on here")
	appendAll(h.Open(run), 0, 1, 2)
	follower, ok := h.Follow(run)
	require.True(t, ok)
	r.Close()
	_, ok = h.Awaits(run)
	require.False(t, ok)
	h.End(run)

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	two, err := follower.NextAll(gone, 2)
	require.NoError(t, err, "it is there")
	require.Len(t, two, 2)
	one, err := follower.NextAll(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, one, 1)
	_, err = follower.NextAll(t.Context(), 1)
	require.ErrorIs(t, err, io.EOF)
}

// TestAWaitingRunKeepsNoEvents that nobody reads, and its numbers go on.
func TestAWaitingRunKeepsNoEvents(t *testing.T) {
	h := events.NewHub()
	l := h.Open("run")
	l.Append(events.Event{Seq: 5, Data: []byte("{}")})
	h.Rest("run", l)
	l = h.Open("run")
	l.Append(events.Event{Seq: 5, Data: []byte("{}")}) // has been
	l.Append(events.Event{Seq: 6, Data: []byte("{}")})
	r := h.Read("run", -1)
	defer r.Close()
	e, err := r.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(6), e.Seq)
}

// TestAllLogsTogetherAreBounded: the log that grows drops its oldest events.
func TestAllLogsTogetherAreBounded(t *testing.T) {
	h := events.NewHub()
	h.Limit(100)
	a, b := h.Open("a"), h.Open("b")
	a.Append(events.Event{Seq: 1, Data: make([]byte, 90)})
	b.Append(events.Event{Seq: 1, Data: make([]byte, 5)})
	b.Append(events.Event{Seq: 2, Data: make([]byte, 8)})
	r := h.Read("b", -1)
	defer r.Close()
	e, err := r.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(2), e.Seq)
	h.End("a")
	b.Append(events.Event{Seq: 3, Data: make([]byte, 80)})
	e, err = r.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(3), e.Seq)
}
