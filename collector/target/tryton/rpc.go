package tryton

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// address is where a database's calls go.
func address(server, database string) string {
	return strings.TrimSuffix(server, "/") + "/" + url.PathEscape(database) + "/"
}

// encode writes a call.
func encode(method string, parameters []any) ([]byte, error) {
	body, err := json.Marshal(map[string]any{"id": 1, "method": method, "params": parameters})
	if err != nil {
		return nil, fmt.Errorf("write call %s: %w", method, err)
	}
	return body, nil
}

// errSaid: Tryton says in words why it does not do a thing.
var errSaid = errors.New("the Tryton server says")

// decode reads an answer.
func decode(body []byte, into any) error {
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  []any           `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if len(answer.Error) > 0 {
		return failure(answer.Error)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Result, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// failure reads an error: its kind and what it says, or a fault of the server with
// its trace.
func failure(parts []any) error {
	kind, _ := parts[0].(string)
	text := kind
	if len(parts) > 1 {
		switch said := parts[1].(type) {
		case []any:
			var words []string
			for _, s := range said {
				if word, ok := s.(string); ok && word != "" {
					words = append(words, word)
				}
			}
			text = strings.Join(words, ": ")
		case string:
			if kind == "UserWarning" || kind == "UserError" {
				text = said
			}
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	switch kind {
	case "UserError", "UserWarning":
		return fmt.Errorf("%w: %.500s", errSaid, text)
	case "LoginException":
		return fmt.Errorf("%w: Tryton asks for more than a password", target.ErrDisconnected)
	}
	return fmt.Errorf("fault at Tryton: %.500s", text)
}

// call runs a method. Where it only reads, whatever fails is unavailable.
func (b *Books) call(ctx context.Context, writes bool, into any, method string, parameters ...any) error {
	body, err := encode(method, parameters)
	if err != nil {
		return err
	}
	response, err := b.client.Do(ctx, web.Request{Method: http.MethodPost, Type: "application/json", Body: body, Writes: writes})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", method, err)
	case response.Status == http.StatusNotFound:
		return fmt.Errorf("%s: %w: there is no database %q at the server", method, target.ErrUnavailable, b.o.Database)
	case response.Status != http.StatusOK:
		return fmt.Errorf("%s: %w: status %d", method, target.ErrRefused, response.Status)
	}
	err = decode(response.Body, into)
	switch {
	case err != nil && !writes: // what is read may have been deleted in that moment
		err = fmt.Errorf("%w: %w", target.ErrUnavailable, err)
	case errors.Is(err, errSaid):
		err = fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// readAll reads the fields of all records of a model that a condition holds for, by
// their ids.
func readAll[T any](ctx context.Context, b *Books, model string, condition []any, about map[string]any, fields ...string) ([]T, error) {
	var all []T
	for page := range maxPages {
		var some []T
		err := b.call(ctx, false, &some, "model."+model+".search_read", condition, page*pageSize, pageSize, []any{[]any{"id", "ASC"}}, fields, about)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < pageSize {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%w: there are more than %d of %s", target.ErrUnavailable, maxPages*pageSize, model)
}

// where is one condition of a search.
func where(field, is string, value any) []any { return []any{field, is, value} }

// decimal is an amount on the way to or from Tryton.
type decimal string

// MarshalJSON writes it as Tryton's protocol does.
func (d decimal) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"__class__": "Decimal", "decimal": string(d)})
}

// UnmarshalJSON reads an amount, or none.
func (d *decimal) UnmarshalJSON(text []byte) error {
	var object struct {
		Class   string `json:"__class__"`
		Decimal string `json:"decimal"`
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return fmt.Errorf("amount %s: %w", text, err)
	}
	*d = decimal(object.Decimal)
	return nil
}

func (d decimal) minor(places int) (money.Minor, error) {
	return target.Amount(json.Number(d), places)
}

func decimalOf(m money.Minor, places int) decimal { return decimal(m.Format(places)) }

// day is a date on the way to or from Tryton; empty where there is none.
type day bizday.Day

// MarshalJSON writes it as Tryton's protocol does.
func (d day) MarshalJSON() ([]byte, error) {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return nil, fmt.Errorf("date %q: %w", string(d), err)
	}
	return json.Marshal(map[string]any{"__class__": "date", "year": t.Year(), "month": int(t.Month()), "day": t.Day()})
}

// UnmarshalJSON reads a date, or none.
func (d *day) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*d = ""
		return nil
	}
	var object struct{ Year, Month, Day int }
	if err := json.Unmarshal(text, &object); err != nil {
		return fmt.Errorf("date %s: %w", text, err)
	}
	read, err := bizday.Parse(fmt.Sprintf("%04d-%02d-%02d", object.Year, object.Month, object.Day))
	*d = day(read)
	return err
}

// truth is a Boolean that Tryton's database may write as a number or leave out.
type truth bool

// UnmarshalJSON reads it.
func (t *truth) UnmarshalJSON(text []byte) error {
	s := string(text)
	*t = s != "0" && s != "false" && s != "null"
	return nil
}
