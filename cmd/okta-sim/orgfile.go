package main

import (
	"bytes"
	_ "embed" // the built-in organization
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

//go:embed default-org.json
var defaultOrg []byte

// orgFile is an organization as a file describes it.
type orgFile struct {
	Users []userEntry `json:"users"`
}

type userEntry struct {
	Login      string         `json:"login"`
	Email      string         `json:"email"`
	Password   string         `json:"password"`
	Status     string         `json:"status"`
	MaySkip    bool           `json:"may_skip_enrollment"`
	Groups     []string       `json:"groups"`
	AppGroups  []string       `json:"app_groups"`
	MoreGroups int            `json:"more_groups"`
	Profile    map[string]any `json:"profile"`
	Factors    []factorEntry  `json:"factors"`
}

type factorEntry struct {
	Type           string   `json:"type"`
	Provider       string   `json:"provider"`
	Name           string   `json:"name"`
	Status         string   `json:"status"`
	Script         []string `json:"script"`
	Number         *int     `json:"number"`
	NumberFromPoll int      `json:"number_from_poll"`
	Code           string   `json:"code"`
	Destination    string   `json:"destination"`
	Vendor         string   `json:"vendor"`
	Step           int      `json:"step"`    // of a sequence, from 1; 0 where there is none
	NewPIN         string   `json:"new_pin"` // chosenPIN or serverPIN
}

// Who makes the PIN that the server of a token asks for.
const (
	chosenPIN = "chosen"
	serverPIN = "server"
)

// loadOrg reads an organization's file; without a name, the built-in one.
func loadOrg(name string) (orgFile, error) {
	if name == "" {
		return decodeOrg(defaultOrg)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return orgFile{}, err
	}
	file, err := decodeOrg(raw)
	if err != nil {
		return orgFile{}, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

// decodeOrg refuses what it does not know, so that a misspelt field does not
// silently make another organization.
func decodeOrg(raw []byte) (orgFile, error) {
	var file orgFile
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line := 1 + bytes.Count(raw[:min(int(syntax.Offset), len(raw))], []byte("\n"))
			return file, fmt.Errorf("line %d: %w", line, err)
		}
		return file, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return file, errors.New("there is more than one JSON value")
	}
	if len(file.Users) == 0 {
		return file, errors.New("there are no users")
	}
	for i, u := range file.Users {
		if err := u.check(); err != nil {
			return file, fmt.Errorf("user %d (%q): %w", i+1, u.Login, err)
		}
		for _, earlier := range file.Users[:i] {
			if oktatest.SameLogin(earlier.Login, u.Login) {
				return file, fmt.Errorf("user %d: login %q is already taken", i+1, u.Login)
			}
		}
	}
	return file, nil
}

func (u userEntry) check() error {
	switch {
	case u.Login == "":
		return errors.New("login is missing")
	case u.Password == "":
		return errors.New("password is missing")
	case u.MoreGroups < 0:
		return errors.New("more_groups must not be negative")
	}
	for i, f := range u.Factors {
		if err := f.check(); err != nil {
			return fmt.Errorf("factor %d: %w", i+1, err)
		}
	}
	return u.checkSteps()
}

// checkSteps wants all factors to be of a sequence or none, and no step without one.
func (u userEntry) checkSteps() error {
	last := u.lastStep()
	for step := range last + 1 {
		inStep := func(f factorEntry) bool { return f.Step == step }
		if any := slices.ContainsFunc(u.Factors, inStep); any != (step > 0) && last > 0 {
			return fmt.Errorf("the steps of the factors must be 1 to %d, each of them used", last)
		}
	}
	return nil
}

func (u userEntry) lastStep() (last int) {
	for _, f := range u.Factors {
		last = max(last, f.Step)
	}
	return last
}

func (entry factorEntry) check() error {
	sent := slices.Contains([]string{"sms", "call", "email"}, entry.Type)
	switch {
	case entry.Type == "":
		return errors.New("type is missing")
	case entry.Type != "push" && (entry.Script != nil || entry.Number != nil || entry.NumberFromPoll != 0):
		return errors.New("only a push can have a script or a number")
	case entry.Number == nil && entry.NumberFromPoll != 0:
		return errors.New("number_from_poll needs a number")
	case entry.Code != "" && (sent || entry.Type == "push"):
		return fmt.Errorf("%s cannot have a code in the file", entry.Type)
	case entry.Destination != "" && !sent:
		return errors.New("only sms, call and email can have a destination")
	case entry.Step < 0:
		return errors.New("step must not be negative")
	case entry.NewPIN != "" && entry.Type != "token":
		return errors.New("only a token can have a new_pin")
	case entry.NewPIN != "" && entry.NewPIN != chosenPIN && entry.NewPIN != serverPIN:
		return fmt.Errorf("new_pin must be %s or %s", chosenPIN, serverPIN)
	}
	return nil
}

// build makes the organization.
func (file orgFile) build(org *oktatest.Org) {
	for _, entry := range file.Users {
		u := org.AddUser(entry.Login, entry.Password)
		u.SetEmail(entry.Email)
		if entry.Status != "" {
			u.SetStatus(entry.Status)
		}
		if entry.Groups != nil {
			u.SetGroups(entry.Groups...)
		}
		for _, name := range entry.AppGroups {
			u.AddGroup(name, "APP_GROUP")
		}
		for n := range entry.MoreGroups {
			u.AddGroup(fmt.Sprintf("Group %03d", n+1), "OKTA_GROUP")
		}
		u.SetSkip(entry.MaySkip)
		for attribute, value := range entry.Profile {
			u.SetAttribute(attribute, value)
		}
		steps := make([][]*oktatest.Factor, entry.lastStep())
		for _, f := range entry.Factors {
			enrolled := f.enrol(u)
			if f.Step > 0 {
				steps[f.Step-1] = append(steps[f.Step-1], enrolled)
			}
		}
		u.SetSequence(steps...)
	}
}

func (entry factorEntry) enrol(u *oktatest.User) *oktatest.Factor {
	provider := entry.Provider
	if provider == "" {
		provider = "OKTA"
	}
	f := u.AddFactor(factorType(entry.Type), provider)
	if entry.Name != "" {
		f.SetName(entry.Name)
	}
	if entry.Status != "" {
		f.SetStatus(entry.Status)
	}
	if entry.Script != nil {
		f.SetScript(entry.Script...)
	}
	if entry.Number != nil {
		f.Number(*entry.Number, entry.NumberFromPoll)
	}
	if entry.Code != "" {
		f.SetCode(entry.Code)
	}
	if entry.Destination != "" {
		f.SetDestination(entry.Destination)
	}
	if entry.Vendor != "" {
		f.SetVendor(entry.Vendor)
	}
	switch entry.NewPIN {
	case chosenPIN:
		f.RequireNewPIN()
	case serverPIN:
		f.RequireServerPIN()
	}
	return f
}

// factorType is Okta's word for a type: totp is short for its longest.
func factorType(name string) string {
	if name == "totp" {
		return totpType
	}
	return name
}

// totpType is Okta's word for an authenticator app.
const totpType = "token:software:totp"
