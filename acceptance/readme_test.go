package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tillbook.example/tillbook/internal/installation"
)

// shellBlocks returns the lines of a document's sh blocks, without comments.
func shellBlocks(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// words splits a command line as a shell does that knows only single quotes and
// >; it returns the file that the output goes to.
func words(line string) (args []string, output string) {
	line, output, _ = strings.Cut(line, " > ")
	for _, word := range regexp.MustCompile(`(?:'[^']*'|[^\s'])+`).FindAllString(line, -1) {
		args = append(args, strings.ReplaceAll(word, "'", ""))
	}
	return args, strings.TrimSpace(output)
}

// reader is somebody who types what the documents say, in one folder.
type reader struct {
	*shop
	join string // what join-code printed
	port int    // instead of the one in the documents
}

// types runs one command line. A program that runs until it is stopped is
// started; every other must end with 0, or with 1, which says that something is
// to be looked at.
func (r *reader) types(line string) {
	r.t.Helper()
	args, output := words(line)
	program, args := args[0], args[1:]
	for i, arg := range args {
		switch {
		case arg == "JOIN-STRING":
			args[i] = r.join
		case strings.HasSuffix(arg, "127.0.0.1:7443"):
			args[i] = strings.Replace(arg, "7443", fmt.Sprint(r.port), 1)
		case strings.HasSuffix(arg, ".xml"), strings.HasSuffix(arg, ".yaml"), strings.HasSuffix(arg, ".jsonl"):
			args[i] = r.Path(arg)
		}
	}
	data, rest := "none", args
	if len(args) > 2 && args[1] == "--data" {
		data, rest = args[2], append([]string{args[0]}, args[3:]...)
	}
	if args[0] == "serve" || args[0] == "run" {
		if err := r.Start(r.ctx, program, data, rest...); err != nil {
			r.t.Errorf("%s: %v", line, err)
		}
		return
	}
	out, _, err := r.Call(r.ctx, program, data, rest...)
	if err != nil {
		r.t.Errorf("%s: %v", line, err)
		return
	}
	if args[0] == "join-code" {
		r.join = strings.TrimSpace(out)
	}
	if output != "" {
		r.must(r.Write(output, out))
	}
}

func TestEveryCommandInTheReadmeAndInOperationsWorks(t *testing.T) {
	t.Parallel()
	inst, err := installation.New(binaries, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{shop: &shop{Installation: inst, t: t, ctx: t.Context()}}
	t.Cleanup(func() {
		if err := r.StopAll(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			r.logs()
		}
	})
	if r.port, err = installation.FreePort(); err != nil {
		t.Fatal(err)
	}
	// What the documents take for granted: their own ports are free, and the
	// files they speak of are there.
	r.must(r.Write("collector/collector.yaml", fmt.Sprintf("agents: {port: \"%d\"}\nops: {listen: \"127.0.0.1:0\"}\n", r.port)))
	r.must(r.Write("agent/agent.yaml", "listen: \"127.0.0.1:0\"\noutbox: {max_mib: 256, soft_free_mib: 16, hard_free_mib: 8}\n"))
	config := merchantYAML(r.Path("books"), "")
	r.must(r.Write("merchant.yaml", config))
	_, mapping, _ := strings.Cut(config, "        mapping:\n")
	r.must(r.Write("mapping.yaml", regexp.MustCompile(`(?m)^ {10}`).ReplaceAllString(mapping, "")))
	r.must(r.Write("export/2026-11-03.xml", poslogSale))

	ran := 0
	for _, document := range []string{"README.md", "docs/operations.md"} {
		for _, line := range shellBlocks(t, document) {
			if strings.HasPrefix(line, "tillbook-") {
				r.types(line)
				ran++
			}
		}
	}
	if ran < 9 {
		t.Errorf("%d command lines were found, the two documents have more", ran)
	}
}

// poslogSale is a day's file with one cash sale of 12.00.
const poslogSale = `<?xml version="1.0" encoding="UTF-8"?>
<POSLog xmlns="http://www.nrf-arts.org/IXRetail/namespace/">
  <Transaction>
    <RetailStoreID>S1</RetailStoreID><WorkstationID>1</WorkstationID><SequenceNumber>1</SequenceNumber>
    <BusinessDayDate>2026-11-03</BusinessDayDate><EndDateTime>2026-11-03T12:00:00</EndDateTime><CurrencyCode>GBP</CurrencyCode>
    <RetailTransaction>
      <LineItem><SequenceNumber>1</SequenceNumber><Sale><ExtendedAmount>12.00</ExtendedAmount></Sale></LineItem>
      <LineItem><SequenceNumber>2</SequenceNumber><Tender TenderType="Cash"><Amount>12.00</Amount></Tender></LineItem>
      <Total TotalType="TransactionGrandAmount">12.00</Total>
    </RetailTransaction>
  </Transaction>
</POSLog>
`

// Commands are named in prose and tables too; each must be one that the program
// has, in its own help.
func TestEveryCommandInTheReadmesListIsOneThatTheProgramHas(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "\n## Commands\n")
	list, _, _ = strings.Cut(list, "\nEvery command takes")
	s := &shop{t: t, ctx: t.Context()}
	if s.Installation, err = installation.New(binaries, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	program, found := "", 0
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "```" {
			continue
		}
		if strings.HasPrefix(fields[0], "tillbook-") {
			program, line = fields[0], strings.TrimPrefix(line, fields[0])
		}
		choice := regexp.MustCompile(`\[[^\]]*\]`) // its | is between flags, not commands
		line = choice.ReplaceAllStringFunc(line, func(flags string) string { return strings.ReplaceAll(flags, "|", "") })
		for _, entry := range strings.Split(line, " | ") {
			named := strings.Fields(entry)
			commands := [][]string{{named[0]}}
			if len(named) > 1 && regexp.MustCompile(`^[a-z]+(\|[a-z]+)+$`).MatchString(named[1]) {
				commands = nil
				for _, sub := range strings.Split(named[1], "|") {
					commands = append(commands, []string{named[0], sub})
				}
			}
			for _, command := range commands {
				found++
				help, _, err := s.Call(s.ctx, program, "none", append(command, "--help")...)
				if err != nil || !strings.Contains(help, program+" "+strings.Join(command, " ")) {
					t.Errorf("%s %s: %v: %s", program, strings.Join(command, " "), err, help)
				}
				for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(entry, -1) {
					if !strings.Contains(help, flag+" ") {
						t.Errorf("%s %s has no flag %s", program, strings.Join(command, " "), flag)
					}
				}
			}
		}
	}
	if found < 25 {
		t.Errorf("%d commands were found in the list, it has more", found)
	}
}

func TestEveryMakeTargetInTheReadmeIsInTheMakefile(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)(?: ([A-Z]+)=)?").FindAllStringSubmatch(string(text), -1)
	if len(named) < 5 {
		t.Errorf("%d targets are named, the document has more", len(named))
	}
	for _, n := range named {
		if !regexp.MustCompile(`(?m)^` + n[1] + `:`).Match(makefile) {
			t.Errorf("make %s: the Makefile has no such target", n[1])
		}
		if n[2] != "" && !regexp.MustCompile(`(?m)^`+n[2]+`\s+\?=`).Match(makefile) {
			t.Errorf("make %s %s=: the Makefile takes no such setting", n[1], n[2])
		}
	}
}
