module github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e

go 1.26

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/creack/pty v1.1.24
	github.com/pquerna/otp v1.5.0
	github.com/stretchr/testify v1.12.1
	github.com/vault-okta/vault-plugin-auth-okta v0.0.0-00010101000000-000000000000
	golang.org/x/text v0.35.0
)

require (
	github.com/boombuler/barcode v1.0.1-0.20190219062509-6c824513bacc // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/vault-okta/vault-plugin-auth-okta => ../..
