package httpapi

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/budget"
)

const (
	// memoryWait is how long a request waits for memory before it is refused.
	memoryWait = 2 * time.Second

	// bodyCost is how many bytes of memory a byte of a body takes while it is checked
	// and stored, as measured.
	bodyCost = 12

	// rawCost is the same for a body that is not decoded.
	rawCost = 6

	// partCost is the same for a byte of a list.
	partCost = 4
)

// take takes memory, or refuses the request.
func take(ctx context.Context, memory *budget.Account, n int64) error {
	return wait(ctx, n, memory.Take)
}

// hold takes or gives back as much as it takes to hold n bytes, or refuses the request.
func hold(ctx context.Context, memory *budget.Account, n int64) error {
	return wait(ctx, n, memory.Hold)
}

func wait(ctx context.Context, n int64, get func(context.Context, int64) error) error {
	within, cancel := context.WithTimeout(ctx, memoryWait)
	defer cancel()
	err := get(within, n)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &rota.Error{Code: rota.Unavailable, Msg: "the server has no memory to spare for this request; try again later", RetryAfter: memoryWait}
	}
	return err
}

// A charged Reader takes memory for what it has read.
type charged struct {
	io.Reader
	ctx    context.Context
	memory *budget.Account
}

// Read implements [io.Reader].
func (c charged) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if short := take(c.ctx, c.memory, int64(n)); short != nil {
		return 0, short
	}
	return n, err
}
