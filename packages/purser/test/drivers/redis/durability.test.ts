import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { redisStore } from '../../../src/drivers/redis/index.ts'
import { NAMESPACE, tryCommit } from '../../../src/testing/store-contract/samples.ts'
import { rounds } from '../../support/fuzz-options.ts'
import { noRedis, startRedis } from '../../support/redis-server.ts'

/** What the guide says that a killed server loses: nothing, or everything that was written since the start. */
const PROFILES = [
  {
    name: 'append-only file, flushed always',
    args: ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
    loses: 'nothing',
  },
  {
    name: 'append-only file, flushed every second',
    args: ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
    loses: 'nothing',
  },
  { name: 'no persistence', args: ['--appendonly', 'no', '--save', ''], loses: 'everything' },
] as const

describe('what a killed server loses', { skip: noRedis }, () => {
  for (const { name, args, loses } of PROFILES) {
    test(`${name}: ${loses}`, async (context) => {
      for (let round = 0; round < rounds(20, 1); round++) {
        await using server = await startRedis({ args })
        const url = server.url()
        const store = redisStore({ url, timeoutMs: 2_000 })
        let isKilled = false
        const acknowledged: string[] = []
        const writers = Array.from({ length: 16 }, async (_, writer) => {
          for (let index = 0; ; index++) {
            const id = `${writer} ${index}`
            const { ok } = await tryCommit(store, { namespace: NAMESPACE, id }).catch(() => ({ ok: false }))
            if (ok) acknowledged.push(id)
            else if (isKilled) return
            if (isKilled || acknowledged.length < 3_000) continue
            isKilled = true
            server.kill('SIGKILL')
          }
        })
        await Promise.all(writers)
        assert.ok(acknowledged.length >= 3_000)
        await server.restart()
        const again = redisStore({ url })
        const { users } = await again.users.overview(NAMESPACE)
        context.diagnostic(`${acknowledged.length} acknowledged, ${users} after the restart`)
        if (loses === 'nothing') assert.ok(users >= acknowledged.length, `${users} of ${acknowledged.length}`)
        else assert.equal(users, 0)
        await Promise.all([store.close({ timeoutMs: 10 }), again.close()])
      }
    })
  }
})
