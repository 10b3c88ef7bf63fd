package settings_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/settings"
)

type config struct {
	Listen string `koanf:"listen"`
	Outbox struct {
		Max  int64         `koanf:"max"`
		Wait time.Duration `koanf:"wait"`
	} `koanf:"outbox"`
	Sources []struct {
		Name string `koanf:"name"`
	} `koanf:"sources"`
}

func yaml(t *testing.T, text string) settings.Layer {
	t.Helper()
	layer, err := settings.YAML("agent.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

func TestLaterLayersWinAndEachValueSaysWhereItCameFrom(t *testing.T) {
	t.Parallel()
	var c config
	c.Listen, c.Outbox.Max = "127.0.0.1:1", 10
	origins, err := settings.Load(&c,
		yaml(t, "listen: a:1\noutbox:\n  wait: 3s\nsources:\n- name: till\n"),
		settings.Environment("TB", []string{"TB__OUTBOX__MAX=20", "OTHER=1"}),
		settings.Values("flag", map[string]string{"listen": "b:2"}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "b:2" || c.Outbox.Max != 20 || c.Outbox.Wait != 3*time.Second || len(c.Sources) != 1 || c.Sources[0].Name != "till" {
		t.Errorf("%+v", c)
	}
	want := []settings.Origin{
		{Key: "listen", Value: "b:2", Layer: "flag"}, {Key: "outbox.max", Value: "20", Layer: "environment"},
		{Key: "outbox.wait", Value: "3s", Layer: "agent.yaml"}, {Key: "sources", Value: "[{till}]", Layer: "agent.yaml"},
	}
	if diff := cmp.Diff(want, origins); diff != "" {
		t.Error(diff)
	}
}

func TestAnUnknownKeyIsAnErrorThatNamesTheNearestInEveryLayer(t *testing.T) {
	t.Parallel()
	for name, layer := range map[string]settings.Layer{
		"file":        yaml(t, "outbox:\n  maxx: 1\n"),
		"environment": settings.Environment("TB", []string{"TB__OUTBOX__MAXX=1"}),
		"flag":        settings.Values("flag", map[string]string{"outbox.maxx": "1"}),
	} {
		if _, err := settings.Load(&config{}, layer); err == nil || !strings.Contains(err.Error(), `did you mean "outbox.max"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnUnknownKeyInAListIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := settings.Load(&config{}, yaml(t, "sources:\n- nmae: till\n")); err == nil || !strings.Contains(err.Error(), "nmae") {
		t.Errorf("%v", err)
	}
}

func TestAValueOfTheWrongKindIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := settings.Load(&config{}, yaml(t, "outbox:\n  max: many\n")); err == nil {
		t.Error("a word was taken for a number")
	}
	if _, err := settings.YAML("agent.yaml", []byte("a: [")); err == nil || !strings.Contains(err.Error(), "agent.yaml") {
		t.Errorf("broken YAML: %v", err)
	}
}
