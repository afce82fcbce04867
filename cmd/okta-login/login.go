package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/user"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

const (
	pollInterval  = 2 * time.Second
	pollRetries   = 15 // in a row: for as long as another node may need to become active
	cancelTimeout = 5 * time.Second
)

// login is one login, from the password to the token.
type login struct {
	server      *server
	screen      *screen
	opts        *options
	deviceToken string

	username    string
	transaction string     // once the server holds the login open
	told        string     // what the screen already says about the challenge
	expires     *time.Time // of the challenge, as the last answer told
	lost        int        // polls in a row that had no answer
}

// fields is the body of a request.
type fields map[string]any

// state is what a held login waits for; see docs/mfa.md for the fields.
type state struct {
	State         string     `json:"state"`
	TransactionID string     `json:"transaction_id"`
	Factor        string     `json:"factor"`
	Provider      string     `json:"provider"`
	Method        string     `json:"mfa_method"`
	Methods       []method   `json:"mfa_methods"`
	Device        string     `json:"device"`
	SentTo        string     `json:"sent_to"`
	Question      string     `json:"question"`
	Number        *int       `json:"correct_answer"`
	Code          string     `json:"verification_code"`
	ExpiresAt     *time.Time `json:"expires_at"`
	Factors       []factor   `json:"factors"`
}

type method struct {
	Name  string   `json:"mfa_method"`
	Type  string   `json:"mfa_type"`
	AnyOf []method `json:"any_of"` // one of them is enough
}

// factor is one that the person can choose.
type factor struct {
	ID       string `json:"id"`
	Factor   string `json:"factor"`
	Provider string `json:"provider"`
	Device   string `json:"device"`
	SentTo   string `json:"sent_to"`
	Question string `json:"question"`
}

// run logs in. A login that does not come to its end is cancelled, so that no push
// stays on a phone.
func (l *login) run(ctx context.Context) (done *api.Secret, err error) {
	body, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.cancel()
		}
	}()
	for {
		a, err := l.send(ctx, body)
		if refused, ok := errors.AsType[*refusal](err); ok && refused.isOpen() && l.screen.person {
			l.screen.say("%s", clean(strings.TrimSpace(strings.ReplaceAll(refused.text, stillOpen, ""))))
			body = fields{}
			l.told = ""
			continue
		}
		if l.mayPollAgain(body, err) {
			if _, err := l.screen.countDown(ctx, pollInterval, l.expires); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, warning := range a.Warnings {
			// Vault asks for the request that identityMFA sends.
			if a.Auth == nil || a.Auth.MFARequirement == nil || !strings.Contains(warning, "mfa/validate") {
				l.screen.say("Warning: %s", clean(warning))
			}
		}
		if a.Auth != nil {
			return l.identityMFA(ctx, a)
		}
		now, err := stateOf(a)
		if err != nil {
			return nil, err
		}
		l.transaction, l.expires = now.TransactionID, now.ExpiresAt
		if body, err = l.answerTo(ctx, now); err != nil {
			return nil, err
		}
	}
}

// mayPollAgain reports whether the request only asked how the login stands, and failed for
// a reason that may soon be gone: the login goes on at the server meanwhile.
func (l *login) mayPollAgain(body fields, err error) bool {
	refused, isRefusal := errors.AsType[*refusal](err)
	if len(body) > 0 || !errors.Is(err, errUnavailable) && !(isRefusal && refused.status == http.StatusTooManyRequests) {
		l.lost = 0
		return false
	}
	l.lost++
	return l.lost <= pollRetries
}

// stateOf reads what a held login waits for.
func stateOf(a *api.Secret) (now state, err error) {
	data, err := json.Marshal(a.Data)
	if err == nil {
		err = json.Unmarshal(data, &now)
	}
	if err != nil || now.TransactionID == "" {
		err = fmt.Errorf("%w: the answer is not one of the Okta auth method (is -mount right?)", errUnavailable)
	}
	return now, err
}

// begin asks for the username and the password.
func (l *login) begin(ctx context.Context) (fields, error) {
	var err error
	if l.username = l.opts.username; l.username == "" {
		if l.username, err = l.askUsername(ctx); err != nil {
			return nil, err
		}
	}
	password, err := l.screen.askSecret(ctx, fmt.Sprintf("Okta password of %s: ", clean(l.username)))
	if err != nil {
		return nil, err
	}
	body := fields{"password": password, "wait": false}
	for name, value := range map[string]string{
		"factor": l.opts.factor, "provider": l.opts.provider, "device": l.opts.device, "device_token": l.deviceToken,
	} {
		if value != "" {
			body[name] = value
		}
	}
	if len(l.opts.mfa) > 0 {
		body["mfa"] = []string(l.opts.mfa)
	}
	return body, nil
}

func (l *login) askUsername(ctx context.Context) (string, error) {
	if !l.screen.person { // whose first line is the password
		return "", fmt.Errorf("the command line must give the username: %w", errNoTerminal)
	}
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	typed, err := l.screen.ask(ctx, fmt.Sprintf("Okta username [%s]: ", clean(name)))
	if err == nil && typed == "" {
		typed = name
	}
	if err == nil && typed == "" {
		err = fmt.Errorf("a username is needed: %w", errUsage)
	}
	return typed, err
}

func (l *login) send(ctx context.Context, body fields) (*api.Secret, error) {
	if l.transaction != "" {
		body = maps.Clone(body)
		body["transaction_id"] = l.transaction
	}
	return l.server.post(ctx, "auth/"+l.opts.mount+"/login/"+l.username, body)
}

// cancel ends a login that is held open. The caller's context may have ended.
func (l *login) cancel() {
	if l.transaction == "" {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), cancelTimeout)
	defer stop()
	_, _ = l.send(ctx, fields{"cancel": true}) // it ends by itself, too, in a few minutes
}

// answerTo is the next request for a login that waits.
func (l *login) answerTo(ctx context.Context, now state) (fields, error) {
	switch now.State {
	case "waiting":
		return l.wait(ctx, now)
	case "passcode_required":
		return l.givePassCode(ctx, now)
	case "factor_required":
		return l.chooseFactor(ctx, now)
	case "mfa_required":
		return l.giveCredentials(ctx, now)
	}
	return nil, fmt.Errorf("the login waits for %q, which this version of okta-login does not know", clean(now.State))
}

// wait tells what the person has to do on the phone, and counts down to the next poll. At
// a terminal the person may take another factor meanwhile.
func (l *login) wait(ctx context.Context, now state) (fields, error) {
	phone := "your phone"
	if now.Device != "" {
		phone = fmt.Sprintf("%q", clean(now.Device))
	}
	if now.Method != "" {
		phone += " for " + clean(now.Method)
	}
	offer := ""
	if len(now.Factors) > 0 && l.screen.canPress() {
		offer = " To use another factor, press Enter."
	}
	l.tell("push "+phone, "A push was sent to %s: approve it there.%s", phone, offer)
	switch {
	case now.Code != "":
		l.tell("code "+now.Code, "Type this code there:\n%s", large(now.Code))
	case now.Number != nil:
		l.tell(fmt.Sprint("number ", *now.Number), "Tap this number there:\n%s", large(fmt.Sprint(*now.Number)))
	}
	pressed, err := l.screen.countDown(ctx, pollInterval, now.ExpiresAt)
	if err != nil || !pressed || offer == "" {
		return fields{}, err
	}
	l.told = ""
	return l.chooseInstead(ctx, now)
}

// tell says something unless the screen says it already.
func (l *login) tell(key, format string, args ...any) {
	if strings.Contains(l.told, key+"\n") {
		return
	}
	l.told += key + "\n"
	l.screen.say(format, args...)
}

func (l *login) givePassCode(ctx context.Context, now state) (fields, error) {
	switch {
	case now.SentTo != "":
		l.tell("sent "+now.Factor+now.SentTo, "Okta sent a code to %s. To have another one sent, press Enter.", clean(now.SentTo))
	case now.Question != "":
		l.tell("question "+now.Question, "%s", clean(now.Question))
	}
	typed, err := l.screen.askSecret(ctx, promptOf(now))
	if err != nil {
		return nil, err
	}
	if typed == "" && now.SentTo != "" {
		l.told = ""
		return fields{"resend": true}, nil
	}
	return fields{"totp": typed}, nil
}

func promptOf(now state) string {
	switch {
	case now.Question != "":
		return "Answer: "
	case now.SentTo != "":
		return "Code: "
	}
	return fmt.Sprintf("Passcode of %s: ", nameOf(factor{Factor: now.Factor, Provider: now.Provider}))
}

func (l *login) chooseFactor(ctx context.Context, now state) (fields, error) {
	if len(now.Factors) == 0 {
		return nil, errors.New("no factor of yours is taken here: tell your Vault administrator")
	}
	i, err := l.screen.choose(ctx, "Which factor?", namesOf(now.Factors))
	if errors.Is(err, errNoTerminal) {
		err = fmt.Errorf("%w; name one with -factor, -provider or -device", err)
	}
	if err != nil {
		return nil, err
	}
	return now.Factors[i].choice(), nil
}

// chooseInstead lets the person take another factor than the push that waits, or wait on.
func (l *login) chooseInstead(ctx context.Context, now state) (fields, error) {
	names := append([]string{"wait for the push"}, namesOf(now.Factors)...)
	i, err := l.screen.choose(ctx, "Which factor?", names)
	if err != nil || i == 0 {
		return fields{}, err
	}
	return now.Factors[i-1].choice(), nil
}

// choice are the fields that choose f and no other factor.
func (f factor) choice() fields {
	switch f.Factor {
	case "push", "sms", "call", "email":
		return fields{"factor": f.Factor, "device": f.ID}
	case "question":
		return fields{"factor": f.Factor}
	}
	return fields{"factor": f.Factor, "provider": f.Provider}
}

func namesOf(factors []factor) (names []string) {
	for _, f := range factors {
		names = append(names, nameOf(f))
	}
	return names
}

// nameOf is what people call a factor.
func nameOf(f factor) string {
	detail := func(s string) string {
		if s == "" {
			return ""
		}
		return " " + clean(s)
	}
	switch f.Factor {
	case "push":
		return "push" + detail(f.Device)
	case "sms":
		return "SMS to" + detail(f.SentTo)
	case "call":
		return "voice call to" + detail(f.SentTo)
	case "email":
		return "e-mail to" + detail(f.SentTo)
	case "question":
		return "security question:" + detail(f.Question)
	}
	provider := map[string]string{
		"OKTA": "Okta Verify", "GOOGLE": "Google Authenticator", "YUBICO": "your YubiKey",
		"RSA": "your RSA token", "SYMANTEC": "your Symantec token",
	}[f.Provider]
	if provider == "" {
		provider = strings.TrimSpace("your authenticator" + detail(f.Provider))
	}
	return provider
}

// giveCredentials asks for what the MFA methods of the mount want.
func (l *login) giveCredentials(ctx context.Context, now state) (fields, error) {
	var credentials []string
	for _, m := range now.Methods {
		credential, err := l.giveCredential(ctx, m)
		if errors.Is(err, errNoTerminal) {
			err = fmt.Errorf("%w; give it with -mfa", err)
		}
		if err != nil {
			return nil, err
		}
		credentials = append(credentials, credential)
	}
	return fields{"mfa": credentials}, nil
}

func (l *login) giveCredential(ctx context.Context, m method) (string, error) {
	if len(m.AnyOf) > 0 {
		names := make([]string, len(m.AnyOf))
		for i, way := range m.AnyOf {
			names[i] = clean(way.Name)
		}
		i, err := l.screen.choose(ctx, "Which MFA method?", names)
		if err != nil {
			return "", err
		}
		m = m.AnyOf[i]
	}
	prompt := fmt.Sprintf("Passcode for %s, or nothing for a push: ", clean(m.Name))
	if m.Type == "totp" {
		prompt = fmt.Sprintf("Passcode for %s: ", clean(m.Name))
	}
	typed, err := l.screen.askSecret(ctx, prompt)
	if err != nil || typed == "" {
		return m.Name, err
	}
	return m.Name + ":" + typed, nil
}

// checkToken refuses an answer without a token, and a token that could do harm where it
// is printed.
func checkToken(a *api.Secret) error {
	if a.Auth == nil || a.Auth.ClientToken == "" || a.Auth.ClientToken != clean(a.Auth.ClientToken) {
		return fmt.Errorf("%w: the answer has no token", errUnavailable)
	}
	return nil
}
