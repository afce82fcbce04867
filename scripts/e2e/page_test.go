package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image/png"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

var update = flag.Bool("update", false, "write the screenshot docs/phones.png anew")

// screenshot is what the README shows, and screenshotLimit is how large it may be.
const (
	screenshot      = "../../docs/phones.png"
	screenshotLimit = 150 << 10
)

// browserPatience is how long a test waits for what the page has to show.
const browserPatience = 3 * time.Minute

// findBrowser finds Chromium or Chrome: what CHROME_BIN names, or else in PATH.
func findBrowser() string {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"}
	if bin := os.Getenv("CHROME_BIN"); bin != "" {
		names = []string{bin}
	}
	for _, name := range names {
		if bin, err := exec.LookPath(name); err == nil {
			return bin
		}
	}
	return ""
}

// devPage is the page of what "make dev" runs, in a browser.
type devPage struct {
	t   *testing.T
	ctx context.Context // of the browser's tab
	cli harness.CLI
}

// openDevPage starts what "make dev" runs, and opens the page that it tells.
func openDevPage(t *testing.T) devPage {
	t.Helper()
	needsVault(t, `"login -method=okta"`)
	bin := findBrowser()
	if bin == "" {
		const why = "no Chromium in PATH, and none in CHROME_BIN: the page is not tested in a browser"
		fmt.Fprintf(os.Stderr, "SKIPPED %s: %s\n", t.Name(), why) // a skipped test alone says nothing
		t.Skip(why)
	}
	guide := startDev(t)
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+/\n`).FindString(guide)
	vault := regexp.MustCompile(`export VAULT_ADDR=(\S+)`).FindStringSubmatch(guide)
	require.NotEmpty(t, address, guide)
	require.Len(t, vault, 2, guide)

	p := devPage{t, openTab(t, bin), harness.CLI{Bin: suite.vaultBin, Addr: vault[1], Home: t.TempDir()}}
	p.do(p.size(1280, 900), chromedp.Navigate(strings.TrimSpace(address)))
	p.wait(`document.getElementById('connection').textContent === 'Live'`)
	return p
}

// openTab starts a browser. On a busy machine, one may give up before it has begun.
func openTab(t *testing.T, bin string) context.Context {
	t.Helper()
	const starts = 3
	for left := starts - 1; ; left-- {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(bin), chromedp.UserDataDir(t.TempDir()),
			chromedp.WSURLReadTimeout(browserPatience))
		if os.Geteuid() == 0 { // whom Chromium's sandbox refuses
			options = append(options, chromedp.NoSandbox)
		}
		allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
		t.Cleanup(cancel)
		tab, cancel := chromedp.NewContext(allocator)
		t.Cleanup(cancel)
		err := chromedp.Do(tab) // the browser lives as long as the context of its first action
		if err == nil {
			return tab
		}
		require.Positive(t, left, "%v", err)
		t.Logf("the browser did not start: %v", err)
	}
}

func (p devPage) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, browserPatience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, actions...))
}

// wait waits until an expression is true on the page.
func (p devPage) wait(expression string) {
	p.t.Helper()
	p.do(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(browserPatience))(ctx, t)
		return none, err
	})
}

// eval asks the page.
func eval[T any](p devPage, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, browserPatience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(p.t, err)
	return v
}

func (p devPage) size(width, height int64) chromedp.Action[chromedp.Void] {
	return chromedp.EmulateViewport(width, height)
}

// reload loads the page anew, and waits until it shows what there is.
func (p devPage) reload() {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Reload()(ctx, t)
		return err
	}))
	p.wait(`document.getElementById('connection').textContent === 'Live'`)
}

// theme has the browser prefer light or dark.
func (p devPage) theme(name string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	}))
	p.wait(`matchMedia('(prefers-color-scheme: ` + name + `)').matches`)
}

// login starts "vault login" on a terminal of its own.
func (p devPage) login(user, password string) *harness.Terminal {
	p.t.Helper()
	terminal, err := p.cli.OnTerminal(p.t.Context(), "login", "-no-store", "-method=okta", "username="+user, "password="+password)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = terminal.Kill() })
	return terminal
}

// pageLogin is a login that waits for a phone for minutes, unlike "vault login", whose client
// gives up after one.
type pageLogin struct {
	p        devPage
	user, id string
}

// hold begins such a login.
func (p devPage) hold(user, password string) pageLogin {
	p.t.Helper()
	a := p.post(user, object{"password": password, "wait": false})
	data, _ := a["data"].(object)
	id, _ := data["transaction_id"].(string)
	require.NotEmpty(p.t, id, "%v", a)
	return pageLogin{p, user, id}
}

// waitForNumber has the mount ask Okta until it knows the number that the phone shows.
func (l pageLogin) waitForNumber() {
	l.p.t.Helper()
	eventually(l.p.t, "the number", func() bool {
		data, _ := l.ask()["data"].(object)
		return data["correct_answer"] != nil
	})
}

func (l pageLogin) requireToken() {
	l.p.t.Helper()
	eventually(l.p.t, "a token", func() bool { return l.ask()["auth"] != nil })
}

func (l pageLogin) ask() object { return l.p.post(l.user, object{"transaction_id": l.id}) }

func (p devPage) post(user string, body object) (answer object) {
	p.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(p.t, err)
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.cli.Addr+"/v1/auth/okta/login/"+user, bytes.NewReader(raw))
	require.NoError(p.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	require.NoError(p.t, json.NewDecoder(response.Body).Decode(&answer))
	require.Equal(p.t, http.StatusOK, response.StatusCode, "%v", answer)
	return answer
}

// button is the selector of a phone's button.
func button(label, phone string) string {
	return fmt.Sprintf(`button[aria-label=%q]`, label+": "+phone)
}

// click clicks an element, once it is there.
func (p devPage) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// answer clicks a button of a phone, and waits until the phone does not ring any more: then
// the others have moved to their places.
func (p devPage) answer(label, phone string) {
	p.t.Helper()
	p.click(button(label, phone))
	p.wait(fmt.Sprintf("!document.querySelector(%q)", button(label, phone)))
}

// press presses a key.
func (p devPage) press(key string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key))
}

const (
	pia, piasPhone = "pia@acme.test", "pia@acme.test, Pia's phone"
	noa, noasPhone = "noa@acme.test", "noa@acme.test, Noa's phone"
)

// A person who types "vault login" in a terminal answers the push on the page, with the
// mouse, with the keyboard, on a narrow screen, and reads what is on it.
func TestPhonePage(t *testing.T) {
	t.Parallel()
	p := openDevPage(t)
	for _, row := range []struct {
		name string
		is   func(t *testing.T, p devPage)
	}{
		{"approve", pageApproves},
		{"reject", pageRejects},
		{"number", pagePicksNumbers},
		{"message", pageShowsMessages},
		{"person", pageShowsWhatPeopleHave},
		{"problem", pageShowsWhatIsWrong},
		{"keyboard", pageByKeyboard},
		{"fault", pageSwitchesFaults},
		{"contrast", pageHasContrast},
		{"narrow", pageFitsNarrowScreens},
		{"screenshot", pageIsShown},
	} {
		t.Run(row.name, func(t *testing.T) {
			p.t = t
			row.is(t, p)
		})
	}
	require.Empty(t, eval[[]string](p, `performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith(location.origin + '/'))`))
}

func pageApproves(t *testing.T, p devPage) {
	terminal := p.login(pia, "purple-monkey")
	p.wait(`document.title === '(1) okta-sim' && document.getElementById('ringing').textContent === '1 push waits: ` + pia + `'`)
	require.NotContains(t, terminal.Screen(), "Success!", "it waits for the phone")
	p.answer("Approve", piasPhone)
	require.Zero(t, terminal.Wait(), terminal.Screen())
	require.Contains(t, terminal.Screen(), "Success! You are now authenticated")
	p.wait(`document.querySelectorAll('#pushes li').length === 0 && document.getElementById('ringing').textContent === 'No phone rings.'`)
	require.Equal(t, "phones-title", eval[string](p, `document.activeElement.id`), "the focus is not lost with the card")
	p.wait(`document.getElementById('requests').textContent.includes('"username":"` + pia + `"')`)
	require.NotContains(t, eval[string](p, `document.getElementById('requests').textContent`), "purple-monkey")
}

func pageRejects(t *testing.T, p devPage) {
	terminal := p.login(pia, "purple-monkey")
	p.answer("Reject", piasPhone)
	require.NotZero(t, terminal.Wait(), terminal.Screen())
	require.NotContains(t, terminal.Screen(), "Success!")
	require.Contains(t, terminal.Screen(), "rejected")
}

func pagePicksNumbers(t *testing.T, p devPage) {
	terminal := p.login(noa, "silver-spoon")
	shown, err := terminal.WaitFor(t.Context(), regexp.MustCompile(`"(\d+)"`))
	require.NoError(t, err)
	p.wait(`document.querySelectorAll('#pushes button.number').length === 3`)
	require.Zero(t, eval[int](p, `document.querySelectorAll('#pushes button.yes').length`), "a tap does not answer a number")
	p.answer(shown[1], noasPhone)
	require.Zero(t, terminal.Wait(), terminal.Screen())

	terminal = p.login(noa, "silver-spoon")
	p.answer("8", noasPhone)
	require.NotZero(t, terminal.Wait(), "a wrong number: %s", terminal.Screen())
}

func pageShowsMessages(t *testing.T, p devPage) {
	require.NotZero(t, p.login("sam@acme.test", "paper-lantern").Wait(), "the first login has a code sent")
	p.wait(`document.querySelectorAll('#messages .code').length === 1`)
	code := eval[string](p, `document.querySelector('#messages .code').textContent`)
	terminal, err := p.cli.OnTerminal(t.Context(), "login", "-no-store", "-method=okta", "username=sam@acme.test", "password=paper-lantern", "totp="+code)
	require.NoError(t, err)
	require.Zero(t, terminal.Wait(), terminal.Screen())
	p.wait(`document.querySelector('#messages s')?.textContent === '` + code + `' && document.getElementById('messages').textContent.includes('no longer valid')`)

	p.click(`button[aria-label="QR code for the authenticator app of tom@acme.test"]`)
	p.wait(`document.querySelector('img.qr')?.naturalWidth === 264`)
}

// The controls of a person show what the simulator has, whoever has changed it.
func pageShowsWhatPeopleHave(t *testing.T, p devPage) {
	const more = `[...document.querySelectorAll('#people > li')].find(e => e.textContent.includes('mia@acme.test')).querySelector('[name=verified]')`
	set := func(digits int) {
		eval[bool](p, fmt.Sprintf(`(fetch('/duo/phone?user=mia&verified_push=%d', { method: 'POST' }), true)`, digits))
		p.wait(fmt.Sprintf(more+`.value === '%d'`, digits))
	}
	set(6)
	p.reload()
	p.wait(more + `.value === '6'`)
	set(0)
}

// A button whose request fails, or that the browser refuses, says so where it is seen.
func pageShowsWhatIsWrong(t *testing.T, p devPage) {
	eval[bool](p, `(window.fetches = fetch, window.fetch = () => Promise.reject(new TypeError('no')),
		navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError')),
		document.querySelectorAll('details').forEach(d => { d.open = true; }), true)`)
	for _, row := range []struct{ button, problem string }{
		{`[aria-label="Press the button of the Token with a button of hope@acme.test"]`, "okta-sim did not answer."},
		{`#steps button`, "The browser did not copy the text. Select it and copy it yourself."},
		{`[aria-label="Duo passcode of mia@acme.test"]`, "okta-sim did not answer."},
	} {
		p.click(row.button)
		p.wait(fmt.Sprintf(`document.getElementById('problem').textContent === %q`, row.problem))
		require.True(t, eval[bool](p, `(r => r.bottom > 0 && r.top < innerHeight)(document.getElementById('problem').getBoundingClientRect())`), row.button)
	}
	eval[bool](p, `(window.fetch = window.fetches, document.querySelectorAll('details').forEach(d => { d.open = false; }), true)`)
	p.wait(`document.getElementById('connection').textContent === 'Live'`)
	p.click(`[aria-label="Press the button of the Token with a button of hope@acme.test"]`)
	p.wait(`document.getElementById('problem').hidden`)
}

// stop is an element that the Tab key leads to.
type stop struct {
	Tag   string
	Name  string // as a screen reader says it
	Seen  bool   // the focus is visible
	Index int    // among all that can be used, in the order of the page
}

const focused = `(() => {
	const e = document.activeElement, s = getComputedStyle(e);
	const name = e.getAttribute('aria-label') || e.labels?.[0]?.textContent || document.getElementById(e.getAttribute('aria-labelledby'))?.textContent || e.textContent;
	return {
		Tag: e.tagName, Name: name.trim(), Index: Number(e.dataset.stop ?? -1),
		Seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2,
	};
})()`

// The Tab key leads to everything that can be used, in the order of the page; each has a
// name and shows that it has the focus; and Enter approves.
func pageByKeyboard(t *testing.T, p devPage) {
	login := p.hold(pia, "purple-monkey")
	p.do(chromedp.WaitVisible(chromedp.CSS(button("Approve", piasPhone))))
	want := eval[[]int](p, `[...document.querySelectorAll('a[href], button, select, input, summary, [tabindex="0"]')]
		.filter(e => e.checkVisibility()).map((e, i) => { e.dataset.stop = i; return i; })`)
	require.Greater(t, len(want), 50)
	eval[bool](p, `(document.activeElement.blur(), document.getElementById('phones-title').focus(), true)`)
	var got []int
	for range want {
		p.press("\t")
		at := eval[stop](p, focused)
		require.NotEmpty(t, at.Name, "%+v", at)
		require.True(t, at.Seen, "%+v", at)
		got = append(got, at.Index)
	}
	require.Equal(t, want, got)

	eval[bool](p, `(document.getElementById('phones-title').focus(), true)`)
	p.press("\t")
	require.Equal(t, "Approve: "+piasPhone, eval[stop](p, focused).Name)
	p.press("\r")
	login.requireToken()
}

func pageSwitchesFaults(t *testing.T, p devPage) {
	p.do(chromedp.SetValue(chromedp.CSS(`#fault select[name=where]`), "okta"), chromedp.SetValue(chromedp.CSS(`#fault select[name=fault]`), "error"))
	p.click(`#fault button`)
	p.wait(`document.querySelectorAll('#faults li').length === 1`)
	require.NotZero(t, p.login("mia@acme.test", "correct-horse").Wait())
	p.click(`#faults button`)
	p.wait(`document.querySelectorAll('#faults li').length === 0`)
	terminal := p.login("mia@acme.test", "correct-horse")
	require.Zero(t, terminal.Wait(), terminal.Screen())
}

// faint lists what the AA of WCAG 2.2 finds too faint, and how much was looked at: texts
// whose contrast is below 4.5 (1.4.3), and the edges and focus outlines of controls whose
// contrast with what is around them is below 3 (1.4.11). The browser itself draws check
// boxes.
const faint = `(() => {
	const channels = c => (c.match(/[\d.]+/g) ?? []).map(Number);
	const luminance = c => {
		const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ground = e => {
		for (; e; e = e.parentElement) {
			const c = channels(getComputedStyle(e).backgroundColor);
			if (c.length === 3 || c[3] === 1) return c.slice(0, 3);
		}
		return [255, 255, 255];
	};
	const out = { Seen: 0, Controls: 0, Faint: [] };
	const look = (e, what, color, behind, least) => {
		const [a, b] = [luminance(channels(color)), luminance(ground(behind))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < least) out.Faint.push(what + ' ' + e.tagName + ' ' + e.className + ' ' + ratio.toFixed(2) + ': ' + e.textContent.slice(0, 40));
	};
	for (const e of document.querySelectorAll('body, body *')) {
		const text = e.matches('input, select') || [...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
		if (!text || !e.checkVisibility() || e.tagName === 'OPTION' || e.tagName === 'NOSCRIPT') continue;
		out.Seen++;
		look(e, 'text', getComputedStyle(e).color, e, 4.5);
	}
	const had = document.activeElement;
	for (const e of document.querySelectorAll('button, select, input, summary, [tabindex="0"]')) {
		if (!e.checkVisibility()) continue;
		out.Controls++;
		e.focus({ preventScroll: true });
		const s = getComputedStyle(e);
		if (s.outlineStyle === 'none') out.Faint.push('no outline ' + e.tagName + ' ' + e.className);
		look(e, 'outline', s.outlineColor, e.parentElement, 3);
		if (e.matches('button, select, input:not([type=checkbox])')) look(e, 'edge', s.borderTopColor, e.parentElement, 3);
	}
	had.focus({ preventScroll: true });
	return out;
})()`

// Every text can be read and every control be seen, in light and dark, with everything on
// the page that it can show.
func pageHasContrast(t *testing.T, p devPage) {
	login, number := p.hold(pia, "purple-monkey"), p.hold(noa, "silver-spoon")
	number.waitForNumber()
	p.wait(`document.querySelectorAll('#pushes li').length === 2`)
	eval[bool](p, `(document.querySelectorAll('details').forEach(d => { d.open = true; }), true)`)
	p.do(chromedp.SetValue(chromedp.CSS(`#fault select[name=where]`), "duo"))
	p.click(`#fault button`)
	p.wait(`document.querySelectorAll('#faults li').length === 1`)
	p.press("\t") // whoever uses the keyboard sees the focus
	for _, theme := range []string{"dark", "light"} {
		p.theme(theme)
		looked := eval[struct {
			Seen, Controls int
			Faint          []string
		}](p, faint)
		require.Greater(t, looked.Seen, 200)
		require.Greater(t, looked.Controls, 100)
		require.Empty(t, looked.Faint, theme)
	}
	p.click(`#faults button`)
	p.answer("Approve", piasPhone)
	p.answer("47", noasPhone)
	login.requireToken()
	number.requireToken()
}

// On a screen of 320 pixels nothing has to be scrolled to the side, with all details open.
func pageFitsNarrowScreens(t *testing.T, p devPage) {
	login := p.hold(noa, "silver-spoon")
	login.waitForNumber()
	p.do(p.size(320, 700), chromedp.WaitVisible(chromedp.CSS(button("Reject", noasPhone))))
	require.Empty(t, eval[[]string](p, `[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && e.getBoundingClientRect().right > 320.5)
		.map(e => e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 40))`))
	require.LessOrEqual(t, eval[int](p, `document.documentElement.scrollWidth`), 320)
	if *update { // for a look at it
		p.write(filepath.Join(os.TempDir(), "phones-narrow.png"))
	}
	p.answer("47", noasPhone)
	login.requireToken()
}

// write takes a screenshot into a file.
func (p devPage) write(name string) []byte {
	p.t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	if name != "" {
		require.NoError(p.t, os.WriteFile(name, picture, 0o644))
	}
	return picture
}

// The README shows the page as it is: two phones ring.
func pageIsShown(t *testing.T, p devPage) {
	p.do(p.size(1120, 720))
	p.reload()
	first, second := p.hold(pia, "purple-monkey"), p.hold(noa, "silver-spoon")
	second.waitForNumber()
	p.wait(`document.querySelectorAll('#pushes li').length === 2`)
	name := ""
	if *update {
		name = screenshot
	}
	taken := p.write(name)
	require.Less(t, len(taken), screenshotLimit)
	if *update {
		p.theme("dark")
		p.write(filepath.Join(os.TempDir(), "phones-dark.png"))
	}
	p.answer("Approve", piasPhone)
	p.answer("47", noasPhone)
	first.requireToken()
	second.requireToken()

	kept, err := os.ReadFile(screenshot)
	require.NoError(t, err, "go test -run TestPhonePage -update writes it")
	require.Less(t, len(kept), screenshotLimit)
	is, err := png.DecodeConfig(bytes.NewReader(kept))
	require.NoError(t, err)
	want, err := png.DecodeConfig(bytes.NewReader(taken))
	require.NoError(t, err)
	require.Equal(t, []int{want.Width, want.Height}, []int{is.Width, is.Height})
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "](docs/phones.png)")
}
