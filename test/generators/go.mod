module github.com/rota-run/rota/test/generators

go 1.26.0

require github.com/rota-run/rota v0.0.0

replace github.com/rota-run/rota => ../..
