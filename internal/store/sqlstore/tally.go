package sqlstore

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// A Pending is what a transaction has counted and not written yet, and what it has
// changed. The counts are written once, before the commit: a row of tally_log for each
// account, which no other transaction changes.
type Pending struct {
	tallies map[tallyKey]*tallied
	noted   noted
}

// A tallyKey is whose tally it is, and of which hour since 1970.
type tallyKey struct {
	account, endUser string
	hour             int64
}

func hourOf(at time.Time) int64 {
	return at.Truncate(rota.TallyBucket).Unix() / int64(rota.TallyBucket/time.Second)
}

func hourMS(hour int64) int64 { return hour * rota.TallyBucket.Milliseconds() }

// A tallied is what was counted of an owner in an hour.
type tallied struct {
	rota.Tally
	errors []rota.ErrorCount
}

func (t *tallied) add(more *tallied) {
	t.Add(more.Tally)
	for _, e := range more.errors {
		t.fail(e)
	}
}

func (t *tallied) fail(more rota.ErrorCount) {
	for i := range t.errors {
		if e := &t.errors[i]; e.Phase == more.Phase && e.Code == more.Code {
			e.Count += more.Count
			return
		}
	}
	t.errors = append(t.errors, more)
}

func (t *tallied) empty() bool { return t.Tally == rota.Tally{} && len(t.errors) == 0 }

// allUsers stands for the end user in the sums of an account. No end user is called so.
const allUsers = "*"

// NewPending returns one with nothing in it.
func NewPending() *Pending { return new(Pending) }

// Merge adds what another one has counted, which must not be used after that.
func (p *Pending) Merge(more *Pending) {
	for _, c := range more.noted.all() {
		p.note(c)
	}
	if len(p.tallies) == 0 {
		p.tallies = more.tallies
		return
	}
	for k, t := range more.tallies {
		p.at(k).add(t)
	}
}

func (p *Pending) at(k tallyKey) *tallied {
	t, ok := p.tallies[k]
	if !ok {
		if p.tallies == nil {
			p.tallies = make(map[tallyKey]*tallied)
		}
		t = new(tallied)
		p.tallies[k] = t
	}
	return t
}

// of reports whether anything has been counted of an owner.
func (p *Pending) of(o rota.Owner) bool {
	for k := range p.tallies {
		if k.account == o.Account && k.endUser == o.EndUser {
			return true
		}
	}
	return false
}

// outcome counts an outcome that was put on record in the place of another one.
func (p *Pending) outcome(o *rota.Occurrence) {
	p.noteOccurrence(o)
	p.count(o, o.Outcome, 1)
	if o.Was != "" {
		p.count(o, o.Was, -1)
	}
}

// count counts an occurrence as if its outcome were another one; sign is 1 or -1.
func (p *Pending) count(o *rota.Occurrence, as rota.Outcome, sign int64) {
	k := tallyKey{account: o.Account, endUser: userOf(o.EndUser)}
	if as == rota.Fired && o.Trigger != rota.TriggerBackfill && o.LatenessMS != nil {
		k.hour = hourOf(o.ScheduledFor.Time)
		p.at(k).Late[rota.LatenessBucket(*o.LatenessMS)] += sign
	}
	o.Counted(func(at time.Time, n int64) {
		k.hour = hourOf(at)
		*p.at(k).Outcome(as) += sign * n
	})
}

// ended counts a run that has ended.
func (p *Pending) ended(o rota.Owner, r rota.Result) {
	t := p.at(tallyKey{o.Account, o.EndUser, hourOf(r.CompletedAt)})
	*t.Phase(r.Phase)++
	if r.Tokens != nil {
		t.Add(rota.Tally{Tokens: *r.Tokens})
	}
	if r.Error != nil {
		t.fail(rota.ErrorCount{Phase: r.Phase, Code: r.Error.Code, Count: 1})
	}
}

// Pending returns what has been counted in the transaction.
func (q Queries) Pending() *Pending { return q.pending }

// Flush writes what has been counted. Whoever makes a transaction calls it before the
// commit.
func (q Queries) Flush(ctx context.Context, p *Pending) error {
	bodies := make(map[string][]byte)
	for k, t := range p.tallies {
		if !t.empty() {
			bodies[k.account] = appendEntry(bodies[k.account], k, t)
		}
	}
	rows := make([][]any, 0, len(bodies))
	for account, body := range bodies {
		rows = append(rows, []any{account, rand.Int64(), body})
	}
	return q.db.Write(ctx, Step{`INSERT INTO tally_log (account, id, body) SELECT ?, ?, ?` + fromEach, rows})
}

// TalliesLogged reports whether FoldTallies has something to do.
func (q Queries) TalliesLogged(ctx context.Context) (bool, error) {
	some, err := all(ctx, q.db, scanText, `SELECT l.account FROM tally_log l WHERE l.account >= '' ORDER BY l.account, l.id LIMIT 1`)
	return len(some) > 0, err
}

// A fold takes so many rows of the log, and goes no further when they have so many bytes.
const (
	foldRows  = 500
	foldBytes = 64 << 10
)

// FoldTallies moves a part of the log, which is bounded, to the tallies, and reports
// whether there was anything. Any number of transactions may do so at the same time.
func (q Queries) FoldTallies(ctx context.Context) (bool, error) { return q.fold(ctx, "") }

// fold folds the beginning of the log, or of that of one account.
func (q Queries) fold(ctx context.Context, account string) (bool, error) {
	last, id, err := q.logged(ctx, account)
	if err != nil || last == "" {
		return false, err
	}
	sums := NewPending()
	err = q.db.Query(ctx, func(row Scanner) error {
		var account string
		var body []byte
		if err := row.Scan(&account, &body); err != nil {
			return err
		}
		return readEntries(account, body, sums.at)
	}, `DELETE FROM tally_log WHERE account >= ? AND (account, id) <= (?, ?) RETURNING account, body`, account, last, id)
	if err != nil {
		return false, err
	}
	for _, k := range sortedKeys(sums.tallies) {
		sums.at(tallyKey{k.account, allUsers, k.hour}).add(sums.tallies[k])
	}
	return true, q.addUp(ctx, sums)
}

// logged returns the last row of the log that a fold takes; no account if there is none.
func (q Queries) logged(ctx context.Context, only string) (account string, id int64, err error) {
	size := 0
	err = q.db.Query(ctx, func(row Scanner) error {
		var of string
		var n int64
		var bytes int
		err := row.Scan(&of, &n, &bytes)
		if size < foldBytes && (only == "" || of == only) {
			account, id = of, n
		}
		size += bytes
		return err
	}, `SELECT l.account, l.id, LENGTH(l.body) FROM tally_log l WHERE l.account >= ? ORDER BY l.account, l.id LIMIT ?`, only, foldRows)
	return account, id, err
}

// addUp adds what was counted to the tallies.
func (q Queries) addUp(ctx context.Context, sums *Pending) error {
	tallies, errors := make([][]any, 0, len(sums.tallies)), [][]any(nil)
	for _, k := range sortedKeys(sums.tallies) {
		t := sums.tallies[k]
		if t.Tally != (rota.Tally{}) {
			tallies = append(tallies, tallyRow(k, t))
		}
		for _, e := range t.errors {
			errors = append(errors, []any{k.account, k.endUser, hourMS(k.hour), e.Phase, e.Code, e.Count})
		}
	}
	return q.db.Write(ctx, Step{addTally(), tallies}, Step{addErrors, errors})
}

// sortedKeys returns keys in an order that all transactions have in common, so that
// none waits for another one that waits for it.
func sortedKeys(m map[tallyKey]*tallied) []tallyKey {
	keys := make([]tallyKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b tallyKey) int {
		return cmp.Or(strings.Compare(a.account, b.account), strings.Compare(a.endUser, b.endUser), cmp.Compare(a.hour, b.hour))
	})
	return keys
}

// tallyColumns returns the columns of the counts, in the order of [rota.Tally.Fields].
func tallyColumns() []string {
	return strings.Fields(`fired skipped_overlap skipped_requested buffered missed blocked completed incomplete failed cancelled
		input_tokens cached_tokens output_tokens reasoning_tokens total_tokens
		late_0 late_1 late_2 late_3 late_4 late_5 late_6 late_7 late_8 late_9
		late_10 late_11 late_12 late_13 late_14 late_15 late_16 late_17 late_18 late_19`)
}

func tallyRow(k tallyKey, t *tallied) []any {
	row := []any{k.account, k.endUser, hourMS(k.hour)}
	for _, n := range t.Fields() {
		row = append(row, *n)
	}
	return row
}

// addTally is the statement that adds a tallyRow.
func addTally() string {
	columns := tallyColumns()
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = c + ` = tallies.` + c + ` + excluded.` + c
	}
	return `INSERT INTO tallies (account, end_user, hour, ` + strings.Join(columns, ", ") + `)
		SELECT ?, ?, ?` + strings.Repeat(`, ?`, len(columns)) + fromEach + `WHERE true
		ON CONFLICT (account, end_user, hour) DO UPDATE SET ` + strings.Join(set, ", ")
}

const addErrors = `INSERT INTO tally_errors (account, end_user, hour, phase, code, count) SELECT ?, ?, ?, ?, ?, ?` + fromEach + `WHERE true
	ON CONFLICT (account, end_user, hour, phase, code) DO UPDATE SET count = tally_errors.count + excluded.count`

// Tallies returns what was counted for owners from one hour up to another, which is not
// part of it. Hours in which nothing was are left out. Besides the hours, it reads all
// of the account's log, which has as much as is counted between two folds. It is one
// statement, so that it sees what a fold moves in one of the two places.
func (q Queries) Tallies(ctx context.Context, o rota.Owners, from, to time.Time) ([]rota.HourTally, error) {
	user := o.EndUser
	if o.All {
		user = allUsers
	}
	hours := NewPending()
	pick := func(k tallyKey) *tallied {
		if at := time.UnixMilli(hourMS(k.hour)); !o.All && k.endUser != user || at.Before(from) || !at.Before(to) {
			return nil
		}
		return hours.at(tallyKey{hour: k.hour})
	}
	columns := tallyColumns()
	const which = ` WHERE t.account = ? AND t.end_user = ? AND t.hour >= ? AND t.hour < ?`
	err := q.db.Query(ctx, func(row Scanner) error { return scanTally(row, o.Account, hours, pick) },
		`SELECT l.body, 0, '', '', 0`+strings.Repeat(`, 0`, len(columns))+` FROM tally_log l WHERE l.account = ?
		UNION ALL SELECT NULL, t.hour, '', '', 0, t.`+strings.Join(columns, ", t.")+` FROM tallies t`+which+`
		UNION ALL SELECT NULL, t.hour, t.phase, t.code, t.count`+strings.Repeat(`, 0`, len(columns))+` FROM tally_errors t`+which,
		o.Account, o.Account, user, from.UnixMilli(), to.UnixMilli(), o.Account, user, from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return nil, err
	}
	var out []rota.HourTally
	for _, k := range sortedKeys(hours.tallies) {
		t := hours.tallies[k]
		slices.SortFunc(t.errors, func(a, b rota.ErrorCount) int {
			return cmp.Or(cmp.Compare(a.Phase, b.Phase), strings.Compare(a.Code, b.Code))
		})
		out = append(out, rota.HourTally{Hour: time.UnixMilli(hourMS(k.hour)).UTC(), Tally: t.Tally, Errors: t.errors})
	}
	return out, nil
}

// scanTally adds a row of Tallies: one of the log, an hour, or an error.
func scanTally(row Scanner, account string, hours *Pending, pick func(tallyKey) *tallied) error {
	var body []byte
	var hour int64
	var e rota.ErrorCount
	var t tallied
	dest := []any{&body, &hour, &e.Phase, &e.Code, &e.Count}
	for _, n := range t.Fields() {
		dest = append(dest, n)
	}
	if err := row.Scan(dest...); err != nil {
		return err
	}
	if body != nil {
		return readEntries(account, body, pick)
	}
	if e.Code != "" || e.Phase != "" {
		t.errors = []rota.ErrorCount{e}
	}
	hours.at(tallyKey{hour: hourOf(time.UnixMilli(hour))}).add(&t)
	return nil
}

// TalliesBefore reports whether there are counts of hours before an instant.
func (q Queries) TalliesBefore(ctx context.Context, before time.Time) (bool, error) {
	for _, query := range []string{
		`SELECT t.account FROM tallies t WHERE t.hour < ? ORDER BY t.hour LIMIT 1`,
		`SELECT t.account FROM tally_errors t WHERE t.hour < ? ORDER BY t.hour LIMIT 1`,
	} {
		some, err := all(ctx, q.db, scanText, query, before.UnixMilli())
		if len(some) > 0 || err != nil {
			return len(some) > 0, err
		}
	}
	return false, nil
}

// DeleteTallies deletes up to limit counts of the hours before an instant, and returns
// how many. Those of the log, which is short, come to be deleted when they have been
// folded.
func (q Queries) DeleteTallies(ctx context.Context, before time.Time, limit int) (int64, error) {
	n, err := q.db.Exec(ctx,
		Single(`DELETE FROM tallies WHERE (account, end_user, hour) IN (SELECT t.account, t.end_user, t.hour FROM tallies t
			WHERE t.hour < ? ORDER BY t.hour LIMIT ?)`, before.UnixMilli(), limit),
		Single(`DELETE FROM tally_errors WHERE (account, end_user, hour, phase, code) IN (SELECT t.account, t.end_user, t.hour, t.phase, t.code
			FROM tally_errors t WHERE t.hour < ? ORDER BY t.hour LIMIT ?)`, before.UnixMilli(), limit))
	if err != nil {
		return 0, err
	}
	return n[0] + n[1], nil
}

// eraseTallies deletes up to limit counts of an end user, and reports whether there
// were any. What the account has in common stays. It folds all of the account's log,
// where the end user may be named.
func (q Queries) eraseTallies(ctx context.Context, o rota.Owner, limit int) (bool, error) {
	for {
		folded, err := q.fold(ctx, o.Account)
		if err != nil {
			return false, err
		}
		if !folded {
			break
		}
	}
	n, err := q.db.Exec(ctx,
		Single(`DELETE FROM tallies WHERE (account, end_user, hour) IN (SELECT t.account, t.end_user, t.hour FROM tallies t
			WHERE t.account = ? AND t.end_user = ? LIMIT ?)`, o.Account, o.EndUser, limit),
		Single(`DELETE FROM tally_errors WHERE (account, end_user, hour, phase, code) IN (SELECT t.account, t.end_user, t.hour, t.phase, t.code
			FROM tally_errors t WHERE t.account = ? AND t.end_user = ? LIMIT ?)`, o.Account, o.EndUser, limit))
	return err == nil && (n[0]+n[1] > 0 || q.pending.of(o)), err
}
