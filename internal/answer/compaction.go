package answer

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// summing is how a model is told to sum up a conversation.
const summing = `You write the summary of a conversation between a user and an assistant. It takes the place of the conversation: the assistant goes on with nothing else.
Keep what was said and decided, names, numbers, identifiers and exact wording that matter, what tools were called and what came of it, what is still open, and what was asked last.
Do not answer the user, and do not go on with the work. Write the summary alone, as plain text.`

// ReadCompaction reads the body of POST /responses/compact. It returns the request that
// has the model write the summary, which is not kept.
func ReadCompaction(body []byte) (Request, error) {
	if !rawjson.IsObject(body) {
		return Request{}, notAnObject(body)
	}
	o := rawjson.ReadObject(body)
	m := reader{object: o}
	more := m.text("instructions")
	if m.err != nil {
		return Request{}, m.err
	}
	asked := rawjson.Object{{Name: "store", Value: json.RawMessage("false")}, {Name: "instructions", Value: rawjson.String(strings.TrimSpace(summing + "\n" + more))}}
	for _, name := range []string{"model", "input", "previous_response_id", "truncation", "service_tier"} {
		if v := o.Get(name); v != nil {
			asked.Set(name, v)
		}
	}
	r, err := Read(asked.Encode())
	if err == nil {
		ask, _ := responses.ReadItem(userMessage(rawjson.String("Write the summary of the conversation now.")))
		r.Input = append(slices.Clip(r.Input), ask)
	}
	return r, err
}

// Compacted returns the answer to POST /responses/compact, of which response is the one
// that has the summary. The error is [rota.Invalid] if it has none.
func Compacted(response json.RawMessage, model string, now time.Time) (json.RawMessage, error) {
	summary := summaryIn(response)
	if rawjson.Text(rawjson.Get(response, "status")) != responses.Completed || summary == "" {
		why := rawjson.Text(rawjson.Get(rawjson.Get(response, "error"), "message"))
		return nil, rota.InvalidField("model", "has not written a summary: %s", cmp.Or(why, "its answer was empty or was cut off"))
	}
	return rawjson.Object{
		{Name: "id", Value: rawjson.String(string(rota.NewResponseID(now)))},
		{Name: "object", Value: json.RawMessage(`"response.compaction"`)},
		{Name: "created_at", Value: rawjson.Int(now.Unix())},
		{Name: "output", Value: rawjson.EncodeList([]json.RawMessage{responses.NewCompaction(rota.NewItemID("cmp_", now), summary, model)})},
		{Name: "usage", Value: rawjson.Get(response, "usage")},
	}.Encode(), nil
}

// summaryIn returns what the messages of a response say.
func summaryIn(response json.RawMessage) string {
	var text []string
	for _, raw := range rawjson.List(rawjson.Get(response, "output")) {
		if i, err := responses.ReadItem(raw); err == nil && i.Text() != "" {
			text = append(text, i.Text())
		}
	}
	return strings.TrimSpace(strings.Join(text, "\n"))
}
