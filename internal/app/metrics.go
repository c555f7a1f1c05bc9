package app

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store"
)

// metrics are what /metrics shows.
type metrics struct {
	registry *prometheus.Registry
	fires    prometheus.Counter
	outcomes *prometheus.CounterVec
	lateness prometheus.Histogram
	runs     *prometheus.CounterVec
	batches  prometheus.Histogram
	requests *prometheus.HistogramVec
	ignored  *prometheus.CounterVec
	active   prometheus.Gauge
	outages  prometheus.Counter
	setBacks prometheus.Counter
	pauses   *prometheus.CounterVec
}

func newMetrics() *metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	make := promauto.With(r)
	return &metrics{
		registry: r,
		fires: make.NewCounter(prometheus.CounterOpts{
			Name: "rota_fires_total", Help: "Occurrences that started a run.",
		}),
		outcomes: make.NewCounterVec(prometheus.CounterOpts{
			Name: "rota_occurrences_total", Help: "Nominal times that the engine decided, by outcome. One that was buffered counts again when it is decided.",
		}, []string{"outcome"}),
		lateness: make.NewHistogram(prometheus.HistogramOpts{
			Name: "rota_lateness_seconds", Help: "From the nominal time of an occurrence to the first start of its run.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600, 3600},
		}),
		runs: make.NewCounterVec(prometheus.CounterOpts{
			Name: "rota_runs_total", Help: "Runs that ended, but for those that callers cancelled, by phase and error code.",
		}, []string{"phase", "code"}),
		batches: make.NewHistogram(prometheus.HistogramOpts{
			Name: "rota_write_batch_updates", Help: "Updates that were committed together.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		requests: make.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rota_http_request_seconds", Help: "Time to answer a request, by route and status.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10},
		}, []string{"method", "route", "status"}),
		ignored: make.NewCounterVec(prometheus.CounterOpts{
			Name: "rota_http_ignored_total", Help: "Unknown fields and parameters that generated clients sent, and that were ignored, by route and place (body or query).",
		}, []string{"route", "place"}),
		pauses: make.NewCounterVec(prometheus.CounterOpts{
			Name: "rota_schedule_pauses_total", Help: "Schedules that Rota has paused, not a caller, by reason.",
		}, []string{"reason"}),
		setBacks: make.NewCounter(prometheus.CounterOpts{
			Name: "rota_clock_set_back_total", Help: "Times that the clock was set back by 10 s or more while this process was the leader.",
		}),
		outages: make.NewCounter(prometheus.CounterOpts{
			Name: "rota_engine_outages_total", Help: "Times of 10 s or more in which this process was the leader and could not look at what was due.",
		}),
		active: make.NewGauge(prometheus.GaugeOpts{
			Name: "rota_engine_active", Help: "1 while this process is the leader, which fires schedules, else 0.",
		}),
	}
}

// watch adds the figures that are read from the store when somebody asks.
func (m *metrics) watch(store store.Store) {
	m.registry.MustRegister(&queueDepth{
		store:  store,
		desc:   prometheus.NewDesc("rota_open_runs", "Runs that have not ended, by phase.", []string{"phase"}, nil),
		paused: prometheus.NewDesc("rota_schedules_paused", "Schedules that are paused, whoever paused them, of all end users.", nil, nil),
	})
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) committed(updates int) { m.batches.Observe(float64(updates)) }

func (m *metrics) decided(o rota.Occurrence) {
	m.outcomes.WithLabelValues(string(o.Outcome)).Add(float64(o.Count))
	if o.Outcome == rota.Fired {
		m.fires.Inc()
	}
}

func (m *metrics) paused(why rota.PauseCode) { m.pauses.WithLabelValues(string(why)).Inc() }

func (m *metrics) setActive(active bool) {
	m.active.Set(0)
	if active {
		m.active.Set(1)
	}
}

func (m *metrics) started(w rota.Work) {
	if w.Run.Attempt == 1 && w.Run.LatenessMS != nil {
		m.lateness.Observe(float64(*w.Run.LatenessMS) / 1000)
	}
}

func (m *metrics) ended(p rota.Phase, code string) { m.runs.WithLabelValues(string(p), code).Inc() }

// code returns the code of an error, if there is one.
func code(e *rota.RunError) string {
	if e == nil {
		return ""
	}
	return e.Code
}

func (m *metrics) request(route, method string, status int, d time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(d.Seconds())
}

func (m *metrics) ignore(route, place string) { m.ignored.WithLabelValues(route, place).Inc() }

// queueDepth counts the open runs, and the schedules that start none, when it is
// collected.
type queueDepth struct {
	store        store.Store
	desc, paused *prometheus.Desc
}

const countTimeout = 5 * time.Second

// Describe implements [prometheus.Collector].
func (q *queueDepth) Describe(c chan<- *prometheus.Desc) {
	c <- q.desc
	c <- q.paused
}

// Collect implements [prometheus.Collector].
func (q *queueDepth) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	counts, err := q.store.Reader().OpenRuns(ctx)
	if err != nil {
		c <- prometheus.NewInvalidMetric(q.desc, err)
		return
	}
	for _, p := range []rota.Phase{rota.PhaseQueued, rota.PhaseRunning, rota.PhaseWaiting} {
		c <- prometheus.MustNewConstMetric(q.desc, prometheus.GaugeValue, float64(counts[p]), string(p))
	}
	paused, err := q.store.Reader().PausedSchedules(ctx)
	if err != nil {
		c <- prometheus.NewInvalidMetric(q.paused, err)
		return
	}
	c <- prometheus.MustNewConstMetric(q.paused, prometheus.GaugeValue, float64(paused))
}
