package gateway

import "testing"

func FuzzFailure(f *testing.F) {
	f.Add([]byte(`{"error":[{"type":"\"\\"}],"type":"x"}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if isObject(b) {
			_ = failureOf(b).String()
		}
	})
}
