package diagnose

import (
	"context"
	"errors"
	"fmt"
	"net"

	"tillbook.example/tillbook/agent/uplink"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// way looks at the steps to the collector, one after the other: what lies behind
// a step that fails cannot be told.
type way struct {
	*Subject
	stuck   string // the step that failed
	blocked bool   // the collector is not reached by the way that is used
}

// address is where the way that is used begins, empty where it is not known.
func (w *way) address() string {
	if len(w.Ways) == 0 {
		return ""
	}
	return w.Ways[0].Address
}

// keyless says that the way is known and the key to go it is not.
func (w *way) keyless() bool { return w.address() != "" && w.stuck == "" && w.Ways[0].Carrier == nil }

// step runs a step if those before it were well.
func (w *way) step(name string, do func(address string) (detail string, err error)) Result {
	address := w.address()
	switch {
	case address == "":
		return skip("the collector is known once the agent has joined")
	case w.stuck != "":
		return skip("not before %q is right", w.stuck)
	}
	detail, err := do(address)
	if err != nil {
		w.stuck, w.blocked = name, true
		return w.failed(err)
	}
	return pass("%s", detail)
}

// failed is the result of an error of the network or of the collector.
func (w *way) failed(err error) Result {
	code, text := "", err.Error()
	var refused *uplink.RefusedError
	if errors.As(err, &refused) {
		code, text = refused.Code, refused.Text
	} else if explained, words := w.Explain(err, w.Now); explained != "" {
		code, text = explained, words
	}
	if code == "" {
		code = "no_answer"
	}
	return found(Fail, code, "%s", text)
}

func (w *way) name(ctx context.Context) Result {
	if address := w.address(); address != "" {
		if proxy, err := w.Machine.Proxy(address); err == nil && proxy != "" {
			return skip("the proxy %s looks it up", proxy)
		}
	}
	return w.step("name", func(address string) (string, error) {
		name, _, err := net.SplitHostPort(address)
		if err != nil {
			return "", fmt.Errorf("the address: %w", err)
		}
		return name + " has an address", w.Machine.Resolve(ctx, name)
	})
}

func (w *way) line(ctx context.Context) Result {
	return w.step("line", func(address string) (string, error) {
		proxy, err := w.Machine.Proxy(address)
		if err != nil {
			return "", err
		}
		detail := address + " is reached"
		if proxy != "" {
			detail += " through the proxy " + proxy
		}
		return detail, w.Machine.Connect(ctx, address)
	})
}

func (w *way) encryption(ctx context.Context) Result {
	if w.keyless() {
		return skip("only the service can open the agent's key")
	}
	return w.step("encryption", func(address string) (string, error) {
		config, err := w.Ways[0].TLS()
		if err != nil {
			return "", err
		}
		return address + " is whom the agent trusts", w.Machine.Encrypt(ctx, address, config)
	})
}

func (w *way) collector(ctx context.Context) Result {
	if s := w.Status; s != nil && s.Collector.Connected {
		return pass("connected since %s, last heard %s", s.Collector.Since.UTC().Format("2006-01-02 15:04 UTC"), ago(w.Now, s.Collector.HeardAt))
	}
	if s := w.Status; s != nil && w.stuck == "" && s.Collector.Cut {
		return found(Warn, "drill", "the line is cut by a drill and comes back by itself")
	}
	if s := w.Status; s != nil && w.stuck == "" && s.Collector.Code != "" {
		w.stuck, w.blocked = "collector", true
		return found(Fail, s.Collector.Code, "%s", s.Collector.Text)
	}
	if w.keyless() {
		return skip("only the service can open the agent's key")
	}
	return w.step("collector", func(string) (string, error) {
		return "it takes this agent", Probe(ctx, w.Ways[0].Carrier)
	})
}

func (w *way) other(ctx context.Context) Result {
	switch {
	case len(w.Ways) < 2 && w.blocked:
		return skip("only %s is configured; where the platform runs a broker there is another, see docs/mqtt.md", w.Ways[0].Name)
	case len(w.Ways) < 2:
		return skip("only one is configured")
	case !w.blocked:
		return skip("it is not needed")
	}
	for _, other := range w.Ways[1:] {
		if other.Carrier != nil && Probe(ctx, other.Carrier) == nil {
			return found(Warn, "other_carrier", "%s is blocked, %s works", w.Ways[0].Name, other.Name)
		}
	}
	return skip("it does not work either")
}

// Probe asks the collector over a carrier whether it takes the agent. It says
// Hello in a version of the protocol that there is not: whoever is refused for
// that alone was reached, known and let in, and nothing was begun.
func Probe(ctx context.Context, carrier uplink.Carrier) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	session, err := carrier.Dial(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	defer context.AfterFunc(ctx, session.Close)()
	if err := session.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{}}}); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	for {
		down, err := session.Recv()
		if ended := ctx.Err(); ended != nil {
			return fmt.Errorf("the collector does not answer: %w", ended)
		}
		if err != nil {
			return fmt.Errorf("hear the answer: %w", err)
		}
		if r := down.GetRefusal(); r != nil && r.Code == "protocol" {
			return nil
		} else if r != nil {
			return &uplink.RefusedError{Code: r.Code, Text: r.Text, Retry: r.Retry}
		}
	}
}
