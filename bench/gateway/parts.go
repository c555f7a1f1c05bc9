package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
)

// warm is how often each target is asked before anything is measured.
const warm = 200

// first measures the time to the first word, each target in turn.
func first(ctx context.Context, all []*target, rounds int, store bool) ([]answers, error) {
	tokens, ends := make([][]time.Duration, len(all)), make([][]time.Duration, len(all))
	for i := range warm + rounds {
		for n := range all {
			n = (n + i) % len(all)
			token, end, err := all[n].once(ctx, question{model: quick, input: word, store: store})
			if err != nil {
				return nil, err
			}
			if i >= warm {
				tokens[n], ends[n] = append(tokens[n], token), append(ends[n], end)
			}
		}
	}
	var out []answers
	for n, t := range all {
		out = append(out, answers{Name: t.name, First: percentiles(tokens[n]), End: percentiles(ends[n])})
	}
	return out, nil
}

// paced measures what comes of many streams at once that their provider paces.
func paced(ctx context.Context, all []*target, o options) ([]flow, error) {
	var out []flow
	for _, t := range all {
		f, err := t.flow(ctx, o)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (t *target) flow(ctx context.Context, o options) (flow, error) {
	q := question{model: fmt.Sprint(steps, o.pace, "-", o.pace*int(o.duration.Seconds())), input: word}
	var mu sync.Mutex // guards late
	var late []time.Duration
	group, ctx := errgroup.WithContext(ctx)
	before, began := t.worked(), time.Now()
	for i := range o.streams {
		group.Go(func() error {
			// Within the time of one delta: streams of people do not beat in time.
			time.Sleep(time.Duration(i) * time.Second / time.Duration(o.pace*o.streams))
			var mine []time.Duration
			err := t.ask(ctx, q, func(delta []byte) {
				due, _ := strconv.ParseInt(strings.TrimSpace(string(delta)), 10, 64)
				mine = append(mine, time.Since(time.Unix(0, due)))
			})
			mu.Lock()
			defer mu.Unlock()
			late = append(late, mine...)
			return err
		})
	}
	err := group.Wait()
	took := time.Since(began)
	return flow{
		Name: t.name, Streams: o.streams, Deltas: len(late), Rate: float64(len(late)) / took.Seconds(), Late: percentiles(late),
		Cores: (t.worked() - before).Seconds() / took.Seconds(),
	}, err
}

// settle is how long targets are left alone before their memory is read.
const settle = 5 * time.Second

// silent measures what streams cost of which nothing comes.
func silent(ctx context.Context, all []*target, n int) ([]quiet, error) {
	var out []quiet
	for _, t := range all {
		for range warm {
			if _, _, err := t.once(ctx, question{model: quick, input: word}); err != nil {
				return nil, err
			}
		}
		time.Sleep(settle)
		q := quiet{Name: t.name, Streams: n, Before: t.memory()}
		if err := t.hush(ctx, n, func() {
			time.Sleep(settle)
			q.After = t.memory()
		}); err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

// hush calls do while n streams are open of which nothing comes any more.
func (t *target) hush(ctx context.Context, n int, do func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range n {
		body, err := t.open(ctx, question{model: mute, input: word})
		if err != nil {
			return err
		}
		defer body.Close()
		if _, err := body.Read(make([]byte, 1)); err != nil { // the provider has begun
			return err
		}
	}
	do()
	return nil
}

// A turn, as it is told.
var (
	asked    = `{"role":"user","content":` + word + `}`
	answered = `{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":` + word + `,"annotations":[]}]}`
)

// turns measures the time to the first word of a response that goes on from many turns,
// and beside it how long the provider takes that is told all of them.
func turns(ctx context.Context, all []*target, n int) (*past, error) {
	direct, through := all[0], all[1]
	var previous string
	told := make([]string, 0, 2*n+1)
	for range n {
		id, err := through.turn(ctx, previous)
		if err != nil {
			return nil, err
		}
		previous = id
		told = append(told, asked, answered)
	}
	p := &past{Turns: n}
	q := question{model: quick, input: "[" + strings.Join(told, ",") + `,{"role":"user","content":"and now?"}]`}
	next := question{model: quick, input: `"and now?"`, more: fmt.Sprintf(`,"previous_response_id":%q`, previous)}
	var plain, after []time.Duration
	for range 200 {
		a, _, err := direct.once(ctx, q)
		if err != nil {
			return nil, err
		}
		b, _, err := through.once(ctx, next)
		if err != nil {
			return nil, err
		}
		plain, after = append(plain, a), append(after, b)
	}
	p.Direct, p.Through = percentiles(plain), percentiles(after)
	p.Assembly = percentiles(assembly(n))
	return p, nil
}

// turn has a turn stored that follows another one, and returns its id.
func (t *target) turn(ctx context.Context, previous string) (id string, err error) {
	more := ""
	if previous != "" {
		more = fmt.Sprintf(`,"previous_response_id":%q`, previous)
	}
	body, err := t.post(ctx, "/responses", fmt.Sprintf(`{"model":%q,"input":%s%s}`, long, word, more))
	if err != nil {
		return "", err
	}
	defer body.Close()
	var response struct{ ID string }
	return response.ID, json.NewDecoder(body).Decode(&response)
}

// assembly takes the time of what is done with turns that have been read, to tell a model
// of them.
func assembly(n int) (took []time.Duration) {
	item := func(raw string) []rota.ItemRecord { return []rota.ItemRecord{{Raw: json.RawMessage(raw)}} }
	var turns []rota.Turn
	for range n {
		turns = append(turns, rota.Turn{Input: item(asked), Output: item(answered)})
	}
	next := answer.Items(item(`{"role":"user","content":"and now?"}`))
	for range 1000 {
		began := time.Now()
		p := answer.NewPast(turns, next, nil)
		_ = p.Input()
		took = append(took, time.Since(began))
	}
	return took
}

// percentiles summarises durations.
func percentiles(d []time.Duration) spread {
	d = slices.Sorted(slices.Values(d))
	at := func(p float64) float64 {
		if len(d) == 0 {
			return 0
		}
		return float64(d[int(p*float64(len(d)-1))].Microseconds()) / 1000
	}
	return spread{at(.5), at(.9), at(.99), at(1)}
}
