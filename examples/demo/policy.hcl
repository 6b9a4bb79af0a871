# What the application may do: read its own secrets, nothing else.
path "secret/data/my-app/*" {
  capabilities = ["read"]
}
