package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// description is what the ready file says, and what people read at the start.
type description struct {
	URL        string            `json:"url"`
	ControlURL string            `json:"control_url"`
	Cert       string            `json:"cert"` // path of the PEM file
	APIToken   string            `json:"api_token"`
	Duo        duoDescription    `json:"duo"`
	PingID     pingIDDescription `json:"pingid"`
	Users      []userDescription `json:"users"`
}

// duoDescription and pingIDDescription are what a method of the mount needs.
type duoDescription struct {
	URL            string `json:"url"`
	APIHostname    string `json:"api_hostname"`
	IntegrationKey string `json:"integration_key"`
	SecretKey      string `json:"secret_key"`
}

type pingIDDescription struct {
	URL          string `json:"url"`
	SettingsFile string `json:"settings_file_base64"`
}

type userDescription struct {
	Login    string              `json:"login"`
	Password string              `json:"password"`
	Status   string              `json:"status"`
	Factors  []factorDescription `json:"factors"`
	TOTP     []totpDescription   `json:"totp"`
	Push     bool                `json:"push"`
	Groups   []string            `json:"groups"`
}

type factorDescription struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Provider string `json:"provider"`
	Name     string `json:"name,omitempty"` // of a device
}

type totpDescription struct {
	Provider   string `json:"provider"`
	OTPAuthURL string `json:"otpauth_url"`
}

func describe(srv *oktatest.Server, s *services, controlURL, cert string) description {
	d := description{
		URL: srv.URL, ControlURL: controlURL, Cert: cert, APIToken: srv.Token,
		Duo:    duoDescription{s.duo.URL, s.duo.Host(), s.duo.IntegrationKey, s.duo.SecretKey},
		PingID: pingIDDescription{s.pingID.URL, s.pingID.Settings()},
	}
	for _, u := range srv.Users() {
		user := userDescription{
			Login: u.Login(), Password: u.Password(), Status: u.Status(), Groups: u.Groups(),
			Factors: []factorDescription{}, TOTP: []totpDescription{},
		}
		for _, f := range u.Factors() {
			user.Factors = append(user.Factors, factorDescription{f.ID, f.Type, f.Provider, f.Name()})
			switch f.Type {
			case "push":
				user.Push = true
			case totpType:
				user.TOTP = append(user.TOTP, totpDescription{f.Provider, f.OTPAuthURL()})
			}
		}
		d.Users = append(d.Users, user)
	}
	return d
}

// writeReady writes the ready file. It has passwords in it, made up as they
// are, so it is for its owner only.
func (d description) writeReady(name string) error {
	raw, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(name, append(raw, '\n'), 0o600)
}

// print tells a newcomer what there is and what to do next.
func (d description) print(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "okta-sim: a fake Okta organization, Duo and PingID. Do not give it real passwords.\n\n")
	fmt.Fprintf(&b, "  URL          %s\n", d.URL)
	fmt.Fprintf(&b, "  Duo          %s\n", d.Duo.URL)
	fmt.Fprintf(&b, "  PingID       %s\n", d.PingID.URL)
	fmt.Fprintf(&b, "  API token    %s\n", d.APIToken)
	fmt.Fprintf(&b, "  certificate  %s\n", d.Cert)
	fmt.Fprintf(&b, "  page         %s/ (people, phones, codes; and the control API)\n\n", d.ControlURL)

	fmt.Fprintf(&b, "Users:\n")
	for _, u := range d.Users {
		fmt.Fprintf(&b, "  %-16s  %-16s  %s\n", u.Login, u.Password, u.summary())
		for _, t := range u.TOTP {
			fmt.Fprintf(&b, "      %s\n", t.OTPAuthURL)
		}
	}
	fmt.Fprintln(&b)
	for _, s := range d.steps() {
		fmt.Fprintf(&b, "%s:\n  %s\n", s.Title, strings.ReplaceAll(s.Commands, "\n", "\n  "))
	}
	fmt.Fprintf(&b, "\nStop with Ctrl-C.\n")
	_, err := w.Write(b.Bytes())
	return err
}

// steps are what to try, in a terminal.
func (d description) steps() (steps []step) {
	add := func(title, format string, args ...any) {
		steps = append(steps, step{title, fmt.Sprintf(format, args...)})
	}
	rings := max(0, d.first(func(u userDescription) bool { return u.Push })) // at Duo and PingID, everybody's does
	ringing := shellQuote(d.Users[rings].Login)
	add("Log in", "%s", d.loginCommand())
	add("Approve or reject a waiting push (all, or one user's), of Okta, Duo or PingID",
		"curl -X POST %s/push/approve\ncurl -X POST -d user=%s %[1]s/push/reject", d.ControlURL, ringing)
	if i := d.first(func(u userDescription) bool { return len(u.TOTP) > 0 }); i >= 0 {
		add("Get the code that the authenticator app shows now",
			"curl -G --data-urlencode user=%s %s/totp", shellQuote(d.Users[i].Login), d.ControlURL)
	}
	if i := d.first(userDescription.typesCodes); i >= 0 {
		add("Get the code last sent, the next one of a token, or the answer to a question",
			"curl -G --data-urlencode user=%s %s/code", shellQuote(d.Users[i].Login), d.ControlURL)
	}
	add("Let a mount ask for Duo or PingID (with OpenBao, type bao for vault); all users have a phone there",
		"vault write auth/okta/mfa/method/duo method_name=my_duo api_hostname=%s integration_key=%s secret_key=%s\n"+
			"vault write auth/okta/mfa/method/pingid method_name=my_ping settings_file_base64=%s\n"+
			"vault write auth/okta/config mfa_methods=my_duo",
		d.Duo.APIHostname, d.Duo.IntegrationKey, d.Duo.SecretKey, d.PingID.SettingsFile)
	add("Get a new passcode of Duo", "curl -G --data-urlencode user=%s %s/duo/passcode", ringing, d.ControlURL)
	add("Get a passcode of PingID, after a login with mfa=my_ping:sms the one that was sent",
		"curl -G --data-urlencode user=%s %s/pingid/passcode", ringing, d.ControlURL)
	add("See what Okta was asked", "curl %s/requests", d.ControlURL)
	return steps
}

func (d description) first(match func(userDescription) bool) int {
	for i, u := range d.Users {
		if match(u) {
			return i
		}
	}
	return -1
}

func (d description) loginCommand() string {
	body, _ := json.Marshal(map[string]string{"username": d.Users[0].Login, "password": d.Users[0].Password})
	return fmt.Sprintf("curl --cacert %s -H 'Content-Type: application/json' -d %s %s/api/v1/authn",
		shellQuote(d.Cert), shellQuote(string(body)), d.URL)
}

// summary says in a few words what a user's login needs and gives.
func (u userDescription) summary() string {
	var words []string
	if u.Status != "ACTIVE" {
		words = append(words, u.Status)
	}
	for _, f := range u.Factors {
		words = append(words, f.summary())
	}
	const shown = 3
	groups := strings.Join(u.Groups[:min(shown, len(u.Groups))], ", ")
	if more := len(u.Groups) - shown; more > 0 {
		groups += fmt.Sprintf(" and %d more", more)
	}
	if groups != "" {
		words = append(words, "in "+groups)
	}
	return strings.Join(words, "; ")
}

// typesCodes says that the user has a factor whose code /totp does not know.
func (u userDescription) typesCodes() bool {
	known := []string{"sms", "call", "email", "question", "token", "token:hotp", "token:hardware"}
	return slices.ContainsFunc(u.Factors, func(f factorDescription) bool { return slices.Contains(known, f.Type) })
}

func (f factorDescription) summary() string {
	switch {
	case f.Type == "push":
		return "push to " + f.Name
	case f.Type == totpType:
		return f.Provider + " totp"
	case f.Provider == "OKTA":
		return f.Type
	}
	return f.Provider + " " + f.Type
}

// shellQuote makes a word safe to paste into a shell.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
