package rota

import "time"

// ObjectApproval is the value of the member object of an [Approval].
const ObjectApproval = "approval"

// ApprovalLife is how long a request for an approval may be decided.
const ApprovalLife = 7 * 24 * time.Hour

// An ApprovalStatus says what became of a request for an approval.
type ApprovalStatus string

// The statuses of approvals.
const (
	ApprovalPending  ApprovalStatus = "pending"
	ApprovalApproved ApprovalStatus = "approved"
	ApprovalDenied   ApprovalStatus = "denied"
	ApprovalExpired  ApprovalStatus = "expired" // nobody decided in time
)

// An Approval is a call of a tool that is made only if somebody approves it: one of a
// server, a tool and arguments.
type Approval struct {
	Object      string         `json:"object" enum:"approval"`
	ID          string         `json:"id" doc:"That of the item mcp_approval_request."`
	Status      ApprovalStatus `json:"status" enum:"pending,approved,denied,expired"`
	EndUser     *string        `json:"end_user" doc:"The end user whose run or response asked; null for the account itself."`
	AgentID     *AgentID       `json:"agent_id" doc:"Null if a response asked that is of no agent."`
	ScheduleID  *ScheduleID    `json:"schedule_id"`
	RunID       *RunID         `json:"run_id" doc:"The run that asked; null for a response."`
	ResponseID  *ResponseID    `json:"response_id" doc:"The response that asked, if it is kept."`
	ServerLabel string         `json:"server_label"`
	ServerURL   string         `json:"server_url"`
	Name        string         `json:"name" doc:"Of the tool."`
	Arguments   string         `json:"arguments" doc:"As the model wrote them: JSON, if it keeps its word."`
	CreatedAt   Instant        `json:"created_at"`
	ExpiresAt   Instant        `json:"expires_at" doc:"Until when it may be decided."`
	DecidedAt   *Instant       `json:"decided_at"`
	DecidedBy   *string        `json:"decided_by" doc:"The key that decided."`
	Reason      *string        `json:"reason" doc:"Why, in the words of whoever decided."`

	ContinuationID *string `json:"continuation_id" doc:"The run or response that went on with the decision."`

	Owner Owner `json:"-"`
}

// At returns the approval as it stands at an instant.
func (a Approval) At(now time.Time) Approval {
	if a.Status == ApprovalPending && !now.Before(a.ExpiresAt.Time) {
		a.Status = ApprovalExpired
	}
	return a
}

// An ApprovalFilter narrows a list of approvals. The zero value lets all pass.
type ApprovalFilter struct {
	AgentID    AgentID
	ScheduleID ScheduleID
	RunID      RunID
	Status     ApprovalStatus
	Now        time.Time // at which the status is meant
}
