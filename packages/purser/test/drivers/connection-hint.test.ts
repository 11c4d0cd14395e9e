import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { connectionHint } from '../../src/drivers/connection-hint.ts'
import { openStore } from '../../src/open-store.ts'
import { findFreePort } from '../support/free-port.ts'
import { noPostgres, sharedPostgres } from '../support/postgres-server.ts'
import { noRedis, sharedRedis } from '../support/redis-server.ts'

const errorOf = (code: string, cause?: unknown): Error => Object.assign(new Error('failed', { cause }), { code })

test('a hint follows the code of an error, or that of its cause', () => {
  assert.match(connectionHint(errorOf('ENOTFOUND')) ?? '', /host of the store does not exist/)
  for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'])
    assert.match(connectionHint(new Error('lost', { cause: errorOf(code) })) ?? '', /not signed by an authority/, code)
  assert.match(connectionHint(errorOf('XX000', errorOf('CERT_HAS_EXPIRED'))) ?? '', /has expired/)
  const loop = new Error('loop')
  loop.cause = loop
  for (const error of [undefined, null, 'text', {}, new Error('plain'), errorOf('ETIMEDOUT'), loop])
    assert.equal(connectionHint(error), undefined)
})

async function expectHint(url: string, hint: RegExp): Promise<void> {
  const store = await openStore(url, systemEffects)
  await assert.rejects(store.meta.get('x'), { code: 'store_unavailable', hint })
  await store.close({ timeoutMs: 10 })
}

test('an address of PostgreSQL that cannot work says what is wrong', { skip: noPostgres }, async () => {
  const url = (await sharedPostgres()).url()
  await expectHint(`${url}&sslmode=verify-full`, /The server has no TLS/)
  await expectHint(`${url}&sslrootcert=/does/not/exist.pem`, /A file that the URL names does not exist/)
  await expectHint(`postgres://127.0.0.1:${await findFreePort()}/x`, /Nothing listens/)
})

test('an address of Redis that cannot work says what is wrong', { skip: noRedis }, async () => {
  const { port } = await sharedRedis()
  await expectHint(`redis://127.0.0.1:${port}/999`, /no database of that number/)
  await expectHint(`redis://127.0.0.1:${await findFreePort()}`, /Nothing listens/)
})
