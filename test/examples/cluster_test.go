package examples

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const cluster = "../../examples/cluster"

// rota is the program, built by TestMain.
var rota string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rota-examples-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	rota = filepath.Join(dir, "rota")
	build := exec.Command("go", "build", "-o", rota, "./cmd/rota")
	build.Dir, build.Stdout, build.Stderr = "../..", os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return 1
	}
	return m.Run()
}

func TestManifest(t *testing.T) {
	for _, finding := range CheckManifest(read(t, "kubernetes.yaml"), known(t)) {
		t.Error(finding)
	}
}

func TestCompose(t *testing.T) {
	for _, finding := range CheckCompose(folder(t), read(t, "compose.yaml"), read(t, ".env.example"), known(t)) {
		t.Error(finding)
	}
}

// The image builds with the Go that it has, and loads no other.
func TestDockerfileHasTheGoOfTheModule(t *testing.T) {
	module := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(text(t, "../../go.mod"))
	if module == nil || !bytes.Contains(read(t, "Dockerfile"), []byte("FROM golang:"+string(module[1])+" ")) {
		t.Errorf("go.mod has %q, the Dockerfile another", module)
	}
}

// A change is a way to break a file, and what must be found then.
type change struct{ from, to, want string }

func TestABrokenManifestIsFound(t *testing.T) {
	file, s := read(t, "kubernetes.yaml"), known(t)
	broken(t, file, func(b []byte) Findings { return CheckManifest(b, s) }, []change{
		{"replicas: 3", "replica: 3", `unknown field "spec.replica"`},
		{"replicas: 3", "replicas: three", "cannot unmarshal string"},
		{"replicas: 3", "replicas: 3\n  replicas: 4", `"replicas" already set`},
		{"kind: Deployment", "kind: Deploiment", `no kind "Deploiment" is registered`},
		{"apiVersion: apps/v1", "apiVersion: apps/v1beta9", "no kind"},
		{"kind: Secret\nmetadata:\n  name: rota", "kind: Secret\nmetadata:\n  name: other", "there is no Secret rota"},
		{"bootstrap-key: CHANGE-ME", "bootstrap: CHANGE-ME", "the Secret rota has no key bootstrap-key"},
		{"name: rota-settings\n  namespace", "name: others\n  namespace", "there is no ConfigMap rota-settings"},
		{"name: rota-config\n  namespace", "name: others\n  namespace", "there is no ConfigMap rota-config"},
		{"namespace: rota", "namespace: rata", `its namespace "rata" is not in the file`},
		{"path: /healthz\n              port: http", "path: /healthz\n              port: web", "there is no port web"},
		{"targetPort: http", "targetPort: web", "has no port web"},
		{"path: /readyz", "path: /healthz", "it asks /healthz, not /readyz"},
		{"component: api\n  ports", "component: apis\n  ports", "selects the pods of 0 deployments"},
		{"ROTA_DRAIN_TIMEOUT: 30s", "ROTA_DRAIN_TIMEOUT: 10m", "it is killed after 45s, and needs 10m0s"},
		{"ROTA_LOG_FORMAT", "ROTA_LOGFORMAT", "there is no setting ROTA_LOGFORMAT"},
		{"ROTA_LISTEN: 0.0.0.0", "ROTA_LISTEN: 127.0.0.1", "which others do not reach"},
		{"ROTA_LISTEN: 0.0.0.0:8080", "ROTA_LISTEN: 0.0.0.0:8081", "which is not among its ports"},
		{"--role, api", "--rolle, api", "unknown flag --rolle"},
		{"--role, api", "--role, apis", "must be one of"},
		{"ROTA_ENGINE: temporal", "ROTA_ENGINE: temporary", "must be one of"},
		{"base_url:", "url:", `there is no field "url"`},
		{"name: MODEL_KEY", "name: MODELS_KEY", "takes its key from MODEL_KEY, which is not set"},
		{"minAvailable: 1", "minAvailable: 2", "no pod may ever go"},
		{"runAsNonRoot: true", "runAsNonRoot: false", "it may run as root"},
		{"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "it may write to its image"},
		{"cpu: 100m", "cpu: 100mm", "unable to parse quantity"},
		{"rota:CHANGE-ME\n", "rota\n", "has no version"},
	})
}

func TestABrokenComposeFileIsFound(t *testing.T) {
	dir, example, s := folder(t), read(t, ".env.example"), known(t)
	broken(t, read(t, "compose.yaml"), func(b []byte) Findings { return CheckCompose(dir, b, example, s) }, []change{
		{"restart: unless-stopped", "restarts: unless-stopped", "restarts"},
		{"networks: [back]", "networks: [rear]", "undefined network rear"},
		{"      temporal-namespace:\n", "      temporal-spacename:\n", "temporal-spacename"},
		{"condition: service_healthy", "condition: service_started", "does not wait"},
		{"${PASSWORD_ROTA:?set it in .env}", "${PASSWORD_ROTA:-rota}", "PASSWORD_ROTA is a secret and has a default"},
		{"${PUBLISH", "${PUBLISHED", ".env.example does not have PUBLISHED"},
		{"ROTA_ENGINE:", "ROTA_MOTOR:", "there is no setting ROTA_MOTOR"},
		{"--role, worker", "--roles, worker", "unknown flag --roles"},
		{"stop_grace_period: 45s", "stop_grace_period: 35s", "it is killed after 35s"},
		{"8080/readyz", "8081/readyz", "does not ask http://127.0.0.1:8080/readyz"},
		{"./rota.yaml:", "./rata.yaml:", "no such file"},
		{"ROTA_CONFIG: /etc/rota/rota.yaml", "ROTA_CONFIG: /etc/rota.yaml", "no such file is mounted"},
		{"examples/cluster/Dockerfile", "examples/Dockerfile", "no such file"},
		{"image: postgres:17", "image: postgres", "has no version"},
	})
}

func TestASecretInTheExampleIsFound(t *testing.T) {
	s := known(t)
	example := bytes.Replace(read(t, ".env.example"), []byte("PASSWORD_ROTA="), []byte("PASSWORD_ROTA=rota"), 1)
	out := CheckCompose(folder(t), read(t, "compose.yaml"), example, s)
	if !slices.Contains(out, ".env.example has a value for PASSWORD_ROTA") {
		t.Errorf("it is not found: %q", out)
	}
}

// broken breaks a file in one way after the other, where it first can.
func broken(t *testing.T, file []byte, check func([]byte) Findings, changes []change) {
	for _, c := range changes {
		if !bytes.Contains(file, []byte(c.from)) {
			t.Errorf("the file has no %q", c.from)
			continue
		}
		out := check(bytes.Replace(file, []byte(c.from), []byte(c.to), 1))
		if !slices.ContainsFunc(out, func(f string) bool { return strings.Contains(f, c.want) }) {
			t.Errorf("%q for %q: %q is not found, only %q", c.to, c.from, c.want, out)
		}
	}
}

func known(t *testing.T) Settings {
	s, err := ReadSettings(string(text(t, "../../docs/configuration.md")), rota)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func folder(t *testing.T) string {
	dir, err := filepath.Abs(cluster)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, name string) []byte { return text(t, filepath.Join(cluster, name)) }

func text(t *testing.T, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
