import type { Connection } from './connection.ts'

/** What the configuration of the server risks. In a cluster that of one node, which the others should resemble. */
export async function readWarnings(connection: Connection, key: string): Promise<readonly string[]> {
  const [memory, persistence] = await Promise.all(
    ['memory', 'persistence'].map(async (section) => parseInfo(await connection.run<string>(key, ['INFO', section]))),
  )
  const warnings: string[] = []
  const policy = memory?.get('maxmemory_policy') ?? 'noeviction'
  if (policy.startsWith('allkeys-'))
    warnings.push(
      `The server may evict the ledger's keys (maxmemory-policy ${policy}). Set maxmemory-policy to noeviction or volatile-lru.`,
    )
  if (persistence?.get('aof_enabled') !== '1')
    warnings.push(
      'The server has no append-only file: its restart loses what was written since its last snapshot. Set appendonly to yes.',
    )
  for (const [name, what] of FAILURES)
    if ((persistence?.get(name) ?? 'ok') !== 'ok') warnings.push(`The server could not write its ${what} (${name}).`)
  return warnings
}

const FAILURES = [
  ['aof_last_write_status', 'append-only file'],
  ['aof_last_bgrewrite_status', 'append-only file anew'],
  ['rdb_last_bgsave_status', 'snapshot'],
] as const

/** `INFO` answers lines of `name:value`. */
function parseInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split(/\r?\n/).map((line) => line.split(':', 2))
  return new Map(lines.map(([name = '', value = '']) => [name, value]))
}
