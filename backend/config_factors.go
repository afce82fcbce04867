package backend

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file holds the fields of config about factors, which the builtin method
// does not have.

// Values of push_devices.
const (
	allDevices  = "all"
	firstDevice = "first"
)

// The defaults and the bounds of max_push_failures and push_failure_window.
const (
	defaultPushFailures = 3
	maxPushFailures     = 100

	defaultPushWindow = 10 * time.Minute
	minPushWindow     = time.Second
	maxPushWindow     = 24 * time.Hour

	// The longest leaves a login the time to take its push back within loginTimeout. The
	// shortest leaves people twice the time without which no push is sent.
	defaultPushTimeout = time.Minute
	minPushTimeout     = 10 * time.Second
	maxPushTimeout     = 80 * time.Second
)

// defaultFactors are the kinds of factor that are accepted where mfa_factors is empty.
// The others have to be named: a code that Okta sends can be redirected or read by
// whoever has taken over the phone number or the mailbox, and the answer to a question
// is one more password.
var defaultFactors = []mfa.Kind{mfa.KindPush, mfa.KindTOTP, mfa.KindToken}

// emptyMeans says what an empty list of kinds stands for, by field.
var emptyMeans = map[string]string{
	"mfa_factors": enumerate("and", texts(defaultFactors)),
	"factors":     enumerate("and", texts(mfa.DefaultKinds)),
}

// factorFields are the fields about factors that the builtin method does not have.
func factorFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"mfa_factors": {
			Type:    framework.TypeCommaStringSlice,
			Default: texts(defaultFactors),
			Description: "Types of factor that the mount accepts: a list or a comma-separated string of " + kindNames() + ". " +
				emptyMeans["mfa_factors"] + ", when empty.",
			DisplayAttrs: &framework.DisplayAttributes{
				Name:        "Accepted Factors",
				Description: "Types of factor that the mount accepts: " + kindNames() + ". " + emptyMeans["mfa_factors"] + ", when empty.",
			},
		},
		"push_devices": {
			Type:          framework.TypeString,
			Default:       allDevices,
			AllowedValues: []any{allDevices, firstDevice},
			Description: `Which phones of a person ring for a push: "all", or the "first" of Okta's list. ` +
				`"all" when empty.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Push Devices"},
		},
		"max_push_failures": {
			Type:    framework.TypeInt,
			Default: defaultPushFailures,
			Description: fmt.Sprintf("How many pushes and codes to a person may be rejected or left unanswered within "+
				"push_failure_window before no more are sent: 1 to %d, and %d when not set.", maxPushFailures, defaultPushFailures),
			DisplayAttrs: &framework.DisplayAttributes{Name: "Maximum Push Failures"},
		},
		"push_failure_window": {
			Type:         framework.TypeDurationSecond,
			Default:      durationText(defaultPushWindow),
			Description:  "For how long a rejected or unanswered push or code counts against max_push_failures: 1s to 24h, and 10m when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Push Failure Window"},
		},
		"push_timeout": {
			Type:    framework.TypeDurationSecond,
			Default: durationText(defaultPushTimeout),
			Description: "How long a login that waits does so for its pushes, all of them together: 10s to 80s, and 1m when not " +
				"set. A login with wait=false holds no request.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Push Timeout"},
		},
		"skip_enrollment": {
			Type:    framework.TypeBool,
			Default: false,
			Description: "Let people in whom Okta asks to enroll a factor and lets skip that for now (MFA_ENROLL with a skip link). " +
				"Such a login may rest on the password alone. False when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Skip Enrollment"},
		},
		"remember_device": {
			Type:    framework.TypeBool,
			Default: false,
			Description: "Pass the device_token of a login to Okta, and ask Okta to remember that device once it has verified a factor. " +
				"Where the org's policy allows that, a remembered device is asked for no factor. False when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Remember Device"},
		},
		"passcode_separator": {
			Type: framework.TypeString,
			Description: "A punctuation character after which a passcode may follow in the password field, for clients " +
				`that have no field for it: with "," people type "password,123456". Off, when empty.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Passcode Separator"},
		},
	}
}

func kindNames() string { return strings.Join(texts(mfa.Kinds), ", ") }

// enumerate joins names to a list for a sentence: "a, b and c".
func enumerate(conjunction string, names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " " + conjunction + " " + names[last]
}

// texts returns the names of kinds; it is never nil.
func texts(kinds []mfa.Kind) []string {
	names := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		names = append(names, string(kind))
	}
	return names
}

// settings returns all that the builtin method, or an older version of it, does not have.
func (cfg *configEntry) settings() []setting {
	policy, limits := cfg.policy(), cfg.attemptLimits()
	return append(cfg.groupSettings(), []setting{
		{"alias_metadata", mapped(cfg.AliasMetadata), len(cfg.AliasMetadata) > 0},
		{"metadata_fields", mapped(cfg.MetadataFields), len(cfg.MetadataFields) > 0},
		{"mfa_factors", texts(policy.Factors), len(cfg.MFAFactors) > 0},
		{"push_devices", cmp.Or(cfg.PushDevices, allDevices), cfg.PushDevices != ""},
		{"max_push_failures", policy.Push.Failures, cfg.MaxPushFailures != 0},
		{"push_failure_window", durationText(policy.Push.Window), cfg.PushFailureWindow != 0},
		{"push_timeout", durationText(policy.PushTimeout), cfg.PushTimeout != 0},
		{"passcode_separator", cfg.PasscodeSeparator, cfg.PasscodeSeparator != ""},
		{"skip_enrollment", cfg.SkipEnrollment, cfg.SkipEnrollment},
		{"remember_device", cfg.RememberDevice, cfg.RememberDevice},
		{"mfa_methods", listed(cfg.MFAMethods), len(cfg.MFAMethods) > 0},
		{"prefetch_groups", string(cfg.prefetch()), cfg.PrefetchGroups != ""},
		{"max_login_failures", limits.MaxFailures, cfg.MaxLoginFailures != nil},
		{"login_failure_window", durationText(limits.Window), cfg.LoginFailureWindow != 0},
		{"login_lockout_duration", durationText(limits.Lockout), cfg.LoginLockout != 0},
		// A first write stores the default.
		{"alias_source", cfg.source(), cfg.AliasSource != "" && cfg.AliasSource != sourceLogin},
		{"client_id", cfg.ClientID, cfg.ClientID != ""},
		{"scopes", cfg.scopes(), len(cfg.Scopes) > 0},
		{"key_rotation_period", durationText(cfg.KeyRotationPeriod), cfg.KeyRotationPeriod != 0},
		{"trusted_app", cfg.trustedApp(), cfg.TrustedApp != nil},
		{"login_domain", cfg.LoginDomain, cfg.LoginDomain != ""},
		{"renewal", cfg.renewal(), cfg.Renewal != ""},
		{"renewal_grace", durationText(cfg.RenewalGrace), cfg.RenewalGrace != 0},
		{"trusted_proxies", cfg.TrustedProxies.list(), len(cfg.TrustedProxies) > 0},
	}...)
}

// updateFactors changes the fields about factors that the request names.
func (cfg *configEntry) updateFactors(d *framework.FieldData) error {
	// A null counts as not given: otherwise it would accept factors that were excluded.
	if names, ok := newest[[]string](d, "mfa_factors"); ok && d.Raw["mfa_factors"] != nil {
		kinds, err := parseKinds("mfa_factors", names)
		if err != nil {
			return err
		}
		cfg.MFAFactors = kinds
	}
	if v, ok := newest[bool](d, "skip_enrollment"); ok {
		cfg.SkipEnrollment = v
	}
	if v, ok := newest[bool](d, "remember_device"); ok {
		cfg.RememberDevice = v
	}
	if v, ok := newest[string](d, "push_devices"); ok {
		v = strings.ToLower(v)
		if v != "" && v != allDevices && v != firstDevice {
			return invalid("push_devices", fmt.Sprintf("must be %q or %q", allDevices, firstDevice))
		}
		cfg.PushDevices = v
	}
	if v, ok := newest[string](d, "passcode_separator"); ok {
		if v != "" && !isPunctuation(v) {
			return invalid("passcode_separator", `must be one punctuation character of ASCII, such as ",", and no letter, `+
				"digit or space; or empty, for none")
		}
		cfg.PasscodeSeparator = v
	}
	return cfg.updatePushLimit(d)
}

// updatePushLimit changes the fields that limit the pushes and codes nobody answers. A null
// counts as not given, although the framework reads it as zero for an int.
func (cfg *configEntry) updatePushLimit(d *framework.FieldData) error {
	if v, ok := newest[int](d, "max_push_failures"); ok && d.Raw["max_push_failures"] != nil {
		if v < 1 || v > maxPushFailures {
			return invalid("max_push_failures", fmt.Sprintf("must be 1 to %d: there is always a limit", maxPushFailures))
		}
		cfg.MaxPushFailures = v
	}
	if v, ok := newest[int](d, "push_failure_window"); ok {
		window := time.Duration(v) * time.Second
		if window < minPushWindow || window > maxPushWindow {
			return invalid("push_failure_window", "must be 1s to 24h")
		}
		cfg.PushFailureWindow = window
	}
	if v, ok := newest[int](d, "push_timeout"); ok && d.Raw["push_timeout"] != nil {
		timeout := time.Duration(v) * time.Second
		if timeout < minPushTimeout || timeout > maxPushTimeout {
			return invalid("push_timeout", "must be 10s to 80s")
		}
		cfg.PushTimeout = timeout
	}
	return nil
}

// parseKinds reads the names of kinds of factors, and keeps each once. An empty
// name among them is refused: a list of nothing else would mean the default.
func parseKinds(field string, names []string) ([]mfa.Kind, error) {
	var kinds []mfa.Kind
	for _, name := range names {
		kind, err := mfa.ParseKind(name)
		if err != nil {
			return nil, invalid(field, "must be a list of "+kindNames()+"; empty means "+emptyMeans[field])
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// isPunctuation reports whether s is one printable character of ASCII other than
// a letter, a digit or a space.
func isPunctuation(s string) bool {
	return len(s) == 1 && s[0] <= unicode.MaxASCII && (unicode.IsPunct(rune(s[0])) || unicode.IsSymbol(rune(s[0])))
}

// policy returns what the configuration says about factors, the defaults included.
func (cfg *configEntry) policy() mfa.Policy {
	factors := cfg.MFAFactors
	if len(factors) == 0 {
		factors = defaultFactors
	}
	return mfa.Policy{
		Bypass:         cfg.BypassOktaMFA,
		SkipEnrollment: cfg.SkipEnrollment,
		Factors:        factors,
		AllDevices:     cfg.PushDevices != firstDevice,
		PushTimeout:    cmp.Or(cfg.PushTimeout, defaultPushTimeout),
		Push: mfa.PushLimit{
			Failures: cmp.Or(cfg.MaxPushFailures, defaultPushFailures),
			Window:   cmp.Or(cfg.PushFailureWindow, defaultPushWindow),
		},
	}
}
