package transfer

import (
	"context"
	"fmt"
	"slices"
)

// plan returns the tables that both databases have, each after those that it
// refers to and with the columns that both have, and the names of those that one
// of them has. Both databases have the same version of the schema, so those are
// not of Rota.
func plan(ctx context.Context, from, to Source) (tables []Table, others []string, err error) {
	have, err := from.Tables(ctx)
	if err != nil {
		return nil, nil, err
	}
	into, err := to.Tables(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range have {
		i := slices.IndexFunc(into, func(o Table) bool { return o.Name == t.Name })
		if i < 0 {
			others = append(others, t.Name)
			continue
		}
		both, err := common(t, into[i])
		if err != nil {
			return nil, nil, err
		}
		tables = append(tables, both)
		into = slices.Delete(into, i, i+1)
	}
	for _, t := range into {
		others = append(others, t.Name)
	}
	tables, err = sorted(tables)
	return tables, others, err
}

// common returns a table as both databases have it, or an error that says what
// differs.
func common(a, b Table) (Table, error) {
	columns := without(a, b)
	switch {
	case !slices.Equal(columns, without(b, a)):
		return Table{}, fmt.Errorf("the table %s has other columns in the source than in the target: %v and %v", a.Name, a.Columns, b.Columns)
	case !slices.Equal(a.Key, b.Key):
		return Table{}, fmt.Errorf("the table %s has another primary key in the source than in the target: %v and %v", a.Name, a.Key, b.Key)
	case len(a.Key) == 0:
		return Table{}, fmt.Errorf("the table %s has no primary key, and cannot be copied in parts", a.Name)
	}
	for _, c := range columns {
		if c.Kind == "" {
			return Table{}, fmt.Errorf("the column %s of the table %s has a type that cannot be copied", c.Name, a.Name)
		}
	}
	b.Columns = columns
	return b, nil
}

// without returns the columns of a table, except those for an engine outside that
// the other one does not have.
func without(t, other Table) []Column {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c Column) bool {
		return slices.Contains(external(), t.Name+"."+c.Name) && !slices.Contains(other.Columns, c)
	})
}

// external returns the columns that only PostgreSQL has: they are about an engine
// outside, which cannot lead a file. Rows that come from a file have their defaults.
func external() []string {
	return []string{"engine.namespace", "engine.queue", "open_runs.worker_since", "timers.sync_at"}
}

// sorted puts each table after those that it refers to.
func sorted(tables []Table) ([]Table, error) {
	var out []Table
	for len(tables) > 0 {
		i := slices.IndexFunc(tables, func(t Table) bool {
			return !slices.ContainsFunc(tables, func(o Table) bool { return o.Name != t.Name && slices.Contains(t.Refers, o.Name) })
		})
		if i < 0 {
			return nil, fmt.Errorf("the table %s and others refer to each other in a circle", tables[0].Name)
		}
		out = append(out, tables[i])
		tables = slices.Delete(slices.Clone(tables), i, i+1)
	}
	return out, nil
}
