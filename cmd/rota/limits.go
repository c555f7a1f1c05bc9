package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

type limitsCmd struct {
	Get limitsGet `cmd:"" help:"Show what an account and its end users may have, and what is used." example:"rota limits get --end-user ana"`
	Set limitsSet `cmd:"" help:"Set what an account and its end users may have; what is left out is as the server's settings say." example:"rota limits set --end-user-open-runs 1000 --end-user-requests 20/second --account-bytes 10000000000"`
}

// ofAccountFlag names an account.
type ofAccountFlag struct {
	ID string `name:"account-id" placeholder:"NAME" help:"Account; by default that of the key in use. Another one needs the scope write:accounts."`
}

// account returns the account that is named, or that of the key.
func (f ofAccountFlag) account(ctx context.Context, s *session) (string, error) {
	if f.ID != "" {
		return f.ID, nil
	}
	k, err := s.Keys.InUse(ctx, s.call...)
	return k.Account, err
}

type limitsGet struct {
	ofAccountFlag
	EndUser string `placeholder:"USER" help:"Show what this end user has as well."`
}

func (c *limitsGet) Run(ctx context.Context, s *session) error {
	account, err := c.account(ctx, s)
	if err != nil {
		return err
	}
	opts := s.call
	if c.EndUser != "" {
		opts = append(opts[:len(opts):len(opts)], client.OfEndUser(c.EndUser))
	}
	return show(s, limitsCard)(s.Limits.Get(ctx, account, opts...))
}

type limitsSet struct {
	ofAccountFlag
	EndUser limitFlags `embed:"" prefix:"end-user-"`
	Account limitFlags `embed:"" prefix:"account-"`
	Body    bodyFlag   `embed:""`
}

// limitFlags are the limits of an account or an end user.
type limitFlags struct {
	Workers  *int             `placeholder:"N" help:"Runs that are worked on at once; 0 is no limit."`
	OpenRuns *int             `placeholder:"N" help:"Runs that have not ended, and responses that are kept; 0 is no limit."`
	Requests []rota.RateLimit `placeholder:"LIMIT" help:"Requests in a time, such as 600/minute; may be repeated, one for each of second, minute, hour and day."`
	Bytes    *int64           `placeholder:"N" help:"Bytes that are stored; 0 is no limit."`
}

func (f limitFlags) set() rota.LimitsSet {
	set := rota.LimitsSet{Workers: f.Workers, OpenRuns: f.OpenRuns, Bytes: f.Bytes}
	if f.Requests != nil {
		set.Requests = &f.Requests
	}
	return set
}

func (c *limitsSet) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.EndUser, c.Account)
	if err != nil {
		return err
	}
	account, err := c.account(ctx, s)
	if err != nil {
		return err
	}
	body := rota.AccountLimitsSet{EndUser: c.EndUser.set(), Account: c.Account.set()}
	return show(s, limitsCard)(s.Limits.Set(ctx, account, body, append(s.call[:len(s.call):len(s.call)], raw...)...))
}

func limitsCard(l rota.AccountLimits) []line {
	card := []line{{"account", l.ID}}
	card = append(card, limitLines("account", l.Account, l.Used)...)
	used := rota.LimitsUse{Workers: -1}
	if l.UsedByEndUser != nil {
		used = *l.UsedByEndUser
	}
	return append(card, limitLines("end user", l.EndUser, used)...)
}

// limitLines shows limits, and what is used of them unless that is unknown.
func limitLines(of string, l rota.Limits, u rota.LimitsUse) []line {
	show := func(max string, used int64) string {
		if u.Workers < 0 {
			return max
		}
		return fmt.Sprintf("%d of %s", used, max)
	}
	requests := []string{}
	for _, r := range l.Requests {
		requests = append(requests, r.String())
	}
	for i, r := range u.Requests {
		requests[i] = fmt.Sprintf("%d of %s", r.Used, r.Limit)
	}
	workers := most(l.Workers)
	if l.Workers == nil && of == "end user" {
		workers = "3/4 of the free"
	}
	return []line{
		{of + " workers", show(workers, u.Workers)},
		{of + " open runs", show(most(l.OpenRuns), u.OpenRuns)},
		{of + " requests", strings.Join(requests, "\n")},
		{of + " bytes", show(most(l.Bytes), u.Bytes)},
	}
}

// most returns a limit, of which 0 and nil are none.
func most[T int | int64](n *T) string {
	if n == nil || *n == 0 {
		return "any"
	}
	return strconv.FormatInt(int64(*n), 10)
}
