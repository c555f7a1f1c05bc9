package httpapi

import (
	"fmt"
	"reflect"
	"sync"
)

// Decoder returns what reads the body of an operation into a pointer to its type, as the
// API does: what does not fit the document is [rota.Invalid], with the field and what
// would have been accepted.
func Decoder() func(body []byte, in any) error {
	doc := sync.OnceValue(func() *document { return newDocument("0.0.0", new(api).operations()) })
	return func(body []byte, in any) error {
		for _, op := range doc().ops {
			if op.input == reflect.TypeOf(in).Elem() {
				return doc().check.decode(body, op.schema, in)
			}
		}
		return fmt.Errorf("no operation has a body of the type %T", in)
	}
}
