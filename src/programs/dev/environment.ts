import { chmodSync, mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { RandomBytes } from '../../lib/random.ts'
import { createCa, issueCertificate, type KeyedCertificate } from '../../lib/x509/certificates.ts'

/** The one folder of a run: everything that `coffer dev` writes is below it. */
export interface Environment {
  readonly dir: string
  /** Where package.json, dist/ and examples/ are. */
  readonly packageRoot: string
  readonly caCertPem: string
  readonly server: {
    readonly address: string
    readonly configFile: string
    readonly auditFile: string
    readonly caFile: string
  }
  /** Of the injector, where it does not make its own. */
  readonly injectorFiles: { readonly certFile: string; readonly keyFile: string }
  /** For the pod runner's log server, where the cluster's own signer gives none. */
  readonly nodeCertificate: KeyedCertificate
  /** Of every child: nothing of the caller's but PATH and what names a terminal or a locale. */
  readonly childEnv: Readonly<Record<string, string | undefined>>
}

const dayMs = 86_400_000

export async function prepareEnvironment(options: {
  readonly parent?: string
  /** The address of the server and of all that the cluster calls. */
  readonly host: string
  /** What the server may dial although it is on this machine: the cluster's API. */
  readonly outboundAllow: string
  /** The pods may be somebody else's: they are kept from this machine's files, or do not run. */
  readonly strangers: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly random: RandomBytes
  readonly now: number
}): Promise<Environment> {
  const { env, random, now, host } = options
  const dir = mkdtempSync(join(realpathSync(options.parent ?? tmpdir()), 'coffer-dev-'))
  chmodSync(dir, 0o700)
  for (const name of ['tls', 'server', 'audit', 'cluster', 'pods', 'home', 'tmp'])
    mkdirSync(join(dir, name), { mode: 0o700 })
  const address = `${host.includes(':') ? `[${host}]` : host}:${await freePort(random, host)}`
  const ca = createCa({ commonName: 'Coffer development CA', random, now, validForMs: 30 * dayMs })
  const leaf = (commonName: string) =>
    issueCertificate(ca, {
      commonName,
      dnsNames: ['localhost'],
      ipAddresses: [...new Set(['127.0.0.1', host])],
      server: true,
      random,
      now,
      validForMs: 30 * dayMs,
    })
  const secretFile = (name: string, text: string) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  const caFile = secretFile('tls/ca.pem', ca.certPem)
  const pair = (name: string) => {
    const { certPem, keyPem } = leaf(name)
    return { certFile: secretFile(`tls/${name}.pem`, certPem), keyFile: secretFile(`tls/${name}.key`, keyPem) }
  }
  const { outboundAllow } = options
  const configFile = secretFile('server.hcl', serverConfig({ address, ...pair('server'), dir, outboundAllow }))
  return {
    dir,
    packageRoot: dirname(dirname(realpathSync(process.argv[1] ?? '.'))),
    caCertPem: ca.certPem,
    server: { address: `https://${address}`, configFile, auditFile: join(dir, 'audit/audit.log'), caFile },
    injectorFiles: pair('injector'),
    nodeCertificate: leaf('node'),
    childEnv: {
      PATH: env['PATH'],
      LANG: env['LANG'],
      TZ: env['TZ'],
      COFFER_POD_ISOLATION: env['COFFER_POD_ISOLATION'] || (options.strangers ? 'namespaces' : undefined),
      HOME: join(dir, 'home'),
      TMPDIR: join(dir, 'tmp'),
    },
  }
}

/**
 * A port below the range from which kernels pick ports by themselves: between a stop and a start of the server nobody
 * else is given it by chance.
 */
async function freePort(random: RandomBytes, host: string): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = 18_000 + (Buffer.from(random(2)).readUInt16BE() % 12_000)
    if (await canListen(port, host)) return port
  }
  throw new Error(`no free port between 18000 and 30000 on ${host} in 50 attempts`)
}

const canListen = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, host, () => probe.close(() => resolve(true)))
  })

function serverConfig(v: {
  address: string
  certFile: string
  keyFile: string
  dir: string
  outboundAllow: string
}): string {
  return `listener "tcp" {
  address       = "${v.address}"
  tls_cert_file = "${v.certFile}"
  tls_key_file  = "${v.keyFile}"
}
storage "lmdb" {
  path = "${join(v.dir, 'server')}"
}
# The cluster's API, which the Kubernetes auth method asks, may be on this machine.
outbound {
  allow = ["${v.outboundAllow}"]
}
audit_file_directories = ["${join(v.dir, 'audit')}"]
`
}
