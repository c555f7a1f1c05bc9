package events

// Logs returns how many logs the hub holds.
func (h *Hub) Logs() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.logs)
}
