/** A token of SoftHSM in a folder of its own. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pkcs11jsPath, softHsmLibrary } from './pkcs11.mjs'

const tokenLabel = 'coffer-test'
const pin = 'pin-canary-4321'

export class SoftHsm {
  readonly dir = mkdtempSync(join(tmpdir(), 'coffer-hsm-'))
  readonly pin = pin
  /** What a program needs to find token and pkcs11js. */
  readonly env: Readonly<Record<string, string>>
  readonly #tokens = join(this.dir, 'tokens')

  constructor() {
    mkdirSync(this.#tokens)
    const configuration = join(this.dir, 'softhsm2.conf')
    writeFileSync(
      configuration,
      `directories.tokendir = ${this.#tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    )
    this.env = { SOFTHSM2_CONF: configuration, NODE_PATH: pkcs11jsPath }
    const label = ['--label', tokenLabel, '--pin', pin, '--so-pin', 'officer-4321']
    execFileSync('softhsm2-util', ['--init-token', '--free', ...label], { env: this.#environment, stdio: 'pipe' })
  }

  /** `seal "pkcs11" { … }` for a key of this token. */
  stanza(key: string, more = '', givenPin = pin): string {
    return `seal "pkcs11" {\n  lib = "${softHsmLibrary}"\n  token_label = "${tokenLabel}"\n  pin = "${givenPin}"\n  key_label = "${key}"\n  ${more}\n}\n`
  }

  /** See token-admin.cjs. */
  admin(...act: string[]): void {
    const script = join(import.meta.dirname, 'token-admin.cjs')
    execFileSync(process.execPath, [script, softHsmLibrary, tokenLabel, pin, ...act], { env: this.#environment })
  }

  /** The token is pulled out, and put back. */
  remove(): void {
    renameSync(this.#tokens, `${this.#tokens}-away`)
    mkdirSync(this.#tokens)
  }
  putBack(): void {
    rmSync(this.#tokens, { recursive: true })
    renameSync(`${this.#tokens}-away`, this.#tokens)
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }

  get #environment() {
    return { ...this.env, PATH: process.env['PATH'] }
  }
}
