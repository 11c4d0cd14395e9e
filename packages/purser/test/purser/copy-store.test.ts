import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { copyStore } from '../../src/copy-store.ts'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { postgresStore } from '../../src/drivers/postgres/index.ts'
import { redisStore } from '../../src/drivers/redis/index.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { Purser } from '../../src/purser/api.ts'
import { openPurser } from '../../src/purser/open-purser.ts'
import { type CopyProgress, type CopyReport, requireComplete } from '../../src/storage/copy-rows.ts'
import type { Store } from '../../src/storage/store.ts'
import { endProcess } from '../support/end-process.ts'
import { isFullRun, rounds } from '../support/fuzz-options.ts'
import { noPostgres, sharedPostgres } from '../support/postgres-server.ts'
import { noRedis, sharedRedis } from '../support/redis-server.ts'
import { startChild } from '../support/start-child.ts'
import { temporaryPath } from '../support/temporary-store.ts'

const secretKey = randomBytes(32).toString('base64')
const by = { actor: 'ana', reason: 'test' }
const open = (store: string | Store): Promise<Purser> =>
  openPurser({
    store: typeof store === 'string' ? patientStore(store) : store,
    secretKey,
    providers: { demo: { kind: 'demo' } },
    ledger: { dailyCap: 50 },
  })
/** A store whose calls have time for everything, on a machine that is busy with millions of rows. */
const patientStore = (url: string): string | Store => {
  if (url.startsWith('redis:')) return redisStore({ url, timeoutMs: 120_000 })
  return url.startsWith('postgres:') ? postgresStore({ url, timeoutMs: 120_000 }) : url
}
const sqlite = (): string => `sqlite:${temporaryPath()}`

const USERS_AT_ONCE = 256
const PAGES_BEFORE_KILL = rounds(100, 2)
/** Events of each user besides those of the calls below. */
const MORE_EVENTS = rounds(6, 1)

async function fill(purser: Purser, users: number): Promise<void> {
  for (let first = 0; first < users; first += USERS_AT_ONCE) {
    const count = Math.min(USERS_AT_ONCE, users - first)
    await Promise.all(Array.from({ length: count }, (_, index) => fillUser(purser, first + index)))
  }
  await purser.user('user 0').erase(by)
}

async function fillUser(purser: Purser, number: number): Promise<void> {
  const user = purser.user(`user ${number}`)
  await user.ledger.admit({ cost: 3, idempotencyKey: 'first' })
  await user.ledger.observe({ phase: number % 2 === 0 ? 'warm' : 'dormant', riskLevel: 'high' })
  await user.ledger.addNote('a note', by)
  await user.profile.put({ name: `ä ${number}` })
  await user.actions.record({ action: 'opened' })
  await user.runtime.setSecret('demo', { apiKey: 'secret' })
  await user.runtime.startSession('one', { policy: 'pin' })
  for (let event = 0; event < MORE_EVENTS; event++) await user.ledger.record('acme:n', { data: { event } })
}

/** All that the first users have, and whether all chains are whole. */
async function describeStore(purser: Purser): Promise<unknown> {
  const users = []
  for (const bond of (await purser.users({ orderBy: 'id', limit: 200 })).users) {
    const user = purser.user(bond.user)
    users.push([
      bond,
      await user.ledger.events(),
      await user.ledger.quota(),
      await user.ledger.notes(),
      await user.profile.get(),
      await user.actions.list(),
      await user.runtime.secrets(),
      await user.runtime.sessions(),
    ])
  }
  return { users, verified: await purser.verify(), erased: await purser.user('user 0').ledger.bond() }
}

/** Copies a store; the first process that does is killed after some pages, and another one goes on behind them. */
async function copyWithKill(from: string, to: string): Promise<CopyReport> {
  const child = startChild(new URL('children/copier.ts', import.meta.url), [from, to, secretKey])
  let line = ''
  for (let page = 0; page < PAGES_BEFORE_KILL; page++) line = await child.line()
  await endProcess(child.process)
  const [step, copied] = line.split(' ')
  assert.equal(step, 'copy', 'killed before its end')
  await assert.rejects(open(to), { code: 'store_incomplete' })
  let first: number | undefined
  const onProgress = ({ rows }: CopyProgress): void => {
    first ??= rows
  }
  const report = await copyStore({ from, to, secretKey, onProgress })
  assert.ok((first ?? 0) >= Number(copied) && Number(copied) > 1, 'goes on behind the pages that were written')
  return report
}

/** How long each part of a full run takes. */
function printTime(part: string, start: number): void {
  if (isFullRun) console.log(`# ${part}: ${((performance.now() - start) / 1_000).toFixed(0)} s`)
}

test('a store moves through all drivers with kills in the middle, and everything is the same at the end', async () => {
  const effects = systemEffects
  const memory = await openMemoryStore({ effects })
  const first = await open(memory)
  const start = performance.now()
  await fill(first, rounds(100_000, 25))
  printTime('fill', start)
  const before = await describeStore(first)
  assert.ok((before as { verified: { ok: boolean; checked: number } }).verified.ok)
  const servers = [
    ...(noPostgres ? [] : [(await sharedPostgres()).url()]),
    ...(noRedis ? [] : [(await sharedRedis()).url()]),
  ]
  const way: (string | Store)[] = [memory, sqlite(), ...servers, sqlite()]
  const reports = []
  for (const [index, to] of way.slice(1).entries()) {
    const from = way[index] as string | Store
    const copyStart = performance.now()
    const areFiles = typeof from === 'string' && typeof to === 'string'
    reports.push(await (areFiles ? copyWithKill(from, to) : copyStore({ from, to, secretKey })))
    printTime(`copy ${index + 1}, ${JSON.stringify(reports.at(-1)?.rows)}`, copyStart)
  }
  for (const { digest } of reports) assert.equal(digest, reports[0]?.digest)
  for (const store of way.slice(1)) {
    await using purser = await open(store)
    const verifyStart = performance.now()
    assert.deepEqual(await describeStore(purser), before)
    printTime('verify', verifyStart)
    // The next incarnation, the next revision and the reply to an idempotency key come with the rows.
    const again = await purser.user('user 1').ledger.admit({ cost: 3, idempotencyKey: 'first' })
    assert.equal(again.count, 3)
  }
  await first.close()
})

const TARGETS = {
  sqlite: async () => sqlite(),
  ...(noPostgres ? {} : { postgres: async () => (await sharedPostgres()).url() }),
  ...(noRedis ? {} : { redis: async () => (await sharedRedis()).url() }),
}

for (const [driver, createTarget] of Object.entries(TARGETS))
  test(`a copy into ${driver} that is interrupted anywhere continues, and the target cannot be opened before its end`, async () => {
    const from = sqlite()
    await using source = await open(from)
    await fill(source, 130)
    const before = await describeStore(source)
    await source.close()
    const to = await createTarget()
    let interruptions = 0
    for (;;) {
      const abort = new AbortController()
      let pages = 0
      const onProgress = (): void => {
        if (++pages === 2) abort.abort(new Error('killed'))
      }
      const outcome = await copyStore({ from, to, secretKey, onProgress, signal: abort.signal }).catch((error) => error)
      if (!(outcome instanceof Error)) break
      // The comparison at the end has more pages than one attempt.
      if (++interruptions > 5) {
        await copyStore({ from, to, secretKey })
        break
      }
      assert.equal(outcome.message, 'killed')
      await assert.rejects(open(to), { code: 'store_incomplete' })
    }
    assert.ok(interruptions > 1)
    await using purser = await open(to)
    assert.deepEqual(await describeStore(purser), before)
  })

test('a target that is not empty, an empty source and a wrong key are refused, and nothing is written', async () => {
  const [from, other] = [sqlite(), sqlite()]
  for (const store of [from, other]) {
    await using purser = await open(store)
    await fill(purser, 2)
  }
  await assert.rejects(copyStore({ from, to: other, secretKey }), { code: 'argument_invalid', message: /not empty/ })
  await assert.rejects(copyStore({ from: sqlite(), to: sqlite(), secretKey }), { message: /source store is empty/ })
  const wrong = randomBytes(32).toString('base64')
  await assert.rejects(copyStore({ from, to: sqlite(), secretKey: wrong }), { code: 'secret_key_wrong' })
  const to = sqlite()
  await copyStore({ from, to, secretKey })
  await assert.rejects(copyStore({ from, to, secretKey }), { message: /not empty/ }, 'done once')
  const options = { from, to, secret: 'x' } as unknown as Parameters<typeof copyStore>[0]
  await assert.rejects(copyStore(options), { code: 'option_unknown' })
})

test('a source that was changed during the copy is found, and its target is not opened', async () => {
  const path = temporaryPath()
  const from = await openSqliteStore({ path, effects: systemEffects })
  const source = await open(from)
  await fill(source, 3)
  const to = sqlite()
  let isChanged = false
  const rows = {
    read: async (page: Parameters<NonNullable<Store['rows']>['read']>[0]) => {
      const read = await from.rows?.read(page)
      if (!isChanged && read?.rows.some(({ type }) => type === 'event')) {
        isChanged = true
        await source.user('user 1').ledger.observe({ phase: 'dormant', riskLevel: 'low' })
      }
      return read ?? { rows: [], next: undefined }
    },
    write: async () => undefined,
  }
  await assert.rejects(copyStore({ from: { ...from, rows }, to, secretKey }), { code: 'store_incomplete' })
  await assert.rejects(open(to), { code: 'store_incomplete' })
  await source.close()
})

interface HandledRows {
  readonly read: number
  readonly write: number
}

/** A store that fails for slices of more rows than it handles in time, and now and then for any. */
function slowStore(store: Store, handled: HandledRows): { readonly store: Store; readonly sizes: number[] } {
  const sizes: number[] = []
  const { rows } = store
  assert.ok(rows)
  const attempt = (size: number, call: keyof HandledRows): void => {
    sizes.push(size)
    if (size > handled[call] || sizes.length % 50 === 0)
      throw new PurserError('store_unavailable', 'The database failed.')
  }
  const slow: Store['rows'] = {
    async read(page) {
      attempt(page.limit, 'read')
      return rows.read(page)
    },
    async write(slice) {
      // As when the deadline passes after the rows were written.
      await rows.write(slice)
      attempt(slice.length, 'write')
    },
  }
  return { store: { ...store, rows: slow }, sizes }
}

test('a slice that the store does not handle in time is repeated in smaller ones', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  const source = await open(memory)
  await fill(source, 40)
  const before = await describeStore(source)
  const target = await openSqliteStore({ path: temporaryPath(), effects: systemEffects })
  const [from, to] = [slowStore(memory, { read: 130, write: 0 }), slowStore(target, { read: 500, write: 40 })]
  const { rows } = await copyStore({ from: from.store, to: to.store, secretKey })
  assert.equal(rows.user, 40, 'with the log of the namespace, without the erased user')
  assert.deepEqual(from.sizes.slice(0, 4), [5_000, 1_250, 313, 79])
  assert.ok(Math.max(...from.sizes.slice(4)) <= 250 && to.sizes.some((size) => size > 8))
  await using purser = await open(target)
  assert.deepEqual(await describeStore(purser), before)
  await source.close()
})

test('a store that handles no slice at all ends the copy, which continues later', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  const source = await open(memory)
  await fill(source, 5)
  const target = await openSqliteStore({ path: temporaryPath(), effects: systemEffects })
  const { store, sizes } = slowStore(target, { read: 500, write: 0 })
  await assert.rejects(copyStore({ from: memory, to: store, secretKey }), { code: 'store_unavailable' })
  assert.equal(Math.min(...sizes), 1)
  await assert.rejects(requireComplete(target.meta), { code: 'store_incomplete' })
  const { rows } = await copyStore({ from: memory, to: target, secretKey })
  assert.equal(rows.user, 5)
  await Promise.all([source.close(), target.close()])
})
