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

// control is the API that plays the user's part, and the page that uses it.
type control struct {
	org *oktatest.Org
	*services
	switches *switches
	guide    *guide
}

// newControl serves the control API and the page, which shows the steps.
func newControl(org *oktatest.Org, s *services, cfg config, steps []step) http.Handler {
	c := control{org, s, newSwitches(org, s, cfg), &guide{steps: steps}}
	mux := http.NewServeMux()
	servePage(mux)
	mux.HandleFunc("GET /state", c.state)
	mux.HandleFunc("GET /requests", c.requests)
	mux.HandleFunc("POST /push/approve", c.decide(true))
	mux.HandleFunc("POST /push/reject", c.decide(false))
	mux.HandleFunc("POST /push/number", c.forUser(c.number))
	mux.HandleFunc("GET /code", c.forUser(c.code))
	mux.HandleFunc("GET /totp", c.forUser(c.totp))
	mux.HandleFunc("GET /qr", c.forUser(c.qr))
	mux.HandleFunc("GET /duo/passcode", c.forUser(c.duoPassCode))
	mux.HandleFunc("GET /pingid/passcode", c.forUser(c.pingIDPassCode))
	mux.HandleFunc("POST /pingid/numbers", withParameters(c.pingIDNumbers))
	mux.HandleFunc("POST /duo/phone", c.forUser(c.duoPhone))
	mux.HandleFunc("POST /duo/type", c.forUser(c.duoType))
	mux.HandleFunc("POST /token/next", c.forUser(c.nextToken))
	mux.HandleFunc("POST /users/status", c.forUser(c.setStatus))
	mux.HandleFunc("POST /faults", withParameters(c.setFault))
	mux.HandleFunc("POST /latency", withParameters(c.setLatency))
	mux.HandleFunc("GET /guide", c.guide.get)
	mux.HandleFunc("POST /guide", c.guide.set)
	return guard(mux)
}

// withParameters hands a request's parameters on.
func withParameters(handle func(http.ResponseWriter, url.Values)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		params, err := parameters(r)
		if err != nil {
			fail(w, http.StatusBadRequest, "%v", err)
			return
		}
		handle(w, params)
	}
}

// forUser hands on a request about the user that it names.
func (c control) forUser(handle func(http.ResponseWriter, url.Values, *oktatest.User)) http.HandlerFunc {
	return withParameters(func(w http.ResponseWriter, params url.Values) {
		u := c.org.User(params.Get("user"))
		if u == nil {
			fail(w, http.StatusNotFound, "user %q does not exist; name one with user=LOGIN", params.Get("user"))
			return
		}
		handle(w, params, u)
	})
}

// decide approves or rejects the waiting pushes of one user, or of all: of one
// device in Okta, of one service, or of all there and at the services.
func (c control) decide(approve bool) http.HandlerFunc {
	return withParameters(func(w http.ResponseWriter, params url.Values) {
		users, err := c.users(params.Get("user"))
		if err != nil {
			fail(w, http.StatusNotFound, "%v", err)
			return
		}
		phones, err := c.phonesOf(users, params)
		if err != nil {
			fail(w, http.StatusNotFound, "%v", err)
			return
		}
		n := 0
		for _, p := range phones {
			n += p.Answer(approve)
		}
		reply(w, http.StatusOK, map[string]int{map[bool]string{true: "approved", false: "rejected"}[approve]: n})
	})
}

// users finds one by login, or all where that is empty.
func (c control) users(login string) ([]*oktatest.User, error) {
	if login == "" {
		return c.org.Users(), nil
	}
	u := c.org.User(login)
	if u == nil {
		return nil, fmt.Errorf("user %q does not exist", login)
	}
	return []*oktatest.User{u}, nil
}

// phone is where pushes of a user go: a device of Okta's, or the user's app of a service.
type phone interface {
	Pushes() int
	Waiting() int
	Answer(approve bool) int
}

// phonesOf finds the phones of users: those of one service or of all, or one device in
// Okta by its name or id.
func (c control) phonesOf(users []*oktatest.User, params url.Values) (phones []phone, err error) {
	service, device := params.Get("service"), params.Get("device")
	if service != "" && service != "okta" && (device != "" || service != "duo" && service != "pingid") {
		return nil, fmt.Errorf("service %q does not exist, or has no devices by name; service is okta, duo or pingid, and only okta has devices by name", service)
	}
	for _, u := range users {
		for _, f := range u.Factors() {
			if f.Type == "push" && (device == "" || device == f.Name() || device == f.ID) && (service == "" || service == "okta") {
				phones = append(phones, f)
			}
		}
		if service == "duo" || service == "" && device == "" {
			phones = append(phones, c.duo.User(u.Login()))
		}
		if service == "pingid" || service == "" && device == "" {
			phones = append(phones, c.pingID.User(u.Login()))
		}
	}
	if device != "" && len(phones) == 0 {
		return nil, fmt.Errorf("device %q that gets pushes does not exist in Okta", device)
	}
	return phones, nil
}

// number picks a number on a user's phones: the right one approves a push that waits for
// it, and any other one rejects it.
func (c control) number(w http.ResponseWriter, params url.Values, u *oktatest.User) {
	n, err := strconv.Atoi(params.Get("number"))
	if err != nil {
		fail(w, http.StatusBadRequest, "number must be the number that was picked on the phone")
		return
	}
	phones, err := c.phonesOf([]*oktatest.User{u}, params)
	if err != nil {
		fail(w, http.StatusNotFound, "%v", err)
		return
	}
	var out struct {
		Approved int `json:"approved"`
		Rejected int `json:"rejected"`
	}
	for _, p := range phones {
		if p, shows := p.(interface {
			Pick(n int) (approved, rejected int)
		}); shows {
			approved, rejected := p.Pick(n)
			out.Approved += approved
			out.Rejected += rejected
		}
	}
	reply(w, http.StatusOK, out)
}

// code answers what completes a factor now or later: as text, or that of several
// factors by type. Where two factors have one type, the second goes by id.
func (c control) code(w http.ResponseWriter, params url.Values, u *oktatest.User) {
	later, err := parseLater(params)
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	only := factorType(params.Get("factor"))
	codes := make(map[string]string)
	for _, f := range u.Factors() {
		if only != "" && only != f.Type && only != f.ID {
			continue
		}
		name := f.Type
		if _, taken := codes[name]; taken {
			name = f.ID
		}
		if code := codeOf(f, later); code != "" {
			codes[name] = code
		}
	}
	replyCodes(w, codes, "user %q has no such factor with a code, or no code was sent yet", u.Login())
}

// parseLater is how much later than now a code is asked for.
func parseLater(params url.Values) (time.Duration, error) {
	if !params.Has("later") {
		return 0, nil
	}
	later, err := time.ParseDuration(params.Get("later"))
	if err != nil {
		return 0, fmt.Errorf("later must be a duration such as 30s")
	}
	return later, nil
}

// codeOf is what completes a factor now, or what a generator with a clock shows later.
func codeOf(f *oktatest.Factor, later time.Duration) string {
	if later == 0 {
		return f.Code()
	}
	return f.CodeAt(time.Now().Add(later))
}

// totp answers the code of now or later as text, or the codes of all providers.
func (c control) totp(w http.ResponseWriter, params url.Values, u *oktatest.User) {
	later, err := parseLater(params)
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	codes := make(map[string]string)
	only := params.Get("provider")
	for _, f := range u.Factors() {
		if f.Type == totpType && (only == "" || only == f.Provider) {
			codes[f.Provider] = codeOf(f, later)
		}
	}
	replyCodes(w, codes, "user %q has no such code generator", u.Login())
}

// duoPassCode makes a passcode, good for one login, as Duo's app does.
func (c control) duoPassCode(w http.ResponseWriter, _ url.Values, u *oktatest.User) {
	code := fmt.Sprintf("%06d", rand.N(1_000_000))
	c.duo.User(u.Login()).AddPassCode(code)
	replyCode(w, code)
}

// pingIDPassCode answers the code that PingID has sent last and that was not used, or else
// a new one of its app, good for one login.
func (c control) pingIDPassCode(w http.ResponseWriter, _ url.Values, u *oktatest.User) {
	replyCode(w, c.pingID.User(u.Login()).PassCode())
}

// duoPhone changes what the user's phone can do at Duo, and whether Duo demands a Verified
// Push of them, with a code of so many digits.
func (c control) duoPhone(w http.ResponseWriter, params url.Values, u *oktatest.User) {
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
func (c control) duoType(w http.ResponseWriter, params url.Values, u *oktatest.User) {
	reply(w, http.StatusOK, map[string]int{"approved": c.duo.User(u.Login()).Type(params.Get("code"))})
}

// nextToken makes a user's tokens prove themselves with a second code.
func (c control) nextToken(w http.ResponseWriter, _ url.Values, u *oktatest.User) {
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
func (c control) setStatus(w http.ResponseWriter, params url.Values, u *oktatest.User) {
	status := params.Get("status")
	if status == "" {
		fail(w, http.StatusBadRequest, "status is missing")
		return
	}
	u.SetStatus(status)
	reply(w, http.StatusOK, map[string]string{"user": u.Login(), "status": status})
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
