/** docs/reference/cli.md from the command table. */
import { commands, groups, roles } from '../../src/cli/catalogue.ts'
import type { Command } from '../../src/cli/command.ts'
import type { FlagSpecs } from '../../src/cli/flags.ts'
import { connectionFlags } from '../../src/cli/session.ts'
import { code, generated, page, table } from './markdown.ts'

export function renderCli(): string {
  return page(
    generated,
    '# Command line',
    'Under the name `coffer` and under the name `vault` (`dist/bin/vault`) the commands, flags and output are the same; messages say the name that was used. ' +
      'Flags take one dash or two, `-name=value` or `-name value`, before or after the arguments; `--` ends them. A boolean flag takes its value only with `=`.',
    '## Commands',
    table(
      ['Command', 'What it does'],
      commands.map((command) => [`[${code(command.name)}](#${anchor(command)})`, command.summary]),
    ),
    '## Programs',
    'The same executable, each with flags of its own: `coffer <program> --help`.',
    table(
      ['Program', 'What it is'],
      roles.map(({ name, summary }) => [code(name), summary]),
    ),
    '## Options of every command that asks the server',
    flagTable(connectionFlags),
    '## Environment',
    'Each variable may be written with the prefix `COFFER_`, `VAULT_` or `BAO_`; of several the first in this order counts, and an empty one counts as absent. A flag counts before the variable.',
    table(
      ['Variable', 'Meaning'],
      environment.map(([name, meaning]) => [code(name), meaning]),
    ),
    '## Exit status',
    table(
      ['Status', 'Meaning'],
      exitStatus.map(([status, meaning]) => [status, meaning]),
    ),
    ...sections(),
  )
}

/** test/documentation.test.ts holds the names against the source. */
export const environment = [
  ['VAULT_ADDR', 'Address of the server. Default `https://127.0.0.1:8200`.'],
  ['VAULT_AGENT_ADDR', 'Address of an agent to ask instead. Counts before `VAULT_ADDR` and `-address`.'],
  ['VAULT_TOKEN', 'The token. Without it: the token file.'],
  ['VAULT_TOKEN_PATH', 'The token file that `login` writes. Default `~/.vault-token`.'],
  ['VAULT_CONFIG_PATH', 'The file with `token_helper`. Default `~/.vault`, else `~/.bao`.'],
  ['VAULT_NAMESPACE', 'Namespace.'],
  ['VAULT_CACERT', 'File with the CA certificate, PEM.'],
  ['VAULT_CACERT_BYTES', 'The CA certificate itself, PEM or base64 of it. Counts before `VAULT_CACERT`.'],
  ['VAULT_CAPATH', 'Folder of CA certificates, PEM.'],
  ['VAULT_CLIENT_CERT', 'File with the client certificate, PEM.'],
  ['VAULT_CLIENT_KEY', 'File with its private key, PEM.'],
  ['VAULT_TLS_SERVER_NAME', 'Name that the certificate must bear.'],
  ['VAULT_SKIP_VERIFY', 'Do not verify the certificate: for tests only.'],
  ['VAULT_CLIENT_TIMEOUT', 'Time for one request. Default 60 s.'],
  ['VAULT_MAX_RETRIES', 'How often a request is sent again. Default 2.'],
  ['VAULT_WRAP_TTL', 'As `-wrap-ttl`.'],
  ['VAULT_FORMAT', 'As `-format`.'],
  ['VAULT_DETAILED', 'As `-detailed` of `list`.'],
  ['VAULT_MFA', 'Second factor, `method:passcode`; several with commas.'],
  ['VAULT_RATE_LIMIT', 'Most requests a second, `10`, or with a burst, `10:20`.'],
  ['VAULT_DISABLE_REDIRECTS', 'A redirect is an error.'],
  ['VAULT_SRV_LOOKUP', 'An address without a port is looked up by its SRV record `_http._tcp.<host>`.'],
  [
    'VAULT_PROXY_ADDR',
    'Proxy for every request. Without it `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count, but never for this machine.',
  ],
  ['VAULT_HTTP_PROXY', 'The older name of `VAULT_PROXY_ADDR`.'],
] as const

const exitStatus = [
  ['0', 'Done. `status`: unsealed.'],
  ['1', 'Wrong use, or local trouble such as a file that cannot be read. `status`: the server could not be asked.'],
  ['2', 'The server said no or was not there. `status`: sealed. `operator init -status`: not initialised.'],
  ['127', 'No such command.'],
  ['130', 'Interrupted.'],
] as const

function sections(): string[] {
  const single = commands.filter(({ name }) => !name.includes(' '))
  const grouped = groups.flatMap(({ name, summary }) => [
    `## ${name}`,
    `${summary}.`,
    ...commands.filter((command) => command.name.startsWith(`${name} `)).flatMap(section),
  ])
  return ['## Single commands', ...single.flatMap(section), ...grouped]
}

function section(command: Command): string[] {
  const own = Object.fromEntries(
    Object.entries(command.flags).filter(([name]) => !Object.hasOwn(connectionFlags, name)),
  )
  const usage = `coffer ${command.name}${command.args ? ` ${command.args}` : ''}`
  const examples = command.examples.map(({ says, run }) => `# ${says}\n$ coffer ${run}`)
  return [
    `### ${command.name}`,
    `${command.summary}. ${command.about ?? ''}`.trim(),
    `Usage: ${code(usage)}`,
    ...(Object.keys(own).length > 0 ? [flagTable(own)] : []),
    ...(examples.length > 0 ? [`\`\`\`console\n${examples.join('\n')}\n\`\`\``] : []),
  ]
}

function flagTable(specs: FlagSpecs): string {
  return table(
    ['Flag', 'Value', 'Meaning'],
    Object.entries(specs).map(([name, spec]) => [
      `${code(`-${name}`)}${spec.alias ? `, ${code(`-${spec.alias}`)}` : ''}`,
      spec.kind === 'bool' ? '' : spec.kind,
      spec.about,
    ]),
  )
}

const anchor = (command: Command) => command.name.replaceAll(' ', '-')
