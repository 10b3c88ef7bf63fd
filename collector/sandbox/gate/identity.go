package gate

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Identity gives and renews access to one organisation. Whoever may connect it
// is let in at once: there is nobody to ask.
type Identity struct {
	ClientID, ClientSecret string
	Scopes                 []string
	AccessLife             time.Duration
	RefreshLife            time.Duration
	Callback               url.Values // added to what the browser is sent back with
	Now                    func() time.Time

	mu       sync.Mutex
	codes    map[string][]string
	access   map[string]grant
	refresh  map[string]grant
	renewals int
	invalid  int
}

type grant struct {
	scopes []string
	until  time.Time
}

// Code returns a code that can be exchanged once, as after a consent.
func (i *Identity) Code(scopes ...string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(scopes) == 0 {
		scopes = i.Scopes
	}
	if i.codes == nil {
		i.codes, i.access, i.refresh = map[string][]string{}, map[string]grant{}, map[string]grant{}
	}
	code := rand.Text()
	i.codes[code] = scopes
	return code
}

// RevokeAccess ends all access tokens; refresh tokens stay.
func (i *Identity) RevokeAccess() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.access)
}

// Disconnect ends everything, as when the merchant takes the app away.
func (i *Identity) Disconnect() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.access)
	clear(i.refresh)
}

// Renewals returns how often a token was renewed, and how often one was asked
// for with a refresh token that was of no use.
func (i *Identity) Renewals() (renewed, invalid int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.renewals, i.invalid
}

func (i *Identity) allowed(token string, now time.Time) (scopes []string, why string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	g, known := i.access[token]
	switch {
	case !known:
		return nil, "AuthenticationUnsuccessful"
	case !now.Before(g.until):
		return nil, "TokenExpired: token expired at " + g.until.UTC().Format("01/02/2006 15:04:05")
	}
	return g.scopes, ""
}

// Authorize sends the browser back with a code.
func (i *Identity) Authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || !back.IsAbs() || q.Get("client_id") != i.ClientID || q.Get("response_type") != "code" {
		http.Error(w, "unauthorized_client: client_id, response_type or redirect_uri is wrong", http.StatusBadRequest)
		return
	}
	answer := maps.Clone(i.Callback)
	if answer == nil {
		answer = url.Values{}
	}
	answer.Set("code", i.Code(strings.Fields(q.Get("scope"))...))
	answer.Set("state", q.Get("state"))
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// Revoke takes a refresh token back, as RFC 7009 has it or as JSON. With it goes all
// that it could open.
func (i *Identity) Revoke(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if id, secret, _ := r.BasicAuth(); id != i.ClientID || secret != i.ClientSecret {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	token := struct {
		Token string `json:"token"`
	}{r.PostFormValue("token")}
	if r.Header.Get("Content-Type") == "application/json" {
		if err := json.NewDecoder(r.Body).Decode(&token); err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
			return
		}
	}
	i.mu.Lock()
	_, known := i.refresh[token.Token]
	i.mu.Unlock()
	if !known {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	i.Disconnect()
	w.WriteHeader(http.StatusOK)
}

// Token exchanges codes and refresh tokens.
func (i *Identity) Token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != i.ClientID || secret != i.ClientSecret {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	access, refresh, g, problem := i.exchange(r.PostFormValue("grant_type"), r.PostFormValue("code"), r.PostFormValue("refresh_token"))
	if problem != "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": problem})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": access, "refresh_token": refresh, "token_type": "Bearer",
		"expires_in": int(i.AccessLife / time.Second), "x_refresh_token_expires_in": int(i.RefreshLife / time.Second), "scope": strings.Join(g.scopes, " "),
	})
}

func (i *Identity) exchange(kind, code, old string) (access, refresh string, g grant, problem string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.Now()
	switch kind {
	case "authorization_code":
		scopes, known := i.codes[code]
		if !known {
			return "", "", g, "invalid_grant"
		}
		delete(i.codes, code)
		g.scopes = scopes
	case "refresh_token":
		was, known := i.refresh[old]
		if !known || !now.Before(was.until) {
			i.invalid++
			return "", "", g, "invalid_grant"
		}
		delete(i.refresh, old)
		i.renewals++
		g = was
	default:
		return "", "", g, "unsupported_grant_type"
	}
	access, refresh = rand.Text(), rand.Text()
	i.access[access] = grant{g.scopes, now.Add(i.AccessLife)}
	i.refresh[refresh] = grant{g.scopes, now.Add(i.RefreshLife)}
	return access, refresh, g, ""
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(body)
}
