package oktatest

import "encoding/json"

// requestBody has the fields that any operation knows.
type requestBody struct {
	Username, Password, Token string
	StateToken                string
	PassCode, Answer          string // an empty one counts as none
	Audience                  string
	Warn                      bool   // options.warnBeforePasswordExpired
	DeviceToken               string // context.deviceToken
	WantsNumber               bool   // useNumberMatchingChallenge
}

// UnmarshalJSON takes the fields by their exact names: encoding/json alone
// would also take a misspelt "passcode". Passcodes are strings only, because
// a number would lose its leading zeros.
func (b *requestBody) UnmarshalJSON(raw []byte) error {
	var options, context json.RawMessage
	err := fields(raw, map[string]any{
		"username": &b.Username, "password": &b.Password, "token": &b.Token,
		"stateToken": &b.StateToken, "passCode": &b.PassCode, "answer": &b.Answer,
		"audience": &b.Audience, "options": &options, "context": &context,
		"useNumberMatchingChallenge": &b.WantsNumber,
	})
	if err != nil {
		return err
	}
	if err := fields(options, map[string]any{"warnBeforePasswordExpired": &b.Warn}); err != nil {
		return err
	}
	return fields(context, map[string]any{"deviceToken": &b.DeviceToken})
}

// fields decodes the named fields of an object; others are ignored.
func fields(raw json.RawMessage, targets map[string]any) error {
	if len(raw) == 0 {
		return nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	for name, target := range targets {
		if value, sent := all[name]; sent {
			if err := json.Unmarshal(value, target); err != nil {
				return err
			}
		}
	}
	return nil
}

// answerTo returns the passcode of the request. Questions take it from a field of
// their own.
func (b *requestBody) answerTo(f *Factor) string {
	if f.Type == "question" {
		return b.Answer
	}
	return b.PassCode
}
