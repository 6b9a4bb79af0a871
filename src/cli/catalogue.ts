/** The commands of the command line, one line each. */
import { auditDisable } from './audit/disable.ts'
import { auditEnable } from './audit/enable.ts'
import { auditList } from './audit/list.ts'
import { authDisable } from './auth/disable.ts'
import { authEnable } from './auth/enable.ts'
import { authList } from './auth/list.ts'
import { remove } from './basic/delete.ts'
import { list } from './basic/list.ts'
import { login } from './basic/login.ts'
import { printToken } from './basic/print-token.ts'
import { read } from './basic/read.ts'
import { status } from './basic/status.ts'
import { version } from './basic/version.ts'
import { write } from './basic/write.ts'
import type { Command } from './command.ts'
import { kvDelete } from './kv/delete.ts'
import { kvGet } from './kv/get.ts'
import { kvList } from './kv/list.ts'
import { kvPut } from './kv/put.ts'
import { operatorInit } from './operator/init.ts'
import { operatorSeal } from './operator/seal.ts'
import { operatorUnseal } from './operator/unseal.ts'
import { policyDelete } from './policy/delete.ts'
import { policyList } from './policy/list.ts'
import { policyRead } from './policy/read.ts'
import { policyWrite } from './policy/write.ts'
import { secretsDisable } from './secrets/disable.ts'
import { secretsEnable } from './secrets/enable.ts'
import { secretsList } from './secrets/list.ts'
import { tokenCapabilities } from './token/capabilities.ts'
import { tokenCreate } from './token/create.ts'
import { tokenLookup } from './token/lookup.ts'
import { tokenRenew } from './token/renew.ts'
import { tokenRevoke } from './token/revoke.ts'

export const commands: readonly Command[] = [
  status,
  login,
  read,
  write,
  list,
  remove,
  kvGet,
  kvPut,
  kvList,
  kvDelete,
  policyRead,
  policyWrite,
  policyList,
  policyDelete,
  secretsList,
  secretsEnable,
  secretsDisable,
  authList,
  authEnable,
  authDisable,
  auditList,
  auditEnable,
  auditDisable,
  tokenCreate,
  tokenLookup,
  tokenRenew,
  tokenRevoke,
  tokenCapabilities,
  operatorInit,
  operatorUnseal,
  operatorSeal,
  printToken,
  version,
]

export interface Group {
  readonly name: string
  readonly summary: string
}

export const groups: readonly Group[] = [
  { name: 'kv', summary: 'Key/value secrets' },
  { name: 'policy', summary: 'What tokens may do' },
  { name: 'secrets', summary: 'Secrets engines' },
  { name: 'auth', summary: 'Auth methods' },
  { name: 'audit', summary: 'Audit devices' },
  { name: 'token', summary: 'Tokens' },
  { name: 'operator', summary: 'Initialise, unseal and seal the server' },
  { name: 'print', summary: 'What this program would use' },
]

/** Programs of their own behind the same executable; the help names them. */
export const roles: readonly Group[] = [
  { name: 'dev', summary: 'All of it on this machine, for trying out and development' },
  { name: 'server', summary: 'The secrets server' },
  { name: 'agent', summary: 'Log in, render files, renew' },
  { name: 'controller', summary: 'Kubernetes Secrets from stores (ExternalSecret)' },
  { name: 'injector', summary: 'The webhook that adds the agent to pods' },
]
