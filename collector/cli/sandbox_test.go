package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"

	"tillbook.example/tillbook/shared/exit"
)

func TestTheSandboxSaysHowToConnectAndServesUntilStopped(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"sandbox", "--listen", "127.0.0.1:0", "--country", "AU", "--currency", "AUD", "--json"}, in, os.Stderr)
		in.Close()
	}()
	var addresses []sandboxAddress
	if err := json.NewDecoder(out).Decode(&addresses); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if len(addresses) != 2 || addresses[0].Settings["tenant"] == "" || addresses[1].Settings["realm"] == "" {
		t.Fatalf("%+v", addresses)
	}
	for _, a := range addresses {
		answer, err := http.Get(a.Act)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", a.Act, answer.StatusCode)
		}
	}
	stop()
	if code := <-ended; code != exit.OK {
		t.Errorf("exit code %d", code)
	}
}
