"""What a program written with hvac does, against the server of VAULT_ADDR and VAULT_TOKEN. Any difference ends it."""

import os
import sys

import hvac
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

client = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"])
unseal_key = os.environ["UNSEAL_KEY"]
steps = 0


def check(name, actual, expected=True):
    global steps
    if actual != expected:
        print(f"{name}: {actual!r} instead of {expected!r}")
        sys.exit(1)
    steps += 1


def refused(name, kind, call):
    try:
        call()
    except kind:
        check(name, True)
        return
    check(name, "not refused")


# The server
check("authenticated", client.is_authenticated())
check("initialised", client.sys.is_initialized())
check("sealed", client.sys.is_sealed(), False)
check("health", client.sys.read_health_status(method="GET")["initialized"])
check("health by HEAD", client.sys.read_health_status().status_code, 200)
check("leader", client.sys.read_leader_status()["ha_enabled"], False)
check("seal status", client.seal_status["t"], 1)
before = client.sys.read_key_status() if hasattr(client.sys, "read_key_status") else client.key_status
client.sys.rotate_encryption_key()
check("key status", client.key_status["term"], before["term"] + 1)

# Mounts
client.sys.enable_secrets_engine("kv", path="v2", options={"version": "2"})
client.sys.enable_secrets_engine("kv", path="v1", options={"version": "1"})
mounts = client.sys.list_mounted_secrets_engines()
check("mount options", mounts["data"]["v2/"]["options"], {"version": "2"})
check("mounts at the top", mounts["v2/"]["options"], {"version": "2"})
client.sys.tune_mount_configuration("v2", default_lease_ttl="1h", max_lease_ttl="2h")
tuned = client.sys.read_mount_configuration("v2")["data"]
check("tuned", (tuned["default_lease_ttl"], tuned["max_lease_ttl"]), (3600, 7200))
client.sys.move_backend("v1", "moved")
check("moved", "moved/" in client.sys.list_mounted_secrets_engines()["data"])
refused("a taken path", InvalidRequest, lambda: client.sys.enable_secrets_engine("kv", path="v2"))

# KV version 2
kv2 = client.secrets.kv.v2
first = kv2.create_or_update_secret("app", {"a": "1"}, cas=0, mount_point="v2")
check("first version", first["data"]["version"], 1)
refused("cas", InvalidRequest, lambda: kv2.create_or_update_secret("app", {"a": "x"}, cas=0, mount_point="v2"))
kv2.create_or_update_secret("app", {"a": "2", "b": "3"}, mount_point="v2")
kv2.patch("app", {"b": "4"}, mount_point="v2")
check("patched", kv2.read_secret_version("app", mount_point="v2")["data"]["data"], {"a": "2", "b": "4"})
check("version 1", kv2.read_secret_version("app", version=1, mount_point="v2")["data"]["data"], {"a": "1"})
kv2.delete_latest_version_of_secret("app", mount_point="v2")
refused("deleted", InvalidPath, lambda: kv2.read_secret_version("app", mount_point="v2", raise_on_deleted_version=True))
gone = kv2.read_secret_version("app", mount_point="v2", raise_on_deleted_version=False)
check("metadata of the deleted", gone["data"]["metadata"]["version"], 3)
kv2.undelete_secret_versions("app", [3], mount_point="v2")
kv2.destroy_secret_versions("app", [1], mount_point="v2")
kv2.update_metadata("app", max_versions=5, custom_metadata={"owner": "me"}, mount_point="v2")
metadata = kv2.read_secret_metadata("app", mount_point="v2")["data"]
check("destroyed", metadata["versions"]["1"]["destroyed"])
check("custom metadata", metadata["custom_metadata"], {"owner": "me"})
check("list", kv2.list_secrets("", mount_point="v2")["data"]["keys"], ["app"])
kv2.configure(max_versions=7, mount_point="v2")
check("configuration", kv2.read_configuration(mount_point="v2")["data"]["max_versions"], 7)
kv2.delete_metadata_and_all_versions("app", mount_point="v2")
refused("an empty list", InvalidPath, lambda: kv2.list_secrets("", mount_point="v2"))

# KV version 1, cubbyhole
kv1 = client.secrets.kv.v1
kv1.create_or_update_secret("app", {"a": "1"}, mount_point="moved")
check("v1", kv1.read_secret("app", mount_point="moved")["data"], {"a": "1"})
client.write("cubbyhole/mine", a="1")
check("cubbyhole", client.read("cubbyhole/mine")["data"], {"a": "1"})

# Policies, tokens
client.sys.create_or_update_policy("reader", 'path "v2/data/*" { capabilities = ["read"] }')
check("policies", "reader" in client.sys.list_policies()["data"]["policies"])
check("policy", "v2/data" in client.sys.read_policy("reader")["data"]["rules"])
auth = client.auth.token.create(policies=["reader"], ttl="1h", meta={"who": "hvac"})["auth"]
looked = client.auth.token.lookup(auth["client_token"])["data"]
check("token", (looked["policies"], looked["meta"]), (["default", "reader"], {"who": "hvac"}))
check("accessor", client.auth.token.lookup_accessor(auth["accessor"])["data"]["display_name"], "token-token")
other = hvac.Client(url=os.environ["VAULT_ADDR"], token=auth["client_token"])
check("renewed", other.auth.token.renew_self(increment="30m")["auth"]["lease_duration"], 1800)
refused("no right", Forbidden, lambda: other.secrets.kv.v2.create_or_update_secret("x", {"a": "1"}, mount_point="v2"))
check("capabilities", client.sys.get_capabilities(["v2/data/x"], token=auth["client_token"])["data"]["v2/data/x"], ["read"])
client.auth.token.create_or_update_role("job", allowed_policies=["reader"], orphan=True, token_period="1h")
check("role", client.auth.token.read_role("job")["data"]["allowed_policies"], ["reader"])
check("of the role", client.auth.token.create(role_name="job", policies=["reader"])["auth"]["orphan"])
batch = client.auth.token.create(policies=["reader"], type="batch", ttl="1h")["auth"]
check("batch", (batch["token_type"], batch["accessor"], batch["renewable"]), ("batch", "", False))
client.auth.token.revoke(auth["client_token"])
check("revoked", other.is_authenticated(), False)

# Wrapping
wrapped = client.sys.wrap({"a": "1"}, ttl=60)
check("wrap", wrapped["wrap_info"]["ttl"], 60)
check("unwrap", client.sys.unwrap(wrapped["wrap_info"]["token"])["data"], {"a": "1"})
refused("twice", InvalidRequest, lambda: client.sys.unwrap(wrapped["wrap_info"]["token"]))

# Identity
entity = client.secrets.identity.create_or_update_entity("hvac", policies=["reader"], metadata={"team": "x"})["data"]["id"]
check("entity", client.secrets.identity.read_entity(entity)["data"]["metadata"], {"team": "x"})
group = client.secrets.identity.create_or_update_group("hvacs", member_entity_ids=[entity], policies=["reader"])["data"]["id"]
check("group", client.secrets.identity.read_group(group)["data"]["member_entity_ids"], [entity])
check("groups of it", client.secrets.identity.read_entity(entity)["data"]["group_ids"], [group])
client.secrets.identity.delete_entity(entity)

# Auth mounts, namespaces, seal
client.sys.enable_auth_method("kubernetes", path="cluster")
check("auth methods", client.sys.list_auth_methods()["data"]["cluster/"]["type"], "kubernetes")
client.sys.disable_auth_method("cluster")
client.sys.create_namespace("team")
check("namespaces", client.sys.list_namespaces()["data"]["keys"], ["team/"])
inside = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"], namespace="team")
inside.sys.enable_secrets_engine("kv", path="own", options={"version": "2"})
inside.secrets.kv.v2.create_or_update_secret("x", {"a": "team"}, mount_point="own")
check("in the namespace", inside.secrets.kv.v2.read_secret_version("x", mount_point="own")["data"]["data"], {"a": "team"})
client.sys.delete_namespace("team")
client.sys.seal()
check("sealed now", client.sys.is_sealed())
client.sys.submit_unseal_key(unseal_key)
check("unsealed", client.sys.is_sealed(), False)

print(f"{steps} steps")
