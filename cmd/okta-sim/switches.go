package main

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// switches are the faults and the delays that are on. They own that: what the org and
// the services do follows from it.
type switches struct {
	org *oktatest.Org
	*services

	mu      sync.Mutex
	faults  map[string]string // what is wrong, by where
	latency time.Duration
	numbers bool
}

type switchesState struct {
	Where   []string          `json:"where"` // there can be faults
	Kinds   []string          `json:"kinds"` // of faults
	Faults  map[string]string `json:"faults"`
	Latency string            `json:"latency"`
	Numbers bool              `json:"pingid_numbers"`
}

// fault is a kind of fault, in Okta and at the services.
type fault struct {
	okta oktatest.Fault
	at   mfatest.Fault
}

// faults has a word for each kind of fault.
var faults = map[string]fault{
	"error":        {oktatest.Status(500, "E0000009", "Internal Server Error"), mfatest.Fault{Status: 500}},
	"unavailable":  {oktatest.HTML(503), mfatest.Fault{Status: 503, Body: "<h1>Service Unavailable</h1>"}},
	"rate_limited": {oktatest.RateLimitedBare(), mfatest.Fault{Status: 429}},
	"forbidden":    {oktatest.Status(403, "E0000006", "You do not have permission to perform the requested action"), mfatest.Fault{Status: 403}},
	"hangs":        {oktatest.Hang(), mfatest.Fault{Hang: true}},
	"drops":        {oktatest.CloseConnection(), mfatest.Fault{Drop: true}},
}

// newSwitches begins with what the command line says.
func newSwitches(org *oktatest.Org, s *services, cfg config) *switches {
	w := &switches{org: org, services: s, faults: map[string]string{}, latency: cfg.latency, numbers: cfg.numbers}
	w.apply()
	return w
}

// places are where there can be faults: everything of Okta, one endpoint of it, or a
// service.
func places() []string {
	list := []string{"okta", "duo", "pingid"}
	for _, endpoint := range oktatest.Endpoints() {
		list = append(list, "okta/"+endpoint)
	}
	return list
}

// apply needs the lock, or nobody else who has w.
func (w *switches) apply() {
	w.org.ClearFaults()
	w.duo.ClearFaults()
	w.pingID.ClearFaults()
	// The first fault counts, so an endpoint comes before everything of Okta.
	for _, place := range slices.Backward(slices.Sorted(maps.Keys(w.faults))) {
		switch f := faults[w.faults[place]]; place {
		case "duo":
			w.duo.Fail(f.at)
		case "pingid":
			w.pingID.Fail(f.at)
		default:
			for _, endpoint := range oktatest.Endpoints() {
				if place == "okta" || place == "okta/"+endpoint {
					w.org.Fail(endpoint, f.okta)
				}
			}
		}
	}
	for _, endpoint := range oktatest.Endpoints() {
		w.org.SetLatency(endpoint, w.latency)
	}
	w.duo.SetLatency(w.latency)
	w.pingID.SetLatency(w.latency)
	w.pingID.SetNumberMatching(w.numbers)
}

// set changes a switch and applies them all.
func (w *switches) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	w.apply()
}

func (w *switches) state() switchesState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return switchesState{
		Where: places(), Kinds: slices.Sorted(maps.Keys(faults)), Faults: maps.Clone(w.faults),
		Latency: w.latency.String(), Numbers: w.numbers,
	}
}

// setFault has a place fail in one way, or in none.
func (c control) setFault(w http.ResponseWriter, params url.Values) {
	where, kind := params.Get("where"), params.Get("fault")
	_, known := faults[kind]
	switch {
	case !slices.Contains(places(), where):
		fail(w, http.StatusBadRequest, "where must be one of %s", strings.Join(places(), ", "))
		return
	case kind != "none" && !known:
		fail(w, http.StatusBadRequest, "fault must be none or one of %s", strings.Join(slices.Sorted(maps.Keys(faults)), ", "))
		return
	}
	c.switches.set(func() {
		delete(c.switches.faults, where)
		if known {
			c.switches.faults[where] = kind
		}
	})
	reply(w, http.StatusOK, c.switches.state())
}

// setLatency changes how long each answer of Okta, Duo and PingID takes.
func (c control) setLatency(w http.ResponseWriter, params url.Values) {
	d, err := time.ParseDuration(params.Get("latency"))
	if err != nil || d < 0 || d > time.Minute {
		fail(w, http.StatusBadRequest, "latency must be a time from 0s to 1m, such as 200ms")
		return
	}
	c.switches.set(func() { c.switches.latency = d })
	reply(w, http.StatusOK, c.switches.state())
}

// pingIDNumbers switches PingID's number matching.
func (c control) pingIDNumbers(w http.ResponseWriter, params url.Values) {
	on := params.Get("on")
	if on != "true" && on != "false" {
		fail(w, http.StatusBadRequest, "on must be true or false")
		return
	}
	c.switches.set(func() { c.switches.numbers = on == "true" })
	reply(w, http.StatusOK, c.switches.state())
}
