package document_test

import (
	"bytes"
	"testing"

	"tillbook.example/tillbook/shared/document"
)

func TestCardNumbersAreMaskedWhereverTheyStand(t *testing.T) {
	t.Parallel()
	// Numbers that the card schemes publish for tests.
	for in, want := range map[string]string{
		"4111111111111111":                               "************1111",
		"5555555555554444":                               "************4444",
		"378282246310005":                                "***********0005",
		"30569309025904":                                 "**********5904",
		"6011 1111 1111 1117":                            "**** **** **** 1117",
		"4222222222222":                                  "*********2222",
		"6304000000000000000":                            "***************0000",
		"VISA 4111-1111-1111-1111 ok":                    "VISA ****-****-****-1111 ok",
		`{"pan":"4111111111111111","exp":"12/29"}`:       `{"pan":"************1111","exp":"12/29"}`,
		"%B4111111111111111^X/Y^2912":                    "%B************1111^X/Y^2912",
		";4111111111111111=29121010000000000":            ";************1111=29121010000000000",
		"2 4111111111111111":                             "2 ************1111",
		"4111111111111111 5555555555554444":              "************1111 ************4444",
		"4111 1111 1111 1111 5555 5555 5555 4444":        "**** **** **** 1111 **** **** **** 4444",
		"4111111111111111 102":                           "***************1 102",       // the longest
		"5555555555554444 100000005":                     "**************** *****0005", // what stays begins another
		"<a>4111111111111111</a><b>5555555555554444</b>": "<a>************1111</a><b>************4444</b>",
	} {
		if got := string(document.MaskPANs([]byte(in))); got != want {
			t.Errorf("MaskPANs(%q) = %q, want %q", in, got, want)
		}
		if got := document.MaskCard("card " + in); got != "card "+want {
			t.Errorf("MaskCard(%q) = %q, want %q", "card "+in, got, want)
		}
	}
}

func TestOtherNumbersAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "4", "4111111111111112", "411111111111", "41111111111111111111", // wrong check digit, too short, too long
		"4111  1111 1111 1111",                            // two spaces
		"4111.1111.1111.1111",                             // points
		"20260301093017",                                  // a date and time that satisfies the formula, or nearly
		"0000000000000000",                                // padding
		"2000000000008", "9780306406157", "3017620422003", // article numbers
		"2026-03-01 09:30:00", "1234567890.12", "+44 20 7946 0018",
		"Ünïcödé 寿司 \xff\xfe",
	} {
		if got := string(document.MaskPANs([]byte(s))); got != s {
			t.Errorf("MaskPANs(%q) = %q", s, got)
		}
	}
}

func TestMaskPANsLeavesItsArgumentAlone(t *testing.T) {
	t.Parallel()
	in := []byte("4111111111111111")
	document.MaskPANs(in)
	if string(in) != "4111111111111111" {
		t.Errorf("the argument became %q", in)
	}
}

func TestAFieldThatIsOnlyACardNumberShowsFourDigitsAtMost(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"4111111111111112":    "************1112", // wrong check digit
		"411111******1111":    "************1111",
		"4111 11XX XXXX 1111": "**** **XX XXXX 1111",
		"XXXXXXXXXXXX1111":    "XXXXXXXXXXXX1111",
		"••••••••••••1111":    "••••••••••••1111",
		"1111":                 "1111",
		"ending 1111":          "ending 1111",
		"12345678":             "12345678",
		"41111111111111111111": "****************1111",
		"":                     "",
	} {
		if got := document.MaskCard(in); got != want {
			t.Errorf("MaskCard(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzMaskPANs(f *testing.F) {
	f.Add([]byte("a 4111 1111-1111 1111 b 4222222222222 4"))
	f.Add([]byte("4111111111111111 222222222 6304000000000000000-1"))
	f.Add([]byte("411111xxxxxx1111"))
	f.Fuzz(func(t *testing.T, in []byte) {
		text := document.MaskPANs(in)
		onlyStars(t, in, text)
		if again := document.MaskPANs(text); !bytes.Equal(again, text) {
			t.Errorf("%q became %q and then %q", in, text, again)
		}
		field := document.MaskCard(string(in))
		onlyStars(t, in, []byte(field))
		if again := document.MaskCard(field); again != field {
			t.Errorf("the field %q became %q and then %q", in, field, again)
		}
	})
}

// onlyStars fails unless out is in with some of its digits turned into stars.
func onlyStars(t *testing.T, in, out []byte) {
	t.Helper()
	if len(in) != len(out) {
		t.Fatalf("%q became %q", in, out)
	}
	for i := range in {
		if in[i] != out[i] && (out[i] != '*' || in[i] < '0' || in[i] > '9') {
			t.Fatalf("%q became %q", in, out)
		}
	}
}
