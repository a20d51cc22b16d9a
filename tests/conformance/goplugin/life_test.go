package goplugin

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/vmihailenco/msgpack/v5"
)

// A client waits two seconds for the end of the process before it kills it.
const mustEndWithin = time.Second

func TestProviderStartsAnswersAndEnds(t *testing.T) {
	run := start(t, configure(t))
	t.Logf("start to handshake: %v", run.took)
	if version := run.NegotiatedVersion(); version != 6 {
		t.Errorf("negotiated protocol %d, want 6", version)
	}
	run.ping(t)
	schema(t, run.dispense(t))
	socket := run.ReattachConfig().Addr

	begin := time.Now()
	run.Kill()
	took := time.Since(begin)
	t.Logf("end: %v", took)
	if took > mustEndWithin {
		t.Errorf("the process took %v to end, want less than %v", took, mustEndWithin)
	}
	if log := run.events.String(); strings.Contains(log, "failed to exit gracefully") || strings.Contains(log, "[ERROR]") {
		t.Errorf("the client is not content with the end of the process:\n%s", log)
	}
	if _, err := os.Stat(socket.String()); socket.Network() == "unix" && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket %s is left behind (%v)", socket, err)
	}
	if text := run.stderr.String(); text != "" {
		t.Errorf("nobody asked for logs, but the provider wrote:\n%.2000s", text)
	}
}

func TestProviderEndsBeforeAnyCall(t *testing.T) {
	run := start(t, configure(t))
	begin := time.Now()
	run.Kill()
	if took := time.Since(begin); took > mustEndWithin {
		t.Errorf("the process took %v to end, want less than %v", took, mustEndWithin)
	}
}

func TestInterruptOfTheTerminalIsSurvived(t *testing.T) {
	run := start(t, configure(t))
	run.ping(t)
	// Ctrl-C reaches the whole process group; it is the client who decides what ends.
	for range 2 {
		if err := syscall.Kill(run.config.Cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		run.ping(t)
	}
}

func TestClientOfAnOlderProtocolIsToldWhichOneIsSpoken(t *testing.T) {
	config := configure(t)
	delete(config.VersionedPlugins, 6)
	config.Logger = hclog.NewNullLogger()
	client := plugin.NewClient(config)
	t.Cleanup(client.Kill)
	_, err := client.Start()
	if err == nil || !strings.Contains(err.Error(), "Plugin version: 6, Client versions: [5]") {
		t.Errorf("got %v, want the client's own words about versions", err)
	}
}

func TestWrongCookieIsAnsweredWithAHint(t *testing.T) {
	for name, env := range map[string][]string{
		"none":  {},
		"other": {cookie.MagicCookieKey + "=other"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(binary)
			cmd.Env = env
			output, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("ended with %v, want exit status 1", err)
			}
			text := strings.ToLower(string(output))
			if !strings.Contains(text, "plugin") && !strings.Contains(text, "provider") {
				t.Errorf("the hint does not say what this program is: %q", output)
			}
			if strings.Contains(text, "panic") || strings.Contains(text, "|grpc|") {
				t.Errorf("neither a crash nor a handshake is a hint: %q", output)
			}
		})
	}

	t.Run("client", func(t *testing.T) {
		config := configure(t)
		config.MagicCookieValue = "other"
		config.Logger = hclog.NewNullLogger()
		client := plugin.NewClient(config)
		t.Cleanup(client.Kill)
		begin := time.Now()
		if _, err := client.Start(); err == nil {
			t.Error("the client connected in spite of its cookie")
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("the client had to wait %v for the refusal", took)
		}
	})
}

func TestLargeValuePassesBothWays(t *testing.T) {
	const length = 16 << 20
	run := start(t, configure(t))
	conn := run.dispense(t)
	thing := schema(t, conn)
	configured := protocol.call(t, conn, "ConfigureProvider", fields{
		"terraform_version": "1.11.4",
		"config":            object(t, thing.provider, nil),
	})
	if errors := problems(configured); errors != nil {
		t.Fatalf("cannot configure: %v", errors)
	}

	note := strings.Repeat("0123456789abcdef", length/16)
	config := object(t, thing.attributes, map[string]any{"name": "large", "note": note})
	begin := time.Now()
	response := protocol.call(t, conn, "PlanResourceChange", fields{
		"type_name":          thing.typeName,
		"prior_state":        null(),
		"proposed_new_state": config,
		"config":             config,
	})
	t.Logf("%d bytes there and %d back: %v", length, size(response), time.Since(begin))
	if errors := problems(response); errors != nil {
		t.Fatalf("cannot plan: %v", errors)
	}
	// Unknown values are an extension type that this decoder need not know: look for the note alone.
	encoded, err := msgpack.Marshal(note)
	if err != nil {
		t.Fatal(err)
	}
	planned := string(at(response, "planned_state", "msgpack").Bytes())
	if !strings.Contains(planned, string(encoded)) {
		t.Errorf("the planned state of %d bytes does not hold the note", len(planned))
	}
	run.ping(t)
}

func TestDebuggedProviderIsAttachedToAndEndsOnInterrupt(t *testing.T) {
	cmd := exec.Command(binary, "--debug")
	cmd.Env = append(os.Environ(), "PROBE_DIRECTORY="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	// What go-plugin's server prints, under the provider's address.
	var printed map[string]struct {
		Protocol        plugin.Protocol
		ProtocolVersion int
		Pid             int
		Test            bool
		Addr            struct{ Network, String string }
	}
	lines := bufio.NewScanner(stdout)
	for printed == nil && lines.Scan() {
		_, value, ok := strings.Cut(lines.Text(), "TF_REATTACH_PROVIDERS=")
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(strings.Trim(value, "'")), &printed); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
	}
	if len(printed) != 1 {
		t.Fatalf("want one provider to attach to, got %v", printed)
	}
	for _, about := range printed {
		if about.ProtocolVersion != 6 || !about.Test || about.Pid != cmd.Process.Pid {
			t.Errorf("cannot be attached to: %+v", about)
		}
		address := &net.UnixAddr{Net: about.Addr.Network, Name: about.Addr.String}
		client := plugin.NewClient(&plugin.ClientConfig{
			HandshakeConfig:  cookie,
			Plugins:          plugin.PluginSet{"provider": connection{}},
			AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
			Logger:           hclog.NewNullLogger(),
			Reattach: &plugin.ReattachConfig{
				Protocol: about.Protocol, ProtocolVersion: 6, Pid: about.Pid, Test: true, Addr: address,
			},
		})
		attached := started{Client: client}
		attached.ping(t)
		schema(t, attached.dispense(t))
	}

	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the debugged provider does not end on interrupt")
	}
}
