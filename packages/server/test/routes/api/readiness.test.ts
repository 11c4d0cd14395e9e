import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { getMeta } from 'purser/internal'
import { createTempDirectory } from '../../support/processes.ts'
import { openServerHarness } from '../../support/server-harness.ts'

test('readiness tests a write, at most once a second, and names no path', async () => {
  const directory = createTempDirectory()
  const path = join(directory, 'purser.db')
  await using harness = await openServerHarness({ config: { store: `sqlite:${path}` } })
  const ready = async (): Promise<number> => {
    const response = await harness.fastify.inject({ url: '/readyz' })
    assert.ok(!response.body.includes(directory), response.body)
    return response.statusCode
  }
  assert.equal(await ready(), 200)
  const written = await getMeta(harness.context.purser).get('server-ready')
  assert.equal(await ready(), 200)
  assert.equal(await getMeta(harness.context.purser).get('server-ready'), written)
  renameSync(path, `${path}.old`)
  assert.equal(await ready(), 200, 'the result of the last second')
  harness.clock.advance(1_000)
  assert.equal(await ready(), 503)
  assert.equal((await harness.call('GET', '/livez')).statusCode, 200)
  const refused = await harness.call('PUT', '/api/users/ada/cap', { cap: 3 })
  assert.deepEqual([refused.statusCode, refused.json().error.code], [503, 'store_unavailable'])
  assert.ok(!refused.body.includes(directory), refused.body)
  renameSync(`${path}.old`, path)
  harness.clock.advance(1_000)
  assert.equal(await ready(), 200)
})
