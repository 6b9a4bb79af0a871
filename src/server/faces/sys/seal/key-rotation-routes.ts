/** sys/rotate, rotate/config and key-status: the keys that encrypt rows. */
import { formatGoTime } from '../../../../lib/go-time.ts'
import type { Fields } from '../../../contracts/fields.ts'
import { operation, Refusal, type Route } from '../../../contracts/request.ts'
import type { KeyRotation, RotationConfig } from './key-rotation.ts'
import type { Rekey } from './rekey/rekey.ts'

const configFields = {
  enabled: { kind: 'bool', description: 'Whether keys are rotated without being asked' },
  max_operations: { kind: 'int', description: 'After how many encryptions' },
  interval: { kind: 'duration', description: 'After what age; 0 for never' },
} as const satisfies Fields

const base = { access: 'sudo', namespaces: 'root' } as const

export function keyRotationRoutes(rotation: KeyRotation, rekey: Rekey): Route[] {
  const rotate = operation({
    ...base,
    input: {},
    handle: async () => {
      await rotation.rotate()
      return { kind: 'none' }
    },
  })
  const root = operation({
    ...base,
    input: {},
    handle: async () => {
      await rekey.rotateRoot()
      return { kind: 'none' }
    },
  })
  return [
    { path: 'key-status', summary: 'The key that rows are encrypted with.', on: { read: statusOperation(rotation) } },
    { path: 'rotate', summary: 'A new key for what is written from now on.', on: { update: rotate } },
    { path: 'rotate/keyring', summary: 'A new key for what is written from now on.', on: { update: rotate } },
    { path: 'rotate/root', summary: 'A new root key, where the server unseals itself.', on: { update: root } },
    { path: 'rotate/config', summary: 'When keys are rotated by themselves.', on: configOn(rotation) },
    { path: 'rotate/keyring/config', summary: 'When keys are rotated by themselves.', on: configOn(rotation) },
  ]
}

function statusOperation(rotation: KeyRotation) {
  return operation({
    namespaces: 'root',
    input: {},
    handle: async () => {
      const { term, installedAt, encryptions } = await rotation.status()
      const data = { term, install_time: formatGoTime(installedAt), encryptions }
      return { kind: 'data', data, topLevel: true }
    },
  })
}

function configOn(rotation: KeyRotation): Route['on'] {
  return {
    read: operation({
      namespaces: 'root',
      input: {},
      handle: async () => ({ kind: 'data', data: configJson(await rotation.config()) }),
    }),
    update: operation({
      ...base,
      input: configFields,
      handle: async (call) => {
        const { enabled, max_operations: maxOperations, interval: intervalMs } = call.input
        if (intervalMs !== undefined && intervalMs < 0) {
          throw new Refusal(400, 'interval must be greater or equal to 24h0m0s')
        }
        await rotation.configure({
          ...(enabled === undefined ? {} : { enabled }),
          ...(maxOperations === undefined ? {} : { maxOperations }),
          ...(intervalMs === undefined ? {} : { intervalMs }),
        })
        return { kind: 'none' }
      },
    }),
  }
}

function configJson({ enabled, maxOperations, intervalMs }: RotationConfig) {
  return { enabled, max_operations: maxOperations, interval: intervalMs === 0 ? 0 : goDuration(intervalMs) }
}

/** As Go prints it: "25h30m0s". */
function goDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m${seconds % 60}s`
}
