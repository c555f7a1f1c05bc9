package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/store/sqlite"
)

func customer(i int) string { return fmt.Sprint("customer-", i) }

const day = 24 * time.Hour

// A row is one of a table, by column.
type row map[string]any

// A copier adds rows to a table that are like one that is there.
type copier struct {
	like    row
	columns []string
	insert  *sql.Stmt
}

func newCopier(ctx context.Context, tx *sql.Tx, table string) (*copier, error) {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+table+" LIMIT 1")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	c := &copier{like: row{}}
	if c.columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	values, to := make([]any, len(c.columns)), make([]any, len(c.columns))
	for i := range to {
		to[i] = &values[i]
	}
	if !rows.Next() {
		return nil, fmt.Errorf("table %s is empty", table)
	}
	if err := rows.Scan(to...); err != nil {
		return nil, err
	}
	for i, name := range c.columns {
		c.like[name] = values[i]
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(c.columns)), ",")
	c.insert, err = tx.PrepareContext(ctx, "INSERT INTO "+table+" VALUES ("+marks+")")
	return c, err
}

// add adds a row that differs in some columns.
func (c *copier) add(ctx context.Context, differs row) error {
	values := make([]any, len(c.columns))
	for i, name := range c.columns {
		v, ok := differs[name]
		if !ok {
			v = c.like[name]
		}
		values[i] = v
	}
	_, err := c.insert.ExecContext(ctx, values...)
	return err
}

// fill makes an agent for each end user with one schedule that has run once, and copies
// those.
func fill(ctx context.Context, o options) error {
	var agents []rota.Agent
	err := serving(ctx, o.dir, func(ctx context.Context, url string) (err error) {
		agents, err = examples(ctx, url, o.endUsers)
		return err
	})
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", filepath.Join(o.dir, sqlite.FileName)+"?_pragma=synchronous(0)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := copies(ctx, tx, o, agents); err != nil {
		return err
	}
	return tx.Commit()
}

// examples makes an agent for each end user, and one schedule, which runs once.
func examples(ctx context.Context, url string, users int) (agents []rota.Agent, err error) {
	for i := range users {
		c := client.New(url, key, client.OnBehalfOf(customer(i)))
		a, err := c.Agents.Create(ctx, rota.AgentCreate{Name: "Clerk", Model: "echo", Instructions: rota.Some("You sum up the news.")})
		if err != nil {
			return nil, err
		}
		agents = append(agents, a)
		if i > 0 {
			continue
		}
		s, err := c.Schedules.Create(ctx, a.ID, rota.ScheduleCreate{
			Name: rota.Some("The morning report"), Input: rota.InputText("Anything new?"), Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 86400},
		})
		if err != nil {
			return nil, err
		}
		fired, err := c.Schedules.Trigger(ctx, a.ID, s.ID)
		for r := (rota.Run{}); err == nil && r.CompletedAt == nil; {
			r, err = c.Runs.Get(ctx, a.ID, *fired.RunID)
		}
		if err != nil {
			return nil, err
		}
	}
	return agents, nil
}

// copies adds what o asks for to a database with one of each.
func copies(ctx context.Context, tx *sql.Tx, o options, agents []rota.Agent) error {
	p := plan{calm: o.calm, now: time.Now().Truncate(time.Second), each: o.occurrences / o.schedules}
	p.every = (day / time.Duration(p.each)).Truncate(time.Second)
	for table, c := range map[string]**copier{"schedules": &p.schedules, "timers": &p.timers, "occurrences": &p.occurrences, "runs": &p.runs} {
		var err error
		if *c, err = newCopier(ctx, tx, table); err != nil {
			return err
		}
	}
	for i := range o.schedules - 1 { // one is there
		if err := p.schedule(ctx, i, i%len(agents), agents[i%len(agents)], p.every*time.Duration(i)/time.Duration(o.schedules)); err != nil {
			return err
		}
	}
	return nil
}

// A plan is how copies are made.
type plan struct {
	schedules, timers, occurrences, runs *copier

	calm  bool
	now   time.Time
	each  int           // occurrences of a schedule
	every time.Duration // from one to the next
}

// schedule adds a schedule of an agent that fell due last some time ago, with its
// occurrences. One of 200 fails, and one of 200 is missed.
func (p *plan) schedule(ctx context.Context, i, user int, a rota.Agent, ago time.Duration) error {
	made := p.now.Add(-2 * day).Add(time.Duration(i) * time.Millisecond)
	id, last := rota.NewScheduleID(made), p.now.Add(-ago)
	owner := row{"account": owner, "end_user": customer(user), "agent_id": string(a.ID)}
	if err := p.schedules.add(ctx, with(owner, row{"id": string(id), "key": nil, "name": fmt.Sprintf("Report %06d", i), "created_at": made.UnixMilli()})); err != nil {
		return err
	}
	err := p.timers.add(ctx, with(owner, row{
		"schedule_id": string(id), "spec": fmt.Sprintf(`{"type":"interval","interval_seconds":%d,"timezone":"UTC"}`, int(p.every.Seconds())), "anchor": last.UnixMilli(),
		"next_run_at": last.Add(p.every).UnixMilli(), "due_at": last.Add(p.every).UnixMilli(), "run_count": p.each, "last_run_at": last.UnixMilli(),
	}))
	kind := i % 200
	if p.calm {
		kind = -1
	}
	for k := range p.each {
		if err == nil {
			err = p.occurrence(ctx, with(owner, row{"schedule_id": string(id), "trigger": "schedule"}), id, last.Add(-time.Duration(k)*p.every), kind)
		}
	}
	return err
}

func (p *plan) occurrence(ctx context.Context, common row, id rota.ScheduleID, at time.Time, kind int) error {
	ms := at.UnixMilli()
	o := with(common, row{"id": string(rota.OccurrenceIDAt(id, rota.InstantOf(at))), "scheduled_for": ms, "recorded_at": ms, "lateness_ms": 3})
	if kind == 1 {
		o["outcome"], o["run_id"], o["lateness_ms"] = "missed", nil, nil
		o["reason"] = `{"code":"server_down","message":"no server was running"}`
		return p.occurrences.add(ctx, o)
	}
	run := string(rota.NewRunID(at.Add(time.Duration(randomByte()) * time.Microsecond)))
	o["run_id"] = run
	r := with(common, row{"id": run, "scheduled_for": ms, "created_at": ms, "started_at": ms + 3, "completed_at": ms + 2000})
	if kind == 0 {
		r["phase"], r["response"], r["error_code"], r["error"] = "failed", nil, "provider_error", `{"code":"provider_error","message":"the model is out of order"}`
	}
	if err := p.runs.add(ctx, r); err != nil {
		return err
	}
	return p.occurrences.add(ctx, o)
}

func with(common, more row) row {
	all := row{}
	for _, r := range []row{common, more} {
		for name, v := range r {
			all[name] = v
		}
	}
	return all
}

func randomByte() byte {
	var b [1]byte
	_, _ = rand.Read(b[:]) // it never fails
	return b[0]
}
