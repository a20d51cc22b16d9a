// Command cty makes random values with go-cty, the library whose encodings Terraform uses, and
// judges what others make of them.
//
//	cty write SEED COUNT   one value a line: type, msgpack, JSON, with tabs in between; the last
//	                       two in base64, JSON empty where it cannot say the same
//	cty check SEED COUNT   reads such lines (without JSON) and compares them with the same values
package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"github.com/zclconf/go-cty/cty/msgpack"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: cty write|check SEED COUNT")
	}
	seed, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	switch args[0] {
	case "write":
		return write(newSource(seed), count, os.Stdout)
	case "check":
		return check(newSource(seed), count, os.Stdin, os.Stdout)
	}
	return fmt.Errorf("there is no mode %q", args[0])
}

func write(values *source, count int, to io.Writer) error {
	out := bufio.NewWriter(to)
	for range count {
		it := values.next()
		ty, err := ctyjson.MarshalType(it.ty)
		if err != nil {
			return err
		}
		var json []byte
		// A double in JSON has its shortest decimals, which are another number.
		if it.value.IsWhollyKnown() && !it.inexact {
			if json, err = ctyjson.Marshal(it.value, it.ty); err != nil {
				return err
			}
		}
		encode := base64.StdEncoding.EncodeToString
		fmt.Fprintf(out, "%s\t%s\t%s\n", ty, encode(it.msgpack), encode(json))
	}
	return out.Flush()
}

func check(values *source, count int, from io.Reader, to io.Writer) error {
	in := bufio.NewReader(from)
	mismatches := 0
	for at := range count {
		line, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("line %d: %w", at+1, err)
		}
		it := values.next()
		if err := it.compare(strings.TrimSuffix(line, "\n")); err != nil {
			mismatches++
			fmt.Fprintf(to, "line %d: %v\n", at+1, err)
		}
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return errors.New("there are more lines than values")
	}
	_, err := fmt.Fprintf(to, "%d checked, %d mismatches\n", count, mismatches)
	return err
}

// compare says how a line differs from the value it should be.
func (it typed) compare(line string) error {
	ty, encoded, _ := strings.Cut(line, "\t")
	got, err := ctyjson.UnmarshalType([]byte(ty))
	if err != nil {
		return err
	}
	if !got.Equals(it.ty) {
		return fmt.Errorf("type %#v instead of %#v", got, it.ty)
	}
	bytes, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	value, err := decode(bytes, it.ty)
	if err != nil {
		return err
	}
	if !value.RawEquals(it.value) {
		return fmt.Errorf("%#v instead of %#v", value, it.value)
	}
	return nil
}

// decode turns the panics of go-cty (on lists of unequal types) into errors.
func decode(bytes []byte, ty cty.Type) (value cty.Value, err error) {
	defer func() {
		if it := recover(); it != nil {
			err = fmt.Errorf("%v", it)
		}
	}()
	return msgpack.Unmarshal(bytes, ty)
}
