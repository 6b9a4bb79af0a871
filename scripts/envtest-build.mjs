// `npm run envtest:build`: builds the control planes of the tests from test/envtest, a Go module, into a cache.
// The folders hold what controller-runtime expects of KUBEBUILDER_ASSETS: etcd, kube-apiserver, kubectl; and kube-controller-manager.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { controlPlanes, isBuilt, programs } from '../test/envtest/assets.mjs'

const module = fileURLToPath(new URL('../test/envtest/', import.meta.url))
const usage = `Usage: npm run envtest:build -- [VERSION…] [--force]

  Builds etcd, kube-apiserver, kube-controller-manager and kubectl from the Go module proxy, for the tests
  that run on a real control plane. About four minutes for each version on two cores, once; later runs find them.

  VERSION   ${controlPlanes.map((plane) => plane.minor).join(' | ')}; all of them unless named
  --force   build again what is there

  They go to ${dirname(controlPlanes[0].folder)}
  (XDG_CACHE_HOME moves it). KUBEBUILDER_ASSETS=<folder> makes the tests use one of your own.`

const arguments_ = process.argv.slice(2)
if (arguments_.includes('--help') || arguments_.includes('-h')) {
  console.log(usage)
  process.exit(0)
}
const named = arguments_.filter((argument) => argument !== '--force')
const unknown = named.find((argument) => !controlPlanes.some((plane) => plane.minor === argument))
if (unknown) {
  console.error(`envtest:build: "${unknown}" is not a version this repository pins\n\n${usage}`)
  process.exit(2)
}
const go = spawnSync('go', ['version'], { encoding: 'utf8' })
if (go.error) {
  console.error(
    'envtest:build: the Go tool chain is missing: install Go 1.26 or later (https://go.dev/dl), then run this again',
  )
  process.exit(1)
}
console.log(`${go.stdout.trim()}; building into ${dirname(controlPlanes[0].folder)}`)
for (const plane of controlPlanes.filter(({ minor }) => !named.length || named.includes(minor))) {
  if (isBuilt(plane) && !arguments_.includes('--force')) console.log(`kubernetes ${plane.version}: already built`)
  else await build(plane)
}

/** Into a folder beside the final one, which then takes its place: a build that was cut short is never found. */
async function build(plane) {
  mkdirSync(dirname(plane.folder), { recursive: true })
  const folder = mkdtempSync(`${plane.folder}.building-`)
  const started = Date.now()
  const version = `v${plane.version}`
  const [major, minor] = plane.version.split('.')
  const set = (name, value) => `-X k8s.io/component-base/version.${name}=${value}`
  const stamps = [
    set('gitVersion', version),
    set('gitMajor', major),
    set('gitMinor', minor),
    set('gitTreeState', 'archive'),
  ]
  const common = ['build', '-v', '-trimpath', '-mod=readonly', `-modfile=${plane.modFile}`]
  try {
    await compile(`kubernetes ${plane.version}`, started, [
      ...common,
      '-ldflags',
      `-s -w ${stamps.join(' ')}`,
      '-o',
      `${folder}/`,
      ...programs.filter((name) => name !== 'etcd').map((name) => `k8s.io/kubernetes/cmd/${name}`),
    ])
    await compile(`kubernetes ${plane.version}: etcd`, started, [
      ...common,
      '-ldflags',
      '-s -w',
      '-o',
      join(folder, 'etcd'),
      'go.etcd.io/etcd/server/v3',
    ])
    writeFileSync(join(folder, '.built'), plane.digest)
    rmSync(plane.folder, { recursive: true, force: true })
    renameSync(folder, plane.folder)
    console.log(`kubernetes ${plane.version}: built in ${seconds(started)} s: ${plane.folder}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** `go build -v` names each package that it compiles: the only sign of life in minutes. */
function compile(title, started, args) {
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, {
      cwd: module,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' },
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    let packages = 0
    let said = Date.now()
    const words = []
    child.stderr.setEncoding('utf8').on('data', (text) => {
      for (const line of text.split('\n').filter(Boolean)) {
        if (/^[\w./-]+$/.test(line)) packages += 1
        else if (!line.startsWith('go: downloading')) words.push(line)
      }
      if (Date.now() - said < 15_000) return
      said = Date.now()
      console.log(`${title}: ${packages} packages compiled, ${seconds(started)} s`)
    })
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`go ${args.slice(0, 1)} ended with ${code}:\n${words.slice(-20).join('\n')}`)),
    )
  })
}

function seconds(since) {
  return Math.round((Date.now() - since) / 1000)
}
