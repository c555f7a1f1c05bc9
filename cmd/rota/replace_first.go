package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/settings"
)

type keysReplaceFirst struct {
	settings.Place
}

// Help implements kong.HelpProvider.
func (*keysReplaceFirst) Help() string {
	return "For a first key that was lost, or never seen. It works on the database itself, beside running servers or without one, and needs no key. " +
		"The old key and its tokens end at once; schedules that it made go on. If there is no first key, or it has been revoked, there is a new one " +
		"all the same. The key alone goes to standard output, this once."
}

// Run prints the new key alone, to be put into a variable.
func (k *keysReplaceFirst) Run(ctx context.Context, std stdio, f format) error {
	key, revoked, err := app.ReplaceFirstKey(ctx, k.Place, time.Now())
	if err != nil {
		return err
	}
	if f.isJSON() {
		raw, err := json.Marshal(key)
		if err != nil {
			return err
		}
		return printJSON(std.out, raw)
	}
	if _, err := fmt.Fprintln(std.out, key.Secret); err != nil {
		return err
	}
	fmt.Fprintln(std.err, replaced(revoked))
	return nil
}

func replaced(revoked int) string {
	if revoked == 0 {
		return "Keep it: it is not shown again. No key was revoked: there was no first key that opens."
	}
	return "Keep it: it is not shown again. The old first key is revoked."
}
