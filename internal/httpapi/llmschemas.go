package httpapi

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/rota-run/rota"
)

// The types below say how bodies and answers under /api/v1/llm look. Answers are JSON
// that is kept as it came, so nothing is ever decoded into them.
type (
	// ResponseCreate is the body that has a model answer.
	ResponseCreate struct {
		_                  struct{}          `json:"-" additionalProperties:"true"`
		Model              string            `json:"model" minLength:"1" doc:"The model, as agents name it; auto is the default one."`
		FallbackModels     []string          `json:"fallback_models,omitempty" maxItems:"5" doc:"Models that are asked in order when a call to the one before fails before it has said anything."`
		Input              llmInput          `json:"input,omitempty"`
		Instructions       rota.Any          `json:"instructions,omitempty" doc:"A text for the model, of this response alone."`
		PreviousResponseID *string           `json:"previous_response_id,omitempty" doc:"The response to go on from. Not together with conversation."`
		Conversation       rota.Conversation `json:"conversation,omitempty"`
		Store              bool              `json:"store,omitempty" default:"true" doc:"Whether the response is kept, and can be fetched and gone on from."`
		Background         bool              `json:"background,omitempty" default:"false" doc:"Answers at once; the response is worked on whether its caller is there or not. Needs store."`
		Stream             bool              `json:"stream,omitempty" default:"false" doc:"Answers with server-sent events."`
		Metadata           map[string]string `json:"metadata,omitempty"`
	}

	// Response is an answer of a model.
	Response struct {
		ID                 string            `json:"id"`
		Object             string            `json:"object" enum:"response"`
		CreatedAt          int64             `json:"created_at" doc:"Unix seconds."`
		Status             string            `json:"status" enum:"queued,in_progress,completed,incomplete,failed,cancelled"`
		CompletedAt        *int64            `json:"completed_at" doc:"Unix seconds."`
		Error              *ResponseFailure  `json:"error"`
		IncompleteDetails  *IncompleteInfo   `json:"incomplete_details"`
		Model              string            `json:"model"`
		PreviousResponseID *string           `json:"previous_response_id"`
		Instructions       rota.Any          `json:"instructions"`
		Output             []ResponseItem    `json:"output" nullable:"false"`
		Tools              []rota.Object     `json:"tools" nullable:"false"`
		ToolChoice         rota.Any          `json:"tool_choice"`
		ParallelToolCalls  bool              `json:"parallel_tool_calls"`
		MaxToolCalls       *int64            `json:"max_tool_calls"`
		MaxOutputTokens    *int64            `json:"max_output_tokens"`
		Text               rota.Object       `json:"text"`
		Reasoning          rota.Any          `json:"reasoning"`
		Temperature        float64           `json:"temperature"`
		TopP               float64           `json:"top_p"`
		TopLogprobs        int64             `json:"top_logprobs"`
		PresencePenalty    float64           `json:"presence_penalty"`
		FrequencyPenalty   float64           `json:"frequency_penalty"`
		Truncation         string            `json:"truncation"`
		Store              bool              `json:"store"`
		Background         bool              `json:"background"`
		ServiceTier        string            `json:"service_tier"`
		Metadata           map[string]string `json:"metadata"`
		SafetyIdentifier   *string           `json:"safety_identifier"`
		PromptCacheKey     *string           `json:"prompt_cache_key"`
		User               *string           `json:"user"`
		Usage              ResponseUsage     `json:"usage"`
		Conversation       *ConversationRef  `json:"conversation,omitempty" doc:"The conversation that the response is in, if there is one."`
		Sleep              *rota.Sleep       `json:"sleep,omitempty" doc:"What a sleeping response waits for; absent if it does not sleep."`
	}

	// ResponseWakeCreate is the body that wakes a response.
	ResponseWakeCreate struct {
		Input string `json:"input" minLength:"1"`
	}

	// ResponseCompact is the body that has a conversation summed up.
	ResponseCompact struct {
		_                  struct{} `json:"-" additionalProperties:"true"`
		Model              string   `json:"model" minLength:"1" doc:"The model that writes the summary, as agents name it."`
		Input              llmInput `json:"input,omitempty"`
		Instructions       rota.Any `json:"instructions,omitempty" doc:"A text that says what the summary should look to."`
		PreviousResponseID *string  `json:"previous_response_id,omitempty" doc:"The response up to which there is to be summed up."`
	}

	// CompactedResponse is a conversation that was summed up.
	CompactedResponse struct {
		ID        string         `json:"id"`
		Object    string         `json:"object" enum:"response.compaction"`
		CreatedAt int64          `json:"created_at" doc:"Unix seconds."`
		Output    []ResponseItem `json:"output" nullable:"false"`
		Usage     ResponseUsage  `json:"usage"`
	}

	// ResponseFailure says why a response failed.
	ResponseFailure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}

	// IncompleteInfo says what has cut a response short.
	IncompleteInfo struct {
		Reason string `json:"reason"`
	}

	// ResponseUsage counts tokens; zeros where nothing is known.
	ResponseUsage struct {
		InputTokens        int64        `json:"input_tokens"`
		InputTokensDetails InputDetails `json:"input_tokens_details"`

		OutputTokens        int64         `json:"output_tokens"`
		OutputTokensDetails OutputDetails `json:"output_tokens_details"`

		TotalTokens int64 `json:"total_tokens"`
	}

	// InputDetails says what part of the input was cached.
	InputDetails struct {
		CachedTokens int64 `json:"cached_tokens"`
	}

	// OutputDetails says what part of the output was reasoning.
	OutputDetails struct {
		ReasoningTokens int64 `json:"reasoning_tokens"`
	}

	// ConversationRef names a conversation.
	ConversationRef struct {
		ID string `json:"id"`
	}

	// ResponseItem is an item of the Responses API.
	ResponseItem struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Type string   `json:"type"`
		ID   string   `json:"id,omitempty"`
	}

	// MetadataUpdate is the body that replaces the metadata of a response or a
	// conversation.
	MetadataUpdate struct {
		_        struct{}          `json:"-" additionalProperties:"true"`
		Metadata map[string]string `json:"metadata"`
	}

	// LLMDeleted is the answer to a deletion.
	LLMDeleted struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Deleted bool   `json:"deleted"`
	}

	// ConversationCreate is the body that makes a conversation.
	ConversationCreate struct {
		_        struct{}          `json:"-" additionalProperties:"true"`
		Items    []givenItem       `json:"items,omitempty" maxItems:"20"`
		Metadata map[string]string `json:"metadata,omitempty"`
	}

	// ConversationItemsCreate is the body that adds items to a conversation.
	ConversationItemsCreate struct {
		_     struct{}    `json:"-" additionalProperties:"true"`
		Items []givenItem `json:"items" minItems:"1" maxItems:"20" nullable:"false"`
	}

	// ConversationItemsDelete is the body that takes items out of a conversation.
	ConversationItemsDelete struct {
		_       struct{} `json:"-" additionalProperties:"true"`
		ItemIDs []string `json:"item_ids" minItems:"1" maxItems:"100" nullable:"false"`
	}

	// Conversation holds what is said over several responses.
	Conversation struct {
		ID        string            `json:"id"`
		Object    string            `json:"object" enum:"conversation"`
		CreatedAt int64             `json:"created_at" doc:"Unix seconds."`
		DeletedAt *int64            `json:"deleted_at" doc:"Unix seconds."`
		Metadata  map[string]string `json:"metadata"`
	}
)

type llmInput struct{ rota.Any }

func (llmInput) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "What the model is told: a text, or items of the Responses API.",
		OneOf:       []*huma.Schema{text(0, 0), {Type: huma.TypeArray, Items: ref("InputItem")}, null()},
	}
}

// A givenItem is an item as callers may give it: a message needs no type.
type givenItem struct{}

func (givenItem) Schema(huma.Registry) *huma.Schema { return ref("InputItem") }
