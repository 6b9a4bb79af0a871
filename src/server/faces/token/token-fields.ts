export const tokenField = { kind: 'string', description: 'The token', default: '' } as const
export const accessorField = { kind: 'string', description: 'The accessor of the token', default: '' } as const
export const incrementField = {
  kind: 'duration',
  description: 'How long it shall live from now',
  default: 0,
} as const
export const pageFields = {
  after: { kind: 'string', description: 'Entries after this one', default: '' },
  limit: { kind: 'int', description: 'At most this many. 0 or negative: all', default: 0 },
} as const
