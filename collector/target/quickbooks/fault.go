package quickbooks

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
)

// fault is a refusal, in whichever of its shapes it came: QuickBooks' own, with
// capital letters; the gateway's before it, with small ones; or XML, whatever was
// asked for.
type fault struct {
	status     int
	code, text string
}

// errStale: the document was changed since it was read.
var errStale = errors.New("changed meanwhile")

// throttledRest is what QuickBooks asks for.
const throttledRest = time.Minute

type faultError struct {
	Message, Detail, Code string
}

// faultOf reads a fault from an answer, which may have status 200.
func faultOf(r web.Response) (fault, bool) {
	var body struct {
		Fault *struct {
			Error []faultError
			Type  string
		}
	}
	f := fault{status: r.Status}
	text := strings.TrimSpace(string(r.Body))
	// Names of JSON fields are matched without case: one form reads both shapes.
	if json.Unmarshal(r.Body, &body) == nil {
		if body.Fault != nil && len(body.Fault.Error) > 0 {
			e := body.Fault.Error[0]
			f.code, f.text = strings.TrimLeft(e.Code, "0"), strings.TrimSpace(e.Message+" "+e.Detail)
			return f, true
		}
	} else if strings.HasPrefix(text, "<") {
		var page struct {
			Errors []struct {
				Code    string `xml:"code,attr"`
				Message string
				Detail  string
			} `xml:"Fault>Error"`
		}
		if xml.Unmarshal(r.Body, &page) == nil && len(page.Errors) > 0 {
			e := page.Errors[0]
			f.code, f.text = strings.TrimLeft(e.Code, "0"), strings.TrimSpace(e.Message+" "+e.Detail)
			return f, true
		}
	}
	f.text = fmt.Sprintf("%.300s", text)
	return f, r.Status != http.StatusOK
}

func (f fault) said() string {
	if f.code == "" {
		return fmt.Sprintf("QuickBooks: status %d: %s", f.status, f.text)
	}
	return fmt.Sprintf("QuickBooks: %s (%s)", f.text, f.code)
}

// writing is what a fault means for a change.
func (f fault) writing() error {
	switch f.code {
	case "100":
		return target.With(target.CodeOrganisation, fmt.Errorf("%w: %s", target.ErrDisconnected, f.said()))
	case "120", "3100", "3200":
		return fmt.Errorf("%w: %s", target.ErrDisconnected, f.said())
	case "6190":
		return target.With(target.CodeSubscription, fmt.Errorf("%w: %s", target.ErrUnavailable, f.said()))
	case "5030":
		return target.With(target.CodePlan, fmt.Errorf("%w: %s", target.ErrRefused, f.said()))
	case "6210":
		return target.With(target.CodeClosed, fmt.Errorf("%w: %s", target.ErrRefused, f.said()))
	case "3001":
		return &target.Later{Rest: throttledRest, Err: errors.New(f.said())}
	case "6140":
		return fmt.Errorf("%w: %s", errNumber, f.said())
	case "5010":
		return fmt.Errorf("%w: %s", errStale, f.said())
	}
	if f.status >= 500 {
		return errors.New(f.said()) // it may have been carried out
	}
	return fmt.Errorf("%w: %s", target.ErrRefused, f.said())
}

// forbidden is what a status 403 means, where it says which fault it is.
func forbidden(r web.Response) error {
	f, _ := faultOf(r)
	if err := f.writing(); errors.Is(err, target.ErrUnavailable) {
		return err
	}
	return nil
}

// reading is what a fault means for a question.
func (f fault) reading() error {
	err := f.writing()
	if errors.Is(err, target.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %s", target.ErrUnavailable, f.said())
}
