package control

import (
	"context"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// ExportPage is how many bytes of rows an export has in memory at once, if there are
// more than that; one row in any case.
const ExportPage = 1 << 20

const exportRows = 100

// ExportReader reads what is exported and nowhere else listed.
type ExportReader interface {
	// SchedulesOf returns up to limit schedules of an owner, also deleted ones, after
	// a schedule, in the order of their ids.
	SchedulesOf(ctx context.Context, o rota.Owner, after rota.ScheduleID, limit int) ([]rota.Schedule, error)
}

// ExportEndUser gives everything that is an end user's to emit, one object after the
// other, between two that are ExportLines: agents with their versions and their runs, runs of agents that are shared,
// function tools, MCP servers with their credentials but no secrets, schedules with their
// versions and occurrences, responses with their
// input, conversations with their items, and keys without their secrets. Those
// that are deleted and not purged yet are among them. What changes meanwhile may be in
// it as it was or as it is. room is asked for memory before a large answer is read, and
// with 0 when that has been emitted. Scope read:account.
func (c *Control) ExportEndUser(ctx context.Context, who auth.Caller, user string, room Room, emit func(any) error) error {
	if err := c.enter(ctx, who, rota.ReadAccount, "export_end_user", on("of_end_user", user)); err != nil {
		return err
	}
	o, err := endUserOf(who, user)
	if err != nil {
		return err
	}
	x := export{c: c, owner: o, room: room, emit: emit}
	line := rota.ExportLine{Object: "end_user.export", EndUser: user, ExportedAt: rota.InstantOf(c.Now())}
	if err := emit(line); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{x.agents, x.runsAsGuest, x.functionTools, x.vault, x.memory, x.schedules, x.responses, x.conversations, x.keys} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	line.Object, line.Lines = "end_user.export.end", &x.lines
	return emit(line)
}

type export struct {
	c     *Control
	owner rota.Owner
	room  Room
	emit  func(any) error
	lines int64
}

func (x *export) line(v any) error {
	x.lines++
	return x.emit(v)
}

// each reads a list to its end, the oldest first.
func each[T any](read func(rota.Page) (rota.List[T], error), do func(T) error) error {
	p := rota.Page{Limit: exportRows, Ascending: true, Bytes: ExportPage}
	for {
		l, err := read(p)
		if err != nil {
			return err
		}
		for _, v := range l.Data {
			if err := do(v); err != nil {
				return err
			}
		}
		if !l.HasMore && !l.Cut || l.LastID == nil {
			return nil
		}
		p.After = *l.LastID
	}
}

// agents gives each agent, and then its versions and its runs.
func (x *export) agents(ctx context.Context) error {
	for _, deleted := range []bool{false, true} {
		if err := each(func(p rota.Page) (rota.List[rota.Agent], error) {
			return x.c.Store.Agents(ctx, x.owner, deleted, p)
		}, func(a rota.Agent) error { return x.agent(ctx, a) }); err != nil {
			return err
		}
	}
	return nil
}

func (x *export) agent(ctx context.Context, a rota.Agent) error {
	if err := x.line(a); err != nil {
		return err
	}
	if err := each(func(p rota.Page) (rota.List[rota.AgentVersion], error) {
		return x.c.Store.AgentVersions(ctx, x.owner, a.ID, p)
	}, func(v rota.AgentVersion) error { return x.line(v) }); err != nil {
		return err
	}
	return x.runs(ctx, a.ID)
}

// responses gives each response, and then the items that went into it.
func (x *export) responses(ctx context.Context) error {
	return each(func(p rota.Page) (rota.List[rota.ResponseRecord], error) { return x.c.Store.Responses(ctx, x.owner, p) },
		func(r rota.ResponseRecord) error {
			if err := x.line(rota.Any{RawMessage: Whole(r)}); err != nil {
				return err
			}
			return x.items(func(p rota.Page) (rota.List[rota.ItemRecord], error) { return x.c.Store.ResponseInput(ctx, r.ID, p) })
		})
}

// conversations gives each conversation, and then its items.
func (x *export) conversations(ctx context.Context) error {
	return each(func(p rota.Page) (rota.List[rota.ConversationRecord], error) {
		return x.c.Store.AllConversations(ctx, rota.Owners{Owner: x.owner}, p)
	},
		func(c rota.ConversationRecord) error {
			if err := x.line(c); err != nil {
				return err
			}
			return x.items(func(p rota.Page) (rota.List[rota.ItemRecord], error) {
				return x.c.Store.ConversationItems(ctx, c.ID, p)
			})
		})
}

func (x *export) items(read func(rota.Page) (rota.List[rota.ItemRecord], error)) error {
	return each(read, func(i rota.ItemRecord) error { return x.line(rota.Any{RawMessage: ShownItem(i)}) })
}

func (x *export) functionTools(ctx context.Context) error {
	return each(func(p rota.Page) (rota.List[rota.FunctionTool], error) {
		return x.c.Store.FunctionTools(ctx, x.owner, p)
	},
		func(f rota.FunctionTool) error { return x.line(f) })
}

// vault gives each MCP server, and then its credentials without their secrets.
func (x *export) vault(ctx context.Context) error {
	return each(func(p rota.Page) (rota.List[rota.MCPServer], error) { return x.c.Store.MCPServers(ctx, x.owner, p) },
		func(s rota.MCPServer) error {
			if err := x.line(s); err != nil {
				return err
			}
			return each(func(p rota.Page) (rota.List[rota.MCPCredential], error) {
				return x.c.Store.MCPCredentials(ctx, x.owner, s.ID, true, p)
			}, func(k rota.MCPCredential) error { return x.line(k) })
		})
}

// memory gives each memory store, and then its entries.
func (x *export) memory(ctx context.Context) error {
	return each(func(p rota.Page) (rota.List[rota.MemoryStore], error) { return x.c.Store.MemoryStores(ctx, x.owner, p) },
		func(m rota.MemoryStore) error {
			if m.Owner != x.owner {
				return nil // the account's
			}
			if err := x.line(m); err != nil {
				return err
			}
			return each(func(p rota.Page) (rota.List[rota.MemoryEntry], error) { return x.c.Store.MemoryEntries(ctx, m.ID, p) },
				func(e rota.MemoryEntry) error { return x.line(e) })
		})
}

// schedules gives each schedule, and then its former versions and its occurrences.
func (x *export) schedules(ctx context.Context) error {
	const atOnce = 10
	for after := rota.ScheduleID(""); ; {
		page, err := x.c.Store.SchedulesOf(ctx, x.owner, after, atOnce)
		if err != nil {
			return err
		}
		for _, s := range page {
			if err := x.line(s); err != nil {
				return err
			}
			if err := x.scheduleVersions(ctx, s); err != nil {
				return err
			}
			if err := x.occurrences(ctx, s); err != nil {
				return err
			}
			after = s.ID
		}
		if len(page) < atOnce {
			return nil
		}
	}
}

func (x *export) scheduleVersions(ctx context.Context, s rota.Schedule) error {
	return each(func(p rota.Page) (rota.List[rota.ScheduleVersion], error) {
		return x.c.Store.ScheduleVersions(ctx, x.owner, s.AgentID, s.ID, p)
	}, func(v rota.ScheduleVersion) error {
		if v.Spec.Type == "" {
			return nil // the schedule itself has it
		}
		return x.line(v)
	})
}

func (x *export) occurrences(ctx context.Context, s rota.Schedule) error {
	return each(func(p rota.Page) (rota.List[rota.Occurrence], error) {
		return x.c.Store.Occurrences(ctx, x.owner, s.AgentID, s.ID, rota.OccurrenceFilter{}, p)
	}, func(o rota.Occurrence) error { return x.line(o) })
}

func (x *export) runs(ctx context.Context, agent rota.AgentID) error {
	return each(func(p rota.Page) (rota.List[rota.Run], error) { return x.c.Store.Runs(ctx, x.owner, agent, p) },
		func(r rota.Run) error { return x.run(ctx, r) })
}

// runsAsGuest gives the runs of agents that are shared with the end user.
func (x *export) runsAsGuest(ctx context.Context) error {
	return each(func(p rota.Page) (rota.List[rota.Run], error) {
		return x.c.Store.AllRuns(ctx, rota.Owners{Owner: x.owner}, rota.RunFilter{Guest: true}, p)
	}, func(r rota.Run) error { return x.run(ctx, r) })
}

func (x *export) run(ctx context.Context, r rota.Run) error {
	if r.Deferred > 0 {
		return x.largeRun(ctx, r)
	}
	return x.line(r)
}

func (x *export) largeRun(ctx context.Context, r rota.Run) error {
	if err := x.room(ctx, r.Deferred); err != nil {
		return err
	}
	r, err := whole(ctx, x.c.Store, auth.Caller{Owner: x.owner}, r)
	if err != nil {
		return err
	}
	if err := x.line(r); err != nil {
		return err
	}
	return x.room(ctx, 0)
}

func (x *export) keys(ctx context.Context) error {
	return each(func(p rota.Page) (rota.List[rota.Key], error) { return x.c.Store.Keys(ctx, x.owner, p) },
		func(k rota.Key) error { return x.line(k) })
}
