package xero

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Organisation is one that a consent opened.
type Organisation struct {
	Tenant string `json:"tenantId"`
	Name   string `json:"tenantName"`
}

// mostOrganisations bounds the answer that lists them, in bytes.
const mostOrganisations = 1 << 20

// Organisations asks which organisations an access token opens. base is API, or a
// stand-in's.
func Organisations(ctx context.Context, client *http.Client, base, access string) ([]Organisation, error) {
	address := strings.TrimSuffix(base, "/api.xro/2.0") + "/connections"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("ask which organisations are open: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+access)
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask which organisations are open: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask which organisations are open: %s answered %s", address, response.Status)
	}
	var all []Organisation
	if err := json.NewDecoder(io.LimitReader(response.Body, mostOrganisations)).Decode(&all); err != nil {
		return nil, fmt.Errorf("read which organisations are open: %w", err)
	}
	return all, nil
}
