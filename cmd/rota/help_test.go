package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/build"
	"github.com/rota-run/rota/internal/prereqtest"
	"github.com/rota-run/rota/internal/zoneinfo"
)

func model(t *testing.T) *kong.Node {
	t.Helper()
	k, err := newParser(new(CLI), stdio{})
	require.NoError(t, err)
	return k.Model.Node
}

// clientVerbs are the commands but for the server's, whose flags have their
// own tests.
func clientVerbs(t *testing.T) []*kong.Node {
	t.Helper()
	return slices.DeleteFunc(walk(model(t)), func(n *kong.Node) bool { return n.Name == "serve" })
}

func TestGoldenHelp(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	all := new(strings.Builder)
	parser, err := newParser(new(CLI), stdio{out: all}) // one for all: to make it takes longer than to show help
	require.NoError(t, err)
	for _, n := range walk(parser.Model.Node) {
		all.WriteString("$ rota" + path(n) + " --help\n")
		_, err := parser.Parse(append(strings.Fields(path(n)), "--help"))
		require.ErrorIs(t, err, errHelped)
		all.WriteString("\n")
	}
	golden(t, "help", all.String())
}

func TestHelpWithoutACommand(t *testing.T) {
	require.Equal(t, rotaCmd("", "--help"), rotaCmd(""))
}

func TestEveryVerbHasAnExample(t *testing.T) {
	for _, n := range clientVerbs(t) {
		if n.Leaf() && n.Name != "version" {
			require.Contains(t, n.Detail, "rota"+path(n), path(n))
		}
	}
}

func TestHelpNamesEveryChoice(t *testing.T) {
	for _, n := range clientVerbs(t) {
		for _, f := range n.Flags {
			for _, choice := range f.EnumSlice() {
				if f.Enum != "" {
					require.Contains(t, f.Help, choice, "%s --%s", path(n), f.Name)
				}
			}
		}
	}
}

func TestScopesAreComplete(t *testing.T) {
	for _, n := range walk(model(t)) {
		for _, f := range n.Flags {
			if f.Name == "scope" {
				var want []string
				for _, s := range rota.AllScopes() {
					want = append(want, string(s))
				}
				require.Equal(t, want, f.EnumSlice())
				return
			}
		}
	}
	t.Fatal("there is no --scope")
}

func TestVersion(t *testing.T) {
	t.Setenv(zoneinfo.Variable, "") // and back at the end
	require.NoError(t, os.Unsetenv(zoneinfo.Variable))
	for _, word := range []string{"version", "--version"} {
		got := rotaCmd("", word)
		require.Equal(t, exitOK, got.code, got.err)
		require.Regexp(t, `^rota \S+ \((commit \w+(-dirty)?, )?go\S+, \w+/\w+\)\ntime zone data 2\d{3}[a-z]+ \((built-in|system)\)\n$`, got.out)
		got = rotaCmd("", word, "-o", "json")
		require.Equal(t, exitOK, got.code, got.err)
		var card buildCard
		require.NoError(t, json.Unmarshal([]byte(got.out), &card))
		require.Equal(t, build.Version(), card.Version)
		require.GreaterOrEqual(t, card.ZoneData.Version, zoneinfo.Own().Version)
	}
}

func script(t *testing.T, shell string) string {
	t.Helper()
	got := rotaCmd("", "completion", shell)
	require.Equal(t, exitOK, got.code, got.err)
	return got.out
}

// TestCompletion asks each shell that is there what can follow some words.
func TestCompletion(t *testing.T) {
	ask := map[string]func(t *testing.T, words []string) []string{"bash": askBash, "fish": askFish}
	for shell, ask := range ask {
		t.Run(shell, func(t *testing.T) {
			prereqtest.Program(t, shell)
			for _, test := range []struct{ line, want string }{
				{"agents ", "create delete get list put restore rollback update version versions"},
				{"agents li", "list"},
				{"agents list --ord", "--order"},
				{"agents list --order ", "asc desc"},
				{"agent-schedules create --overlap b", "buffer_one"},
				{"agents list --output ", "json jsonl table"},
				{"schedules p", "pause preview"},
				{"agent-schedules occurrences --outcome m", "missed"},
				{"fore", "forecast"},
				{"forecast --buc", "--bucket"},
				{"completion z", "zsh"},
				{"--server http://x agents get --ag", "--agent-id"},
				{"agents create --name ", ""},
			} {
				got := ask(t, append([]string{"rota"}, strings.Split(test.line, " ")...))
				got = slices.DeleteFunc(got, func(s string) bool {
					return strings.HasPrefix(s, "-") && !strings.HasPrefix(test.want, "-")
				})
				slices.Sort(got)
				require.Equal(t, test.want, strings.Join(got, " "), test.line)
			}
		})
	}
}

// TestCompletionOfAValueBehindAnEqualsSign: bash makes three words of it.
func TestCompletionOfAValueBehindAnEqualsSign(t *testing.T) {
	prereqtest.Program(t, "bash")
	require.Equal(t, []string{"json", "jsonl"}, askBash(t, []string{"rota", "agents", "list", "--output", "=", "j"}))
	require.Equal(t, []string{"table", "json", "jsonl"}, askBash(t, []string{"rota", "agents", "list", "--output", "="}))
}

// TestPowerShellCompletion: nothing of it depends on how PowerShell reads quotes.
func TestPowerShellCompletion(t *testing.T) {
	got := script(t, "powershell")
	require.Contains(t, got, "\n        ' agents' = @(\n            @{ name = 'create'; help = 'Save an agent.' }\n")
	require.Contains(t, got, "\n        ' agents list --order' = @('asc', 'desc')\n")
	require.Contains(t, got, "\n        '--output' = @('table', 'json', 'jsonl')\n")
	require.Contains(t, got, "the server''s default is 20.")
	keys := make(map[string]bool) // of tables, which are one whatever their case
	for line := range strings.Lines(got) {
		if key, _, ok := strings.Cut(strings.ToLower(line), "' = @("); ok {
			require.False(t, keys[key], line)
			keys[key] = true
		}
		require.Zero(t, strings.Count(line, "'")%2, line)
		require.NotContains(t, line, "’")
	}
	require.Equal(t, strings.Count(got, "("), strings.Count(got, ")"))
	require.Equal(t, strings.Count(got, "{"), strings.Count(got, "}"))
	if _, err := exec.LookPath("pwsh"); err != nil {
		return
	}
	cmd := exec.Command("pwsh", "-NoProfile", "-Command", got+"\n(TabExpansion2 'rota agents li' 14).CompletionMatches.CompletionText")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "list", strings.TrimSpace(string(out)))
}

func askBash(t *testing.T, words []string) []string {
	t.Helper()
	cmd := exec.Command("bash", append([]string{"--norc", "-c", `
		source /dev/stdin
		compopt() { :; } # there is no completion going on
		COMP_WORDS=("$@") COMP_CWORD=$(($#-1))
		_rota
		printf '%s\n' "${COMPREPLY[@]}"`, "bash"}, words...)...)
	cmd.Stdin = strings.NewReader(script(t, "bash"))
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

func askFish(t *testing.T, words []string) []string {
	t.Helper()
	cmd := exec.Command("fish", "--no-config", "-c", "source -; complete -C $argv[1]", strings.Join(words, " "))
	cmd.Stdin = strings.NewReader(script(t, "fish"))
	out, err := cmd.Output()
	require.NoError(t, err)
	var names []string
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		names = append(names, name)
	}
	return names
}

func TestZshCompletionIsZsh(t *testing.T) {
	prereqtest.Program(t, "zsh")
	cmd := exec.Command("zsh", "-f", "-n")
	cmd.Stdin = strings.NewReader(script(t, "zsh"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
