package mfatest

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
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
	switch wrong := problem(req, s.time()); {
	case wrong != "":
		s.answer(w, req, PingIDOutcome{http.StatusBadRequest, 400, "Invalid input: " + wrong})
	case operation == "authonline":
		s.authOnline(w, r, req)
	default:
		// The others begin or end something else. No client of this package's may
		// need them.
		http.NotFound(w, r)
	}
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
func problem(req pingRequest, now time.Time) string {
	sent, err := time.Parse(pingTime, req.Header.Timestamp)
	switch {
	case err != nil || len(req.Header.Timestamp) != len(pingTime) || sent.Sub(now).Abs() > pingSkew:
		return "timestamp"
	case req.Header.Locale != "en":
		return "locale"
	case req.Header.Version != "4.9":
		return "version"
	case req.Body.SPAlias != "web":
		return "spAlias"
	case req.Body.AuthType != "CONFIRM":
		return "authType"
	case req.Body.UserName == "":
		return "userName"
	}
	return ""
}

// authOnline sends a push, and answers when the person has.
func (s *PingIDServer) authOnline(w http.ResponseWriter, r *http.Request, req pingRequest) {
	p := s.push(req.Body.UserName)
	switch {
	case p == nil:
		s.answer(w, req, PingIDOutcome{http.StatusBadRequest, 10564, "User does not exist."})
	case s.wait(r.Context(), p.decided):
		s.answer(w, req, p.outcome)
	default: // nobody can learn of a decision any more
		s.mu.Lock()
		p.decide(PingIDOutcome{})
		s.mu.Unlock()
		noAnswer()
	}
}

// push sends a push, or returns nil where there is nobody of that name.
func (s *PingIDServer) push(name string) *pingPush {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[name]
	if u == nil {
		return nil
	}
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

func (s *PingIDServer) answer(w http.ResponseWriter, req pingRequest, outcome PingIDOutcome) {
	token := &Token{
		Header: map[string]any{"alg": "HS256", "org_alias": s.OrgAlias, "token": s.Token},
		Payload: map[string]any{"responseBody": map[string]any{
			"errorId": outcome.ErrorID, "errorMsg": outcome.Message,
			"sessionId": "webs_" + random(43), "uniqueMsgId": "webs_" + random(43), "clientData": req.Body.ClientData,
		}},
		Key: s.Key,
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
