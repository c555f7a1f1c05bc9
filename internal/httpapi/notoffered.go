package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/rota-run/rota"
)

// notOffered returns an operation that the published API has and Rota has not. why is
// what callers are told.
func notOffered(r Route, tag, summary, why string) *operation {
	op := answers(r, func(context.Context, call) (ErrorBody, error) {
		return ErrorBody{}, rota.Errorf(rota.NotImplemented, "%s", why)
	})
	return op.says(tag, summary, "Not offered by this version: it always answers 501.")
}

// A part is a part of the published API that Rota has not.
type part struct{ root, first, operation, what, instead string }

// absentParts are those under /api/v1/llm.
var absentParts = []part{
	{"/skills", "/skills", "list_skills", "skills", "say in the instructions of an agent what it should know"},
	{"/files", "/files", "list_files", "files", "send a file in the input of a response, as file_data"},
	{"/evals", "/evals/suites", "list_eval_suites", "evals", "schedule an agent, and read its runs"},
}

func (p part) why() string { return p.what + " are not offered by this version: " + p.instead }

// absentOperations are the first of each part that Rota has not, for the document.
func (a *api) absentOperations() []*operation {
	ops := make([]*operation, len(absentParts))
	for i, p := range absentParts {
		r := Route{http.MethodGet, llmPath + p.first, rota.ReadResponses, http.StatusNotImplemented, p.operation}
		ops[i] = notOffered(r, "NotOffered", "List "+p.what, p.why())
		ops[i].about = "Not offered by this version: this and every other path that begins with `" + llmPath + p.root + "` answers 501."
	}
	return ops
}

// addAbsent answers everything else of the parts that Rota has not.
func (a *api) addAbsent() {
	for i, op := range a.absentOperations() {
		root := llmPath + absentParts[i].root
		a.mux.Handle(root+"/", a.handler(op))
		if strings.HasSuffix(op.Path, absentParts[i].root) {
			a.mux.Handle(root, a.handler(op))
		}
	}
}
