package backend

import (
	"context"
	"slices"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// changedError says what has changed while somebody logged in, so that the login lets
// nobody in: the mount's configuration or the person's address.
type changedError struct{ what string }

func (e *changedError) Error() string { return e.what }

var (
	errOrgChanged     = &changedError{"this mount now belongs to another Okta org"}
	errBypassEnded    = &changedError{"this mount now requires the factor that Okta asks for, which your login has not verified"}
	errSkipEnded      = &changedError{"this mount now requires the enrollment of a factor that Okta asks for, which your login has skipped"}
	errDeviceUnused   = &changedError{"this mount no longer has Okta remember devices, and Okta asked for no factor on the one that your login named"}
	errFactorRefused  = &changedError{"this mount no longer accepts the factor that you have used"}
	errReadingChanged = &changedError{"this mount has begun or ceased to read people's groups in Okta"}
	errMethodRequired = &changedError{"this mount now requires an MFA method that your login has not satisfied"}
	errAddressChanged = &changedError{"Okta asked for no factor at the address where this login began, and the token would go to another one"}
)

// stillGood is asOfToday for a login that has passed, which may have waited for the
// person.
func (l *loginRequest) stillGood(ctx context.Context, session *mfa.Session) (*loginRequest, error) {
	today, err := l.asOfToday(ctx, session.Who())
	// A renewal satisfies no method: those of its login count there.
	if err == nil && !l.in.unattended && !session.Covers(today.found.required) {
		return l, errMethodRequired
	}
	return today, err
}

// asOfToday compares what the person has verified with the configuration and the entries of
// groups and users as they are now: they may have been written since the request began.
// It is called when a token is about to be issued or renewed, and returns the request
// with the configuration, the groups and the policies that the token is made from. Where
// it fails it returns l, which it never changes: a read of groups that the login no
// longer waits for may still use it.
func (l *loginRequest) asOfToday(ctx context.Context, who mfa.Subject) (*loginRequest, error) {
	cfg, err := l.requireConfig(ctx, l.req.Storage)
	if err == nil {
		err = checkCIDR(cfg, l.req.Connection)
	}
	if err != nil {
		return l, err
	}
	org, _ := cfg.orgURL() // none, where what is stored is not sound
	switch {
	case org != l.client.OrgURL():
		return l, errOrgChanged
	case who.Bypassed && !cfg.BypassOktaMFA:
		return l, errBypassEnded
	case who.Excused && !cfg.SkipEnrollment:
		return l, errSkipEnded
	case !l.in.device.IsZero() && !cfg.RememberDevice && who.Verified == nil && !who.Bypassed:
		return l, errDeviceUnused
	case refuses(cfg.policy(), who):
		return l, errFactorRefused
	case cfg.readsOkta() != l.cfg.readsOkta(): // that there are no groups may mean that nobody has asked for any
		return l, errReadingChanged
	}
	today := *l
	today.cfg = cfg
	if today.found, err = today.resolve(ctx, who); err != nil {
		return l, err
	}
	return &today, nil
}

// refuses reports whether the policy does not accept each factor that Okta has verified.
func refuses(policy mfa.Policy, who mfa.Subject) bool {
	all := slices.Clone(who.Earlier)
	if who.Verified != nil {
		all = append(all, *who.Verified)
	}
	return len(policy.Accepted(all)) < len(all)
}

// sameAddress refuses to let another client collect the token of a held login than the
// one for which Okta verified the password, unless Okta has verified a factor, too. Where
// it asked for none, that may be because of the address: sign-on policies know network
// zones.
func (l *loginRequest) sameAddress(login *heldLogin) error {
	if login.session.Who().Verified == nil && l.caller.Address != login.origin {
		return errAddressChanged
	}
	return nil
}
