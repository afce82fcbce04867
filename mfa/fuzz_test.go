package mfa_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// checkAnswer: of all that can be decoded, SUCCESS alone is the end, and what is
// chosen of the factors is usable, accepted and goes with what was given.
func checkAnswer(t *testing.T, body []byte, passCode, kind, provider, device, only string) {
	var tx okta.Transaction
	if err := json.Unmarshal(body, &tx); err != nil {
		if tx.Status != "" || tx.Factors != nil {
			t.Errorf("%v, and yet %+v", err, tx)
		}
		return
	}
	step, err := mfa.Next(tx)
	if (step == 0) == (err == nil) {
		t.Errorf("step %d and %v", step, err)
	}
	if step == mfa.StepDone && tx.Status != okta.StatusSuccess {
		t.Errorf("done with %q", tx.Status)
	}
	if (step == mfa.StepWait || step == mfa.StepAnswer) && tx.Factor == nil {
		t.Error("waits for no factor")
	}
	w := want{PassCode: passCode, Kind: mfa.Kind(kind), Provider: okta.Provider(provider), Device: device}
	var policy mfa.Policy
	if only != "" {
		policy.Factors = []mfa.Kind{mfa.Kind(only)}
	}
	pending := ""
	if len(tx.Factors) > 0 {
		pending = tx.Factors[len(tx.Factors)-1].ID
	}
	choice, err := mfa.Choose(tx.Factors, w, policy, pending)
	if (choice.Action == 0) == (err == nil) || (len(choice.Factors) == 0) == (err == nil) {
		t.Errorf("%+v and %v", choice, err)
	}
	if err == nil && (choice.Action == mfa.ActionAnswer) != (passCode != "") {
		t.Errorf("%d with the passcode %q", choice.Action, passCode)
	}
	if choice.Action == mfa.ActionSend && len(choice.Factors) != 1 {
		t.Errorf("sends %d codes", len(choice.Factors))
	}
	for _, factor := range choice.Factors {
		k := mfa.KindOf(factor)
		if !mfa.Usable(factor) || !slices.Contains(tx.Factors, factor) || only != "" && string(k) != only ||
			kind != "" && string(k) != kind || provider != "" && string(factor.Provider) != provider || device != "" && k != mfa.KindPush {
			t.Errorf("chose %+v", factor)
		}
		if push := k == mfa.KindPush; push && passCode != "" || !push && choice.Action == mfa.ActionRing {
			t.Errorf("%d with %+v", choice.Action, factor)
		}
		if code := k == mfa.KindSMS || k == mfa.KindCall || k == mfa.KindEmail; choice.Action == mfa.ActionSend && !code {
			t.Errorf("sends a code of %+v", factor)
		}
	}
}

// eachAnswer passes each of Okta's answers in okta/testdata with each of what a person may
// give and a mount may accept.
func eachAnswer(t testing.TB, use func(body []byte, passCode, kind, provider, device, only string)) {
	files, err := filepath.Glob("../okta/testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		body, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, passCode := range []string{"", code, otp, words} {
			use(body, passCode, "", "", "", "")
		}
		use(body, "", "sms", "", "", "push")
		use(body, "", "", "", "Phone 1", "")
		use(body, code, "", "OKTA", "", "totp")
	}
}

// TestEachAnswer: see checkAnswer.
func TestEachAnswer(t *testing.T) {
	eachAnswer(t, func(body []byte, passCode, kind, provider, device, only string) {
		checkAnswer(t, body, passCode, kind, provider, device, only)
	})
}

// FuzzAnswer: see checkAnswer.
func FuzzAnswer(f *testing.F) {
	nth := 0
	eachAnswer(f, func(body []byte, passCode, kind, provider, device, only string) {
		if nth++; nth%5 == 0 { // 5 and 7 have no common divisor: each body, each choice
			f.Add(body, passCode, kind, provider, device, only)
		}
	})
	f.Fuzz(checkAnswer)
}

// FuzzPassCode: what is cleaned stays clean, and what is split can be joined.
func FuzzPassCode(f *testing.F) {
	for _, s := range []string{"", code, " 123 456\n", otp, "secret,123456", "se,cret,123456", "secret::12345", words, "\xff,12345", "é12345"} {
		f.Add(s, ",")
		f.Add(s, "::")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, s, separator string) {
		clean := mfa.CleanPassCode(s)
		if again := mfa.CleanPassCode(clean); again != clean {
			t.Errorf("%q, cleaned again %q", clean, again)
		}
		if len(clean) > len(s) {
			t.Errorf("%q became %q", s, clean)
		}
		password, passCode, ok := mfa.SplitPassCode(s, separator)
		switch {
		case ok && password+separator+passCode != s:
			t.Errorf("%q became %q and %q", s, password, passCode)
		case ok && (len(passCode) < 5 || separator == ""):
			t.Errorf("split %q off by %q", passCode, separator)
		case !ok && (password != s || passCode != ""):
			t.Errorf("%q became %q and %q, and is not split", s, password, passCode)
		}
		if p, k, err := mfa.ParseProvider(s); err != nil && (p != "" || k != "") || p != "" && k != "" {
			t.Errorf("%q, %q and %v", p, k, err)
		}
	})
}
