package backend

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocsLinksResolve: each link of a document to a file or a heading of the repository
// leads to one that exists.
func TestDocsLinksResolve(t *testing.T) {
	t.Parallel()
	repository := os.DirFS("..")
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "scripts/*/*.md"} {
		found, err := fs.Glob(repository, pattern)
		require.NoError(t, err)
		documents = append(documents, found...)
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "SECURITY.md", "docs/api.md"} {
		require.Contains(t, documents, name)
	}
	seen, broken := brokenLinks(t, repository, documents)
	assert.Greater(t, seen, 300)
	assert.Empty(t, broken)
}

// TestDocsLinksBroken: the test above sees each kind of broken link.
func TestDocsLinksBroken(t *testing.T) {
	t.Parallel()
	docs := fstest.MapFS{
		"a.md": {Data: []byte("# What's `new_here`: it, and [more](d/b.md)\n## Twice\n## Twice\n" +
			"[ok](#whats-new_here-it-and-more) [ok](#twice-1) [ok](d/b.md) [ok](d) [ok](https://a.test/x#y) " +
			"[over\nlines](d/b.md#naïve-čapek) `[code](nowhere.md)`\n" +
			"```\n# Not a heading\n[code](nowhere.md)\n```\n" +
			"[bad](#twice-2) [bad](#not-a-heading) [bad](c.md) [bad](d/b.md#twice) ![bad](c.png) [bad](../x.md)\n\n[bad]: gone.md\n")},
		"d/b.md": {Data: []byte("## Naïve Čapek\n[ok](../a.md#twice) [bad](a.md)\n")},
	}
	_, broken := brokenLinks(t, docs, []string{"a.md", "d/b.md"})
	assert.Equal(t, []string{"a.md: #twice-2", "a.md: #not-a-heading", "a.md: c.md", "a.md: d/b.md#twice", "a.md: c.png",
		"a.md: ../x.md", "a.md: gone.md", "d/b.md: a.md"}, broken)
}

var (
	fence    = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	codeSpan = regexp.MustCompile("`[^`\n]*`")
	link     = regexp.MustCompile(`(?m)\]\(([^()\s]+)\)|^\[[^\]]+\]: *(\S+)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// brokenLinks counts the links of documents into their repository and returns those that
// lead nowhere, as "document: link".
func brokenLinks(t *testing.T, repository fs.FS, documents []string) (seen int, broken []string) {
	t.Helper()
	texts, known := map[string]string{}, map[string]map[string]bool{} // read once, by document
	text := func(name string) string {
		if _, read := texts[name]; !read {
			raw, err := fs.ReadFile(repository, name)
			require.NoError(t, err)
			texts[name] = fence.ReplaceAllString(string(raw), "")
		}
		return texts[name]
	}
	anchorsOf := func(name string) map[string]bool {
		if known[name] == nil {
			known[name] = anchors(text(name))
		}
		return known[name]
	}
	for _, document := range documents {
		for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(text(document), ""), -1) {
			target, err := url.Parse(m[1] + m[2])
			require.NoError(t, err, document)
			if target.IsAbs() {
				continue
			}
			seen++
			name := document
			if target.Path != "" {
				name = path.Join(path.Dir(document), target.Path)
			}
			_, err = fs.Stat(repository, name)
			if err != nil || strings.HasSuffix(name, ".md") && target.Fragment != "" && !anchorsOf(name)[target.Fragment] {
				broken = append(broken, document+": "+m[1]+m[2])
			}
		}
	}
	return seen, broken
}

// anchors are those that GitHub gives to the headings of a document: in lower case, spaces
// as hyphens, without other punctuation, and with a number where a heading comes again.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsMark(r), unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, linkText.ReplaceAllString(m[1], "$1"))
		unique := anchor
		for n := 1; all[unique]; n++ {
			unique = fmt.Sprintf("%s-%d", anchor, n)
		}
		all[unique] = true
	}
	return all
}
