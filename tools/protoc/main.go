// Command protoc compiles the project's .proto files without an installed
// compiler: it parses them and hands them to the Go plugins named on the
// command line. It knows only what `make generate` needs of protoc.
//
//	protoc -I DIR -out DIR -plugin protoc-gen-go -plugin protoc-gen-go-grpc FILE.proto...
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

type list []string

func (l *list) String() string     { return fmt.Sprint(*l) }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	var plugins list
	include := flag.String("I", ".", "folder of the .proto files")
	out := flag.String("out", ".", "folder to write to")
	parameter := flag.String("opt", "", "parameter for each plugin")
	flag.Var(&plugins, "plugin", "a plugin to run; may be given more than once")
	flag.Parse()
	for _, plugin := range plugins {
		if err := generate(*include, *out, *parameter, plugin, flag.Args()); err != nil {
			fmt.Fprintf(os.Stderr, "protoc: %s: %v\n", plugin, err)
			os.Exit(1)
		}
	}
}

func generate(include, out, parameter, plugin string, files []string) error {
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{include}},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(context.Background(), files...)
	if err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: files, Parameter: &parameter}
	for _, file := range compiled {
		request.ProtoFile = append(request.ProtoFile, protoutil.ProtoFromFileDescriptor(file))
	}
	input, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	command := exec.Command(plugin)
	command.Stdin, command.Stderr = bytes.NewReader(input), os.Stderr
	output, err := command.Output()
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(output, &response); err != nil {
		return err
	}
	if response.Error != nil {
		return fmt.Errorf("%s", response.GetError())
	}
	for _, file := range response.File {
		path := filepath.Join(out, file.GetName())
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(file.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
