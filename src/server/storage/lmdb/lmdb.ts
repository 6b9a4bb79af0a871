/** Storage in one LMDB file on a local disk: the default. Several processes of one host may share it. */
import { constants } from 'node:fs'
import { access, chmod, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import { makeFolder } from '../../../lib/make-folder.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { type Change, type StorageBackend, StorageDown } from '../../contracts/storage.ts'
import { ChangeFeed } from '../feed.ts'
import { type CheckCommand, checkInChild } from './check.ts'
import { openStorageFile } from './environment.ts'
import { Holders } from './holders.ts'
import { LmdbStorage } from './lmdb-storage.ts'
import { defaultMinFreeBytes, type StatFs, Volume } from './volume.ts'

export interface LmdbOptions {
  /** A folder of its own, made when absent (0700). */
  readonly path: string
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /**
   * How a file is checked that was not closed in order. 'done': another process of this node has it open, which has seen to
   * that; a check would read what is being written.
   */
  readonly check: CheckCommand | 'done'
  /**
   * LMDB failed to commit: its heap may be corrupt, and what was acknowledged is safe only if nothing more is written.
   * End this process at once; a new one may open the file.
   */
  readonly fatal: (error: StorageDown) => void
  /** Default 256 MiB. */
  readonly minFreeBytes?: number
  /** Other processes that have the file open: tells them of commits here, and `listen` is told of theirs. */
  readonly peers?: Peers
  readonly statfs?: (path: string) => Promise<StatFs>
}

export interface Peers {
  publish(keys: readonly string[]): void
  listen(heard: (change: Change) => void): void
}

/** Throws StorageDown, with nothing changed, on a network file system, a file in use elsewhere, or one that fails its check. */
export async function openLmdb(options: LmdbOptions): Promise<StorageBackend> {
  const { path, clock, random, log, peers } = options
  makeFolder(path)
  const volume = new Volume({
    folder: path,
    minFreeBytes: options.minFreeBytes ?? defaultMinFreeBytes,
    clock,
    statfs: options.statfs,
  })
  await volume.inspect()
  await access(path, constants.W_OK).catch((cause: NodeJS.ErrnoException) => {
    throw new StorageDown(
      `the folder ${path} can not be written to (${cause.code}), and a server must write to its storage`,
      { cause },
    )
  })
  const file = join(path, 'coffer.mdb')
  const holders = new Holders({ folder: path, clock, random })
  const { check } = options
  if (check !== 'done' && (await exists(file)) && (await holders.wasUnclean(file))) {
    log.warn('the storage was not closed in order, checking it', { file })
    await checkInChild(file, check)
    log.info('the storage passed its check', { file })
  }
  await holders.enter()
  try {
    const { db, lastVersion } = await openStorageFile(file)
    for (const name of [file, `${file}-lock`]) await chmod(name, 0o600)
    const feed = new ChangeFeed({ clock })
    peers?.listen((change) => feed.announce(change))
    return new LmdbStorage({
      db,
      lastVersion,
      file,
      volume,
      holders,
      feed,
      peers,
      clock,
      random,
      log,
      fatal: options.fatal,
    })
  } catch (cause) {
    await holders.leave(file).catch(() => undefined)
    throw new StorageDown(`the storage file ${file} could not be opened`, { cause })
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}
