package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
	"unsafe"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

// Account is whom the service runs as: an account that Windows keeps for this
// service alone, without a password.
const Account = `NT SERVICE\` + Name

// Paths are where the agent's data folder and its configuration file lie unless
// it is told otherwise. Windows is asked and not the environment, which may be
// another for the service than for a person.
func Paths() (data, config string) {
	folder, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, windows.KF_FLAG_DEFAULT)
	if err != nil {
		folder = `C:\ProgramData`
	}
	data = folder + `\Tillbook\Agent`
	return data, data + `\agent.yaml`
}

// restarts are the delays before the service is started again; the last one
// holds from then on. They begin anew after restartsForgotten without an end.
var restarts = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, time.Minute}

const restartsForgotten = time.Hour

// Run runs the work as a Windows service. Whoever calls it knows that the
// service manager started the process.
func Run(ctx context.Context, log *slog.Logger, work Work) error {
	h := &handler{ctx: ctx, log: log, work: work}
	if err := svc.Run(Name, h); err != nil {
		return fmt.Errorf("run as a service: %w", err)
	}
	return h.err
}

// handler answers the service control manager.
type handler struct {
	ctx  context.Context
	log  *slog.Logger
	work Work
	err  error
}

const (
	accepted = svc.AcceptStop | svc.AcceptShutdown
	// hint is how long the manager waits for the next word while starting.
	hint = 15 * time.Second
)

// Execute runs the work until it ends or the manager says stop. An error becomes
// an exit code of the service's own, which Windows counts as a failure.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, changes chan<- svc.Status) (bool, uint32) {
	starting := svc.Status{State: svc.StartPending, WaitHint: uint32(hint.Milliseconds())}
	changes <- starting
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	m := windowsManager{isReady: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- supervise(ctx, h.log, m, h.work) }()
	tick := time.NewTicker(hint / 3)
	defer tick.Stop()
	running := false
	for {
		select {
		case h.err = <-ended:
			changes <- svc.Status{State: svc.StopPending}
			if h.err != nil {
				h.log.Error("service ended", "error", h.err)
				return true, 1
			}
			return false, 0
		case status := <-m.isReady:
			if !running {
				running = true
				changes <- svc.Status{State: svc.Running, Accepts: accepted}
			}
			h.log.Info("service ready", "status", status)
		case <-tick.C:
			if !running {
				starting.CheckPoint++
				changes <- starting
			}
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				changes <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				running = true // no word of starting after this
				changes <- svc.Status{State: svc.StopPending, WaitHint: uint32(stopLimit.Milliseconds())}
				cancel()
			}
		}
	}
}

// windowsManager is the service control manager, which knows ready but does not
// watch for life.
type windowsManager struct{ isReady chan string }

func (m windowsManager) ready(status string) error {
	select {
	case m.isReady <- status:
	default: // the handler is about to hear of an earlier one
	}
	return nil
}
func (windowsManager) alive() error         { return nil }
func (windowsManager) stopping() error      { return nil }
func (windowsManager) watch() time.Duration { return 0 }

// Log returns where a service run logs to: beside next, warnings and errors and
// what the service manager did go to the event log, since a service has no
// standard error that anybody reads.
func Log(next slog.Handler) (slog.Handler, error) {
	log, err := eventlog.Open(Name)
	if err != nil {
		return nil, fmt.Errorf("open event log: %w", err)
	}
	return newEvents(next, log), nil
}

// As does something: what is made in the data folder inherits its rights.
func As(_ string, do func() error) error { return do() }

// install makes the service or sets the present one right, and gives its
// account the data folder.
func install(program, data string) error {
	if err := makeFolder(data); err != nil {
		return err
	}
	manager, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("connect to the service manager (administrator rights are needed): %w", err)
	}
	defer manager.Disconnect()
	present, err := manager.OpenService(Name)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		s, err := made(&service.Config{
			Name: Name, DisplayName: displayName, Description: description, Executable: program,
			Arguments: []string{"run", "--service"}, UserName: Account,
			Option: service.KeyValue{"StartType": service.ServiceStartAutomatic, "DelayedAutoStart": false},
		})
		if err != nil {
			return err
		}
		if err := s.Install(); err != nil {
			return err
		}
		present, err = manager.OpenService(Name)
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	defer present.Close()
	return errors.Join(repair(present, program), eventSource())
}

// repair sets everything that the library does not, or that may have changed.
func repair(s *mgr.Service, program string) error {
	path, err := windows.UTF16PtrFromString(windows.EscapeArg(program) + " run --service")
	if err != nil {
		return err
	}
	account, err := windows.UTF16PtrFromString(Account)
	if err != nil {
		return err
	}
	shown, err := windows.UTF16PtrFromString(displayName)
	if err != nil {
		return err
	}
	if err := windows.ChangeServiceConfig(s.Handle, windows.SERVICE_WIN32_OWN_PROCESS, mgr.StartAutomatic, mgr.ErrorNormal, path, nil, nil, nil, account, nil, shown); err != nil {
		return fmt.Errorf("configure the service: %w", err)
	}
	if err := restartAlways(s); err != nil {
		return err
	}
	now := windows.SERVICE_DELAYED_AUTO_START_INFO{IsDelayedAutoStartUp: 0}
	if err := known(windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, (*byte)(unsafe.Pointer(&now)))); err != nil {
		return fmt.Errorf("have the service started at once with the machine: %w", err)
	}
	sid := uint32(windows.SERVICE_SID_TYPE_UNRESTRICTED)
	if err := known(windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_SERVICE_SID_INFO, (*byte)(unsafe.Pointer(&sid)))); err != nil {
		return fmt.Errorf("give the service rights of its own: %w", err)
	}
	return nil
}

// recoverable is what of a service says what follows its failure.
type recoverable interface {
	SetRecoveryActions(actions []mgr.RecoveryAction, forgottenAfterSeconds uint32) error
	SetRecoveryActionsOnNonCrashFailures(flag bool) error
}

// restartAlways has a service started again after each failure, also where it
// ended by itself with an error.
func restartAlways(s recoverable) error {
	var actions []mgr.RecoveryAction
	for _, delay := range restarts {
		actions = append(actions, mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: delay})
	}
	if err := s.SetRecoveryActions(actions, uint32(restartsForgotten.Seconds())); err != nil {
		return fmt.Errorf("have the service restarted when it fails: %w", err)
	}
	if err := known(s.SetRecoveryActionsOnNonCrashFailures(true)); err != nil {
		return fmt.Errorf("have the service restarted when it ends with an error: %w", err)
	}
	return nil
}

// known passes over a setting that this service manager does not have: Wine's
// lacks some.
func known(err error) error {
	if errors.Is(err, windows.ERROR_INVALID_LEVEL) {
		return nil
	}
	return err
}

// eventSource registers whose events they are in the event log.
func eventSource() error {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Services\EventLog\Application\`+Name, registry.QUERY_VALUE)
	if err == nil {
		return key.Close()
	}
	if err := eventlog.InstallAsEventCreate(Name, eventlog.Error|eventlog.Warning|eventlog.Info); err != nil {
		return fmt.Errorf("register the event log source: %w", err)
	}
	return nil
}

// makeFolder makes the data folder readable for the system, administrators and
// the service alone; the system's default would let every user read it.
func makeFolder(data string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	const full, modify = "FA", "0x1301bf"
	rights, err := windows.SecurityDescriptorFromString(fmt.Sprintf("D:PAI(A;OICI;%s;;;SY)(A;OICI;%s;;;BA)(A;OICI;%s;;;%s)", full, full, modify, serviceSID(Name)))
	if err != nil {
		return fmt.Errorf("data folder's rights: %w", err)
	}
	list, _, err := rights.DACL()
	if err != nil {
		return fmt.Errorf("data folder's rights: %w", err)
	}
	if err := windows.SetNamedSecurityInfo(data, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil); err != nil {
		return fmt.Errorf("data folder's rights: %w", err)
	}
	return nil
}

// readable does nothing: the folder's rights hold.
func readable(string) error { return nil }
