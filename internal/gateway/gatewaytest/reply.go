package gatewaytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// okay is Text("ok"), made once.
var okay = Text("ok")

// Text streams a whole answer in three events: created, one delta, completed.
// The response's id is resp_ and the number of the call.
func Text(answer string) Reply {
	parts := strings.Split(Created("\x00")+Delta(answer)+Completed("\x00", answer), "\x00")
	buffers := sync.Pool{New: func() any { return new([]byte) }}
	return func(w http.ResponseWriter, _ *http.Request, c Call) {
		b := buffers.Get().(*[]byte)
		defer buffers.Put(b)
		*b = append((*b)[:0], parts[0]...)
		for _, part := range parts[1:] {
			*b = appendID(*b, c)
			*b = append(*b, part...)
		}
		head(w)
		_, _ = w.Write(*b) // who has gone does not care
	}
}

func appendID(b []byte, c Call) []byte {
	return strconv.AppendInt(append(b, "resp_"...), int64(c.Number), 10)
}

// Stream sends bytes as an event stream, each argument by itself, and ends it
// properly.
func Stream(chunks ...string) Reply {
	return func(w http.ResponseWriter, _ *http.Request, _ Call) { send(w, chunks) }
}

// Truncate sends bytes as Stream does, and then breaks the connection.
func Truncate(chunks ...string) Reply {
	return func(w http.ResponseWriter, _ *http.Request, _ Call) {
		send(w, chunks)
		panic(http.ErrAbortHandler)
	}
}

// Stall sends bytes as Stream does, and then nothing until release is closed
// or the caller has gone.
func Stall(release <-chan struct{}, chunks ...string) Reply {
	return func(w http.ResponseWriter, r *http.Request, _ Call) {
		send(w, chunks)
		wait(r, release)
	}
}

// Silence answers nothing, not even a status, until release is closed or the
// caller has gone.
func Silence(release <-chan struct{}) Reply {
	return func(_ http.ResponseWriter, r *http.Request, _ Call) { wait(r, release) }
}

// Gate says on entered that the call has come, if that is not nil, and replies
// when release is closed.
func Gate(entered chan<- Call, release <-chan struct{}, reply Reply) Reply {
	return func(w http.ResponseWriter, r *http.Request, c Call) {
		if entered != nil {
			select {
			case entered <- c:
			case <-r.Context().Done():
			}
		}
		wait(r, release)
		reply(w, r, c)
	}
}

// Hangup breaks the connection without an answer.
func Hangup() Reply {
	return func(http.ResponseWriter, *http.Request, Call) { panic(http.ErrAbortHandler) }
}

// Status answers with a status, headers and plain text.
func Status(status int, header map[string]string, body string) Reply {
	return answer(status, "text/plain", header, body)
}

// JSON answers with a status and a body that claims to be JSON.
func JSON(status int, body string) Reply { return answer(status, "application/json", nil, body) }

// HTML answers with a status and a login page.
func HTML(status int) Reply {
	return answer(status, "text/html; charset=utf-8", nil, "<!DOCTYPE html>\n<title>Sign in</title>")
}

func answer(status int, media string, header map[string]string, body string) Reply {
	return func(w http.ResponseWriter, _ *http.Request, _ Call) {
		w.Header().Set("Content-Type", media)
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Data frames JSON as one event.
func Data(json string) string { return "data: " + json + "\n\n" }

// Created is the event that begins a response.
func Created(id string) string {
	return Data(`{"type":"response.created","sequence_number":0,"response":` + response(id, "in_progress", "", "") + `}`)
}

// Delta is an event with text. A text of 2 MB makes an event of that size.
func Delta(text string) string {
	return Data(`{"type":"response.output_text.delta","sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0,"delta":` +
		quote(text) + `}`)
}

// Completed is the event that ends a response with an answer.
func Completed(id, text string) string {
	return Data(`{"type":"response.completed","sequence_number":2,"response":` + Response(id, text) + `}`)
}

// Failed is the event that ends a response with a failure.
func Failed(id, code, message string) string {
	e := `,"error":{"code":` + quote(code) + `,"message":` + quote(message) + `}`
	return Data(`{"type":"response.failed","sequence_number":2,"response":` + response(id, "failed", "", e) + `}`)
}

// Incomplete is the event that ends a response before its answer is whole.
func Incomplete(id, text, reason string) string {
	e := `,"incomplete_details":{"reason":` + quote(reason) + `}`
	return Data(`{"type":"response.incomplete","sequence_number":2,"response":` + response(id, "incomplete", text, e) + `}`)
}

// Response is the response object of an answer.
func Response(id, text string) string {
	return response(id, "completed", text, `,"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}`)
}

func response(id, status, text, more string) string {
	output := `[]`
	if text != "" {
		output = `[{"id":"msg_1","type":"message","role":"assistant","status":"` + status +
			`","content":[{"type":"output_text","text":` + quote(text) + `,"annotations":[]}]}]`
	}
	return fmt.Sprintf(`{"id":"%s","object":"response","created_at":1,"status":"%s","model":"test","output":%s%s}`,
		id, status, output, more)
}

func quote(s string) string {
	b, _ := json.Marshal(s) // of a string: cannot fail
	return string(b)
}

func head(w http.ResponseWriter) { w.Header()["Content-Type"] = []string{"text/event-stream"} }

// send gives up when the caller has gone.
func send(w http.ResponseWriter, chunks []string) {
	head(w)
	_ = http.NewResponseController(w).Flush() // the status, unless it was sent
	for _, chunk := range chunks {
		if _, err := io.WriteString(w, chunk); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

func wait(r *http.Request, release <-chan struct{}) {
	select {
	case <-release:
	case <-r.Context().Done():
	}
}
