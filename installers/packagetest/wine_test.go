//go:build linux

package packagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// windows is a Windows without Windows: Wine's own services, registry and
// installer over a folder. Wine restarts no failed service, keeps no rights on
// files, and writes no event log; those are not looked at here.
type windows struct {
	*shop
	prefix string
	env    []string
}

// Go programs for Windows take their random bytes from a library that Wine 8
// lacks; this one passes the call on.
const (
	stubDefinition = "LIBRARY bcryptprimitives.dll\nEXPORTS\n  ProcessPrng = advapi32.SystemFunction036\n"
	stubCode       = ".text\n.globl DllMainCRTStartup\nDllMainCRTStartup:\n movl $1,%eax\n ret\n"
)

// boots makes a Windows and keeps it running: with its last program it would
// end its services too.
func boots(s *shop) *windows {
	s.t.Helper()
	w := &windows{shop: s, prefix: s.Path("wine")}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "DISPLAY=") {
			w.env = append(w.env, v)
		}
	}
	w.env = append(w.env, "WINEPREFIX="+w.prefix, "WINEDEBUG=-all", "WINEARCH=win64", "WINEDLLOVERRIDES=mscoree=;mshtml=")
	s.must(os.Mkdir(w.prefix, 0o700))
	w.do("wineboot", "-i")
	w.do("winecfg", "-v", "win10")
	// Wine gives a service ten seconds to start, which a busy machine overruns.
	w.do("reg", "add", `HKLM\System\CurrentControlSet\Control`, "/v", "ServicesPipeTimeout", "/d", "90000", "/f")
	w.end(s.ctx) // it is read when services begin
	s.must(s.Write("stub.def", stubDefinition))
	s.must(s.Write("stub.s", stubCode))
	for _, step := range [][]string{
		{"x86_64-w64-mingw32-as", s.Path("stub.s"), "-o", s.Path("stub.o")},
		{"x86_64-w64-mingw32-ld", "-shared", "-e", "DllMainCRTStartup", "--subsystem", "windows",
			"-o", filepath.Join(w.prefix, "drive_c/windows/system32/bcryptprimitives.dll"), s.Path("stub.o"), s.Path("stub.def")},
	} {
		_, err := output(s.ctx, step[0], step[1:]...)
		s.must(err)
	}
	keep := exec.Command("wine", "cmd")
	keep.Env = w.env
	open, err := keep.StdinPipe() // cmd waits for a command that never comes
	s.must(err)
	s.must(keep.Start())
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := open.Close(); err != nil {
			s.t.Log(err)
		}
		w.end(ctx)
		if err := keep.Wait(); err != nil && ctx.Err() != nil {
			s.t.Error("wine does not end")
		}
	})
	return w
}

// end ends everything of this Windows.
func (w *windows) end(ctx context.Context) {
	w.t.Helper()
	end := exec.CommandContext(ctx, "wineserver", "-k", "-w")
	end.Env = w.env
	if out, err := end.CombinedOutput(); err != nil {
		w.t.Logf("wineserver: %v %s", err, out)
	}
}

// try runs a program of Windows.
func (w *windows) try(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(w.ctx, "wine", args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, &out, &out
	// What Wine starts in the background holds the pipe open.
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return out.String(), fmt.Errorf("wine %s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

func (w *windows) do(args ...string) string {
	w.t.Helper()
	out, err := w.try(args...)
	w.must(err)
	return out
}

const (
	agentExe   = `C:\Program Files\Tillbook\Agent\tillbook-agent.exe`
	agentData  = "drive_c/ProgramData/Tillbook/Agent"
	serviceKey = `HKLM\System\CurrentControlSet\Services\tillbook-agent`
)

// msiexec runs the installer; the error has the end of its log.
func (w *windows) msiexec(args ...string) error {
	w.t.Helper()
	log := w.Path("msi.log")
	if _, err := w.try(append(append([]string{"msiexec"}, args...), "/qn", "/l*v", drive(log))...); err != nil {
		text, unread := os.ReadFile(log)
		return errors.Join(err, unread, errors.New(string(text[max(0, len(text)-2000):])))
	}
	return nil
}

func drive(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }

// running says whether the service control manager takes the service for running.
func (w *windows) running() bool {
	out, err := w.try(agentExe, "service", "status")
	return err == nil && strings.Contains(out, "running")
}

// pid is the agent's process as the host sees it.
func (w *windows) pid() int {
	w.t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*/cmdline")
	w.must(err)
	for _, path := range folders {
		line, err := os.ReadFile(path)
		environment, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "environ"))
		if err == nil && bytes.Contains(line, []byte("tillbook-agent.exe")) && bytes.Contains(line, []byte("--service")) && bytes.Contains(environment, []byte(w.prefix)) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			w.must(err)
			return pid
		}
	}
	w.t.Fatal("there is no agent's process")
	return 0
}

func TestTheMSIKeepsEverySaleThroughAMachinesLife(t *testing.T) {
	needs(t, "wine", "wineserver", "wixl", "msibuild", "x86_64-w64-mingw32-as", "osslsigncode", "openssl")
	s := open(t)
	pfx, pass, authority := s.signer()
	first := build(t, "v1.0.0", "windows/amd64", "TILLBOOK_SIGN_PFX="+pfx, "TILLBOOK_SIGN_PASSFILE="+pass)
	second := build(t, "v1.1.0", "windows/amd64")
	w := boots(s)
	w.isSigned(filepath.Join(first, "tillbook-agent_1.0.0_x64.msi"), authority)

	to := till{s.port(), filepath.Join(w.prefix, agentData, "push.token")}
	settings := fmt.Sprintf("# mine\nlisten: 127.0.0.1:%d\n", to.port)
	s.must(os.MkdirAll(filepath.Join(w.prefix, agentData), 0o755))
	s.must(os.WriteFile(filepath.Join(w.prefix, agentData, "agent.yaml"), []byte(settings), 0o600))
	// The name that the agent is told is known to the proxy alone.
	way := s.proxy()
	s.must(s.Write("join", strings.Replace(s.code(), "@localhost:", "@"+beyond+":", 1)+"\r\n"))

	s.must(w.msiexec("/i", drive(filepath.Join(first, "tillbook-agent_1.0.0_x64.msi")), "PROXY="+way.URL, "JOINFILE="+drive(s.Path("join"))))
	settings += "proxy: " + way.URL + "\n"
	w.isSigned(filepath.Join(w.prefix, "drive_c/Program Files/Tillbook/Agent/tillbook-agent.exe"), authority)
	w.isRegistered()
	s.wait("the service runs", w.running)
	s.ring(to, 3)
	s.arrived()

	agent, err := os.FindProcess(w.pid())
	s.must(err)
	s.must(agent.Kill())
	s.wait("the agent is gone", func() bool { return !s.push(to) })
	// Windows would start it by the recovery actions; Wine has to be asked.
	if _, err := w.try("sc", "start", "tillbook-agent"); err != nil {
		t.Log(err)
	}
	s.ring(to, 2)
	s.arrived()

	s.must(s.Stop("collector"))
	s.ring(to, 40)
	pause := s.ringDuring(to, func() {
		// Wine does not tell the older version that it goes for a newer one
		// (UPGRADINGPRODUCTCODE): it must be told that it may.
		w.env = append(w.env, "TILLBOOK_FORCE=1")
		defer func() { w.env = w.env[:len(w.env)-1] }()
		if err := w.msiexec("/i", drive(filepath.Join(second, "tillbook-agent_1.1.0_x64.msi"))); err != nil {
			t.Error(err)
		}
	})
	t.Logf("upgrade with %d unsent: no sale was taken for %s", s.rang, pause.Round(time.Millisecond))
	if pause > 10*time.Second {
		t.Errorf("the upgrade kept sales out for %s", pause)
	}
	if version := w.do(agentExe, "--version"); !strings.Contains(version, "v1.1.0") {
		t.Errorf("after the upgrade: %s", version)
	}
	if got, err := os.ReadFile(filepath.Join(w.prefix, agentData, "agent.yaml")); err != nil || string(got) != settings {
		t.Errorf("the settings became %q, %v", got, err)
	}

	if err := w.msiexec("/x", drive(filepath.Join(second, "tillbook-agent_1.1.0_x64.msi"))); err == nil {
		t.Error("it was uninstalled while sales were unsent")
	}
	if _, err := os.Stat(filepath.Join(w.prefix, "drive_c/Program Files/Tillbook/Agent/tillbook-agent.exe")); err != nil {
		t.Errorf("after a refused removal: %v", err)
	}
	s.must(w.msiexec("/x", drive(filepath.Join(second, "tillbook-agent_1.1.0_x64.msi")), "FORCE=1"))
	s.wait("the service is gone", func() bool { _, err := w.try("reg", "query", serviceKey, "/v", "ImagePath"); return err != nil })

	s.collector()
	s.must(w.msiexec("/i", drive(filepath.Join(second, "tillbook-agent_1.1.0_x64.msi")), `DATADIR=C:\ProgramData\Tillbook\Agent`, "JOIN=NO@localhost:1#00"))
	s.arrived() // with the identity and buffer that were kept; the join string was not needed
	s.ring(to, 1)
	s.arrived()
	if got, err := os.ReadFile(filepath.Join(w.prefix, agentData, "agent.yaml")); err != nil || string(got) != settings+"data: C:\\ProgramData\\Tillbook\\Agent\n" {
		t.Errorf("the settings became %q, %v", got, err)
	}
}

// isRegistered looks at what the service control manager keeps. Wine's takes
// recovery actions and keeps none of them.
func (w *windows) isRegistered() {
	w.t.Helper()
	keys := w.do("reg", "query", serviceKey)
	for _, want := range []string{"tillbook-agent.exe", "run --service", `NT SERVICE\tillbook-agent`} {
		if !strings.Contains(keys, want) {
			w.t.Errorf("no %q in the registry:\n%s", want, keys)
		}
	}
	events := w.do("reg", "query", `HKLM\System\CurrentControlSet\Services\EventLog\Application\tillbook-agent`)
	if !strings.Contains(events, "EventMessageFile") {
		w.t.Errorf("the event log does not know the agent:\n%s", events)
	}
}

func TestTheHostsOwnTestsPassOnWindows(t *testing.T) {
	needs(t, "wine", "wineserver", "x86_64-w64-mingw32-as")
	s := &shop{t: t, ctx: t.Context()}
	var err error
	s.Installation, err = installation.New(work, t.TempDir())
	s.must(err)
	compile := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", s.Path("host.exe"), "tillbook.example/tillbook/agent/host")
	compile.Env = append(os.Environ(), "GOOS=windows", "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w := boots(s)
	out := w.do(drive(s.Path("host.exe")), "-test.v", "-test.run", "Restart|ServiceManager|Failure|Identifier|Progress|Event") // the others delete files, in a way that Wine 8 lacks
	for _, name := range []string{"TestEveryFailureIsFollowedByARestartLaterEachTime", "TestTheServiceManagerIsToldStartingRunningAndStopping"} {
		if !strings.Contains(out, "PASS: "+name) {
			t.Errorf("%s did not pass:\n%s", name, out)
		}
	}
}

// signer makes a certificate authority and a signing key of its own.
func (s *shop) signer() (pfx, pass, authority string) {
	s.t.Helper()
	s.must(s.Write("pass", "secret\n"))
	s.must(s.Write("code.ext", "extendedKeyUsage=codeSigning\n"))
	for _, args := range []string{
		"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Test-Authority -keyout ca.key -out ca.pem",
		"req -newkey rsa:2048 -nodes -subj /CN=Test-Publisher -keyout leaf.key -out leaf.csr",
		"x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 2 -extfile code.ext -out leaf.pem",
		"pkcs12 -export -inkey leaf.key -in leaf.pem -certfile ca.pem -passout file:pass -out sign.pfx",
	} {
		cmd := exec.CommandContext(s.ctx, "openssl", strings.Fields(args)...)
		cmd.Dir = s.Folder
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
	return s.Path("sign.pfx"), s.Path("pass"), s.Path("ca.pem")
}

// isSigned checks a signature, and that one changed byte breaks it.
func (w *windows) isSigned(path, authority string) {
	w.t.Helper()
	if out, err := output(w.ctx, "osslsigncode", "verify", "-CAfile", authority, "-in", path); err != nil {
		w.t.Errorf("%s: %v\n%s", path, err, out)
	}
	file, err := os.Open(path)
	w.must(err)
	defer file.Close()
	content, err := io.ReadAll(file)
	w.must(err)
	content[len(content)/2] ^= 1
	changed := w.Path("changed" + filepath.Ext(path))
	w.must(os.WriteFile(changed, content, 0o600))
	if _, err := output(w.ctx, "osslsigncode", "verify", "-CAfile", authority, "-in", changed); err == nil {
		w.t.Errorf("%s is accepted with a byte changed", path)
	}
}
