// docs/reference/matrix.md: hosts, clients and stores that are tested together.

import { CLIENTS, HOSTS, isInShortRun, STORES } from '../../test/matrix/cells.ts'

const HEAD = `# Hosts, clients and stores

\`test/matrix/matrix.test.ts\` runs every host below with every client: a whole and a streamed answer have the context of the user, and both
turns are counted for this user and no other. \`npm test\` takes one store for each pair, as in the table, so that every host and every client
meets every store. \`npm run test:full\` takes all ${HOSTS.length} x ${CLIENTS.length} x ${STORES.length}.
[Mounting](../guides/mounting.md) has the hosts, the [gateway](../guides/gateway.md) the clients.
`

export function matrixPage(): string {
  const rows = HOSTS.map((host) => {
    const cells = CLIENTS.map((client) => STORES.filter((store) => isInShortRun(host, client, store)).join(', '))
    return `| ${[host, ...cells].join(' | ')} |`
  })
  const header = ['', ...CLIENTS]
  return [HEAD, `| ${header.join(' | ')} |`, `|${'---|'.repeat(header.length)}`, ...rows, ''].join('\n')
}
