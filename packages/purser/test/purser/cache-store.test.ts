import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { openPurser, type Purser, PurserError } from '../../src/index.ts'
import { noRedis, sharedRedis } from '../support/redis-server.ts'
import { temporaryPath } from '../support/temporary-store.ts'

const SECRET = Buffer.alloc(32, 7).toString('base64')

interface Pair {
  readonly first: Purser
  readonly second: Purser
  readonly paths: readonly string[]
}

/** Two instances on one store, each with a cache file of its own. */
async function withPair(store: string, run: (pair: Pair) => Promise<void>): Promise<void> {
  const paths = [temporaryPath(), temporaryPath()]
  const open = (path = ''): Promise<Purser> =>
    openPurser({ store, cacheStore: `sqlite:${path}`, secretKey: SECRET, answers: { maxBytes: 100_000 } })
  await using first = await open(paths[0])
  await using second = await open(paths[1])
  await run({ first, second, paths })
}

const stores: Readonly<Record<string, () => Promise<string>>> = {
  sqlite: async () => `sqlite:${temporaryPath()}`,
  ...(noRedis ? {} : { redis: async () => (await sharedRedis()).url() }),
}

for (const [name, url] of Object.entries(stores)) {
  describe(`a cache store beside ${name}`, () => {
    test('answers are in its file and not in the store, within their limits', async () => {
      await withPair(await url(), async ({ first, paths: [path = ''] }) => {
        const { answers } = first.user('ann')
        for (let n = 0; n < 50; n++) await answers.remember({ n }, async () => 'x'.repeat(5_000))
        await first.answers.flush()
        assert.equal(first.answers.stats().file, path)
        assert.ok(first.answers.stats().entries > 5)
        assert.ok(first.answers.stats().bytes <= 100_000)
        const again = await answers.remember({ n: 49 }, async () => 'computed again')
        assert.equal(again.source, 'hit')
      })
    })

    test('what one instance forgets or clears, no other serves, whatever its own cache has', async () => {
      await withPair(await url(), async ({ first, second }) => {
        for (const purser of [first, second])
          for (const user of ['ann', 'bob']) await purser.user(user).answers.remember('q', async () => 'before')
        await first.user('ann').answers.forget()
        const ask = async (purser: Purser, user: string): Promise<string> =>
          (await purser.user(user).answers.remember('q', async () => 'after')).answer
        assert.equal(await ask(first, 'ann'), 'after')
        await untilRenewed(async () => (await ask(second, 'ann')) === 'after')
        assert.equal(await ask(second, 'bob'), 'before')
        await second.answers.clear()
        await untilRenewed(async () => (await ask(first, 'bob')) === 'after')
      })
    })

    test('an erasure counts and removes what the cache stores of all instances have', async () => {
      await withPair(await url(), async ({ first, second, paths }) => {
        for (const purser of [first, second]) {
          await purser.user('ann').ledger.admit()
          await purser.user('ann').answers.remember('q', async () => 'the answer of ann')
          await purser.answers.flush()
        }
        const { erased } = await first.user('ann').erase({ actor: 'test', reason: 'asked' })
        assert.equal(erased.answers, 1)
        for (const path of paths) await untilRenewed(async () => !hasText(path, 'the answer of ann'))
        assert.equal(await second.user('ann').answers.lookup('q'), undefined)
      })
    })
  })
}

test('only answers and contexts are opened there: a file store has no database of its own', async () => {
  const path = temporaryPath()
  await using purser = await openPurser({ store: 'memory:', cacheStore: `sqlite:${path}` })
  await purser.user('ann').answers.remember('q', async () => 1)
  await purser.answers.flush()
  assert.ok(existsSync(path))
  assert.ok(!existsSync(join(dirname(path), 'purser-cache.db')))
})

test('an invalid URL is refused', async () => {
  await assert.rejects(openPurser({ store: 'memory:', cacheStore: 'cache.db' }), (error) =>
    PurserError.is(error, 'option_invalid'),
  )
})

function hasText(path: string, text: string): boolean {
  return ['', '-wal'].some((suffix) => existsSync(path + suffix) && readFileSync(path + suffix).includes(text))
}

const ATTEMPTS = 6_000

/** Another instance learns of it by a message, or when it reads the generation again. */
async function untilRenewed(check: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await check()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail('It does not become true.')
}
