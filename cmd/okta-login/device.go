package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
)

// deviceTokenPattern is what deviceToken makes. Okta takes up to 32 characters.
var deviceTokenPattern = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// deviceToken is the random string by which Okta may recognise this device, where the
// mount has remember_device. Each mount has another, so that nobody can tell by it that
// two of them serve the same person. Without a directory to keep it in, the login has
// none.
func deviceToken(o *options) string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	mount := sha256.Sum256([]byte(o.address + "\n" + o.namespace + "\n" + o.mount))
	file := filepath.Join(dir, "okta-login", "device-"+hex.EncodeToString(mount[:8]))
	if kept, err := os.ReadFile(file); err == nil && deviceTokenPattern.Match(kept) {
		return string(kept)
	}
	token := rand.Text()
	if os.MkdirAll(filepath.Dir(file), 0o700) != nil || writePrivate(file, token) != nil {
		return ""
	}
	return token
}

// writePrivate writes a file that only its owner can read, whole or not at all.
func writePrivate(path, content string) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails once it has its name
	_, err = temp.WriteString(content)
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path) // CreateTemp gives it to the owner alone
}
