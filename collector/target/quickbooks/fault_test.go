package quickbooks

import (
	"errors"
	"testing"
	"unicode/utf8"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
)

func FuzzFaultOf(f *testing.F) {
	f.Add(400, []byte(`{"Fault":{"Error":[{"Message":"m","Detail":"d","code":"6000"}],"type":"ValidationFault"}}`))
	f.Add(401, []byte(`{"fault":{"error":[{"message":"m","detail":null,"code":"3200"}]}}`))
	f.Add(403, []byte(`<IntuitResponse><Fault type="x"><Error code="100"><Message>m</Message></Error></Fault></IntuitResponse>`))
	f.Add(200, []byte(`{"JournalEntry":{}}`))
	f.Add(502, []byte("\xff<"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		fault, isFault := faultOf(web.Response{Status: status, Body: body})
		if status != 200 && !isFault {
			t.Fatalf("status %d is taken for an answer", status)
		}
		err := fault.reading()
		if !errors.Is(err, target.ErrUnavailable) {
			t.Fatalf("a question that failed with %v changed something", err)
		}
		if status >= 500 && fault.code == "" && errors.Is(fault.writing(), target.ErrRefused) {
			t.Fatalf("status %d is taken for a refusal", status)
		}
		if utf8.Valid(body) && err.Error() == "" {
			t.Fatal("no text")
		}
	})
}
