import type { Fields, InputOf } from '../../../contracts/fields.ts'

const older = (name: string) => `Older name of ${name}.`

export const roleFields = {
  allowed_policies: { kind: 'commaList', description: 'Policies that tokens may have, whatever their parent has.' },
  disallowed_policies: { kind: 'commaList', description: 'Policies that tokens may not have.' },
  allowed_policies_glob: { kind: 'commaList', description: 'As allowed_policies, with * for anything.' },
  disallowed_policies_glob: { kind: 'commaList', description: 'As disallowed_policies, with * for anything.' },
  allowed_entity_aliases: { kind: 'commaList', description: 'What entity_alias may be; * is anything.' },
  orphan: { kind: 'bool', description: 'Tokens do not end with the token that asked for them.' },
  renewable: { kind: 'bool', description: 'Whether tokens can be renewed. Default true.' },
  path_suffix: { kind: 'string', description: 'Ends the path of the tokens, for revocation by prefix.' },
  token_type: { kind: 'string', description: 'service, batch, default-service or default-batch.' },
  token_period: { kind: 'duration', description: 'Tokens live for ever if they are renewed within this time.' },
  token_explicit_max_ttl: { kind: 'duration', description: 'How long tokens live, renewals included.' },
  token_bound_cidrs: { kind: 'commaList', description: 'Where tokens may be used from.' },
  token_num_uses: { kind: 'int', description: 'How often a token can be used. 0: without limit.' },
  token_no_default_policy: { kind: 'bool', description: 'Tokens do not get the policy "default".' },
  period: { kind: 'duration', description: older('token_period'), deprecated: true },
  explicit_max_ttl: { kind: 'duration', description: older('token_explicit_max_ttl'), deprecated: true },
  bound_cidrs: { kind: 'commaList', description: older('token_bound_cidrs'), deprecated: true },
} as const satisfies Fields

export type RoleInput = InputOf<typeof roleFields>
