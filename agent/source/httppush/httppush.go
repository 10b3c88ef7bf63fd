// Package httppush is the way in for tills that send each sale themselves: POST
// one document, or a batch, to the agent on loopback.
//
//	POST /v1/documents
//	Authorization: Bearer TOKEN
//	Idempotency-Key: KEY
//
// 201 is answered only after the documents are durable. A batch is taken whole
// or not at all. The same push with the same key is answered 201 again and has
// no second effect; the same key with other content is 409. When there is no
// room it is 507 and the till tries again later: nothing is ever dropped. A
// pushed document states its order: pushing an older content again is a new
// revision.
package httppush

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/problem"
)

// Adapter is the source's name in documents and marks.
const Adapter = "httppush"

// Limits of one push.
const (
	MaxBody      = 4 << 20
	MaxDocuments = 1000
	maxKey       = 200
)

// Desk takes captures; source.Desk does.
type Desk interface {
	Take(ctx context.Context, adapter string, captures []source.Capture, marks map[string][]byte) (outbox.Appended, error)
}

// Answer is the body of a 201.
type Answer struct {
	Numbers   []uint64 `json:"numbers"`   // capture number of each document
	Duplicate []bool   `json:"duplicate"` // it was pushed before; nothing was added
}

// Handler answers POST /v1/documents for whoever has the token.
func Handler(desk Desk, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Authorized(r, token) {
			Problem(w, problem.New("unauthorized", ""))
			return
		}
		answer, err := take(r, desk)
		var p problem.Problem
		switch {
		case err == nil:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			json.NewEncoder(w).Encode(answer) // the client may be gone; the documents are durable
			return
		case errors.As(err, &p):
		case errors.Is(err, outbox.ErrFull):
			p = problem.New("no_room", err.Error())
		case errors.Is(err, outbox.ErrKeyReused):
			p = problem.New("key_reused", err.Error())
		case errors.Is(err, outbox.ErrClosed), errors.Is(err, context.Canceled):
			p = problem.New("stopping", "")
		default:
			p = problem.New("internal", err.Error())
		}
		Problem(w, p)
	})
}

// Authorized reports whether a request carries the token.
func Authorized(r *http.Request, token string) bool {
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Problem writes a problem as the answer.
func Problem(w http.ResponseWriter, p problem.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Retry {
		w.Header().Set("Retry-After", "30")
	}
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p) // nothing can be told to a client that is gone
}

func take(r *http.Request, desk Desk) (Answer, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return Answer{}, problem.New("body_too_large", fmt.Sprintf("the body is over %d bytes", MaxBody))
	}
	if err != nil {
		return Answer{}, problem.New("bad_json", "the body could not be read to its end")
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxKey {
		return Answer{}, problem.New("bad_document", fmt.Sprintf("Idempotency-Key is over %d characters", maxKey))
	}
	parts, err := split(body)
	if err != nil {
		return Answer{}, err
	}
	captures := make([]source.Capture, len(parts))
	for i, part := range parts {
		where := ""
		if len(parts) > 1 {
			where = fmt.Sprintf("document %d: ", i+1)
		}
		if captures[i], err = read(part, key, i, len(parts)); err != nil {
			var p problem.Problem
			if errors.As(err, &p) {
				p.Detail = where + p.Detail
				return Answer{}, p
			}
			return Answer{}, problem.New("bad_json", where+err.Error())
		}
	}
	appended, err := desk.Take(r.Context(), Adapter, captures, nil)
	var invalid *document.CheckError
	if errors.As(err, &invalid) {
		return Answer{}, problem.New("bad_document", err.Error())
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{Numbers: appended.Numbers, Duplicate: appended.Duplicate}, nil
}

// split returns the documents of a body: one object, or an array of them.
func split(body []byte) ([]json.RawMessage, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, problem.New("bad_json", "the body is empty")
	}
	if body[0] != '[' {
		return []json.RawMessage{body}, nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(body, &parts); err != nil {
		return nil, problem.New("bad_json", err.Error())
	}
	if len(parts) == 0 {
		return nil, problem.New("bad_json", "the array is empty")
	}
	if len(parts) > MaxDocuments {
		return nil, problem.New("body_too_large", fmt.Sprintf("%d documents, at most %d", len(parts), MaxDocuments))
	}
	return parts, nil
}

// read reads one document and gives it its number and idempotency key.
func read(part []byte, key string, index, of int) (source.Capture, error) {
	doc, err := document.ParseJSON(part)
	if err != nil {
		return source.Capture{}, err
	}
	format.MaskDocument(doc)
	if key != "" && of > 1 {
		key = fmt.Sprintf("%s/%d", key, index+1)
	}
	if doc.Key.Number == "" {
		if key == "" {
			return source.Capture{}, problem.New("no_number", "")
		}
		doc.Key.Space, doc.Key.Number = document.SpacePush, key
	}
	doc.Source = document.Source{Format: "document", Raw: key}
	return source.Capture{Document: doc, IdempotencyKey: key, StatesOrder: true}, nil
}
