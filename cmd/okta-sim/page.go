package main

import (
	"embed"
	"image/png"
	"io/fs"
	"net/http"
	"net/url"

	"github.com/pquerna/otp"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// page is the website: one document, one style sheet, one script.
//
//go:embed page
var page embed.FS

func servePage(mux *http.ServeMux) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the directory is in the binary
	}
	server := http.FileServerFS(files)
	mux.Handle("GET /{$}", server)
	mux.Handle("GET /page.css", server)
	mux.Handle("GET /page.js", server)
	mux.Handle("GET /icon.svg", server)
}

// qrSize is the width and height of a QR code in pixels.
const qrSize = 264

// qr draws the QR code that an authenticator app takes a user's factor from.
func (c control) qr(w http.ResponseWriter, params url.Values, u *oktatest.User) {
	for _, f := range u.Factors() {
		if f.ID != params.Get("factor") || f.Type != totpType {
			continue
		}
		key, err := otp.NewKeyFromURL(f.OTPAuthURL())
		if err != nil {
			fail(w, http.StatusInternalServerError, "%v", err)
			return
		}
		image, err := key.Image(qrSize, qrSize)
		if err != nil {
			fail(w, http.StatusInternalServerError, "drawing the QR code: %v", err)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		_ = png.Encode(w, image)
		return
	}
	fail(w, http.StatusNotFound, "user %q has no authenticator app with the id %q", u.Login(), params.Get("factor"))
}
