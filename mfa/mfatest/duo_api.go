package mfatest

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// duoSkew is how wrong a client's clock may be.
const duoSkew = 5 * time.Minute

// duoError is an answer that says FAIL. The first three digits of the code are
// the HTTP status. https://duo.com/docs/authapi#response-format
type duoError struct {
	code            int
	message, detail string
}

var (
	duoMissing   = duoError{40001, "Missing required request parameters", ""}
	duoNoHeader  = duoError{40101, "Missing request credentials", ""}
	duoBadKey    = duoError{40102, "Invalid integration key in request credentials", ""}
	duoBadSign   = duoError{40103, "Invalid signature in request credentials", ""}
	duoBadTime   = duoError{40105, "Bad request timestamp", ""}
	duoNotFound  = duoError{40401, "Resource not found", ""}
	duoBadMethod = duoError{40501, "Method not allowed", ""}
)

func duoInvalid(parameter string) duoError {
	return duoError{40002, "Invalid request parameters", parameter}
}

func (e duoError) write(w http.ResponseWriter) {
	doc := map[string]any{"stat": "FAIL", "code": e.code, "message": e.message}
	if e.detail != "" {
		doc["message_detail"] = e.detail
	}
	writeJSON(w, e.code/100, doc)
}

func writeOK(w http.ResponseWriter, response map[string]any) {
	writeJSON(w, http.StatusOK, map[string]any{"stat": "OK", "response": response})
}

func writeJSON(w http.ResponseWriter, status int, doc any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(doc)
}

func (s *DuoServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/auth/v2/ping", func(w http.ResponseWriter, _ *http.Request) { s.writeTime(w) })
	mux.HandleFunc("/auth/v2/check", s.signed(http.MethodGet, func(w http.ResponseWriter, _ *http.Request) { s.writeTime(w) }))
	mux.HandleFunc("/auth/v2/preauth", s.signed(http.MethodPost, s.preauth))
	mux.HandleFunc("/auth/v2/auth", s.signed(http.MethodPost, s.auth))
	mux.HandleFunc("/auth/v2/auth_status", s.signed(http.MethodGet, s.authStatus))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { duoNotFound.write(w) })
	return mux
}

// signed lets those requests through that are signed with the account's keys.
func (s *DuoServer) signed(method string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			duoBadMethod.write(w)
			return
		}
		if err := r.ParseForm(); err != nil {
			duoMissing.write(w)
			return
		}
		key, signature, given := r.BasicAuth()
		date := r.Header.Get("Date")
		sent, err := time.Parse(time.RFC1123Z, date)
		switch {
		case !given:
			duoNoHeader.write(w)
		case err != nil || sent.Sub(s.time()).Abs() > duoSkew:
			duoBadTime.write(w)
		case key != s.IntegrationKey:
			duoBadKey.write(w)
		case !hmac.Equal([]byte(signature), []byte(duoSignature(s.SecretKey, date, method, r.Host, r.URL.Path, r.Form))):
			duoBadSign.write(w)
		default:
			next(w, r)
		}
	}
}

// duoSignature signs the date, the method, the host, the path and the parameters,
// a line each. https://duo.com/docs/authapi#authentication
func duoSignature(secret, date, method, host, path string, parameters url.Values) string {
	var pairs []string
	for name, values := range parameters {
		for _, value := range values {
			pairs = append(pairs, duoEscape(name)+"="+duoEscape(value))
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write([]byte(strings.Join([]string{date, method, strings.ToLower(host), path, strings.Join(pairs, "&")}, "\n")))
	return hex.EncodeToString(mac.Sum(nil))
}

// duoEscape escapes all but letters, digits and -._~ (RFC 3986, section 2.3).
func duoEscape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
	}
	return b.String()
}

func (s *DuoServer) writeTime(w http.ResponseWriter) {
	writeOK(w, map[string]any{"time": s.time().Unix()})
}

func (s *DuoServer) preauth(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.Form.Get("username")
	if name == "" {
		duoMissing.write(w)
		return
	}
	u := s.users[name]
	if u == nil {
		// What Duo says of strangers is a policy; this is the one it begins with.
		writeOK(w, map[string]any{"result": "enroll", "status_msg": "Enroll a phone first",
			"enroll_portal_url": s.URL + "/portal"})
		return
	}
	u.asked = append(u.asked, r.Form)
	response := map[string]any{"result": u.result, "status_msg": u.message}
	if u.portal != "" {
		response["enroll_portal_url"] = u.portal
	}
	if u.result == "auth" {
		response["devices"] = u.devices
		switch {
		case u.verified == 0:
		case r.Form.Get("client_supports_verified_push") == "1":
			u.beginVerified(response)
		default:
			response["devices"] = withoutPush(u.devices)
		}
	}
	writeOK(w, response)
}

func (s *DuoServer) auth(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[r.Form.Get("username")]
	switch factor := r.Form.Get("factor"); {
	case r.Form.Get("username") == "" || factor == "":
		duoMissing.write(w)
	case u == nil:
		duoInvalid("username").write(w)
	case u.lockedOut:
		writeOK(w, map[string]any{"result": "deny", "status": "locked_out", "status_msg": "You are locked out."})
	case factor == "passcode":
		s.authPassCode(w, u, r.Form.Get("passcode"))
	case factor == "push", factor == "phone", factor == "auto":
		s.authDevice(w, u, factor, r.Form)
	default:
		duoInvalid("factor").write(w)
	}
}

func (s *DuoServer) authPassCode(w http.ResponseWriter, u *DuoUser, code string) {
	if code == "" {
		duoMissing.write(w)
		return
	}
	s.addSecrets(code)
	i := slices.Index(u.passCodes, code)
	if i < 0 {
		writeOK(w, map[string]any{"result": "deny", "status": "deny", "status_msg": "This passcode is wrong."})
		return
	}
	u.passCodes = slices.Delete(u.passCodes, i, i+1)
	writeOK(w, map[string]any{"result": "allow", "status": "allow", "status_msg": "You are in."})
}

// authDevice sends a push, or calls. It knows the asynchronous form only.
func (s *DuoServer) authDevice(w http.ResponseWriter, u *DuoUser, factor string, form url.Values) {
	d, fault := u.device(form.Get("device"), factor)
	_, err := url.ParseQuery(form.Get("pushinfo"))
	switch {
	case form.Get("async") != "1":
		fault = "async"
	case fault == "" && err != nil:
		fault = "pushinfo"
	}
	p := &duoPush{decided: make(chan struct{}), news: []string{"pushed"}}
	switch {
	case fault != "":
	case factor == "phone", factor == "auto" && !capable(d, "push"):
		p.call, p.news = true, []string{"calling", "answered"}
	default:
		var ok bool
		if p.code, ok = u.verify(form); !ok {
			fault = "txid"
		}
	}
	if fault != "" {
		duoInvalid(fault).write(w)
		return
	}
	u.sent, u.open = append(u.sent, form), append(slices.DeleteFunc(u.open, (*duoPush).isDecided), p)
	txid := strings.ToLower(random(36))
	s.pushes[txid] = p
	if len(u.script) > 0 {
		p.decide(u.script[0])
		u.script = u.script[1:]
	}
	writeOK(w, map[string]any{"txid": txid})
}

// device finds the device of that id, or the first that is capable of the factor where it
// is "auto". The fault is what Duo says where there is none.
func (u *DuoUser) device(id, factor string) (found map[string]any, fault string) {
	fault = "device"
	for _, d := range u.devices {
		switch {
		case id != "auto" && id != d["device"]:
		case capable(d, factor):
			return d, ""
		default:
			fault = noCapableDevice
		}
	}
	if id == "auto" {
		fault = noCapableDevice
	}
	return nil, fault
}

const noCapableDevice = "no capable device"

func capable(device map[string]any, capability string) bool {
	capabilities, _ := device["capabilities"].([]string)
	return slices.Contains(capabilities, capability)
}

// duoWords are what Duo says of its statuses while it waits.
var duoWords = map[string]string{
	"pushed": "Your phone rings.", "calling": "Your phone is called.", "answered": "You took the call.",
}

// authStatus answers once there is news: first how the push or the call gets on, then
// what has become of it.
func (s *DuoServer) authStatus(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.pushes[r.Form.Get("txid")]
	if p == nil {
		s.mu.Unlock()
		duoInvalid("txid").write(w)
		return
	}
	p.left = false
	status, words := "", ""
	if len(p.news) > 0 {
		status, p.news = p.news[0], p.news[1:]
		words = duoWords[status]
	}
	if p.code != "" {
		words += " Type " + p.code
	}
	s.mu.Unlock()
	if status != "" {
		writeOK(w, map[string]any{"result": "waiting", "status": status, "status_msg": words})
		return
	}
	if !s.wait(r.Context(), p.decided) {
		s.mu.Lock()
		p.left = true
		s.mu.Unlock()
		noAnswer()
	}
	writeOK(w, map[string]any{"result": p.outcome.Result, "status": p.outcome.Status, "status_msg": p.outcome.Message})
}
