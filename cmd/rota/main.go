// Command rota is the server of Rota and its command line.
//
// The verbs that are not marked local are clients: they know a server only through
// package client. docs/cli.md says with which codes they exit.
package main

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/zoneinfo"
)

// CLI is the command line: every verb and every flag.
type CLI struct {
	Serve          serveCmd          `cmd:"" local:"" help:"Run the server."`
	Agents         agentsCmd         `cmd:"" help:"Save agents and change them."`
	FunctionTools  functionToolsCmd  `cmd:"" help:"Save functions that agents refer to."`
	MCPServers     mcpServersCmd     `cmd:"" name:"mcp-servers" help:"Save MCP servers that agents name."`
	MCPCredentials mcpCredentialsCmd `cmd:"" name:"mcp-credentials" help:"Save what MCP servers are shown, and end it."`
	MemoryStores   memoryStoresCmd   `cmd:"" name:"memory-stores" help:"Keep notes that agents read and write."`
	AgentSchedules agentSchedulesCmd `cmd:"" help:"Put agents on a schedule."`
	AgentRuns      agentRunsCmd      `cmd:"" help:"Run agents, and see what came of it."`
	Today          todayCmd          `cmd:"" help:"Say whether everything ran in the last 24 hours; exit 4 if something needs you." example:"rota today --end-user '*'"`
	Top            topCmd            `cmd:"" help:"Watch whether everything runs: what needs you, the lanes of schedules, the runs under way." example:"rota top --end-user '*' --timezone Europe/Madrid"`
	Why            whyCmd            `cmd:"" help:"Say what became of a time of a schedule, or why there was nothing." example:"rota why Mornings 09:00"`
	Schedules      schedulesCmd      `cmd:"" help:"See, pause and resume the schedules of all agents."`
	Approvals      approvalsCmd      `cmd:"" help:"See and decide calls of tools that need an approval."`
	Runs           runsCmd           `cmd:"" help:"See runs and follow them, whatever their agent."`
	Occurrences    occurrencesCmd    `cmd:"" help:"See what became of the times of all schedules."`
	EndUsers       endUsersCmd       `cmd:"" help:"See for whom the account has agents, export what they have, and delete it."`
	Limits         limitsCmd         `cmd:"" help:"See and set what an account and its end users may have."`
	Retention      retentionCmd      `cmd:"" help:"See and set how long an account keeps what has ended."`
	Forecast       forecastCmd       `cmd:"" help:"Count the runs ahead, by default those of a day." example:"rota forecast --from 2026-12-01T00:00 --to 2026-12-08T00:00 --timezone Europe/Madrid --bucket 1d"`
	Lanes          lanesCmd          `cmd:"" help:"Show the times of schedules side by side, by default a day back and a day ahead." example:"rota lanes --end-user '*' --timezone Europe/Madrid"`
	Changes        changesCmd        `cmd:"" help:"Follow what changes, by its ids, until interrupted." example:"rota changes --end-user '*'"`
	Summary        summaryCmd        `cmd:"" help:"Count what happened, by default in the last day." example:"rota summary --end-user '*' --from 2026-12-01T00:00 --to 2026-12-08T00:00 --timezone Europe/Madrid --bucket 1d"`
	Keys           keysCmd           `cmd:"" help:"Make keys and revoke them."`
	System         systemCmd         `cmd:"" help:"Say which version the server is, and what time it has." example:"rota system"`
	ScopedKeys     scopedKeysCmd     `cmd:"" help:"The same keys, in the words of the published API."`
	Engine         engineCmd         `cmd:"" help:"Choose the engine that fires schedules."`
	Migrate        migrateCmd        `cmd:"" local:"" help:"Copy everything to another database." example:"rota migrate sqlite://./data postgres://rota@db.example.com/rota"`
	Backup         backupCmd         `cmd:"" local:"" help:"Copy the SQLite database to a file, beside a running server or without one." example:"rota backup --data ./data rota-backup.db"`
	Restore        restoreCmd        `cmd:"" local:"" help:"Put a copy in the place of a SQLite database that is gone." example:"rota restore --data ./data rota-backup.db"`
	Man            manCmd            `cmd:"" local:"" help:"Write the manual pages." example:"rota man ~/.local/share/man/man1"`
	Completion     completionCmd     `cmd:"" local:"" help:"Print what makes a shell complete commands and flags." example:"source <(rota completion bash)"`
	Version        versionCmd        `cmd:"" local:"" help:"Print the version, like --version."`
	Help           helpFlag          `short:"h" help:"Show help."`
	HelpOf         helpCmd           `cmd:"" name:"help" local:"" help:"Show help for a command." example:"rota help agents create"`
	Remote         remote            `embed:"" group:"server"`
}

// BeforeResolve refuses settings that are empty. That there is no key is said when one
// is needed.
func (c *CLI) BeforeResolve(ctx *kong.Context) error {
	if path, set := os.LookupEnv(zoneinfo.Variable); set && strings.TrimSpace(path) == "" {
		return errors.New("$" + zoneinfo.Variable + " must not be empty: leave it out for the default")
	}
	alone := ctx.Selected() != nil && local(ctx.Selected())
	return settings.NotEmpty(ctx, slices.DeleteFunc(ctx.Flags(), func(f *kong.Flag) bool {
		return f.Name == "key" || alone && slices.Contains([]string{"server", "key-file", "on-behalf-of"}, f.Name)
	}))
}

func main() {
	os.Exit(run(untilSignal(), os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
