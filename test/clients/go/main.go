// What a program written with OpenBao's Go client does, against the server of BAO_ADDR and BAO_TOKEN. Any difference ends it.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"time"

	"github.com/openbao/openbao/api/v2"
)

var steps int

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println("step", steps+1, "failed:", err)
		os.Exit(1)
	}
	return value
}

func done(err error) { must(0, err) }

func check(name string, actual, expected any) {
	if !reflect.DeepEqual(actual, expected) {
		fmt.Printf("%s: %#v instead of %#v\n", name, actual, expected)
		os.Exit(1)
	}
	steps++
}

func refused(name string, status int, err error) {
	answer, ok := err.(*api.ResponseError)
	if !ok {
		fmt.Printf("%s: %v instead of a refusal\n", name, err)
		os.Exit(1)
	}
	check(name, answer.StatusCode, status)
}

func main() {
	ctx := context.Background()
	client := must(api.NewClient(api.DefaultConfig()))
	sys := client.Sys()

	health := must(sys.Health())
	check("health", []bool{health.Initialized, health.Sealed, health.Standby}, []bool{true, false, false})
	check("seal status", must(sys.SealStatus()).T, 1)
	check("leader", must(sys.Leader()).HAEnabled, false)
	done(sys.Rotate())
	check("term", must(sys.KeyStatus()).Term > 1, true)

	done(sys.Mount("go2", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	check("mounts", must(sys.ListMounts())["go2/"].Options, map[string]string{"version": "2"})
	done(sys.TuneMount("go2", api.MountConfigInput{DefaultLeaseTTL: "1h", MaxLeaseTTL: "2h"}))
	check("tuned", must(sys.MountConfig("go2")).MaxLeaseTTL, 7200)

	kv := client.KVv2("go2")
	must(kv.Put(ctx, "app", map[string]any{"a": "1"}, api.WithCheckAndSet(0)))
	_, err := kv.Put(ctx, "app", map[string]any{"a": "x"}, api.WithCheckAndSet(0))
	refused("cas", http.StatusBadRequest, unwrapped(err))
	must(kv.Patch(ctx, "app", map[string]any{"b": "2"}))
	check("patched", must(kv.Get(ctx, "app")).Data, map[string]any{"a": "1", "b": "2"})
	check("version 1", must(kv.GetVersion(ctx, "app", 1)).Data, map[string]any{"a": "1"})
	check("versions", len(must(kv.GetVersionsAsList(ctx, "app"))), 2)
	must(kv.Rollback(ctx, "app", 1))
	done(kv.DeleteVersions(ctx, "app", []int{3}))
	done(kv.Undelete(ctx, "app", []int{3}))
	done(kv.Destroy(ctx, "app", []int{1}))
	done(kv.PutMetadata(ctx, "app", api.KVMetadataPutInput{CustomMetadata: map[string]any{"owner": "me"}, MaxVersions: 4}))
	metadata := must(kv.GetMetadata(ctx, "app"))
	check("metadata", []any{metadata.MaxVersions, metadata.CustomMetadata["owner"], metadata.Versions["1"].Destroyed}, []any{4, "me", true})
	listed := must(client.Logical().List("go2/metadata"))
	check("list", listed.Data["keys"], []any{"app"})
	done(kv.DeleteMetadata(ctx, "app"))
	_, err = kv.Get(ctx, "app")
	check("gone", err != nil, true)
	nothing := must(client.Logical().Read("go2/data/none"))
	check("nothing", nothing == nil, true)

	done(sys.PutPolicy("go", `path "go2/*" { capabilities = ["read", "list"] }`))
	check("policy", must(sys.GetPolicy("go")) != "", true)
	made := must(client.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"go"}, TTL: "1h"}))
	check("token", made.Auth.TokenPolicies, []string{"default", "go"})
	other := must(client.Clone())
	other.SetToken(made.Auth.ClientToken)
	_, err = other.Logical().Write("go2/data/x", map[string]any{"data": map[string]any{}})
	refused("denied", http.StatusForbidden, unwrapped(err))
	check("capabilities", must(sys.Capabilities(made.Auth.ClientToken, "go2/data/x")), []string{"read", "list"})
	watcher := must(other.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: made, Increment: 7200}))
	go watcher.Start()
	select {
	case renewal := <-watcher.RenewCh():
		check("renewed", renewal.Secret.Auth.LeaseDuration, 7200)
	case err := <-watcher.DoneCh():
		done(fmt.Errorf("the watcher ended: %v", err))
	case <-time.After(20 * time.Second):
		done(fmt.Errorf("no renewal within 20 s"))
	}
	watcher.Stop()
	done(client.Auth().Token().RevokeTree(made.Auth.ClientToken))
	_, err = other.Auth().Token().LookupSelf()
	refused("revoked", http.StatusForbidden, unwrapped(err))

	client.SetWrappingLookupFunc(func(string, string) string { return "60s" })
	wrapped := must(client.Logical().Read("sys/mounts"))
	client.SetWrappingLookupFunc(nil)
	check("wrapped", wrapped.WrapInfo.TTL, 60)
	check("unwrapped", must(client.Logical().Unwrap(wrapped.WrapInfo.Token)).Data["go2/"] != nil, true)
	_, err = client.Logical().Unwrap(wrapped.WrapInfo.Token)
	check("twice", err != nil, true)

	must(client.Logical().Write("sys/namespaces/go", nil))
	inside := client.WithNamespace("go")
	done(inside.Sys().Mount("own", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	must(inside.KVv2("own").Put(ctx, "x", map[string]any{"a": "go"}))
	check("in the namespace", must(inside.KVv2("own").Get(ctx, "x")).Data, map[string]any{"a": "go"})
	must(client.Logical().Delete("sys/namespaces/go"))

	fmt.Println(steps, "steps")
}

// unwrapped: errors of the KV helpers carry the answer inside.
func unwrapped(err error) error {
	for err != nil {
		if _, ok := err.(*api.ResponseError); ok {
			return err
		}
		inner, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = inner.Unwrap()
	}
	return err
}
