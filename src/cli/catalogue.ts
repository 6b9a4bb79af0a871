/** The commands of the command line, one line each. */
import { auditDisable } from './audit/disable.ts'
import { auditEnable } from './audit/enable.ts'
import { auditList } from './audit/list.ts'
import { auditQuery } from './audit/query.ts'
import { auditVerify } from './audit/verify.ts'
import { authDisable } from './auth/disable.ts'
import { authEnable } from './auth/enable.ts'
import { authHelp } from './auth/help.ts'
import { authList } from './auth/list.ts'
import { authMove } from './auth/move.ts'
import { authTune } from './auth/tune.ts'
import { remove } from './basic/delete.ts'
import { list } from './basic/list.ts'
import { monitor } from './basic/monitor.ts'
import { patch } from './basic/patch.ts'
import { pathHelp } from './basic/path-help.ts'
import { read } from './basic/read.ts'
import { status } from './basic/status.ts'
import { unwrap } from './basic/unwrap.ts'
import { write } from './basic/write.ts'
import type { Command } from './command.ts'
import { debug } from './debug/debug.ts'
import { eventsSubscribe } from './events/subscribe.ts'
import { kvDelete } from './kv/delete.ts'
import { kvEnableVersioning } from './kv/enable-versioning.ts'
import { kvGet } from './kv/get.ts'
import { kvList } from './kv/list.ts'
import { kvMetadataDelete } from './kv/metadata/delete.ts'
import { kvMetadataGet } from './kv/metadata/get.ts'
import { kvMetadataList } from './kv/metadata/list.ts'
import { kvMetadataPatch } from './kv/metadata/patch.ts'
import { kvMetadataPut } from './kv/metadata/put.ts'
import { kvPatch } from './kv/patch.ts'
import { kvPut } from './kv/put.ts'
import { kvMove } from './kv/tree/move.ts'
import { kvSearch } from './kv/tree/search.ts'
import { kvDestroy } from './kv/versions/destroy.ts'
import { kvDiff } from './kv/versions/diff.ts'
import { kvRollback } from './kv/versions/rollback.ts'
import { kvUndelete } from './kv/versions/undelete.ts'
import { leaseLookup } from './lease/lookup.ts'
import { leaseRenew } from './lease/renew.ts'
import { leaseRevoke } from './lease/revoke.ts'
import { login } from './login/login.ts'
import { namespaceCreate } from './namespace/create.ts'
import { namespaceDelete } from './namespace/delete.ts'
import { namespaceList } from './namespace/list.ts'
import { namespaceLock, namespaceUnlock } from './namespace/lock.ts'
import { namespaceLookup } from './namespace/lookup.ts'
import { namespacePatch } from './namespace/patch.ts'
import { operatorGenerateRoot } from './operator/generate-root.ts'
import { operatorInit } from './operator/init.ts'
import { operatorMembers } from './operator/members.ts'
import { autopilotGetConfig, autopilotSetConfig, autopilotState } from './operator/raft/autopilot.ts'
import { raftJoin } from './operator/raft/join.ts'
import { raftListPeers } from './operator/raft/list-peers.ts'
import { raftRemovePeer } from './operator/raft/remove-peer.ts'
import { operatorRekey } from './operator/rekey.ts'
import { operatorKeyStatus, operatorRotate } from './operator/rotate.ts'
import { operatorSeal } from './operator/seal.ts'
import { operatorDiagnose } from './operator/server-config/diagnose.ts'
import { operatorValidateConfig } from './operator/server-config/validate-config.ts'
import { snapshotInspect } from './operator/snapshot/inspect.ts'
import { snapshotRestore } from './operator/snapshot/restore.ts'
import { snapshotSave } from './operator/snapshot/save.ts'
import { snapshotVerify } from './operator/snapshot/verify.ts'
import { operatorStepDown } from './operator/step-down.ts'
import { operatorStorageCheck } from './operator/storage/check.ts'
import { operatorMigrate } from './operator/storage/migrate.ts'
import { operatorUnseal } from './operator/unseal.ts'
import { pluginInfo } from './plugin/info.ts'
import { pluginList } from './plugin/list.ts'
import { pluginDeregister, pluginRegister } from './plugin/register.ts'
import { pluginReload } from './plugin/reload.ts'
import { policyDelete } from './policy/delete.ts'
import { policyExplain } from './policy/explain.ts'
import { policyFmt } from './policy/fmt.ts'
import { policyList } from './policy/list.ts'
import { policyRead } from './policy/read.ts'
import { policyTest } from './policy/test.ts'
import { policyWrite } from './policy/write.ts'
import { completion } from './program/completion.ts'
import { printToken } from './program/print-token.ts'
import { version } from './program/version.ts'
import { versionHistory } from './program/version-history.ts'
import { secretsDisable } from './secrets/disable.ts'
import { secretsEnable } from './secrets/enable.ts'
import { secretsList } from './secrets/list.ts'
import { secretsMove } from './secrets/move.ts'
import { secretsTune } from './secrets/tune.ts'
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
  patch,
  unwrap,
  kvGet,
  kvPut,
  kvList,
  kvDelete,
  kvUndelete,
  kvDestroy,
  kvPatch,
  kvRollback,
  kvDiff,
  kvSearch,
  kvMove,
  kvEnableVersioning,
  kvMetadataGet,
  kvMetadataPut,
  kvMetadataPatch,
  kvMetadataDelete,
  kvMetadataList,
  policyRead,
  policyWrite,
  policyList,
  policyDelete,
  policyFmt,
  policyTest,
  policyExplain,
  secretsList,
  secretsEnable,
  secretsDisable,
  secretsTune,
  secretsMove,
  authList,
  authEnable,
  authDisable,
  authTune,
  authMove,
  authHelp,
  auditList,
  auditEnable,
  auditDisable,
  auditVerify,
  auditQuery,
  tokenCreate,
  tokenLookup,
  tokenRenew,
  tokenRevoke,
  tokenCapabilities,
  leaseLookup,
  leaseRenew,
  leaseRevoke,
  operatorInit,
  operatorUnseal,
  operatorSeal,
  operatorStepDown,
  operatorRekey,
  operatorRotate,
  operatorKeyStatus,
  operatorGenerateRoot,
  operatorMembers,
  operatorDiagnose,
  operatorValidateConfig,
  operatorMigrate,
  operatorStorageCheck,
  snapshotSave('operator snapshot save'),
  snapshotRestore('operator snapshot restore'),
  snapshotInspect('operator snapshot inspect'),
  snapshotVerify,
  snapshotSave('operator raft snapshot save'),
  snapshotRestore('operator raft snapshot restore'),
  snapshotInspect('operator raft snapshot inspect'),
  raftListPeers,
  raftJoin,
  raftRemovePeer,
  autopilotState,
  autopilotGetConfig,
  autopilotSetConfig,
  namespaceCreate,
  namespaceList,
  namespaceLookup,
  namespacePatch,
  namespaceDelete,
  namespaceLock,
  namespaceUnlock,
  pluginList,
  pluginInfo,
  pluginRegister,
  pluginDeregister,
  pluginReload,
  eventsSubscribe,
  monitor,
  debug,
  pathHelp,
  versionHistory,
  completion,
  printToken,
  version,
]

export interface Group {
  readonly name: string
  readonly summary: string
}

export const groups: readonly Group[] = [
  { name: 'kv', summary: 'Key/value secrets' },
  { name: 'kv metadata', summary: 'What is known about keys: versions, limits, custom metadata' },
  { name: 'policy', summary: 'What tokens may do' },
  { name: 'secrets', summary: 'Secrets engines' },
  { name: 'auth', summary: 'Auth methods' },
  { name: 'audit', summary: 'Audit devices' },
  { name: 'token', summary: 'Tokens' },
  { name: 'lease', summary: 'Leases of secrets that end' },
  { name: 'namespace', summary: 'Servers within the server' },
  { name: 'operator', summary: 'Initialise, unseal and seal the server' },
  { name: 'plugin', summary: 'Engines and auth methods that the server has' },
  { name: 'events', summary: 'What changes, as it changes' },
  { name: 'operator snapshot', summary: 'Backups of everything that the server stores' },
  { name: 'operator storage', summary: 'The storage itself, with no server' },
  { name: 'operator raft', summary: "Vault's names of what is done with the storage" },
  { name: 'operator raft autopilot', summary: 'How a cluster of raft looks after itself' },
  { name: 'operator raft snapshot', summary: 'The same as operator snapshot' },
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

const vaultRoles = ['server', 'agent']

/** Under Vault's name only what Vault itself has. */
export const rolesOf = (name: 'coffer' | 'vault'): readonly Group[] =>
  name === 'vault' ? roles.filter((role) => vaultRoles.includes(role.name)) : roles
