package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kardianos/service"
)

// State is how the service is.
type State string

// The states. A service that its manager will start again in a moment counts as
// running.
const (
	Running State = "running"
	Stopped State = "stopped"
	Failed  State = "failed"
	Absent  State = "absent"
)

// managerLimit bounds a request to the service manager.
const managerLimit = 30 * time.Second

// Install makes this program a service that starts with the machine, with its
// own account, which may write the data folder and read the configuration file,
// and a restart after every end. Where there is one already it is set right and
// stays as it is, running or not.
func Install(data, config string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	if data, err = filepath.Abs(data); err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	if err := install(program, data); err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	if err := readable(config); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("install service: %w", err)
	}
	return nil
}

// Uninstall stops the service and takes it away. Data and configuration stay.
func Uninstall() error {
	if state, err := Status(); err != nil || state == Absent {
		return err
	}
	if err := Stop(); err != nil {
		return err
	}
	s, err := plain()
	if err != nil {
		return err
	}
	if err := s.Uninstall(); err != nil {
		return fmt.Errorf("uninstall service: %w", err)
	}
	return nil
}

// Start starts the service; one that runs is left alone.
func Start() error {
	return ask("start", Running, func(s service.Service) error { return s.Start() })
}

// Stop stops the service and waits until it has stopped.
func Stop() error {
	return ask("stop", Stopped, func(s service.Service) error { return s.Stop() })
}

// Status asks the service manager how the service is.
func Status() (State, error) {
	s, err := plain()
	if err != nil {
		return "", err
	}
	switch status, err := s.Status(); {
	case errors.Is(err, service.ErrNotInstalled):
		return Absent, nil
	case err != nil && err.Error() == "service in failed state":
		return Failed, nil
	case err != nil:
		return "", fmt.Errorf("ask the service manager: %w", err)
	case status == service.StatusRunning:
		return Running, nil
	}
	return Stopped, nil
}

// ask has the service manager bring the service into a state. The library waits
// for some managers without end, so that it is waited for here.
func ask(what string, want State, do func(service.Service) error) error {
	state, err := Status()
	switch {
	case err != nil:
		return fmt.Errorf("%s service: %w", what, err)
	case state == Absent:
		return fmt.Errorf("%s service: %w", what, service.ErrNotInstalled)
	case state == want:
		return nil
	}
	s, err := plain()
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- do(s) }()
	limit := time.NewTimer(managerLimit)
	defer limit.Stop()
	select {
	case err = <-done:
	case <-limit.C:
		err = fmt.Errorf("not done within %s", managerLimit)
	}
	if err != nil {
		return fmt.Errorf("%s service: %w", what, err)
	}
	return nil
}

// plain is the service by its name, for everything but installing.
func plain() (service.Service, error) {
	return made(&service.Config{Name: Name})
}

func made(config *service.Config) (service.Service, error) {
	s, err := service.New(nothing{}, config)
	if err != nil {
		return nil, fmt.Errorf("no service manager that is known here: %w", err)
	}
	return s, nil
}

// nothing is what the library wants to run: it never does, Run here does.
type nothing struct{}

func (nothing) Start(service.Service) error { return nil }
func (nothing) Stop(service.Service) error  { return nil }
