package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
)

const (
	host        = "127.0.0.1"
	clusterName = "active"
	store       = "sqlite"
)

type options struct {
	file      string
	port      int
	namespace string
	v2        bool
	level     string
}

func serve(args []string) error {
	var o options
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.StringVar(&o.file, "file", "", "the SQLite file that holds the state; made if there is none")
	flags.IntVar(&o.port, "port", 7233, "where to listen")
	flags.StringVar(&o.namespace, "namespace", "default", "a namespace that is there from the start")
	flags.BoolVar(&o.v2, "v2", false, "make new schedules by the second implementation (CHASM)")
	flags.StringVar(&o.level, "log", "warn", "debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	go func() { // whoever started the server has died
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return o.serve(ctx)
}

func (o options) serve(ctx context.Context) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	services := map[primitives.ServiceName]int{
		primitives.FrontendService: o.port,
		primitives.HistoryService:  ports[0],
		primitives.MatchingService: ports[1],
		primitives.WorkerService:   ports[2],
	}
	cfg := o.config(services)
	if err := o.prepareFile(cfg.Persistence.DataStores[store].SQL); err != nil {
		return err
	}
	s, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts(services)),
		temporal.WithDynamicConfigClient(o.dynamic()),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(log.Config{Stdout: true, Level: o.level}))),
	)
	if err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return err
	}
	fmt.Printf("Temporal %s listens on %s\n", headers.ServerVersion, address(o.port))
	<-ctx.Done()
	return s.Stop()
}

// config returns the settings that are read once.
func (o options) config(services map[primitives.ServiceName]int) *config.Config {
	frontend := address(services[primitives.FrontendService])
	c := &config.Config{
		Services:     map[string]config.Service{},
		PublicClient: config.PublicClient{HostPort: frontend},
		Persistence: config.Persistence{
			DefaultStore: store, VisibilityStore: store, NumHistoryShards: 4,
			DataStores: map[string]config.DataStore{store: {SQL: &config.SQL{
				PluginName:   sqlite.PluginName,
				DatabaseName: o.file,
				ConnectAttributes: map[string]string{
					"mode": "rwc", "journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000",
				},
			}}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchival{State: config.ArchivalDisabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: config.ArchivalDisabled},
		}},
	}
	for name, port := range services {
		c.Services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: host}}
	}
	return c
}

// dynamic returns the settings that tests need: a schedule's start is not held
// back by a limit that is meant for a shared server, and what one machine has
// no use for is off.
func (o options) dynamic() dynamicconfig.Client {
	return dynamicconfig.StaticClient{
		dynamicconfig.SchedulerNamespaceStartWorkflowRPS.Key():           1000.0,
		dynamicconfig.EnableCHASMSchedulerCreation.Key():                 o.v2,
		dynamicconfig.CHASMSchedulerCreationRolloutPercent.Key():         100,
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key():      true,
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():           1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key():          1,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 1000,
	}
}

// prepareFile makes the tables and the namespace, unless they are there.
func (o options) prepareFile(db *config.SQL) error {
	if _, err := os.Stat(o.file); os.IsNotExist(err) {
		if err := sqliteschema.SetupSchema(db); err != nil {
			return err
		}
	}
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, o.namespace, false, nil)
	if err != nil {
		return err
	}
	return sqliteschema.CreateNamespaces(db, ns)
}

func hosts(services map[primitives.ServiceName]int) map[primitives.ServiceName]static.Hosts {
	all := map[primitives.ServiceName]static.Hosts{}
	for name, port := range services {
		all[name] = static.SingleLocalHost(address(port))
	}
	return all
}

func address(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// freePorts returns ports that nothing listens on.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", address(0))
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
