package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

// Put an agent on a schedule: every weekday at nine, in Madrid.
func Example() {
	srv := exampleServer()
	defer srv.Close()
	ctx := context.Background()
	c := client.New(srv.URL, "rk_…")

	agent, err := c.Agents.Create(ctx, rota.AgentCreate{
		Name:         "Reporter",
		Model:        "auto",
		Instructions: rota.Some("Sum up what happened since {{last_run_at}}."),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	schedule, err := c.Schedules.Create(ctx, agent.ID, rota.ScheduleCreate{
		Spec:  rota.Spec{Type: rota.Cron, CronExpression: "0 9 * * MON-FRI", Timezone: "Europe/Madrid"},
		Input: rota.InputText("The morning report, please."),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("next run:", schedule.NextRunAt)

	_, err = c.Schedules.Get(ctx, agent.ID, "asch_0")
	fmt.Println("not found:", errors.Is(err, rota.NotFound))
	// Output:
	// next run: 2026-12-01T08:00:00.000Z
	// not found: true
}

func exampleServer() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/agents", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"id":"agt_1"}`)
	})
	mux.HandleFunc("POST /api/v1/agents/agt_1/schedules", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"id":"asch_1","next_run_at":"2026-12-01T08:00:00.000Z"}`)
	})
	return httptest.NewServer(mux)
}
