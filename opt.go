package rota

import "encoding/json"

// An Opt is a field of a partial update: absent (the zero value, leave it as
// it is), null (clear it), or a value. Tag its field `json:",omitzero"`.
type Opt[T any] struct {
	value T
	set   bool
	null  bool
}

// Some returns an Opt that holds v.
func Some[T any](v T) Opt[T] { return Opt[T]{value: v, set: true} }

// Null returns an Opt that clears the field.
func Null[T any]() Opt[T] { return Opt[T]{set: true, null: true} }

// IsZero reports whether the field was absent.
func (o Opt[T]) IsZero() bool { return !o.set }

// IsNull reports whether the field was null.
func (o Opt[T]) IsNull() bool { return o.null }

// Get returns the value, and whether there is one.
func (o Opt[T]) Get() (T, bool) { return o.value, o.set && !o.null }

// Apply writes the value to dst if there is one, and leaves dst alone if the
// field was absent or null.
func (o Opt[T]) Apply(dst *T) {
	if o.set && !o.null {
		*dst = o.value
	}
}

// ApplyNullable is Apply for a field that null clears.
func (o Opt[T]) ApplyNullable(dst **T) {
	switch {
	case o.null:
		*dst = nil
	case o.set:
		v := o.value
		*dst = &v
	}
}

// MarshalJSON writes null or the value.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.null || !o.set {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON notes that the field was present.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Null[T]()
		return nil
	}
	o.set, o.null = true, false
	return json.Unmarshal(b, &o.value)
}
