package sqlite

import "maps"

// Prepared returns the statements that the store has prepared.
func (s *Store) Prepared() map[string]bool {
	all := make(map[string]bool)
	for _, st := range []*statements{s.reader, s.writer.db} {
		st.mu.RLock()
		for query := range maps.Keys(st.prepared) {
			all[query] = true
		}
		st.mu.RUnlock()
	}
	return all
}
