package goplugin

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// A longer line is cut by the client and loses its level.
const longestLine = 64 << 10

// The client parses timestamps by this form alone; another makes the whole line untyped text.
var timestamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$`)

func TestEveryLogLineIsOneThatTheClientUnderstands(t *testing.T) {
	config := configure(t)
	config.Cmd.Env = append(config.Cmd.Env, "TF_LOG=TRACE")
	run := start(t, config)
	conn := run.dispense(t)
	thing := schema(t, conn)

	// A wrong name that is larger than a line may be, so that a log of the problem would be too.
	wrong := object(t, thing.attributes, map[string]any{"name": strings.Repeat("Wrong \"Name\"\n", 20000)})
	response := protocol.call(t, conn, "ValidateResourceConfig", fields{"type_name": thing.typeName, "config": wrong})
	t.Logf("problems: %d", len(problems(response)))
	run.ping(t)
	run.Kill()

	lines := strings.Split(strings.TrimSpace(run.stderr.String()), "\n")
	t.Logf("%d lines", len(lines))
	for _, line := range lines {
		if line == "" {
			continue
		}
		if len(line) >= longestLine {
			t.Errorf("a line of %d bytes: %.200s…", len(line), line)
			continue
		}
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("not JSON: %.200s", line)
			continue
		}
		// A value of another type under these keys makes the client panic.
		for _, key := range []string{"@level", "@message", "@timestamp"} {
			if _, ok := entry[key].(string); !ok {
				t.Errorf("%s is no text in %.200s", key, line)
			}
		}
		if at, _ := entry["@timestamp"].(string); !timestamp.MatchString(at) {
			t.Errorf("the client cannot read the time %q", at)
		}
	}
	if len(lines) < 3 {
		t.Errorf("TRACE should tell about the calls, got %q", lines)
	}
}
