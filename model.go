package rota

// A Model is what can be asked under a name, in the shape of the published API. Members of
// which Rota knows nothing are null. Source: contract.md, Responses and Conversations.
type Model struct {
	ID                      string            `json:"id" doc:"What to name as the model of an agent or a response."`
	Object                  string            `json:"object" enum:"model"`
	Created                 int64             `json:"created" doc:"Unix seconds, as the provider says; 0 if it does not."`
	OwnedBy                 string            `json:"owned_by" doc:"The provider that is asked."`
	ModelType               string            `json:"model_type" doc:"llm: others cannot be asked."`
	InputModalities         []string          `json:"input_modalities" nullable:"false"`
	OutputModalities        []string          `json:"output_modalities" nullable:"false"`
	ContextWindow           *int64            `json:"context_window" doc:"Tokens, as the provider says."`
	MaxImageResolution      *Object           `json:"max_image_resolution"`
	MinImageResolution      *Object           `json:"min_image_resolution"`
	EmbeddingDimensionRange *Object           `json:"embedding_dimension_range"`
	ParameterCount          *int64            `json:"parameter_count"`
	ActiveParameterCount    *int64            `json:"active_parameter_count"`
	ReleaseDate             *string           `json:"release_date"`
	ServingLocations        []string          `json:"serving_locations" nullable:"true"`
	Developer               *string           `json:"developer"`
	BaseModel               *string           `json:"base_model"`
	Weights                 *string           `json:"weights"`
	License                 *string           `json:"license"`
	Languages               []string          `json:"languages" nullable:"true"`
	TTS                     *Object           `json:"tts"`
	Limitations             *string           `json:"limitations"`
	Lifecycle               ModelLifecycle    `json:"lifecycle"`
	Capabilities            ModelCapabilities `json:"capabilities"`
}

// ModelLifecycle says where a model is in its life. Rota knows of none that ends.
type ModelLifecycle struct {
	Status       string  `json:"status" doc:"active."`
	DeprecatedAt *string `json:"deprecated_at"`
	RetiresAt    *string `json:"retires_at"`
	Successor    *string `json:"successor"`
}

// ModelCapabilities says which parameters are passed on to a model. Whether it heeds them
// is not known.
type ModelCapabilities struct {
	SupportsTemperature       bool  `json:"supports_temperature"`
	SupportsTopP              bool  `json:"supports_top_p"`
	SupportsReasoning         bool  `json:"supports_reasoning"`
	SupportsReasoningEffort   bool  `json:"supports_reasoning_effort"`
	SupportsStructuredOutputs *bool `json:"supports_structured_outputs"`
}

// NewModel returns a model of a provider that is asked under the id.
func NewModel(id, provider string) Model {
	return Model{
		ID: id, Object: "model", OwnedBy: provider, ModelType: "llm", InputModalities: []string{"text"}, OutputModalities: []string{"text"},
		Lifecycle:    ModelLifecycle{Status: "active"},
		Capabilities: ModelCapabilities{SupportsTemperature: true, SupportsTopP: true, SupportsReasoningEffort: true},
	}
}
