/** What --help says. */
interface Named {
  readonly name: string
  readonly title: string
}

export function helpText(scenarios: readonly Named[], studies: readonly Named[]): string {
  const list = (all: readonly Named[]) => all.map(({ name, title }) => `  ${name.padEnd(18)}${title}`).join('\n')
  return `Usage: npm run bench -- [NAME …] [flags]

  How fast the server of this build is on this machine. Each request is measured
  beside a bare node:http server that answers the same bytes: the ratio of the two
  says more than the rates, which are this machine's.

      $ npm run bench                              every kind of request, about 7 minutes
      $ npm run bench -- read-string write-string  two of them
      $ npm run bench -- read-string --seconds 1 --runs 3     roughly, in 15 seconds
      $ npm run bench -- million --secrets 100000
      $ npm run bench -- --all --format=json > results.json

Kinds of requests (all of them when no name is given):
${list(scenarios)}

Questions about the whole server:
${list(studies)}

Flags:
  --storage LIST      lmdb, postgresql or both (lmdb,postgresql); default lmdb. PostgreSQL
                      is started for it, from the system's programs or .ci/node_modules.
  --workers LIST      processes that serve, as 1 or 1,2; default 1. More than one: lmdb only.
  --connections N     at a time; default 32. Limits hold for 32.
  --seconds N         of each run; default 3
  --runs N            of ours and of the bare server in turns; default 5. Medians are shown.
  --secrets N         how many "million" stores; default 1000000
  --all               every kind of request on both storages, with 1 and 2 workers, and every
                      question: about 25 minutes
  --ci                what is measured at each change, with runs of 2 seconds: about 5 minutes
  --report            a missed limit is shown and does not fail
  --format FORMAT     text, json or markdown; --markdown is short for --format=markdown
  --into FILE         writes the Markdown between the lines that mark its place in FILE
  --help

  Results go to stdout, progress to stderr. Exits with 1 when a limit is missed (bench/limits.ts) after
  four measurements, with 2 when the flags are wrong. Load comes from wrk when it is installed, else
  from autocannon, which needs more of a processor: don't compare the one's figures with the other's.
  What is no server's has programs of its own: npx tsx bench/kube.ts (the Kubernetes client),
  bench/policy.ts (policies), bench/leases.ts (leases).
`
}
