package wake

// Topics is how many topics somebody waits for.
func (h *Hub) Topics() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers)
}
