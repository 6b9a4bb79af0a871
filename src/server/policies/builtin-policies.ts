/** The policies that exist without being written. */

/** Until someone writes another; every token has it unless it asks not to. */
export const defaultPolicy = `# What every token may do: look after itself.

path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}

# Ask what it may do.
path "sys/capabilities-self" {
  capabilities = ["update"]
}
path "sys/internal/ui/resultant-acl" {
  capabilities = ["read"]
}

# Read its own entity.
path "identity/entity/id/{{identity.entity.id}}" {
  capabilities = ["read"]
}
path "identity/entity/name/{{identity.entity.name}}" {
  capabilities = ["read"]
}

# Look after leases whose ids it knows. sys/renew is what old clients call.
path "sys/renew" {
  capabilities = ["update"]
}
path "sys/leases/renew" {
  capabilities = ["update"]
}
path "sys/leases/lookup" {
  capabilities = ["update"]
}

# Its private store, which ends with it.
path "cubbyhole/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

# Wrap values for others and unwrap what it was given.
path "sys/wrapping/wrap" {
  capabilities = ["update"]
}
path "sys/wrapping/lookup" {
  capabilities = ["update"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}

# Be told that something it may read has changed. Notices carry no values and only paths that the token may read; with
# this here, agents and controllers under policies written for Vault follow changes at once.
path "sys/events/subscribe/*" {
  capabilities = ["read"]
}

# Hashes, which need no secret.
path "sys/tools/hash" {
  capabilities = ["update"]
}
path "sys/tools/hash/*" {
  capabilities = ["update"]
}

path "sys/control-group/request" {
  capabilities = ["update"]
}

# Log in elsewhere with this server as OIDC provider.
path "identity/oidc/provider/+/authorize" {
  capabilities = ["read", "update"]
}
`

/** What a wrapping token may do; never listed, never written, never given to other tokens. */
export const responseWrappingPolicy = `path "cubbyhole/response" {
  capabilities = ["create", "read"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}
`
