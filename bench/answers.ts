/*
 * Cost of a cache hit in memory for a chat request of 4 KB, key included. Compared with the key alone (canonical JSON and
 * SHA-256), cacheable in memory, and keyv on a SQLite table. Rounds are interleaved, so that other load of the machine
 * affects all of them; the result is the median of the rounds.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Cacheable } from 'cacheable'
import Keyv from 'keyv'
import { openPurser } from '../packages/purser/src/index.ts'
import { median } from './ledger/figures.ts'

const rounds = Number(process.argv[2] ?? 15)
const callsPerRound = 2_000

const request = {
  model: 'm',
  temperature: 0.3,
  messages: Array.from({ length: 12 }, (_, n) => ({
    role: n % 2 === 0 ? 'user' : 'assistant',
    content: `${'The quick brown fox jumps over the lazy dog. '.repeat(7)}${n}`,
  })),
}
const answer = { text: 'An answer of some length. '.repeat(20) }

/** The least that a key of the whole request takes: sorted keys, then a digest. */
function bareKey(value: unknown): string {
  const text = JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
  return createHash('sha256').update(text).digest('base64url')
}

/** A keyv store on one table, as in keyv's SQLite adapter. */
function sqliteMap(path: string): Map<string, unknown> {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE keyv (key TEXT PRIMARY KEY, value TEXT)')
  const get = database.prepare('SELECT value FROM keyv WHERE key = ?')
  const set = database.prepare('INSERT OR REPLACE INTO keyv VALUES (?, ?)')
  const store = {
    get: (key: string) => JSON.parse(String(get.get(key)?.value ?? 'null')) ?? undefined,
    set: (key: string, value: unknown) => set.run(key, JSON.stringify(value)),
    delete: () => true,
    clear: () => database.exec('DELETE FROM keyv'),
    has: (key: string) => get.get(key) !== undefined,
  }
  return store as unknown as Map<string, unknown>
}

const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
await using purser = await openPurser({ store: `sqlite:${join(folder, 'purser.db')}` })
const user = purser.user('user')
await user.ledger.admit()
const { answers } = user
const cacheable = new Cacheable()
const keyv = new Keyv({ store: sqliteMap(join(folder, 'keyv.db')) })
await answers.remember(request, () => answer)
await cacheable.set(bareKey(request), answer)
await keyv.set(bareKey(request), answer)

const lookups: Record<string, () => unknown> = {
  'bare key: canonical JSON + SHA-256': () => bareKey(request),
  'purser: lookup, key included': () => answers.lookup(request),
  'cacheable in memory, with the bare key': () => cacheable.get(bareKey(request)),
  'keyv on SQLite, with the bare key': () => keyv.get(bareKey(request)),
}
for (const lookup of Object.values(lookups)) if ((await lookup()) === undefined) throw new Error('A lookup missed.')

const figures = new Map(Object.keys(lookups).map((name) => [name, [] as number[]]))
for (let round = -3; round < rounds; round++) {
  for (const [name, lookup] of Object.entries(lookups)) {
    const begin = performance.now()
    for (let call = 0; call < callsPerRound; call++) await lookup()
    if (round >= 0) figures.get(name)?.push(((performance.now() - begin) * 1_000) / callsPerRound)
  }
}

const bare = median(figures.values().next().value as number[])
console.log(`A request of ${JSON.stringify(request).length} bytes, ${rounds} rounds of ${callsPerRound} calls\n`)
for (const [name, values] of figures) {
  const us = median(values)
  console.log(`${name.padEnd(40)} ${us.toFixed(1).padStart(7)} us  ${(us / bare).toFixed(2)} x bare`)
}
const ratio = median(figures.get('purser: lookup, key included') as number[]) / bare
console.log(`\nGoal: at most 1.50 x the bare key: ${ratio <= 1.5 ? 'met' : 'missed'}.`)
rmSync(folder, { recursive: true })
process.exitCode = ratio <= 1.5 ? 0 : 1
