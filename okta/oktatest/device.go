package oktatest

// Devices are remembered by the token that the client sends with the password
// (context.deviceToken), if the request that completes the last factor has the query
// rememberDevice=true. A login from a remembered device asks for no factor. Without an
// API token Okta ignores the device token.

// Remembers reports whether the user has a device with that token.
func (u *User) Remembers(deviceToken string) bool {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	return u.devices[deviceToken]
}

// ForgetDevices makes the user's logins ask for a factor again.
func (u *User) ForgetDevices() {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	clear(u.devices)
}

// deviceToken returns the token of a login's device, or "".
func (c *call) deviceToken() string {
	if c.request.Header.Get("Authorization") == "" {
		return ""
	}
	return c.body.DeviceToken
}

// remember remembers the device whose last factor was verified. Undocumented: of a
// push, the poll that completes it counts.
func (tx *transaction) remember(c *call) {
	if tx.device == "" || c.request.URL.Query().Get("rememberDevice") != "true" {
		return
	}
	if tx.user.devices == nil {
		tx.user.devices = make(map[string]bool)
	}
	tx.user.devices[tx.device] = true
}
