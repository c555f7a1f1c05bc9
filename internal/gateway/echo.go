package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	echoGreeting = "This is Rota's built-in stand-in, not a model. You said: "
	echoPieces   = 8 // deltas that an answer is sent in, at most
)

func echoProvider() Provider {
	return Provider{Name: StandIn, BaseURL: "http://" + StandIn, Transport: echo{}}
}

// echo is the stand-in's server. It is a transport, so that what is tried with
// it takes the way that every provider's answers take.
type echo struct{}

// RoundTrip answers POST with a whole stream, and says of every other request
// that there is no such thing.
func (echo) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if req.Method != http.MethodPost {
		return echoAnswer(req, http.StatusNotFound, "application/json", []byte(`{"error":"the stand-in keeps nothing"}`)), nil
	}
	var asked echoRequest
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil {
		return echoAnswer(req, http.StatusBadRequest, "application/json", []byte(`{"error":"the body is not a request"}`)), nil
	}
	return echoAnswer(req, http.StatusOK, "text/event-stream", asked.stream()), nil
}

func echoAnswer(req *http.Request, status int, media string, body []byte) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Request: req,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {media}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

// echoRequest is what the stand-in reads of a request.
type echoRequest struct {
	Model              string            `json:"model"`
	Input              json.RawMessage   `json:"input"`
	Metadata           map[string]string `json:"metadata"`
	PreviousResponseID *string           `json:"previous_response_id"`
}

// said returns the text of the input, one line for every part.
func (r *echoRequest) said() string {
	var parts []string
	collectText(r.Input, inputLevels, &parts)
	return strings.Join(parts, "\n")
}

// inputLevels is how deep texts lie: list, item, its content, part, its text.
const inputLevels = 5

// collectText gathers the texts of an input: a string, an item with a text or
// a content, or a list of those, within the given number of levels.
func collectText(input json.RawMessage, levels int, parts *[]string) {
	var (
		s    string
		list []json.RawMessage
		item struct{ Text, Content json.RawMessage }
	)
	switch {
	case levels == 0:
	case json.Unmarshal(input, &s) == nil:
		if s != "" {
			*parts = append(*parts, s)
		}
	case json.Unmarshal(input, &list) == nil:
		for _, i := range list {
			collectText(i, levels-1, parts)
		}
	case json.Unmarshal(input, &item) == nil:
		collectText(item.Text, levels-1, parts)
		collectText(item.Content, levels-1, parts)
	}
}

// object is a JSON object that is written here and nowhere read.
type object map[string]any

// stream returns the events of the answer.
func (r *echoRequest) stream() []byte {
	said := r.said()
	answer := echoGreeting + said
	s := &echoStream{response: r.response()}
	part := object{"type": "output_text", "text": answer, "annotations": []any{}}
	message := object{
		"id": randomID("msg_"), "type": "message", "role": "assistant", "status": "completed", "content": []any{part},
	}
	s.open(message["id"])
	for _, piece := range pieces(answer, echoPieces) {
		s.text("response.output_text.delta", object{"delta": piece})
	}
	s.text("response.output_text.done", object{"text": answer})
	s.text("response.content_part.done", object{"part": part})
	s.send("response.output_item.done", object{"output_index": 0, "item": message})
	s.response["status"], s.response["output"] = "completed", []any{message}
	s.response["usage"] = usage(len(strings.Fields(said)), len(strings.Fields(answer)))
	s.send("response.completed", object{"response": s.response})
	return s.out.Bytes()
}

func (r *echoRequest) response() object {
	return object{
		"id": randomID("resp_"), "object": "response", "created_at": time.Now().Unix(), "status": "in_progress",
		"model": r.Model, "output": []any{}, "usage": nil, "error": nil, "incomplete_details": nil,
		"metadata": r.Metadata, "previous_response_id": r.PreviousResponseID,
	}
}

// usage counts a word as a token.
func usage(input, output int) object {
	return object{
		"input_tokens": input, "input_tokens_details": object{"cached_tokens": 0},
		"output_tokens": output, "output_tokens_details": object{"reasoning_tokens": 0},
		"total_tokens": input + output,
	}
}

// echoStream writes the events of one response.
type echoStream struct {
	out      bytes.Buffer
	sequence int
	item     any // id of the only item
	response object
}

// open sends what comes before the text.
func (s *echoStream) open(item any) {
	s.item = item
	s.send("response.created", object{"response": s.response})
	s.send("response.in_progress", object{"response": s.response})
	s.send("response.output_item.added", object{"output_index": 0, "item": object{
		"id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": []any{},
	}})
	s.text("response.content_part.added", object{
		"part": object{"type": "output_text", "text": "", "annotations": []any{}},
	})
}

// text sends an event of the only part of the only item.
func (s *echoStream) text(kind string, fields object) {
	fields["item_id"], fields["output_index"], fields["content_index"] = s.item, 0, 0
	s.send(kind, fields)
}

func (s *echoStream) send(kind string, fields object) {
	fields["type"], fields["sequence_number"] = kind, s.sequence
	s.sequence++
	data, _ := json.Marshal(fields) // of strings, numbers and maps: cannot fail
	s.out.WriteString("event: " + kind + "\ndata: ")
	s.out.Write(data)
	s.out.WriteString("\n\n")
}

// pieces cuts text before spaces, into at most n pieces of about equal length
// that together are the text.
func pieces(text string, n int) []string {
	var cuts []string
	size := len(text)/n + 1
	for len(text) > size {
		i := strings.IndexByte(text[size:], ' ')
		if i < 0 {
			break
		}
		cuts = append(cuts, text[:size+i])
		text = text[size+i:]
	}
	return append(cuts, text)
}
