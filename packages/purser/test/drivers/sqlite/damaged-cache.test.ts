import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, statSync, writeSync } from 'node:fs'
import { test } from 'node:test'
import { cachePath } from '../../../src/drivers/sqlite/cache/cache-file.ts'
import { openPurser, type Purser } from '../../../src/index.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

/** Overwrites everything of a file and its log but the first bytes, while they are in use. */
function damage(path: string): void {
  for (const file of [path, `${path}-wal`]) {
    if (!existsSync(file) || statSync(file).size < 200) continue
    const descriptor = openSync(file, 'r+')
    writeSync(descriptor, Buffer.alloc(statSync(file).size - 100, 0xa5), 0, undefined, 100)
    closeSync(descriptor)
  }
}

const by = { actor: 'a', reason: 'r' }
const CALLS: Readonly<Record<string, (purser: Purser) => Promise<unknown>>> = {
  erase: (purser) => purser.user('ada').erase(by),
  invalidate: (purser) => purser.user('ada').context.invalidate(),
  resolve: (purser) => purser.user('ada').context.resolve(),
  remember: (purser) => purser.user('ada').answers.remember({ q: 2 }, async () => 'computed'),
  lookup: (purser) => purser.user('ada').answers.lookup({ q: 1 }),
  forget: (purser) => purser.user('ada').answers.forget(),
  clear: (purser) => purser.answers.clear(),
  flush: (purser) => purser.answers.flush(),
  stats: async (purser) => purser.answers.stats(),
  profile: (purser) => purser.user('ada').profile.put({ name: 'x' }),
  evict: (purser) => purser.user('ada').runtime.evict(by),
  export: (purser) => Array.fromAsync(purser.user('ada').export()),
}

interface Files {
  readonly store: string
  readonly cacheStore?: string
  /** The file with the answers. */
  readonly cache: string
}

const FILES: Readonly<Record<string, (path: string) => Files>> = {
  'a cache file': (path) => ({ store: `sqlite:${path}`, cache: cachePath(path) }),
  'the file of a cacheStore': (path) => ({ store: 'memory:', cacheStore: `sqlite:${path}`, cache: path }),
}

for (const [kind, filesAt] of Object.entries(FILES))
  for (const [name, call] of Object.entries(CALLS))
    test(`${kind} that is damaged while it is used fails no ${name}, and is replaced at the next start`, async () => {
      const { cache, ...stores } = filesAt(temporaryPath())
      const options = { ...stores, answers: { enabled: true } } as const
      const purser = await openPurser(options)
      await purser.user('ada').profile.put({ name: 'Ada' })
      for (let index = 0; index < 200; index++)
        await purser.user('ada').answers.remember({ q: index }, async () => `answer ${index}`.padEnd(3_000, '.'))
      damage(cache)
      await call(purser)
      for (const later of Object.values(CALLS)) await later(purser)
      assert.equal(await purser.user('bob').answers.lookup({ q: 1 }), undefined)
      await purser.close()
      const reopened = await openPurser(options)
      const { answer, source } = await reopened.user('bob').answers.remember({ q: 1 }, async () => 'new')
      assert.deepEqual([answer, source], ['new', 'computed'])
      assert.equal((await reopened.user('ada').erase(by)).purged, true)
      assert.equal((await reopened.verify()).ok, true)
      await reopened.close()
    })
