package sqlstore

import (
	"context"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/rota-run/rota"
)

// A checked DB refuses text that one of the databases cannot hold, so that the
// same inputs work on all of them.
type checked struct{ DB }

// Exec implements DB.
func (c checked) Exec(ctx context.Context, steps ...Step) ([]int64, error) {
	if err := checkSteps(steps); err != nil {
		return nil, err
	}
	return c.DB.Exec(ctx, steps...)
}

// Write implements DB.
func (c checked) Write(ctx context.Context, steps ...Step) error {
	if err := checkSteps(steps); err != nil {
		return err
	}
	return c.DB.Write(ctx, steps...)
}

// Query implements DB.
func (c checked) Query(ctx context.Context, row func(Scanner) error, query string, args ...any) error {
	if err := checkText(args); err != nil {
		return err
	}
	return c.DB.Query(ctx, row, query, args...)
}

func checkSteps(steps []Step) error {
	for _, s := range steps {
		for _, args := range s.Lists {
			if err := checkText(args); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkText(args []any) error {
	for _, arg := range args {
		if !storable(arg) {
			return rota.Errorf(rota.Invalid, "text must be UTF-8 and must not contain the character U+0000")
		}
	}
	return nil
}

func storable(arg any) bool {
	switch v := arg.(type) {
	case nil, int64, int, bool, []byte:
		return true
	case string:
		return storableText(v)
	}
	v := reflect.ValueOf(arg)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v.Kind() != reflect.String || storableText(v.String())
}

func storableText(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }
