package backend

import "github.com/vault-okta/vault-plugin-auth-okta/mfa"

// This file says how a held login is described to the client that continues it.

// phases are the words for what a held login waits for.
var phases = map[mfa.Phase]string{
	mfa.PhaseFactor:   "factor_required",
	mfa.PhasePassCode: "passcode_required",
	mfa.PhaseWaiting:  "waiting",
	mfa.PhaseMethods:  "mfa_required",
}

func describeState(state mfa.State) map[string]any {
	data := map[string]any{}
	switch {
	case state.Phase == mfa.PhaseMethods:
		methods := make([]map[string]any, len(state.Missing))
		for i, m := range state.Missing {
			if methods[i] = describeMethod(m); len(m.Or) == 0 {
				continue
			}
			var ways []map[string]any // one of them is enough
			for _, way := range m.Or {
				ways = append(ways, describeMethod(way))
			}
			methods[i] = map[string]any{"any_of": ways}
		}
		data["mfa_methods"] = methods
	case state.Method != nil:
		data = describeMethod(*state.Method)
		if state.Device != "" {
			data["device"] = state.Device
		}
	default:
		data = describeFactor(state.Factor)
		others := make([]map[string]any, 0, len(state.Others))
		for _, f := range state.Others {
			other := describeFactor(f)
			other["id"] = f.ID
			others = append(others, other)
		}
		data["factors"] = others
	}
	data["state"] = phases[state.Phase]
	if state.Number != nil {
		data["correct_answer"] = state.Number.Answer
		if state.Number.Code != "" {
			data["verification_code"] = state.Number.Code
		}
	}
	return data
}

func describeMethod(m mfa.Required) map[string]any {
	return map[string]any{"mfa_method": m.Name, "mfa_type": m.Type}
}
