package console

import (
	"strings"

	"github.com/rota-run/rota"
)

type approvalsData struct {
	rota.List[rota.Approval]
	Status rota.ApprovalStatus
}

// approvals lists the calls that wait for an approval, or those that somebody has decided.
func (c *console) approvals(v visit) (view, error) {
	d := approvalsData{Status: rota.ApprovalPending}
	if status := v.URL.Query().Get("status"); status != "" {
		d.Status = rota.ApprovalStatus(status)
	}
	var err error
	d.List, err = c.someApprovals(v, d.Status, v.list())
	return view{Template: "approvals", Title: "Approvals", Here: "/approvals", Data: d}, err
}

// maxArguments bounds what a page reads of the arguments of calls, in bytes: a model may
// have written much.
const maxArguments = 1 << 20

func (c *console) someApprovals(v visit, status rota.ApprovalStatus, p rota.Page) (rota.List[rota.Approval], error) {
	p.Bytes = maxArguments
	l, err := c.Control.Approvals(v.Context(), v.who, v.owners(), rota.ApprovalFilter{Status: status}, p)
	l.HasMore = l.HasMore || l.Cut
	return l, err
}

// decide approves or denies the call of a run.
func (c *console) decide(v visit) (string, error) {
	run, err := c.Control.RunByID(v.Context(), v.who, v.runID())
	if err != nil {
		return "", err
	}
	in := rota.MCPApprovalCreate{ApprovalRequestID: v.PostForm.Get("request")}
	switch v.PostForm.Get("decision") {
	case "approve":
		in.Approve = true
	case "deny":
	default:
		return "", rota.InvalidField("decision", "must be approve or deny")
	}
	if why := strings.TrimSpace(v.PostForm.Get("note")); why != "" {
		in.Reason = rota.Some(why)
	}
	_, err = c.Control.DecideMCPApproval(v.Context(), v.who, run.AgentID, run.ID, in, v.write())
	return map[bool]string{true: "approved", false: "denied"}[in.Approve], err
}

// waiting adds the calls that wait for an approval.
func (c *console) waiting(v visit, d *todayData) error {
	var err error
	d.Waiting, err = c.someApprovals(v, rota.ApprovalPending, rota.Page{Limit: most})
	return err
}
