package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// control is the API that plays the user's part.
type control struct {
	org *oktatest.Org
	*services
}

func newControl(org *oktatest.Org, s *services) http.Handler {
	c := control{org, s}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.state)
	mux.HandleFunc("POST /push/approve", c.decide("approved", true))
	mux.HandleFunc("POST /push/reject", c.decide("rejected", false))
	mux.HandleFunc("GET /code", c.code)
	mux.HandleFunc("GET /totp", c.totp)
	mux.HandleFunc("GET /duo/passcode", c.duoPassCode)
	mux.HandleFunc("GET /pingid/passcode", c.pingIDPassCode)
	mux.HandleFunc("POST /duo/phone", c.duoPhone)
	mux.HandleFunc("POST /duo/type", c.duoType)
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
	Duo     serviceState  `json:"duo"`
	PingID  serviceState  `json:"pingid"`
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
			Duo: stateAt(c.duo.User(u.Login())), PingID: stateAtPingID(c.pingID.User(u.Login())),
		}
		out.Waiting += user.Duo.Waiting + user.PingID.Waiting
		for _, f := range u.Factors() {
			state := stateOf(f)
			out.Waiting += state.Waiting
			user.Factors = append(user.Factors, state)
		}
		out.Users = append(out.Users, user)
	}
	reply(w, http.StatusOK, out)
}

// decide approves or rejects the waiting pushes of one user, or of all: of one
// device in Okta, or of all there and at the services.
func (c control) decide(word string, approve bool) http.HandlerFunc {
	decide := (*oktatest.Factor).Reject
	if approve {
		decide = (*oktatest.Factor).Approve
	}
	return func(w http.ResponseWriter, r *http.Request) {
		params, err := parameters(r)
		if err != nil {
			fail(w, http.StatusBadRequest, "%v", err)
			return
		}
		users, err := c.users(params.Get("user"))
		if err != nil {
			fail(w, http.StatusNotFound, "%v", err)
			return
		}
		device := params.Get("device")
		devices := devicesOf(users, device)
		if device != "" && len(devices) == 0 {
			fail(w, http.StatusNotFound, "there is no device %q in Okta that gets pushes", device)
			return
		}
		n := 0
		for _, f := range devices {
			n += decide(f)
		}
		if device == "" {
			for _, u := range users {
				n += c.answer(u.Login(), approve)
			}
		}
		reply(w, http.StatusOK, map[string]int{word: n})
	}
}

// users finds one by login, or all where that is empty.
func (c control) users(login string) ([]*oktatest.User, error) {
	if login == "" {
		return c.org.Users(), nil
	}
	u := c.org.User(login)
	if u == nil {
		return nil, fmt.Errorf("there is no user %q", login)
	}
	return []*oktatest.User{u}, nil
}

// devicesOf finds those that get pushes, by name or id; an empty one means all.
func devicesOf(users []*oktatest.User, device string) (list []*oktatest.Factor) {
	for _, u := range users {
		for _, f := range u.Factors() {
			if f.Type == "push" && (device == "" || device == f.Name() || device == f.ID) {
				list = append(list, f)
			}
		}
	}
	return list
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

// duoPassCode makes a passcode, good for one login, as Duo's app does.
func (c control) duoPassCode(w http.ResponseWriter, r *http.Request) {
	u := c.org.User(r.URL.Query().Get("user"))
	if u == nil {
		fail(w, http.StatusNotFound, "there is no user %q; ask for /duo/passcode?user=LOGIN", r.URL.Query().Get("user"))
		return
	}
	code := fmt.Sprintf("%06d", rand.N(1_000_000))
	c.duo.User(u.Login()).AddPassCode(code)
	replyCode(w, code)
}

// pingIDPassCode answers the code that PingID has sent last and that was not used, or else
// a new one of its app, good for one login.
func (c control) pingIDPassCode(w http.ResponseWriter, r *http.Request) {
	u := c.org.User(r.URL.Query().Get("user"))
	if u == nil {
		fail(w, http.StatusNotFound, "there is no user %q; ask for /pingid/passcode?user=LOGIN", r.URL.Query().Get("user"))
		return
	}
	replyCode(w, c.pingID.User(u.Login()).PassCode())
}

// duoPhone changes what the user's phone can do at Duo, and whether Duo demands a Verified
// Push of them, with a code of so many digits.
func (c control) duoPhone(w http.ResponseWriter, r *http.Request) {
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
	phone := c.duo.User(u.Login())
	if params.Has("verified_push") {
		digits, err := strconv.Atoi(params.Get("verified_push"))
		if err != nil || digits != 0 && (digits < 3 || digits > 6) {
			fail(w, http.StatusBadRequest, "verified_push must be the number of digits, 3 to 6, or 0 for none")
			return
		}
		phone.RequireVerifiedPush(digits)
	}
	if params.Has("capabilities") {
		phone.SetCapabilities(strings.FieldsFunc(params.Get("capabilities"), func(c rune) bool { return c == ',' || c == ' ' })...)
	}
	reply(w, http.StatusOK, map[string]string{"user": u.Login()})
}

// duoType types the code of a Verified Push on the user's phone.
func (c control) duoType(w http.ResponseWriter, r *http.Request) {
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
	reply(w, http.StatusOK, map[string]int{"approved": c.duo.User(u.Login()).Type(params.Get("code"))})
}

// replyCodes sends one code as text, and several as JSON. The rest says what
// is wrong when there is none.
func replyCodes(w http.ResponseWriter, codes map[string]string, format string, args ...any) {
	switch len(codes) {
	case 0:
		fail(w, http.StatusNotFound, format, args...)
	case 1:
		for _, code := range codes {
			replyCode(w, code)
		}
	default:
		reply(w, http.StatusOK, codes)
	}
}

func replyCode(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintln(w, code)
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
