package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A model is a scripted server that answers at once and notes when it was
// asked about which nominal time.
type model struct {
	url    string
	server *http.Server

	mu    sync.Mutex // guards calls
	calls []call
}

type call struct {
	at   time.Time     // the request has arrived
	late time.Duration // since the nominal time
}

// nominal returns the nominal time that a call is about.
func (c call) nominal() time.Time { return c.at.Add(-c.late).Round(time.Millisecond) }

const answer = "data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"%[1]s\",\"object\":\"response\",\"status\":\"in_progress\"}}\n\n" +
	"data: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"item_id\":\"m\",\"output_index\":0,\"content_index\":0,\"delta\":\"done\"}\n\n" +
	"data: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"%[1]s\",\"object\":\"response\",\"status\":\"completed\"," +
	"\"output\":[{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"done\",\"annotations\":[]}]}]," +
	"\"usage\":{\"input_tokens\":1,\"output_tokens\":1,\"total_tokens\":2}}}\n\n"

func startModel() (*model, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &model{url: "http://" + l.Addr().String()}
	m.server = &http.Server{Handler: m, ReadHeaderTimeout: time.Minute}
	go m.server.Serve(l) // ends with Close
	return m, nil
}

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	at := time.Now()
	if err != nil {
		return
	}
	nominal, ok := scheduledFor(body)
	if !ok {
		http.Error(w, "no rota_scheduled_for in the metadata", http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	m.calls = append(m.calls, call{at, at.Sub(nominal)})
	m.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, answer, "resp_"+r.Header.Get("Idempotency-Key"))
}

// scheduledFor finds the nominal time in a request's metadata.
func scheduledFor(body []byte) (time.Time, bool) {
	_, rest, ok := bytes.Cut(body, []byte(`"rota_scheduled_for":"`))
	if !ok {
		return time.Time{}, false
	}
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	t, err := time.Parse(time.RFC3339Nano, string(text))
	return t, err == nil
}

// all returns the calls.
func (m *model) all() []call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// latenesses returns how late the calls were, sorted.
func (m *model) latenesses() []time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []time.Duration
	for _, c := range m.calls {
		out = append(out, c.late)
	}
	slices.Sort(out)
	return out
}
