// Package generators makes clients of docs/openapi.json with the generators that
// people use, compiles them, and has each take the same steps against a real
// server. It is a module of its own, with tools of several languages; each is
// pinned, and kept outside of the tree.
package generators

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// steps is what the program of every language prints, in this order.
const steps = `create agent
create schedule
list agents
list schedules
preview
trigger
run
events
pause
delete schedule
delete agent
error
`

// follow runs a program that takes the steps.
func follow(t *testing.T, url, dir string, env []string, name string, args ...string) {
	t.Helper()
	env = append(env, "ROTA_URL="+url, "ROTA_KEY="+key)
	if got := output(t, dir, env, name, args...); got != steps {
		t.Fatalf("the steps were:\n%s", got)
	}
}

func TestClients(t *testing.T) {
	url := serve(t)
	for _, c := range []struct {
		name string
		run  func(*testing.T, string)
	}{
		{"openapi-python-client", openapiPythonClient},
		{"openapi-generator-python", openapiGeneratorPython},
		{"openapi-generator-java", openapiGeneratorJava},
		{"openapi-generator-typescript-fetch", openapiGeneratorTypescript},
		{"openapi-typescript", openapiTypescript},
		{"oapi-codegen", oapiCodegen},
		{"ogen", ogen},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, url)
		})
	}
}

func openapiPythonClient(t *testing.T, url string) {
	bin, dir := python(t), t.TempDir()
	path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH") // it calls ruff
	output(t, dir, []string{path}, filepath.Join(bin, "openapi-python-client"), "generate", "--path", document(t), "--output-path", filepath.Join(dir, "client"), "--meta", "none")
	follow(t, url, dir, []string{"GENERATED=" + dir}, filepath.Join(bin, "python"), absolute(t, "testdata", "python", "steps_openapi_python_client.py"))
}

func openapiGeneratorPython(t *testing.T, url string) {
	bin, dir := python(t), t.TempDir()
	generate(t, "python", dir)
	follow(t, url, dir, []string{"GENERATED=" + dir}, filepath.Join(bin, "python"), absolute(t, "testdata", "python", "steps_openapi_generator.py"))
}

func openapiGeneratorJava(t *testing.T, url string) {
	classpath, dir := jars(t)+"/*", t.TempDir()
	generate(t, "java", dir)
	sources := []string{"-nowarn", "-proc:none", "-Xmaxerrs", "5", "-cp", classpath, "-d", filepath.Join(dir, "classes"), absolute(t, "testdata", "java", "Steps.java")}
	main := filepath.Join(dir, "src", "main", "java")
	err := filepath.WalkDir(main, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".java") {
			sources = append(sources, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	output(t, dir, nil, "javac", sources...)
	follow(t, url, dir, nil, "java", "-cp", filepath.Join(dir, "classes")+":"+classpath, "Steps")
}

func openapiGeneratorTypescript(t *testing.T, url string) {
	dir := t.TempDir()
	generate(t, "typescript-fetch", filepath.Join(dir, "generated"))
	typescript(t, url, dir, "typescript-fetch.ts")
}

func openapiTypescript(t *testing.T, url string) {
	dir := t.TempDir()
	output(t, dir, nil, filepath.Join(node(t), "node_modules", ".bin", "openapi-typescript"), document(t), "-o", filepath.Join(dir, "schema.ts"))
	typescript(t, url, dir, "openapi-typescript.ts")
}

// typescript compiles a program strictly and follows its steps.
func typescript(t *testing.T, url, dir, program string) {
	t.Helper()
	modules := filepath.Join(node(t), "node_modules")
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	output(t, ".", nil, "cp", absolute(t, "testdata", "node", program), absolute(t, "testdata", "node", "package.json"), dir)
	output(t, dir, nil, filepath.Join(modules, ".bin", "tsc"), "--strict", "--target", "es2022", "--module", "nodenext",
		"--lib", "es2022,dom,dom.iterable", "--types", "node", "--skipLibCheck", "--outDir", "out", program)
	output(t, dir, nil, "cp", "package.json", "out/")
	follow(t, url, dir, nil, "node", filepath.Join("out", strings.TrimSuffix(program, ".ts")+".js"))
}

func oapiCodegen(t *testing.T, url string) {
	dir := golang(t, "oapi")
	output(t, dir, nil, "go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "client", "-o", "oapi/client/client.go", document(t))
	output(t, dir, nil, "go", "vet", "./oapi/...")
	output(t, dir, nil, "go", "build", "-o", "steps", "./oapi")
	follow(t, url, dir, nil, filepath.Join(dir, "steps"))
}

func ogen(t *testing.T, url string) {
	dir := golang(t, "ogen")
	output(t, dir, nil, "go", "tool", "ogen", "--config", "ogen.yml", "--target", "ogen/client", "--package", "client", document(t))
	output(t, dir, nil, "go", "build", "-o", "steps", "./ogen")
	follow(t, url, dir, nil, filepath.Join(dir, "steps"))
}

// golang returns a copy of the module of the Go clients.
func golang(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	output(t, ".", nil, "cp", "-r", absolute(t, "testdata", "go")+"/.", dir)
	if err := os.MkdirAll(filepath.Join(dir, program, "client"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
