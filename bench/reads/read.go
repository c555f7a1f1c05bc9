package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/settings"
)

const (
	key   = "rk_bench_bench_bench_bench"
	owner = "default"
)

// serving serves a directory while do works.
func serving(ctx context.Context, dir string, do func(ctx context.Context, url string) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, settings.Settings{
			Data: dir, Listen: "127.0.0.1:0", Database: "sqlite", Role: "all", Engine: string(rota.EngineEmbedded), OnKeyRevoked: "keep", Console: "on",
			MaxConcurrentRuns: 256, DrainTimeout: time.Second, CatchupRate: 10, MinInterval: time.Second, MemoryBudget: 256,
			LogFormat: "text", LogLevel: "warn", BootstrapKey: key,
		}, "bench", write, os.Stderr)
		write.Close()
	}()
	line := make([]byte, 256)
	n, err := read.Read(line)
	go io.Copy(io.Discard, read)
	if err == nil {
		err = do(ctx, strings.Fields(string(line[:n]))[3])
	}
	stop()
	<-ended
	return err
}

// A reading is one thing that is read.
type reading struct{ name, path string }

// readAll prints how long each thing takes that people and programs read.
func readAll(ctx context.Context, o options, url string) error {
	r := reader{url: url, rounds: o.rounds}
	if err := r.signIn(ctx); err != nil {
		return err
	}
	all, err := r.readings(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d schedules, %d occurrences in 24 hours, %d end users\n\n", o.schedules, o.occurrences, o.endUsers)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tp50 ms\tp95\tmax\tto healthz\tKB\tgzip KB\t")
	var least time.Duration
	for _, what := range all {
		took, body, err := r.read(ctx, what.path)
		if err != nil {
			fmt.Fprintf(t, "%s\t%v\t\t\t\t\t\t\n", what.name, err)
			continue
		}
		slices.Sort(took)
		p50 := took[len(took)/2]
		if least == 0 {
			least = p50
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\t%.1f\t%.1f\t%.1f\t\n", what.name, ms(p50), ms(took[len(took)*95/100]), ms(took[len(took)-1]),
			float64(p50)/float64(least), float64(len(body))/1000, float64(zipped(body))/1000)
	}
	return t.Flush()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func zipped(b []byte) int {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b)
	_ = w.Close()
	return z.Len()
}

// A reader asks a server with a session and a key.
type reader struct {
	url    string
	rounds int
	http   http.Client
}

func (r *reader) signIn(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	r.http.Jar = jar
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/sign-in", strings.NewReader(url.Values{"key": {key}}.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := r.http.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// readings returns what is read, the health check first.
func (r *reader) readings(ctx context.Context) ([]reading, error) {
	all := []reading{{"GET /healthz", "/healthz"}}
	var found struct {
		Data []struct {
			ID      string
			EndUser string `json:"end_user"`
			Agent   string `json:"agent_id"`
		}
		LastID string `json:"last_id"`
	}
	body, err := r.get(ctx, "/api/v1/schedules?end_user=*&limit=50")
	if err == nil {
		err = json.Unmarshal(body, &found)
	}
	if err != nil {
		return nil, err
	}
	s := found.Data[len(found.Data)-1]
	one := "/agents/" + s.Agent + "/schedules/" + s.ID
	now := time.Now().UTC()
	from := url.QueryEscape(now.Add(-day).Format(time.RFC3339))
	for _, page := range []string{"/", "/schedules", "/schedules?status=active", "/schedules?sort=name", "/schedules?sort=next_run_at", "/schedules?q=099999", "/schedules?after=" + found.LastID, "/schedules?end_user=" + s.EndUser, "/runs", "/runs?phase=failed", "/agents", "/end-users", one + "?for=" + s.EndUser, one + "?outcome=missed&for=" + s.EndUser} {
		all = append(all, reading{"page " + page, page})
	}
	for _, path := range []string{
		"/api/v1/agents/" + s.Agent + "/schedules/" + s.ID + "?for=" + s.EndUser,
		"/api/v1/schedules?end_user=*", "/api/v1/schedules?end_user=*&status=paused", "/api/v1/schedules?end_user=*&q=099999", "/api/v1/schedules?end_user=*&count=true",
		"/api/v1/runs?end_user=*", "/api/v1/runs?end_user=*&phase=failed&from=" + from, "/api/v1/runs?end_user=*&error_code=provider_error", "/api/v1/runs?end_user=*&schedule_id=" + s.ID,
		"/api/v1/occurrences?end_user=*", "/api/v1/occurrences?end_user=*&outcome=missed&from=" + from, "/api/v1/occurrences?end_user=" + s.EndUser, "/api/v1/occurrences?end_user=*&q=down",
		"/api/v1/summary?end_user=*&bucket=3600&from=" + from, "/api/v1/end-users",
	} {
		all = append(all, reading{"GET " + path, path})
	}
	short := strings.NewReplacer(s.Agent, "{agent}", s.ID, "{schedule}", found.LastID, "{schedule}", from, "{a day ago}", s.EndUser, "{user}", "/api/v1", "")
	for i := range all {
		all[i].name = short.Replace(all[i].name)
	}
	return all, nil
}

// read asks for a path as often as is asked for, after once.
func (r *reader) read(ctx context.Context, path string) (took []time.Duration, body []byte, err error) {
	if body, err = r.get(ctx, path); err != nil {
		return nil, nil, err
	}
	for range r.rounds {
		began := time.Now()
		if _, err := r.get(ctx, path); err != nil {
			return nil, nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, body, nil
}

func (r *reader) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Encoding", "identity")
	if strings.HasPrefix(path, "/api/") {
		req.Header.Set("Authorization", "Bearer "+key)
		if q := req.URL.Query(); q.Has("for") {
			req.Header.Set("X-On-Behalf-Of", q.Get("for"))
			q.Del("for")
			req.URL.RawQuery = q.Encode()
		}
	}
	res, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || res.Request.URL.Path == "/sign-in") {
		err = errors.New(res.Status)
	}
	return body, err
}
