// Package temporal is the engine that keeps time with a Temporal server.
package temporal
