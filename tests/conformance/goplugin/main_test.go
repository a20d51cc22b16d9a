package goplugin

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

var (
	// binary is the provider under test.
	binary string
	// protocol is the project's own description of protocol 6.
	protocol *wire
	// cookie is what Terraform sets so that a plugin knows who started it.
	cookie = plugin.HandshakeConfig{
		MagicCookieKey:   "TF_PLUGIN_MAGIC_COOKIE",
		MagicCookieValue: "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
	}
)

func TestMain(m *testing.M) {
	var err error
	if binary, err = filepath.Abs(os.Getenv("PROBE_BINARY")); err != nil || os.Getenv("PROBE_BINARY") == "" {
		fmt.Fprintln(os.Stderr, "PROBE_BINARY must name the provider to drive")
		os.Exit(1)
	}
	if protocol, err = compile(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "cannot compile the protocol:", err)
		os.Exit(1)
	}
	// What the caller's shell logs is not what these tests log.
	for _, name := range []string{"TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER", "TF_LOG_SDK", "TF_LOG_SDK_PROTO"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// connection is what a dispensed provider is: the bare connection, to call by method name.
type connection struct{ plugin.NetRPCUnsupportedPlugin }

func (connection) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (connection) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// started is a running provider and what its client saw of it.
type started struct {
	*plugin.Client
	config *plugin.ClientConfig
	// events is the client's own log, in which it says how the process ended.
	events *buffer
	// stderr is what the provider wrote.
	stderr *buffer
	took   time.Duration
}

// configure makes the configuration that Terraform uses, for a test to change.
func configure(t *testing.T) *plugin.ClientConfig {
	t.Helper()
	provider := plugin.PluginSet{"provider": connection{}}
	cmd := exec.Command(binary)
	cmd.Env = append(cmd.Env, "PROBE_DIRECTORY="+t.TempDir())
	return &plugin.ClientConfig{
		HandshakeConfig:  cookie,
		VersionedPlugins: map[int]plugin.PluginSet{5: provider, 6: provider},
		Cmd:              cmd,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		StartTimeout:     20 * time.Second,
	}
}

// start runs the provider until the test ends.
func start(t *testing.T, config *plugin.ClientConfig) started {
	t.Helper()
	run := started{config: config, events: &buffer{}, stderr: &buffer{}}
	config.Stderr = run.stderr
	config.Logger = hclog.New(&hclog.LoggerOptions{Output: run.events, Level: hclog.Trace})
	run.Client = plugin.NewClient(config)
	t.Cleanup(run.Kill)

	begin := time.Now()
	if _, err := run.Start(); err != nil {
		t.Fatalf("cannot start: %v\n%s", err, run.stderr)
	}
	run.took = time.Since(begin)
	return run
}

// dispense connects as Terraform does.
func (run started) dispense(t *testing.T) *grpc.ClientConn {
	t.Helper()
	client, err := run.Client.Client()
	if err != nil {
		t.Fatalf("cannot connect: %v", err)
	}
	raw, err := client.Dispense("provider")
	if err != nil {
		t.Fatalf("cannot dispense: %v", err)
	}
	return raw.(*grpc.ClientConn)
}

func (run started) ping(t *testing.T) {
	t.Helper()
	client, err := run.Client.Client()
	if err != nil {
		t.Fatalf("cannot connect: %v", err)
	}
	if err := client.Ping(); err != nil {
		t.Fatalf("the provider does not say that it is healthy: %v", err)
	}
}

// buffer is a bytes.Buffer that the client's goroutines may write to while the test reads.
type buffer struct {
	mutex sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(text []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.Write(text)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.String()
}
