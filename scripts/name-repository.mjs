// Before packages are published: writes the address of the repository into their package.json. A registry accepts
// provenance only if it is the address of the repository that builds, so it is taken from there: in a workflow from the
// environment, in a clone from the remote 'origin'. A fork publishes under its own address.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const folder = resolve(process.argv[2] ?? '.')
const address = repositoryAddress()
if (address === undefined) {
  console.error("No address of a repository: set the remote 'origin' to one with https or ssh, then publish again.")
  process.exit(1)
}
for (const name of ['purser', 'server']) {
  const file = join(folder, 'packages', name, 'package.json')
  const manifest = {
    ...JSON.parse(readFileSync(file, 'utf8')),
    repository: { type: 'git', url: `git+${address}.git`, directory: `packages/${name}` },
    homepage: `${address}#readme`,
    bugs: `${address}/issues`,
  }
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`)
}
console.log(`The packages name ${address}.`)

/** `https://HOST/OWNER/NAME`, without credentials and `.git`. */
function repositoryAddress() {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env
  const written = server && name ? `${server}/${name}` : originOf(folder)
  const [, host, path] =
    /^(?:https:\/\/|ssh:\/\/|(?=[^/]+@))(?:[^@/]+@)?([^:/]+)(?::\d+)?[:/](.+?)(?:\.git)?\/?$/.exec(written) ?? []
  return host && path && `https://${host}/${path}`
}

function originOf(clone) {
  try {
    return execFileSync('git', ['remote', 'get-url', 'origin'], { cwd: clone, encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return ''
  }
}
