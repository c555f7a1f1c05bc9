package storetest

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// Fill puts an installation into a store that is empty: agents, schedules,
// runs that have ended, failed, wait and work, keys and answers, with text and
// numbers that are easily spoilt. It has n agents, and about four times as many
// runs.
func Fill(t *testing.T, store store.Store, n int) {
	t.Helper()
	w := newWorld(t, store)
	agents := w.fillAgents(n)
	w.fillSchedules(agents)
	w.fillRuns(agents)
	w.at(time.Minute)
	require.NotEmpty(t, w.fire(n, w.once))
	for i, work := range w.claim(4 * n) {
		w.at(time.Minute + time.Duration(i)*time.Millisecond)
		w.fillEnd(i, work.Run.ID)
	}
	w.revokeOne()
	w.fillAnswers()
}

func (w *world) fillAgents(n int) []rota.Agent {
	odd := []string{"", " ", "\u202e\u200b", "\u00e9 and e\u0301", "'; --\\", "\U0001f6b2\U0010ffff\ufeff", strings.Repeat("長", 5000), "\x01\x7f\t"}
	var agents []rota.Agent
	for i := range n {
		a := w.newAgent()
		if i%3 == 0 {
			id, at := a.ID, a.CreatedAt
			a = w.fullAgent()
			a.ID, a.CreatedAt, a.Version = id, at, 1
			a.Instructions = &odd[i/3%len(odd)]
		}
		agents = append(agents, a)
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		for _, a := range agents {
			if err := tx.AddAgent(ctx, w.owner, a); err != nil {
				return err
			}
		}
		return tx.DeleteAgent(ctx, w.owner, agents[1].ID, w.now, w.now)
	})
	return agents
}

func (w *world) fillSchedules(agents []rota.Agent) {
	for i, a := range agents {
		s, t := w.newSchedule(a.ID)
		if i%4 == 0 {
			made := s
			fill(&s, &t)
			s.ID = made.ID
		}
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t})
		})
	}
}

func (w *world) fillRuns(agents []rota.Agent) {
	for i, a := range agents {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			for j := range 3 {
				r := w.newRun(a.ID)
				r.Metadata = map[string]string{"no": strconv.Itoa(3*i + j), "": "\x00"}
				if err := tx.AddRun(ctx, w.owner, r, provider); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// fillEnd ends a run in one of many ways, or not at all.
func (w *world) fillEnd(i int, id rota.RunID) {
	switch i % 7 {
	case 0:
		w.finish(id, w.failed("timeout"))
	case 1:
		w.delay(id, time.Hour, true)
	case 2:
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.SetResponse(ctx, rota.Attempt{Run: id}, "resp_0")
		})
	default:
		w.finish(id, w.completed())
	}
}

func (w *world) revokeOne() {
	w.addKey()
	k := w.addKey()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.RevokeKey(ctx, k.Account, k.ID, w.now)
		return err
	})
}

func (w *world) fillAnswers() {
	for key, body := range map[string][]byte{"": {}, "a": {0}, "ключ": []byte("{}"), "z": {0xff, 0, 0xc3}} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.KeepAnswer(ctx, w.owner, key, rota.Answer{Fingerprint: []byte(key + "f"), Body: body, At: start}, start)
		})
	}
}
