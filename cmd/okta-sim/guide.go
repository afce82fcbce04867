package main

import (
	"encoding/json"
	"net/http"
	"sync"
)

// step is something to try: commands for a terminal, and what they are for.
type step struct {
	Title    string `json:"title"`
	Commands string `json:"commands"`
}

// guide are the steps that the page shows: okta-sim's own, or those of whoever started
// it and knows where Vault is.
type guide struct {
	mu    sync.Mutex
	steps []step
}

func (g *guide) get(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	reply(w, http.StatusOK, g.steps)
}

func (g *guide) set(w http.ResponseWriter, r *http.Request) {
	var steps []step
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&steps); err != nil {
		fail(w, http.StatusBadRequest, "the guide must be a JSON list of objects with title and commands: %v", err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.steps = steps
	reply(w, http.StatusOK, g.steps)
}
