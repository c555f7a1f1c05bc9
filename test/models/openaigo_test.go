package models

import (
	"context"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/conversations"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/stretchr/testify/require"
)

func newOpenAI(url string) openai.Client {
	return openai.NewClient(option.WithBaseURL(url+"/api/v1/llm"), option.WithAPIKey(rotaKey), option.WithMaxRetries(0))
}

// A goScript calls the gateway with openai-go.
type goScript struct {
	*testing.T
	ctx      context.Context
	client   openai.Client
	protocol string
}

const tiny, slow = "llama/tiny", "slow/any"

func said(s string) responses.ResponseNewParamsInputUnion {
	return responses.ResponseNewParamsInputUnion{OfString: openai.String(s)}
}

func (s goScript) run() {
	first := s.answers(responses.ResponseNewParams{Model: tiny, Input: said("Hi"), Instructions: openai.String("Be brief.")})
	second := s.answers(responses.ResponseNewParams{Model: tiny, Input: said("And then?"), PreviousResponseID: openai.String(first.ID)})
	require.Greater(s, second.Usage.InputTokens, first.Usage.InputTokens)
	s.streams()
	s.tools()
	s.conversation()
	s.background()
	s.errors()
}

func (s goScript) answers(p responses.ResponseNewParams) *responses.Response {
	r, err := s.client.Responses.New(s.ctx, p)
	require.NoError(s, err)
	require.Equal(s, says, r.OutputText())
	require.EqualValues(s, words, r.Usage.OutputTokens)
	same, err := s.client.Responses.Get(s.ctx, r.ID, responses.ResponseGetParams{})
	require.NoError(s, err)
	require.JSONEq(s, r.RawJSON(), same.RawJSON())
	return r
}

func (s goScript) streams() {
	stream := s.client.Responses.NewStreaming(s.ctx, responses.ResponseNewParams{Model: tiny, Input: said("Hi")})
	var events []string
	var words, id string
	for stream.Next() {
		e := stream.Current()
		require.EqualValues(s, len(events), e.SequenceNumber)
		events, words, id = append(events, e.RawJSON()), words+e.Delta, e.Response.ID
	}
	require.NoError(s, stream.Err())
	require.Equal(s, says, words)
	again := s.client.Responses.GetStreaming(s.ctx, id, responses.ResponseGetParams{StartingAfter: openai.Int(4)})
	var rest []string
	for again.Next() {
		rest = append(rest, again.Current().RawJSON())
	}
	require.NoError(s, again.Err())
	require.Equal(s, events[5:], rest)
}

func (s goScript) tools() {
	tools := []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{
		Name: "get_weather", Strict: openai.Bool(true), Parameters: weather["parameters"].(object),
	}}}
	r, err := s.client.Responses.New(s.ctx, responses.ResponseNewParams{Model: tiny, Input: said("The weather in Paris?"), Tools: tools})
	require.NoError(s, err)
	called := r.Output[0].AsFunctionCall()
	require.Equal(s, call, called.Arguments)
	output := responses.ResponseInputItemUnionParam{OfFunctionCallOutput: &responses.ResponseInputItemFunctionCallOutputParam{
		CallID: openai.String(called.CallID), Output: responses.ResponseInputItemFunctionCallOutputOutputUnionParam{OfString: openai.String("sunny")},
	}}
	done, err := s.client.Responses.New(s.ctx, responses.ResponseNewParams{
		Model: tiny, Tools: tools, PreviousResponseID: openai.String(r.ID),
		Input: responses.ResponseNewParamsInputUnion{OfInputItemList: []responses.ResponseInputItemUnionParam{output}},
	})
	require.NoError(s, err)
	require.Equal(s, "The tool said something useful; that is all?", done.OutputText())
}

func (s goScript) conversation() {
	c, err := s.client.Conversations.New(s.ctx, conversations.ConversationNewParams{})
	require.NoError(s, err)
	for range 2 {
		r, err := s.client.Responses.New(s.ctx, responses.ResponseNewParams{
			Model: tiny, Input: said("Hi"), Conversation: responses.ResponseNewParamsConversationUnion{OfString: openai.String(c.ID)},
		})
		require.NoError(s, err)
		require.Equal(s, c.ID, r.Conversation.ID)
	}
	pages := s.client.Conversations.Items.ListAutoPaging(s.ctx, c.ID, conversations.ItemListParams{Limit: openai.Int(3)})
	items := 0
	for pages.Next() {
		items++
	}
	require.NoError(s, pages.Err())
	require.Equal(s, 4, items)
	_, err = s.client.Conversations.Delete(s.ctx, c.ID)
	require.NoError(s, err)
}

func (s goScript) background() {
	r, err := s.client.Responses.New(s.ctx, responses.ResponseNewParams{Model: slow, Input: said("Hi"), Background: openai.Bool(true)})
	require.NoError(s, err)
	require.Equal(s, responses.ResponseStatusQueued, r.Status)
	r, err = s.client.Responses.Cancel(s.ctx, r.ID)
	require.NoError(s, err)
	require.Equal(s, responses.ResponseStatusCancelled, r.Status)
	require.NoError(s, s.client.Responses.Delete(s.ctx, r.ID))
}

func (s goScript) errors() {
	var refused *openai.Error
	_, err := s.client.Responses.New(s.ctx, responses.ResponseNewParams{Model: tiny, Input: said("x"), PreviousResponseID: openai.String("resp_none")})
	require.ErrorAs(s, err, &refused)
	require.Equal(s, 400, refused.StatusCode)
	require.Equal(s, "previous_response_not_found", refused.Code)
	_, err = s.client.Responses.Get(s.ctx, "resp_none", responses.ResponseGetParams{})
	require.ErrorAs(s, err, &refused)
	require.Equal(s, 404, refused.StatusCode)
	models, err := s.client.Models.List(s.ctx)
	require.NoError(s, err)
	require.NotEmpty(s, models.Data)
}
