package sqlstore

import (
	"context"

	"github.com/rota-run/rota"
)

// notShared is a condition on an agent, aliased a: nobody but its owner may run it.
const notShared = `a.visibility <> 'workspace'`

// noteGuest notes that an end user uses an agent, if that is another owner's.
func (q Queries) noteGuest(ctx context.Context, o rota.Owner, a rota.AgentID) error {
	if o.EndUser == "" {
		return nil
	}
	return q.write(ctx, `INSERT INTO guests (account, end_user) SELECT ?, ? FROM agents a WHERE a.id = ? AND a.end_user <> ?
		ON CONFLICT DO NOTHING`, o.Account, o.EndUser, a, o.EndUser)
}
