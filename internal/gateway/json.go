package gateway

import "github.com/rota-run/rota/internal/rawjson"

func member(object []byte, name string) []byte { return rawjson.Get(object, name) }

func text(value []byte) string { return rawjson.Text(value) }

func isObject(b []byte) bool { return rawjson.IsObject(b) }
