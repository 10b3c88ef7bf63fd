package acceptance

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// client talks to one agent's local service over connections that are kept.
type client struct {
	ctx         context.Context
	base, token string
	http        http.Client
}

// client returns a client of a running agent.
func (s *shop) client(agent string) *client {
	s.t.Helper()
	address, err := os.ReadFile(s.Path(agent, "listen.addr"))
	s.must(err)
	token, err := os.ReadFile(s.Path(agent, "push.token"))
	s.must(err)
	return &client{
		ctx: s.ctx, base: "http://" + string(address), token: strings.TrimSpace(string(token)),
		http: http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}},
	}
}

// push posts documents and returns the HTTP status, 0 if there was no answer.
func (c *client) push(key, body string) int {
	request, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.base+"/v1/documents", strings.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0
	}
	return response.StatusCode
}

// unsent asks how much is unsent.
func (c *client) unsent() (uint64, error) {
	response, err := c.http.Get(c.base + "/v1/status")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var st status
	err = json.NewDecoder(response.Body).Decode(&st)
	return st.Outbox.Unsent, err
}
