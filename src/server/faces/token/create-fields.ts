import type { Fields, InputOf } from '../../contracts/fields.ts'

export const createFields = {
  id: { kind: 'string', description: 'The token itself; needs sudo', default: '' },
  policies: { kind: 'commaList', description: 'Policies of the token' },
  meta: { kind: 'stringMap', description: 'Shown in lookups and audit' },
  no_parent: { kind: 'bool', description: 'Not to end with its parent; needs sudo', default: false },
  no_default_policy: { kind: 'bool', description: 'Without the policy "default"', default: false },
  renewable: { kind: 'bool', description: 'Whether it can be renewed', default: true },
  ttl: { kind: 'duration', description: 'How long it lives', default: 0 },
  lease: { kind: 'duration', description: 'The old name of ttl', default: 0, deprecated: true },
  explicit_max_ttl: { kind: 'duration', description: 'The limit of all renewals together', default: 0 },
  display_name: { kind: 'string', description: 'A name for logs and audit', default: '' },
  num_uses: { kind: 'int', description: 'How often it can be used; 0 is any number', default: 0 },
  period: { kind: 'duration', description: 'Each renewal gives this much, without limit; needs sudo', default: 0 },
  type: { kind: 'string', description: '"service" (default) or "batch"', default: '' },
  entity_alias: {
    kind: 'string',
    description: 'Whose token it shall be; only with a role that allows it',
    default: '',
  },
} as const satisfies Fields

export type CreateInput = InputOf<typeof createFields>
