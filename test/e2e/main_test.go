package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain leaves all of it out with -short: the program is built, and started many times.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("left out by -short")
		return
	}
	os.Exit(m.Run())
}
