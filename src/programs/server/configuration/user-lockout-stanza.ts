/** `user_lockout "all" { … }`, or "userpass", "ldap", "approle": when users that fail to log in are locked out. */
import { blocks, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject } from '../../../lib/hcl/tree.ts'
import type { UserLockout } from '../../../server/contracts/request.ts'
import { type Accepted, boolOf, checkSettings, countOf, durationOf } from './settings.ts'

const types = ['all', 'userpass', 'ldap', 'approle']

const accepted: Accepted = {
  where: 'user_lockout',
  read: ['lockout_threshold', 'lockout_duration', 'lockout_counter_reset', 'disable_lockout'],
}

/** By type of auth method, and "all". */
export function readUserLockouts(document: HclObject): Readonly<Record<string, UserLockout>> {
  const found: Record<string, UserLockout> = Object.create(null)
  for (const block of blocks(document, 'user_lockout', 1)) {
    const type = (block.labels[0] ?? '').toLowerCase()
    if (!types.includes(type)) {
      throw new HclError(`user_lockout "${type}" is not supported: ${types.join(', ')} are`, block)
    }
    if (type in found) throw new HclError(`there are two stanzas user_lockout "${type}"`, block)
    checkSettings(block.body, accepted)
    const settings = members(block.body)
    const threshold = thresholdOf(settings['lockout_threshold'])
    const durationMs = durationOf(settings['lockout_duration'])
    const counterResetMs = durationOf(settings['lockout_counter_reset'])
    const disabled = boolOf(settings['disable_lockout'])
    found[type] = {
      ...(threshold === undefined ? {} : { threshold }),
      ...(durationMs === undefined ? {} : { durationMs }),
      ...(counterResetMs === undefined ? {} : { counterResetMs }),
      ...(disabled === undefined ? {} : { disabled }),
    }
  }
  return found
}

function thresholdOf(item: HclItem | undefined): number | undefined {
  const count = countOf(item)
  if (item && count === 0) {
    throw new HclError(`"${item.key}" must be at least 1; disable_lockout switches the lockout off`, item)
  }
  return count
}
