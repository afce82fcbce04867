package main

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// control is the API that plays the user's part.
type control struct{ org *oktatest.Org }

func newControl(org *oktatest.Org) http.Handler {
	c := control{org}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.state)
	mux.HandleFunc("POST /push/approve", c.decide("approved", (*oktatest.Factor).Approve))
	mux.HandleFunc("POST /push/reject", c.decide("rejected", (*oktatest.Factor).Reject))
	mux.HandleFunc("GET /code", c.code)
	mux.HandleFunc("GET /totp", c.totp)
	mux.HandleFunc("POST /token/next", c.nextToken)
	mux.HandleFunc("POST /users/status", c.setStatus)
	mux.HandleFunc("GET /requests", c.requests)
	return mux
}

type factorState struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Provider string `json:"provider"`
	Name     string `json:"name,omitempty"` // of a device
	Sent     int    `json:"sent,omitempty"` // codes
	Pushes   int    `json:"pushes"`
	Waiting  int    `json:"waiting"`
	Number   *int   `json:"number,omitempty"`
}

func stateOf(f *oktatest.Factor) factorState {
	state := factorState{
		ID: f.ID, Type: f.Type, Provider: f.Provider, Name: f.Name(), Pushes: f.Pushes(), Waiting: f.Waiting(),
	}
	if f.Type != "push" {
		state.Sent = f.Sent()
	}
	if n, set := f.CorrectAnswer(); set {
		state.Number = &n
	}
	return state
}

type userState struct {
	ID      string        `json:"id"`
	Login   string        `json:"login"`
	Status  string        `json:"status"`
	Groups  int           `json:"groups"`
	Factors []factorState `json:"factors"`
}

// state answers who exists and how many pushes wait.
func (c control) state(w http.ResponseWriter, _ *http.Request) {
	out := struct {
		Waiting int         `json:"waiting_pushes"`
		Users   []userState `json:"users"`
	}{Users: []userState{}}
	for _, u := range c.org.Users() {
		user := userState{
			ID: u.ID, Login: u.Login(), Status: u.Status(), Groups: len(u.Groups()), Factors: []factorState{},
		}
		for _, f := range u.Factors() {
			state := stateOf(f)
			out.Waiting += state.Waiting
			user.Factors = append(user.Factors, state)
		}
		out.Users = append(out.Users, user)
	}
	reply(w, http.StatusOK, out)
}

// decide approves or rejects the waiting pushes of one user, or of all; of
// one device, or of all.
func (c control) decide(word string, decide func(*oktatest.Factor) int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		params, err := parameters(r)
		if err != nil {
			fail(w, http.StatusBadRequest, "%v", err)
			return
		}
		devices, err := c.devices(params.Get("user"), params.Get("device"))
		if err != nil {
			fail(w, http.StatusNotFound, "%v", err)
			return
		}
		n := 0
		for _, f := range devices {
			n += decide(f)
		}
		reply(w, http.StatusOK, map[string]int{word: n})
	}
}

// devices finds those that get pushes, by the user's login and the device's
// name or id. An empty one means all.
func (c control) devices(login, device string) (list []*oktatest.Factor, err error) {
	users := c.org.Users()
	if login != "" {
		u := c.org.User(login)
		if u == nil {
			return nil, fmt.Errorf("there is no user %q", login)
		}
		users = []*oktatest.User{u}
	}
	for _, u := range users {
		for _, f := range u.Factors() {
			if f.Type == "push" && (device == "" || device == f.Name() || device == f.ID) {
				list = append(list, f)
			}
		}
	}
	if device != "" && len(list) == 0 {
		return nil, fmt.Errorf("there is no device %q that gets pushes", device)
	}
	return list, nil
}

// code answers what completes a factor now: as text, or that of several
// factors by type. Where two factors have one type, the second goes by id.
func (c control) code(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	u := c.org.User(query.Get("user"))
	if u == nil {
		fail(w, http.StatusNotFound, "there is no user %q; ask for /code?user=LOGIN", query.Get("user"))
		return
	}
	only := factorType(query.Get("factor"))
	codes := make(map[string]string)
	for _, f := range u.Factors() {
		if only != "" && only != f.Type && only != f.ID {
			continue
		}
		name := f.Type
		if _, taken := codes[name]; taken {
			name = f.ID
		}
		if code := f.Code(); code != "" {
			codes[name] = code
		}
	}
	replyCodes(w, codes, "user %q has no such factor with a code, or no code was sent yet", u.Login())
}

// totp answers the current code as text, or the codes of all providers.
func (c control) totp(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	u := c.org.User(query.Get("user"))
	if u == nil {
		fail(w, http.StatusNotFound, "there is no user %q; ask for /totp?user=LOGIN", query.Get("user"))
		return
	}
	codes := make(map[string]string)
	only := query.Get("provider")
	for _, f := range u.Factors() {
		if f.Type == "token:software:totp" && (only == "" || only == f.Provider) {
			codes[f.Provider] = f.Code()
		}
	}
	replyCodes(w, codes, "user %q has no such code generator", u.Login())
}

// replyCodes sends one code as text, and several as JSON. The rest says what
// is wrong when there is none.
func replyCodes(w http.ResponseWriter, codes map[string]string, format string, args ...any) {
	switch len(codes) {
	case 0:
		fail(w, http.StatusNotFound, format, args...)
	case 1:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, code := range codes {
			_, _ = fmt.Fprintln(w, code)
		}
	default:
		reply(w, http.StatusOK, codes)
	}
}

// nextToken makes a user's tokens prove themselves with a second code.
func (c control) nextToken(w http.ResponseWriter, r *http.Request) {
	params, err := parameters(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	u := c.org.User(params.Get("user"))
	if u == nil {
		fail(w, http.StatusNotFound, "there is no user %q", params.Get("user"))
		return
	}
	tokens := 0
	for _, f := range u.Factors() {
		if f.Type == "token" {
			f.RequireNextToken()
			tokens++
		}
	}
	reply(w, http.StatusOK, map[string]int{"tokens": tokens})
}

// setStatus suspends, unlocks or otherwise changes a user.
func (c control) setStatus(w http.ResponseWriter, r *http.Request) {
	params, err := parameters(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	u := c.org.User(params.Get("user"))
	switch status := params.Get("status"); {
	case u == nil:
		fail(w, http.StatusNotFound, "there is no user %q", params.Get("user"))
	case status == "":
		fail(w, http.StatusBadRequest, "status is missing")
	default:
		u.SetStatus(status)
		reply(w, http.StatusOK, map[string]string{"user": u.Login(), "status": status})
	}
}

type requestState struct {
	Time         time.Time `json:"time"`
	Method       string    `json:"method"`
	Path         string    `json:"path"`
	Query        string    `json:"query,omitempty"`
	Status       int       `json:"status"`
	Proto        string    `json:"proto"`
	UserAgent    string    `json:"user_agent"`
	ForwardedFor string    `json:"forwarded_for,omitempty"`
}

// requests answers what was asked. Bodies and other headers hold secrets.
func (c control) requests(w http.ResponseWriter, _ *http.Request) {
	out := []requestState{}
	for _, r := range c.org.Requests() {
		out = append(out, requestState{
			Time: r.Time.UTC(), Method: r.Method, Path: r.Path, Query: r.RawQuery, Status: r.Status,
			Proto: r.Proto, UserAgent: r.UserAgent(), ForwardedFor: r.ForwardedFor(),
		})
	}
	reply(w, http.StatusOK, out)
}

// parameters takes them from the query, a form, or a JSON object of strings.
func parameters(r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, 64<<10)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		err := r.ParseForm()
		return r.Form, err
	}
	values := r.URL.Query()
	var body map[string]string
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil && err != io.EOF {
		return nil, err
	}
	for name, value := range body {
		values.Set(name, value)
	}
	return values, nil
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v)
}

func fail(w http.ResponseWriter, status int, format string, args ...any) {
	reply(w, status, map[string]string{"error": fmt.Sprintf(format, args...)})
}
