import { X509Certificate } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { createCa, issueCertificate, type KeyedCertificate } from '../../lib/x509/certificates.ts'

const dayMs = 86_400_000
const caLifeMs = 3650 * dayMs
const leafLifeMs = dayMs

/** A CA that lives in this process only, and the certificate that it signs for the webhook: 24 h, made anew at 10 % left. */
export class ServingCertificate {
  readonly #options: { hosts: readonly string[]; clock: Clock; random: RandomBytes }
  readonly #ca: KeyedCertificate
  #leaf: KeyedCertificate

  constructor(options: { hosts: readonly string[]; clock: Clock; random: RandomBytes }) {
    this.#options = options
    const { clock, random } = options
    this.#ca = createCa({ commonName: 'Coffer injector CA', random, now: clock.now(), validForMs: caLifeMs })
    this.#leaf = this.#issue()
  }

  /** For the caBundle of the webhook configuration. */
  caPem(): string {
    return this.#ca.certPem
  }

  current(): KeyedCertificate {
    return this.#leaf
  }

  /** Checks each hour; calls back with each new certificate until the signal aborts. */
  async keepFresh(onNew: (leaf: KeyedCertificate) => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted) {
      const leftMs = Date.parse(new X509Certificate(this.#leaf.certPem).validTo) - clock.now()
      if (leftMs <= leafLifeMs / 10) {
        this.#leaf = this.#issue()
        onNew(this.#leaf)
      }
      await clock.sleep(3_600_000, signal).catch(() => undefined)
    }
  }

  #issue(): KeyedCertificate {
    const { hosts, clock, random } = this.#options
    const isAddress = (host: string) => /^\d+\.\d+\.\d+\.\d+$/.test(host) || host.includes(':')
    return issueCertificate(this.#ca, {
      commonName: 'coffer-injector',
      dnsNames: hosts.filter((host) => !isAddress(host)),
      ipAddresses: hosts.filter(isAddress),
      server: true,
      random,
      now: clock.now(),
      validForMs: leafLifeMs,
    })
  }
}
