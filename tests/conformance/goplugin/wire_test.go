package goplugin

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/vmihailenco/msgpack/v5"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// wire speaks the provider protocol from its description: no generated code is needed.
type wire struct {
	service protoreflect.ServiceDescriptor
}

func compile(ctx context.Context) (*wire, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			ImportPaths: []string{"../../../proto"},
		}),
	}
	files, err := compiler.Compile(ctx, "tfplugin6.proto")
	if err != nil {
		return nil, err
	}
	return &wire{service: files[0].Services().ByName("Provider")}, nil
}

// fields is a message by its field names; a fields inside is a message inside.
type fields map[protoreflect.Name]any

func (w *wire) call(t *testing.T, conn *grpc.ClientConn, method protoreflect.Name, request fields) protoreflect.Message {
	t.Helper()
	about := w.service.Methods().ByName(method)
	if about == nil {
		t.Fatalf("the protocol has no method %s", method)
	}
	in, out := dynamicpb.NewMessage(about.Input()), dynamicpb.NewMessage(about.Output())
	fill(in, request)
	if err := conn.Invoke(t.Context(), fmt.Sprintf("/%s/%s", w.service.FullName(), method), in, out); err != nil {
		t.Fatalf("%s: %.300v", method, err)
	}
	return out
}

func fill(message protoreflect.Message, values fields) {
	for name, value := range values {
		field := message.Descriptor().Fields().ByName(name)
		if inner, ok := value.(fields); ok {
			fill(message.Mutable(field).Message(), inner)
			continue
		}
		message.Set(field, protoreflect.ValueOf(value))
	}
}

// at walks down the named fields.
func at(message protoreflect.Message, names ...protoreflect.Name) protoreflect.Value {
	var value protoreflect.Value
	for i, name := range names {
		value = message.Get(message.Descriptor().Fields().ByName(name))
		if i+1 < len(names) {
			message = value.Message()
		}
	}
	return value
}

// problems are the errors among the diagnostics of a response, cut to a readable length.
func problems(response protoreflect.Message) []string {
	const severityError = 1
	var found []string
	list := at(response, "diagnostics").List()
	for i := range list.Len() {
		diagnostic := list.Get(i).Message()
		if at(diagnostic, "severity").Enum() == severityError {
			found = append(found, fmt.Sprintf("%.200s: %.200s", at(diagnostic, "summary"), at(diagnostic, "detail")))
		}
	}
	return found
}

// A subject is a resource type that can carry a large value: it has a name and a note.
type subject struct {
	typeName   string
	attributes []string
	provider   []string
}

// schema finds the subject, so that the same tests can drive any provider that has one.
func schema(t *testing.T, conn *grpc.ClientConn) subject {
	t.Helper()
	response := protocol.call(t, conn, "GetProviderSchema", nil)
	if errors := problems(response); errors != nil {
		t.Fatalf("no schema: %v", errors)
	}
	found := subject{provider: attributes(at(response, "provider").Message())}
	at(response, "resource_schemas").Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		names := attributes(value.Message())
		if text := strings.Join(names, " ") + " "; strings.Contains(text, "name ") && strings.Contains(text, "note ") {
			found.typeName, found.attributes = key.String(), names
		}
		return found.typeName == ""
	})
	if found.typeName == "" {
		t.Fatal("no resource type has a name and a note")
	}
	return found
}

func attributes(schema protoreflect.Message) []string {
	var names []string
	list := at(schema, "block", "attributes").List()
	for i := range list.Len() {
		names = append(names, at(list.Get(i).Message(), "name").String())
	}
	return names
}

// object encodes an object of the given attributes, null unless known.
func object(t *testing.T, attributes []string, known map[string]any) fields {
	t.Helper()
	whole := make(map[string]any, len(attributes))
	for _, name := range attributes {
		whole[name] = known[name]
	}
	encoded, err := msgpack.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return fields{"msgpack": encoded}
}

func null() fields { return fields{"msgpack": []byte{0xc0}} }

// size says how large a message is on the wire.
func size(message protoreflect.Message) int { return proto.Size(message.Interface()) }
