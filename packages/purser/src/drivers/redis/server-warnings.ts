import { systemEffects } from '../../core/effects.ts'
import type { StoreFinding } from '../../storage/store.ts'
import { findClockSkew } from '../clock-skew.ts'
import type { Connection } from './connection.ts'
import type { ReplicaWait } from './target.ts'

/** What the configuration of the server risks, as sentences. In a cluster that of one node, which the others should resemble. */
export async function readWarnings(
  connection: Connection,
  key: string,
  wait: ReplicaWait | undefined,
): Promise<readonly string[]> {
  const findings = await inspectConfiguration(connection, key, wait)
  return findings.filter(({ ok }) => !ok).map(({ detail, hint }) => `${detail}. ${hint}`)
}

/** The configuration of the server, and its clock. */
export async function inspect(
  connection: Connection,
  key: string,
  wait: ReplicaWait | undefined,
): Promise<readonly StoreFinding[]> {
  const configuration = await inspectConfiguration(connection, key, wait)
  const sentAt = systemEffects.now()
  const [seconds, micros] = await connection.run<readonly [string, string]>(key, ['TIME'])
  const serverNow = Number(seconds) * 1_000 + Number(micros) / 1_000
  return [...configuration, findClockSkew(serverNow - (sentAt + systemEffects.now()) / 2)]
}

async function inspectConfiguration(
  connection: Connection,
  key: string,
  wait: ReplicaWait | undefined,
): Promise<StoreFinding[]> {
  const [memory, persistence, replication] = await Promise.all(
    ['memory', 'persistence', 'replication'].map(async (section) =>
      parseInfo(await connection.run<string>(key, ['INFO', section])),
    ),
  )
  const policy = memory?.get('maxmemory_policy') ?? 'noeviction'
  const isAppending = persistence?.get('aof_enabled') === '1'
  return [
    {
      check: 'store eviction',
      ok: !policy.startsWith('allkeys-'),
      detail: `maxmemory-policy ${policy}${policy.startsWith('allkeys-') ? " may evict the ledger's keys" : ''}`,
      hint: 'Set maxmemory-policy to noeviction or volatile-lru: redis-cli CONFIG SET maxmemory-policy noeviction',
    },
    {
      check: 'store writes',
      ok: isAppending,
      detail: isAppending
        ? 'appendonly yes'
        : 'The server has no append-only file: its restart loses what was written since its last snapshot',
      hint: 'Set appendonly to yes: redis-cli CONFIG SET appendonly yes',
    },
    ...FAILURES.filter(([name]) => (persistence?.get(name) ?? 'ok') !== 'ok').map(([name, what]) => ({
      check: 'store writes',
      ok: false,
      detail: `The server could not write its ${what} (${name})`,
      hint: 'Read the log of the server, free disk space, then: redis-cli BGREWRITEAOF',
    })),
    ...(wait === undefined ? [] : [findReplicas(replication ?? new Map(), wait)]),
  ]
}

/** Whether there are as many replicas as writes wait for. */
function findReplicas(replication: ReadonlyMap<string, string>, { replicas }: ReplicaWait): StoreFinding {
  const online = [...replication].filter(([name, value]) => /^slave\d+$/.test(name) && /\bstate=online\b/.test(value))
  return {
    check: 'store replicas',
    ok: online.length >= replicas,
    detail: `${online.length} of ${replicas} replicas are connected${online.length < replicas ? ': writes are refused' : ''}`,
    hint: 'Start replicas (redis-cli REPLICAOF HOST PORT), or lower waitReplicas of the store.',
  }
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
