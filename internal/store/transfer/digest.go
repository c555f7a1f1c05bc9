package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// A digest stands for a number of rows in their order.
type digest struct {
	rows int64
	sum  [sha256.Size]byte
}

// read returns the digest of a table's rows from the first one on, and the key
// of the last of them, which is nil if there are none.
func read(ctx context.Context, db Source, t Table, limit int64) (d digest, last []any, err error) {
	h := sha256.New()
	var encoded []byte
	err = db.Rows(ctx, t, nil, limit, func(row []any) error {
		encoded = encoded[:0]
		for _, v := range row {
			encoded = encode(encoded, v)
		}
		h.Write(encoded)
		d.rows++
		last = t.KeyOf(row)
		return nil
	})
	h.Sum(d.sum[:0])
	return d, last, err
}

// encode appends a value so that no two lists of values look the same.
func encode(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 'n')
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 'r'), math.Float64bits(v))
	case string:
		return append(binary.AppendUvarint(append(b, 't'), uint64(len(v))), v...)
	case []byte:
		return append(binary.AppendUvarint(append(b, 'b'), uint64(len(v))), v...)
	}
	panic(fmt.Sprintf("a value of type %T", v))
}
