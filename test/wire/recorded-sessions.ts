/** Files of recorded exchanges that one server answered, in order; the others began with a fresh one. */
export const sessions: readonly (readonly string[])[] = [
  [
    '01-sys.json',
    '02-kv2.json',
    '03-kv1-cubbyhole.json',
    '04-tokens.json',
    '05-wrapping.json',
    '06-transit.json',
    '07-approle-userpass.json',
    '08-pki.json',
    '09-identity.json',
    '10-leases-database.json',
    '11-audit.json',
    '12-seal.json',
  ],
  ['13-kubernetes-auth.json'],
  ['14-jwt-cert-totp-ssh.json'],
]
