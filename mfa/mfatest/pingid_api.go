package mfatest

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// pingSkew is how old a request may be, or how early.
const pingSkew = 5 * time.Minute

// pingTime is the form of a timestamp, which this package takes for UTC.
const pingTime = "2006-01-02 15:04:05.000"

// pingRequest is the payload of a request.
type pingRequest struct {
	Header struct {
		Locale    string `json:"locale"`
		OrgAlias  string `json:"orgAlias"`
		SecretKey string `json:"secretKey"`
		Timestamp string `json:"timestamp"`
		Version   string `json:"version"`
	} `json:"reqHeader"`
	Body struct {
		SPAlias  string `json:"spAlias"`
		UserName string `json:"userName"`
		AuthType string `json:"authType"`
		Async    any    `json:"async"` // a Boolean, or one as a string
		DeviceID int64  `json:"deviceId"`
		Session  string `json:"sessionId"`
		OTP      string `json:"otp"`
		Cancel   string `json:"cancelAuthenticationType"`
		Form     struct {
			Resync string `json:"oathResync"`
		} `json:"formParameters"`
		// ClientData is echoed in the answer.
		ClientData any `json:"clientData"`
	} `json:"reqBody"`
}

func (s *PingIDServer) serve(w http.ResponseWriter, r *http.Request) {
	operation, ok := strings.CutPrefix(r.URL.Path, "/pingid/rest/4/")
	operation, isDo := strings.CutSuffix(operation, "/do")
	if !ok || !isDo || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var req pingRequest
	if !s.accepts(string(text), &req) {
		// Whoever has not the key has no answer that is signed with it.
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	if req.Body.OTP != "" {
		s.addSecrets(req.Body.OTP)
	}
	if wrong := problem(operation, req, s.time()); wrong != "" {
		s.answer(w, req, invalidInput(wrong), nil)
		return
	}
	switch operation {
	case "authonline":
		s.authOnline(w, r, req)
	case "getuserdetails":
		s.details(w, r, req)
	default:
		do := map[string]func(pingRequest) (PingIDOutcome, map[string]any){
			"startauthentication": s.begin, "authstatus": s.status, "authoffline": s.offline, "cancelauthentication": s.cancel,
		}[operation]
		if do == nil {
			http.NotFound(w, r)
			return
		}
		s.mu.Lock()
		outcome, more := do(req)
		s.mu.Unlock()
		s.answer(w, req, outcome, more)
	}
}

func invalidInput(what string) PingIDOutcome {
	return PingIDOutcome{http.StatusBadRequest, 400, "Invalid input: " + what}
}

// accepts reads a request that is signed as the organization's.
func (s *PingIDServer) accepts(text string, req *pingRequest) bool {
	token, err := openToken(text, s.Key)
	return err == nil &&
		token.Header["alg"] == "HS256" && token.Header["org_alias"] == s.OrgAlias && token.Header["token"] == s.Token &&
		json.Unmarshal(token.payload, req) == nil &&
		req.Header.OrgAlias == s.OrgAlias && req.Header.SecretKey == s.Token
}

// problem says what is wrong with a request.
func problem(operation string, req pingRequest, now time.Time) string {
	begins := operation == "authonline" || operation == "startauthentication" || operation == "authoffline"
	sent, err := time.Parse(pingTime, req.Header.Timestamp)
	switch {
	case err != nil || len(req.Header.Timestamp) != len(pingTime) || sent.Sub(now).Abs() > pingSkew:
		return "timestamp"
	case req.Header.Locale != "en":
		return "locale"
	case req.Header.Version != "4.9":
		return "version"
	case begins && req.Body.SPAlias != "web":
		return "spAlias"
	case operation == "authonline" && req.Body.AuthType != "CONFIRM":
		return "authType"
	case (begins || operation == "getuserdetails") && req.Body.UserName == "":
		return "userName"
	case (operation == "authstatus" || operation == "authoffline" || operation == "cancelauthentication") && req.Body.Session == "":
		return "sessionId"
	case operation == "authoffline" && req.Body.OTP == "":
		return "otp"
	case operation == "cancelauthentication" && !slices.Contains([]string{"DEFAULT", "CHANGE_DEVICE", "ADD_DEVICE"}, req.Body.Cancel):
		return "cancelAuthenticationType"
	}
	return ""
}

// authOnline sends a push, and answers when the person has.
func (s *PingIDServer) authOnline(w http.ResponseWriter, r *http.Request, req pingRequest) {
	s.mu.Lock()
	u := s.users[req.Body.UserName]
	var p *pingPush
	if u != nil {
		p = u.ring()
	}
	s.mu.Unlock()
	switch {
	case p == nil:
		s.answer(w, req, nobody, nil)
	case s.wait(r.Context(), p.decided):
		var more map[string]any
		if p.outcome.ErrorID != 200 { // a passcode may follow
			s.mu.Lock()
			id, _ := s.open(u, u.device(0))
			s.mu.Unlock()
			more = map[string]any{"sessionId": id}
		}
		s.answer(w, req, p.outcome, more)
	default: // nobody can learn of a decision any more
		s.mu.Lock()
		p.decide(PingIDOutcome{})
		s.mu.Unlock()
		noAnswer()
	}
}

var nobody = PingIDOutcome{http.StatusBadRequest, 10564, "User does not exist."}

// ring sends a push. It needs the lock.
func (u *PingIDUser) ring() *pingPush {
	p := &pingPush{decided: make(chan struct{})}
	u.pushes++
	u.forgetDecided()
	u.open = append(u.open, p)
	if len(u.script) > 0 {
		p.decide(u.script[0])
		u.script = u.script[1:]
	}
	return p
}

// answer adds what every answer has to more, which may be nil.
func (s *PingIDServer) answer(w http.ResponseWriter, req pingRequest, outcome PingIDOutcome, more map[string]any) {
	body := map[string]any{
		"errorId": outcome.ErrorID, "errorMsg": outcome.Message,
		"sessionId": nil, "uniqueMsgId": "webs_" + random(43), "clientData": req.Body.ClientData,
	}
	maps.Copy(body, more)
	token := &Token{
		Header:  map[string]any{"alg": "HS256", "org_alias": s.OrgAlias, "token": s.Token},
		Payload: map[string]any{"responseBody": body}, Key: s.Key,
	}
	s.mu.Lock()
	if s.forge != nil {
		s.forge(token)
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(cmp.Or(outcome.Status, http.StatusOK))
	_, _ = io.WriteString(w, token.sign())
}
