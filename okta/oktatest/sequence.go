package oktatest

import "slices"

// SetSequence makes the user's logins ask for a factor after a factor: for one of the
// first step, then one of the second, and so on. Without steps, one of all the user's
// factors is enough.
//
// Undocumented: after a step the answer is MFA_REQUIRED again, with the factors of the
// next step alone, and a factor of another step is not allowed in this state.
func (u *User) SetSequence(steps ...[]*Factor) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.sequence = steps
}

// offered lists the factors that can be verified in the transaction's step.
func (tx *transaction) offered() (list []*Factor) {
	for _, f := range tx.user.factors {
		if f.status != "NOT_SETUP" && (len(tx.user.sequence) == 0 || slices.Contains(tx.user.sequence[tx.step], f)) {
			list = append(list, f)
		}
	}
	return list
}

// required brings a transaction to the choice of a factor.
func (o *Org) required(c *call, tx *transaction) answer {
	tx.withdraw(c.now)
	tx.status = "MFA_REQUIRED"
	clear(tx.replaced)
	return o.show(c, tx)
}

// verified completes a factor step.
func (o *Org) verified(c *call, tx *transaction) answer {
	tx.verified = true
	tx.user.failures = 0
	if tx.step+1 < len(tx.user.sequence) {
		tx.step++
		return o.required(c, tx)
	}
	tx.remember(c)
	return o.advance(c, tx)
}

// typesOf lists the types by which the transaction offers verification: those of
// which the user has several factors (observed in Okta's sign-in widget).
func (o *Org) typesOf(tx *transaction) (types []string) {
	if !o.opts.VerifyByType {
		return nil
	}
	count := make(map[string]int)
	for _, f := range tx.offered() {
		count[f.Type]++
		switch f.Type {
		case "push", "token:software:totp", "u2f", "webauthn":
			if count[f.Type] == 2 {
				types = append(types, f.Type)
			}
		}
	}
	return types
}

// named lists the factors that the path of a verify call names: one by its id, or all
// of a type. Only webauthn is documented to be named by its type at any time.
func (o *Org) named(c *call, tx *transaction) (list []*Factor) {
	name := c.param("factor")
	byType := name == "webauthn" || slices.Contains(o.typesOf(tx), name)
	for _, f := range tx.offered() {
		if f.ID == name || byType && f.Type == name {
			list = append(list, f)
		}
	}
	return list
}

// showTypes publishes the types by which factors can be verified.
func (o *Org) showTypes(c *call, tx *transaction, embedded object) {
	list := []object{}
	for _, name := range o.typesOf(tx) {
		at := c.base + "/api/v1/authn/factors/" + name + "/verify"
		list = append(list, object{"factorType": name, "_links": object{"next": link("verify", at)}})
	}
	if len(list) > 0 {
		embedded["factorTypes"] = list
	}
}
