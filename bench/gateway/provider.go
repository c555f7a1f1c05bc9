package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The models of the scripted provider.
const (
	quick = "quick"  // says one word at once
	long  = "long"   // says a kilobyte at once
	mute  = "mute"   // begins, and says nothing
	steps = "steps-" // and two numbers: says so many words per second, so many in all
)

// provide is a provider that answers POST /v1/responses as its model's name says, until
// ctx ends. It prints its address.
func provide(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: http.HandlerFunc(respond), ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = web.Close() })
	fmt.Println("http://" + l.Addr().String())
	if err := web.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

func respond(w http.ResponseWriter, r *http.Request) {
	var in struct{ Model string }
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &in) != nil || r.Method != http.MethodPost {
		http.Error(w, `{"error":{"message":"send a response to create"}}`, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	s := &script{w: w, flush: http.NewResponseController(w).Flush, model: in.Model, id: strconv.FormatInt(time.Now().UnixNano(), 10)}
	s.begin()
	pace, count := 0, 1
	if rest, ok := strings.CutPrefix(in.Model, steps); ok {
		fmt.Sscanf(rest, "%d-%d", &pace, &count)
	}
	if in.Model == mute {
		<-r.Context().Done()
		return
	}
	if in.Model == long {
		s.say(strings.Repeat("word ", 200))
	}
	for begun, i := time.Now(), 0; i < count; i++ {
		due := time.Now()
		if pace > 0 {
			due = begun.Add(time.Duration(i+1) * time.Second / time.Duration(pace))
			time.Sleep(time.Until(due))
		}
		s.say(strconv.FormatInt(due.UnixNano(), 10) + " ")
	}
	s.end()
}

// A script writes a stream as OpenAI's API does.
type script struct {
	w     io.Writer
	flush func() error
	model string
	id    string // ends those of the response and its item; no other has it
	seq   int
	text  strings.Builder
}

const (
	itemOf = `{"id":"msg_%s","type":"message","role":"assistant","status":"%s","content":[%s]}`
	partOf = `{"type":"output_text","text":"%s","annotations":[],"logprobs":[]}`
	where  = `"item_id":"msg_%s","output_index":0,"content_index":0,`
)

func (s *script) event(kind, format string, args ...any) {
	fmt.Fprintf(s.w, "event: %s\ndata: {\"type\":%q,\"sequence_number\":%d,"+format+"}\n\n", append([]any{kind, kind, s.seq}, args...)...)
	s.seq++
}

func (s *script) response(status, output, usage string) string {
	return fmt.Sprintf(`{"id":"resp_%s","object":"response","created_at":1,"status":%q,"model":%q,"output":[%s],"usage":%s,`+
		`"error":null,"incomplete_details":null,"instructions":null,"metadata":{},"parallel_tool_calls":true,"temperature":1,"tool_choice":"auto","tools":[],"top_p":1}`,
		s.id, status, s.model, output, usage)
}

func (s *script) begin() {
	s.event("response.created", `"response":%s`, s.response("in_progress", "", "null"))
	s.event("response.in_progress", `"response":%s`, s.response("in_progress", "", "null"))
	s.event("response.output_item.added", `"output_index":0,"item":`+itemOf, s.id, "in_progress", "")
	s.event("response.content_part.added", where+`"part":`+partOf, s.id, "")
	_ = s.flush() // who has gone does not care
}

func (s *script) say(text string) {
	s.text.WriteString(text)
	s.event("response.output_text.delta", where+`"delta":"%s","logprobs":[]`, s.id, text)
	_ = s.flush()
}

func (s *script) end() {
	text := s.text.String()
	part := fmt.Sprintf(partOf, text)
	s.event("response.output_text.done", where+`"text":"%s","logprobs":[]`, s.id, text)
	s.event("response.content_part.done", where+`"part":%s`, s.id, part)
	s.event("response.output_item.done", `"output_index":0,"item":`+itemOf, s.id, "completed", part)
	usage := `{"input_tokens":1,"input_tokens_details":{"cached_tokens":0},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":2}`
	s.event("response.completed", `"response":%s`, s.response("completed", fmt.Sprintf(itemOf, s.id, "completed", part), usage))
}
