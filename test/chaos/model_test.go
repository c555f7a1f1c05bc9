package chaos

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// A model answers every request, sooner or later, and notes it.
type model struct {
	*gatewaytest.Server

	mu    sync.Mutex // guards what follows
	rng   *rand.Rand
	calls map[rota.RunID][]*asked
}

// An asked is one request.
type asked struct {
	key      string
	worker   string // the name of the process that asked
	life     int    // which of its lives
	response string // the id of the answer
	began    time.Time
	answered bool // to the end; the process may have died before it read that
}

func startModel(t *testing.T, rng *rand.Rand) *model {
	m := &model{Server: gatewaytest.New(t), rng: rng, calls: make(map[rota.RunID][]*asked)}
	m.Default(m.answer)
	return m
}

func (m *model) answer(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
	a := &asked{key: c.IdempotencyKey(), response: fmt.Sprintf("resp_%d", c.Number), began: time.Now()}
	path := strings.Split(c.Path, "/") // "", the name, the life, "responses"
	a.worker = path[1]
	a.life, _ = strconv.Atoi(path[2])
	thinks := m.note(rota.RunID(c.Metadata()["rota_run_id"]), a)
	gatewaytest.Stream(gatewaytest.Created(a.response))(w, r, c)
	select {
	case <-time.After(thinks):
	case <-r.Context().Done():
		return
	}
	if _, err := io.WriteString(w, gatewaytest.Completed(a.response, "done")); err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a.answered = true
}

// note notes a request and returns how long the model thinks about it: most of
// the time not long.
func (m *model) note(run rota.RunID, a *asked) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[run] = append(m.calls[run], a)
	if m.rng.IntN(5) == 0 {
		return time.Second + time.Duration(m.rng.IntN(3000))*time.Millisecond
	}
	return time.Duration(m.rng.IntN(400)) * time.Millisecond
}
