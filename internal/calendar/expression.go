package calendar

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rota-run/rota"
)

const maxExpression = 256

// descriptors are short forms of expressions.
var descriptors = map[string]string{
	"@hourly":   "0 * * * *",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@weekly":   "0 0 * * 0",
	"@monthly":  "0 0 1 * *",
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
}

// A field describes one of the five fields of an expression.
type field struct {
	name   string
	lo, hi int
	most   int      // the largest number that can be written
	names  []string // of the numbers from lo
}

var (
	monthNames   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

var fields = [5]field{
	{name: "minute", lo: 0, hi: 59, most: 59},
	{name: "hour", lo: 0, hi: 23, most: 23},
	{name: "day-of-month", lo: 1, hi: 31, most: 31},
	{name: "month", lo: 1, hi: 12, most: 12, names: monthNames},
	{name: "day-of-week", lo: 0, hi: 6, most: 7, names: weekdayNames},
}

func refuseExpression(format string, args ...any) error {
	return rota.InvalidField(expressionField, format, args...)
}

// parseExpression compiles an expression with single spaces.
func parseExpression(expression string) (cron, error) {
	texts, err := fiveFields(expression)
	if err != nil {
		return cron{}, err
	}
	var sets [5]uint64
	for i, f := range fields {
		if sets[i], err = f.parse(texts[i]); err != nil {
			return cron{}, refuseExpression("field %d (%s), %q: %v", i+1, f.name, texts[i], err)
		}
	}
	c := cron{
		minutes:  sets[0],
		hours:    uint32(sets[1]),
		days:     uint32(sets[2]),
		months:   uint16(sets[3]),
		weekdays: uint8(sets[4]&0x7f | sets[4]>>7), // 7 is Sunday as well
		either:   texts[2][0] != '*' && texts[4][0] != '*',
		realTime: texts[1][0] == '*',
	}
	if c.never() {
		return cron{}, refuseExpression("%q never matches: no month that it names has such a day", expression)
	}
	return c, nil
}

// fiveFields splits an expression and refuses what other dialects write.
func fiveFields(expression string) ([]string, error) {
	texts := strings.Split(expression, " ")
	first := strings.ToUpper(texts[0])
	switch {
	case expression == "":
		return nil, refuseExpression("the expression is empty; five fields are accepted (minute hour day-of-month month day-of-week), or one of %s", descriptorNames)
	case len(expression) > maxExpression:
		return nil, refuseExpression("the expression is longer than %d characters", maxExpression)
	case strings.HasPrefix(first, "TZ="), strings.HasPrefix(first, "CRON_TZ="):
		return nil, refuseExpression("a zone is not part of the expression; put it into schedule.timezone and leave out %q", texts[0])
	case first[0] == '@':
		return describedFields(expression)
	case len(texts) == 6 || len(texts) == 7:
		return nil, refuseExpression("the expression has %d fields, and five are accepted (minute hour day-of-month month day-of-week); there is none for seconds or years", len(texts))
	case len(texts) != len(fields):
		return nil, refuseExpression("the expression has %d of the five fields that are accepted (minute hour day-of-month month day-of-week)", len(texts))
	}
	return texts, nil
}

const descriptorNames = "@hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"

// describedFields returns the fields that a descriptor stands for.
func describedFields(descriptor string) ([]string, error) {
	switch name, _, _ := strings.Cut(strings.ToLower(descriptor), " "); name {
	case "@every":
		return nil, refuseExpression("@every is not accepted; use the type interval with interval_seconds")
	case "@reboot":
		return nil, refuseExpression("@reboot is not accepted: a schedule does not depend on when the server starts")
	}
	expression, ok := descriptors[strings.ToLower(descriptor)]
	if !ok {
		return nil, refuseExpression("%q is not a descriptor; accepted are %s", descriptor, descriptorNames)
	}
	return strings.Split(expression, " "), nil
}

// parse returns the set of the numbers that a field's text names.
func (f field) parse(text string) (set uint64, err error) {
	for item := range strings.SplitSeq(text, ",") {
		some, err := f.parseItem(item)
		if err != nil {
			return 0, err
		}
		set |= some
	}
	return set, nil
}

// parseItem parses one member of a list: a range, and perhaps a step.
func (f field) parseItem(item string) (set uint64, err error) {
	span, stepText, stepped := strings.Cut(item, "/")
	lo, hi, err := f.parseSpan(span, stepped)
	if err != nil {
		return 0, err
	}
	step := 1
	if stepped {
		if step, err = parseStep(stepText); err != nil {
			return 0, err
		}
	}
	for v := lo; v <= hi; v += step {
		set |= 1 << v
	}
	return set, nil
}

// parseSpan parses the part of an item before the step. A single number with a
// step stands for the range from it to the end of the field.
func (f field) parseSpan(span string, stepped bool) (lo, hi int, err error) {
	if span == "*" {
		return f.lo, f.hi, nil
	}
	from, to, ranged := strings.Cut(span, "-")
	if lo, err = f.parseNumber(from); err != nil {
		return 0, 0, err
	}
	switch {
	case !ranged && stepped:
		return lo, max(lo, f.hi), nil
	case !ranged:
		return lo, lo, nil
	}
	if hi, err = f.parseNumber(to); err != nil {
		return 0, 0, err
	}
	if lo > 0 && hi == 0 && isName(to) { // FRI-SUN
		hi = 7
	}
	if lo > hi {
		return 0, 0, fmt.Errorf("the range %s runs backwards; give the smaller number first, or write two ranges", span)
	}
	return lo, hi, nil
}

func isName(s string) bool { return s[0] > '9' }

func (f field) parseNumber(s string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(s, name) {
			return f.lo + i, nil
		}
	}
	if s == "" {
		return 0, fmt.Errorf("a number is missing; %s", f.accepted())
	}
	n, err := strconv.ParseUint(s, 10, 32)
	switch {
	case errors.Is(err, strconv.ErrSyntax) && isQuartz(s):
		return 0, fmt.Errorf("%q is written with L, W, # or ?, which cron does not have; %s", s, f.accepted())
	case errors.Is(err, strconv.ErrSyntax):
		return 0, fmt.Errorf("%q is not a number; %s", s, f.accepted())
	case err != nil || n < uint64(f.lo) || n > uint64(f.most):
		return 0, fmt.Errorf("%s is out of range; %s", s, f.accepted())
	}
	return int(n), nil
}

// accepted says which numbers a field takes.
func (f field) accepted() string {
	s := fmt.Sprintf("accepted are %d to %d", f.lo, f.most)
	if f.names != nil {
		s += fmt.Sprintf(" and %s to %s", f.names[0], f.names[len(f.names)-1])
	}
	return s + ", *, lists, ranges and steps"
}

// isQuartz reports whether s is written with the signs that the Quartz
// scheduler adds to cron, such as L, 15W, 5#3 and FRIL.
func isQuartz(s string) bool {
	s = strings.ToUpper(s)
	for _, name := range weekdayNames {
		s = strings.TrimPrefix(s, name)
	}
	s = strings.TrimLeft(s, "0123456789")
	return s != "" && strings.Trim(s, "LW?#0123456789") == ""
}

func parseStep(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return 0, fmt.Errorf("%q is not a step; a number from 1 is accepted after the slash", s)
	case err != nil || n > maxStep:
		return 0, fmt.Errorf("the step %s is too large; 1 to %d are accepted", s, maxStep)
	case n == 0:
		return 0, errors.New("the step 0 would never move on; a number from 1 is accepted after the slash")
	}
	return int(n), nil
}

// maxStep is larger than any field, where a step matches once.
const maxStep = 99
