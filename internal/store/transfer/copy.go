package transfer

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// A batch ends with so many rows, or so many bytes of text.
const (
	batchRows  = 1000
	batchBytes = 4 << 20
)

// An Observer is told how a transfer goes. Its methods must not block.
type Observer interface {
	// Ignored is told of the tables that are not of Rota.
	Ignored(tables []string)

	// Resumed is told that the target holds so many rows of an earlier start.
	Resumed(rows int64)

	// Again is told that the copy begins anew, because the source no longer has
	// the rows of a table that an earlier start has copied.
	Again(table string)

	// Copied is told after each batch how much of a table the target has.
	Copied(table string, rows, of int64)

	// Comparing is told before a table is read on both sides.
	Comparing(table string)
}

// A Count is how many rows of a table each side has.
type Count struct {
	Table          string
	Source, Target int64
	Equal          bool // whether each row is the same
}

// Copy makes the target hold what the source holds, and compares them. It goes
// on where an earlier one was cut off. If the two differ afterwards, it returns
// an error that names the table. It returns the counts as far as it came to
// compare.
func Copy(ctx context.Context, from Source, to Target, watch Observer) ([]Count, error) {
	tables, others, err := plan(ctx, from, to)
	if err != nil {
		return nil, err
	}
	if len(others) > 0 {
		watch.Ignored(others)
	}
	if err := from.Freeze(ctx, tables); err != nil {
		return nil, err
	}
	c := copier{from: from, to: to, watch: watch, tables: tables}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	for _, t := range tables {
		if err := c.copy(ctx, t); err != nil {
			return nil, fmt.Errorf("copy the table %s: %w", t.Name, err)
		}
	}
	counts, err := c.compare(ctx)
	if err != nil {
		return counts, err
	}
	return counts, to.Finish(ctx)
}

type copier struct {
	from   Source
	to     Target
	watch  Observer
	tables []Table

	done map[string]part
}

// A part is what the target has of a table: the rows up to a key.
type part struct {
	rows int64
	last []any
}

// begin finds out what the target has. If that is not the beginning of the
// source, it is either another installation, or the source has changed since an
// earlier start.
func (c *copier) begin(ctx context.Context) error {
	differs, err := c.look(ctx)
	switch {
	case err != nil:
		return err
	case differs == "" && c.to.Begun():
		return nil
	case differs == "":
		return c.to.Begin(ctx, c.from.Place())
	case !c.to.Begun():
		return fmt.Errorf("the table %s of the target has rows that the source has not: it holds another installation, or has been used "+
			"since it was copied; give a database that is empty", differs)
	}
	c.watch.Again(differs)
	c.done = nil
	return c.to.Clear(ctx, c.tables)
}

// look reads what the target has, and returns the name of a table of which that
// is not the beginning of what the source has.
func (c *copier) look(ctx context.Context) (differs string, err error) {
	c.done = make(map[string]part)
	var rows int64
	for _, t := range c.tables {
		have, last, err := read(ctx, c.to, t, 0)
		if err != nil {
			return "", err
		}
		if have.rows == 0 {
			continue
		}
		want, _, err := read(ctx, c.from, t, have.rows)
		if err != nil {
			return "", err
		}
		if have != want {
			return t.Name, nil
		}
		c.done[t.Name] = part{have.rows, last}
		rows += have.rows
	}
	if rows > 0 {
		c.watch.Resumed(rows)
	}
	return "", nil
}

// copy adds the rows of a table that the target has not.
func (c *copier) copy(ctx context.Context, t Table) error {
	total, err := c.from.Count(ctx, t)
	if err != nil {
		return err
	}
	done := c.done[t.Name]
	var batch [][]any
	size := 0
	add := func() error {
		if len(batch) > 0 {
			if err := c.to.Add(ctx, t, batch); err != nil {
				return err
			}
		}
		done.rows += int64(len(batch))
		batch, size = nil, 0
		c.watch.Copied(t.Name, done.rows, total)
		return nil
	}
	err = c.from.Rows(ctx, t, done.last, 0, func(row []any) error {
		batch = append(batch, row)
		size += bytes(row)
		if len(batch) < batchRows && size < batchBytes {
			return nil
		}
		return add()
	})
	if err != nil || len(batch) == 0 && done.rows > c.done[t.Name].rows {
		return err
	}
	return add()
}

// bytes returns about how much memory a row takes.
func bytes(row []any) int {
	n := 0
	for _, v := range row {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return n
}

// compare reads every table on both sides.
func (c *copier) compare(ctx context.Context) ([]Count, error) {
	var counts []Count
	var differ error
	for _, t := range c.tables {
		c.watch.Comparing(t.Name)
		source, target, err := both(ctx, c.from, c.to, t)
		if err != nil {
			return counts, fmt.Errorf("compare the table %s: %w", t.Name, err)
		}
		counts = append(counts, Count{Table: t.Name, Source: source.rows, Target: target.rows, Equal: source == target})
		if source != target && differ == nil {
			differ = fmt.Errorf("the table %s of the target is not that of the source (%d rows, and %d in the source)",
				t.Name, target.rows, source.rows)
		}
	}
	return counts, differ
}

// both reads a table on both sides at once.
func both(ctx context.Context, from, to Source, t Table) (source, target digest, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { source, _, err = read(ctx, from, t, 0); return err })
	group.Go(func() (err error) { target, _, err = read(ctx, to, t, 0); return err })
	return source, target, group.Wait()
}
