// Package transcript runs the commands of a document as a reader would type them, and
// compares what they print with what the document shows.
//
// Blocks in fences that are marked console, sh or shell hold commands. In a console block,
// a command begins with "$ ", and goes on until the shell takes it for whole; what follows is its
// output. In the other two, each line is a command, and none has output.
//
// A comment of HTML in the line before a block says how it is run:
//
//	<!-- not run: it needs a real Okta org -->
//	<!-- first: commands that the reader need not see, and of which none may fail -->
//	<!-- meanwhile: commands that run beside the block -->
//	<!-- live: 123456 is a command that prints what this stands for, such as a passcode -->
package transcript

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Block is a block of commands in a document.
type Block struct {
	Line             int    // of the fence; the first is 1
	NotRun           string // why it is not run; empty where it is
	First, Meanwhile string // commands
	Live             string // a line for each text: the text, "is", and the command
	Commands         []Command
}

// Command is what the reader types, and what the document shows of its output.
type Command struct{ Text, Output string }

// goesOn reports whether a command goes on in the next line: a quote, a loop or a pipe is open.
func goesOn(command string) bool {
	check := exec.Command("bash", "-n", "-c", command)
	check.Env = []string{"LC_ALL=C"}
	problem, _ := check.CombinedOutput()
	return strings.HasSuffix(command, `\`) || regexp.MustCompile(`unexpected (end of file|EOF)`).Match(problem)
}

var comment = regexp.MustCompile(`^\s*<!-- (not run|first|meanwhile|live): (.*?)\s*(-->)?$`)

// Parse returns the blocks of a document in their order.
func Parse(document string) (blocks []Block) {
	var next Block
	var in *Block
	var kind, open, indent string
	for i, line := range strings.Split(document, "\n") {
		bare := strings.TrimPrefix(line, indent)
		text := strings.TrimSpace(line)
		switch m := comment.FindStringSubmatch(line); {
		case open != "": // a comment of several lines
			said, end := strings.CutSuffix(text, "-->")
			next.say(open, said)
			if end {
				open = ""
			}
		case in != nil && text == "```":
			blocks, in, next, indent = append(blocks, *in), nil, Block{}, ""
		case in != nil:
			in.add(kind, bare)
		case kind == "other" && text == "```":
			kind = ""
		case kind == "other":
		case strings.HasPrefix(text, "```"):
			switch kind = strings.TrimPrefix(text, "```"); kind {
			case "console", "sh", "shell":
				next.Line, in, indent = i+1, &next, line[:strings.Index(line, "```")]
				block := next
				in = &block
			default:
				kind, next = "other", Block{}
			}
		case m != nil:
			next.say(m[1], m[2])
			if m[3] == "" {
				open = m[1]
			}
		case text != "":
			next = Block{} // a comment belongs to the block that follows at once
		}
	}
	return blocks
}

func (b *Block) say(key, text string) {
	switch key {
	case "not run":
		b.NotRun = strings.TrimSpace(b.NotRun + " " + text)
	case "first":
		b.First += text + "\n"
	case "meanwhile":
		b.Meanwhile += text + "\n"
	case "live":
		b.Live += text + "\n"
	}
}

func (b *Block) add(kind, line string) {
	last := len(b.Commands) - 1
	typed, begins := strings.CutPrefix(line, "$ ")
	switch {
	case kind != "console" && strings.TrimSpace(line) == "":
	case last >= 0 && b.Commands[last].Output == "" && goesOn(b.Commands[last].Text):
		b.Commands[last].Text += "\n" + line
	case kind != "console":
		b.Commands = append(b.Commands, Command{Text: line})
	case begins:
		b.Commands = append(b.Commands, Command{Text: typed})
	case last >= 0:
		b.Commands[last].Output += line + "\n"
	}
}

// Result is what a command printed, and the status with which it ended.
type Result struct {
	Line   int // of the block
	Ran    Command
	Output string
	Code   string
}

// mark begins the line after the output of a command, with the status; no command prints it.
const mark = "\x01"

// Run runs the blocks of a document in one shell, without a terminal. env is its whole
// environment, and dir its working directory. Each pair of replaced is what the document
// says and what it stands for here: it is replaced in the commands, and back in the output.
// An id in the output of a command stands for the one that the document shows there, also
// in later commands.
func Run(ctx context.Context, blocks []Block, dir string, env []string, replaced [][2]string) (results []Result, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	bash := exec.CommandContext(ctx, "bash")
	bash.Dir, bash.Env, bash.WaitDelay = dir, env, time.Second
	stdin, err := bash.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := bash.StdoutPipe()
	if err != nil {
		return nil, err
	}
	bash.Stderr = bash.Stdout
	if err := bash.Start(); err != nil {
		return nil, err
	}
	defer func() { stop(); _ = bash.Wait() }()
	s := shell{stdin, bufio.NewReader(stdout), replaced}
	for _, b := range blocks {
		if b.NotRun != "" {
			continue
		}
		commands := b.Commands
		if b.First != "" {
			checked := "{ failed=; trap failed=yes ERR; " + b.First + "trap - ERR; test -z \"$failed\"; } >/dev/null"
			commands = append([]Command{{Text: checked}}, commands...)
		}
		if b.Meanwhile != "" {
			// It ends between two rounds: none of its commands outlives the block.
			loop := "(ended=; trap ended=yes TERM; while sleep 0.3; test -z \"$ended\"; do " + b.Meanwhile + "done) >/dev/null 2>&1 & meanwhile=$!"
			commands = append([]Command{{Text: loop}}, commands...)
			commands = append(commands, Command{Text: "kill $meanwhile && { wait $meanwhile || true; }"})
		}
		known := map[string]bool{}
		for _, c := range commands {
			if err := s.readLive(b.Live, c.Text, known); err != nil {
				return results, fmt.Errorf("line %d: %w", b.Line, err)
			}
			r := Result{Line: b.Line, Ran: c}
			if r.Output, r.Code, err = s.run(c.Text); err != nil {
				return results, fmt.Errorf("line %d: %s: %w", b.Line, c.Text, err)
			}
			if results = append(results, r); r.Differs() == "" {
				s.learn(c.Output, r.Output)
			}
		}
	}
	return results, nil
}

type shell struct {
	in       io.Writer
	out      *bufio.Reader
	replaced [][2]string
}

func (s *shell) run(text string) (output, code string, err error) {
	here, there := pairs(s.replaced)
	if _, err = fmt.Fprintf(s.in, "{ %s\n} </dev/null; printf '\\n%s%%s\\n' $?\n", here.Replace(text), mark); err != nil {
		return "", "", err
	}
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		if code, ended := strings.CutPrefix(line, mark); ended {
			return there.Replace(strings.TrimSuffix(output, "\n")), strings.TrimSpace(code), nil
		}
		output += line
	}
}

// readLive runs the commands of those texts of a block that a command has, once for each
// block. What they print takes the place of the text from then on.
func (s *shell) readLive(live, command string, known map[string]bool) error {
	for line := range strings.Lines(live) {
		shown, prints, _ := strings.Cut(strings.TrimSpace(line), " is ")
		if shown == "" || known[shown] || !strings.Contains(command, shown) {
			continue
		}
		output, code, err := s.run(prints)
		if err == nil && code != "0" {
			err = fmt.Errorf("it ended with status %s: %s", code, output)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", prints, err)
		}
		known[shown] = true
		s.replaced = slices.DeleteFunc(s.replaced, func(pair [2]string) bool { return pair[0] == shown })
		s.replaced = append(s.replaced, [2]string{shown, strings.TrimSpace(output)})
	}
	return nil
}

// These ids are whole, or cut short by an ellipsis in the document.
var (
	uuid   = regexp.MustCompile(`\b[0-9a-f]{8}-([0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|…)`)
	oktaID = regexp.MustCompile(`\b00[gu]\w{5,}…?`)
	hexID  = regexp.MustCompile(`\b([0-9a-f]{32}\b|[0-9a-f]{8}…)`) // of a transaction
)

// learn takes the ids that a command printed for those that the document shows.
func (s *shell) learn(shown, printed string) {
	for _, form := range []*regexp.Regexp{uuid, oktaID, hexID} {
		s.learnIDs(form.FindAllString(shown, -1), form.FindAllString(printed, -1))
	}
}

func (s *shell) learnIDs(shown, ids []string) {
	for i, id := range shown {
		isKnown := slices.ContainsFunc(s.replaced, func(pair [2]string) bool { return pair[0] == id })
		if i < len(ids) && !isKnown && id != ids[i] {
			s.replaced = append(s.replaced, [2]string{id, ids[i]})
		}
	}
}

// pairs replace what a document says by what it stands for, and back.
func pairs(replaced [][2]string) (here, there *strings.Replacer) {
	var to, back []string
	for _, pair := range replaced {
		to, back = append(to, pair[0], pair[1]), append(back, pair[1], pair[0])
	}
	return strings.NewReplacer(to...), strings.NewReplacer(back...)
}

// masks make the same text of what differs from run to run: ids, tokens and times.
var masks = []struct {
	found *regexp.Regexp
	text  string
}{
	{regexp.MustCompile(`WARNING! The VAULT_TOKEN environment variable is set![^.]*\.\n\n`), ""}, // the runner's own
	{uuid, "UUID"},
	{regexp.MustCompile(`\b(hvs\.)?CAESI[\w-]*…?`), "TOKEN"},
	{regexp.MustCompile(`(?m)(["]|^)[\w-]{43}(["]|$)`), "${1}KEY${2}"}, // or its id
	{regexp.MustCompile(`hvs\.[\w-]+…?`), "TOKEN"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\bauth_okta_[0-9a-f]{8}\b`), "ACCESSOR"},
	{regexp.MustCompile(`((?:token_)?accessor"?:? +"?)(\w{24}\b|\w{8}…)`), "${1}ACCESSOR"},
	{hexID, "ID"},
	{regexp.MustCompile(`\bsecret=[A-Z2-7]+…?`), "secret=KEY"},
	{regexp.MustCompile(`("expires_in": ?)\d+`), "${1}N"},
	{regexp.MustCompile(`\b\d+ (seconds|minutes)`), "N $1"},
	{regexp.MustCompile(`(?m)^\d{6}$`), "PASSCODE"},
	{regexp.MustCompile(`\b(127\.0\.0\.1:)\d+`), "${1}PORT"},
	{regexp.MustCompile(`("n": )\d+`), "${1}N"}, // of a request that okta-sim lists
	{regexp.MustCompile(`"curl/[\d.]+"`), `"curl/VERSION"`},
	{regexp.MustCompile(`(?m)[ \t]+$`), ""},
	{regexp.MustCompile(`(?m)^(Cache-Control|Content-Type|Strict-Transport-Security|Date|Content-Length): .*\n`), ""},
}

var ellipsisLine = regexp.MustCompile(`(?m)^ *…$`)

// Differs says how a command went otherwise than the document shows. It returns "" where
// it did not. An ellipsis of the document stands for anything within a line; one alone in
// its line stands for any lines. A command whose output is not shown has to end with status 0.
func (r Result) Differs() string {
	if r.Ran.Output == "" {
		if r.Code != "0" {
			return fmt.Sprintf("it ended with status %s:\n%s", r.Code, r.Output)
		}
		return ""
	}
	want, got := masked(r.Ran.Output), masked(r.Output)
	pattern := ellipsisLine.ReplaceAllString(regexp.QuoteMeta(want), "(?s:.*)")
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	if regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		return ""
	}
	return fmt.Sprintf("it printed\n%s\nand not\n%s", got, want)
}

// metadata are the rows of a login's metadata, which the vault tool prints in any order.
var metadata = regexp.MustCompile(`(?m)(?:^token_meta_.*\n?)+`)

func masked(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	for _, m := range masks {
		s = m.found.ReplaceAllString(s, m.text)
	}
	s = metadata.ReplaceAllStringFunc(s, func(rows string) string {
		return strings.Join(slices.Sorted(strings.Lines(strings.TrimSpace(rows)+"\n")), "")
	})
	return strings.TrimSpace(s)
}
