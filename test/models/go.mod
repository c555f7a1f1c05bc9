module github.com/rota-run/rota/test/models

go 1.26.0

require (
	github.com/rota-run/rota v0.0.0
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.6 // indirect

replace github.com/rota-run/rota => ../..
