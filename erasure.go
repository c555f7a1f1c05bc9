package rota

// ObjectErasure and ObjectRunDeleted are object fields.
const (
	ObjectErasure    = "end_user.deleted"
	ObjectRunDeleted = "agent.run.deleted"
)

// An Erasure says what was deleted with an end user.
type Erasure struct {
	Object        string `json:"object" enum:"end_user.deleted"`
	ID            string `json:"id" doc:"The end user."`
	Deleted       bool   `json:"deleted" doc:"Nothing is left."`
	Agents        int64  `json:"agents"`
	Versions      int64  `json:"versions" doc:"Versions of agents."`
	Schedules     int64  `json:"schedules"`
	Occurrences   int64  `json:"occurrences"`
	Runs          int64  `json:"runs"`
	CancelledRuns int64  `json:"cancelled_runs" doc:"Those of the runs that had not ended."`
	FunctionTools int64  `json:"function_tools"`
	Keys          int64  `json:"keys" doc:"Keys that acted for this end user alone."`
	Answers       int64  `json:"answers" doc:"Answers that were remembered for an Idempotency-Key."`
	Responses     int64  `json:"responses" doc:"Responses of the Responses API."`
	Conversations int64  `json:"conversations"`
	MCPServers    int64  `json:"mcp_servers" doc:"With their credentials."`
	MemoryStores  int64  `json:"memory_stores" doc:"With their notes."`
}

// An ExportLine begins and ends an export of an end user.
type ExportLine struct {
	Object     string  `json:"object" enum:"end_user.export,end_user.export.end"`
	EndUser    string  `json:"end_user"`
	ExportedAt Instant `json:"exported_at"`
	Lines      *int64  `json:"lines,omitempty" doc:"In the last line: how many are between the first and this one."`
}
