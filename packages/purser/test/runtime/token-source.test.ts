import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBearerFetch } from '../../src/mcp/bearer-fetch.ts'
import type { Grant } from '../../src/runtime/oauth/grant.ts'
import { GrantTokenSource } from '../../src/runtime/oauth/token-source.ts'
import { handClock } from '../../src/testing/hand-clock.ts'

const key = {
  user: { namespace: 'n', id: 'ada' },
  incarnation: 0,
  name: 'wiki',
  endpoints: { url: 'https://wiki.example/mcp', issuer: undefined },
}

/** Instances on one store whose server accepts the tokens in `accepted` only. */
function createInstances(count: number) {
  const clock = handClock()
  const state = { refreshes: 0, sent: 0 }
  const accepted = new Set(['t0'])
  const grantAt = (refreshes: number): Grant =>
    ({ id: 'g', refreshes, content: { url: key.endpoints.url, access: `t${refreshes}`, goodUntil: null } }) as Grant
  const instances = Array.from({ length: count }, () => {
    const tokens = new GrantTokenSource(
      {
        effects: clock,
        grants: { read: async () => grantAt(state.refreshes) } as never,
        refresher: {
          async refresh(_: unknown, seen: { readonly refreshes: number }) {
            if (state.refreshes > seen.refreshes) return { grant: grantAt(state.refreshes), isNew: false }
            state.refreshes++
            accepted.add(`t${state.refreshes}`)
            return { grant: grantAt(state.refreshes), isNew: true }
          },
        } as never,
      },
      key,
    )
    return createBearerFetch(async (_, init) => {
      state.sent++
      const token = new Headers(init?.headers).get('authorization')?.slice('Bearer '.length) ?? ''
      return new Response(null, { status: accepted.has(token) ? 200 : 401 })
    }, tokens)
  })
  return { clock, state, accepted, instances }
}

test('a token that is withdrawn is renewed once, on each instance, as often as it is withdrawn', async () => {
  const { state, accepted, instances } = createInstances(3)
  for (const call of instances) assert.equal((await call('https://wiki.example/mcp')).status, 200)
  for (let withdrawal = 1; withdrawal <= 4; withdrawal++) {
    accepted.clear()
    // The first instance refreshes; the others get its token from the store.
    for (const call of instances) assert.equal((await call('https://wiki.example/mcp')).status, 200)
    assert.equal(state.refreshes, withdrawal)
  }
})

test('an instance that gets a withdrawn token from the store refreshes it in the same call', async () => {
  const { state, accepted, instances } = createInstances(2)
  const [first, second] = instances
  assert.ok(first && second)
  await first('https://wiki.example/mcp')
  await second('https://wiki.example/mcp')
  accepted.clear()
  await first('https://wiki.example/mcp')
  accepted.clear()
  assert.equal((await second('https://wiki.example/mcp')).status, 200)
  assert.equal(state.refreshes, 2)
})

test('a server that refuses a new token is asked again after a minute, and not before', async () => {
  const { clock, state, accepted, instances } = createInstances(1)
  const [call] = instances
  assert.ok(call)
  await call('https://wiki.example/mcp')
  accepted.add = () => accepted
  accepted.clear()
  for (let attempt = 0; attempt < 3; attempt++) {
    await assert.rejects(call('https://wiki.example/mcp'), { code: 'mcp_unavailable' })
    assert.equal(state.refreshes, 1)
  }
  clock.advance(60_000)
  await assert.rejects(call('https://wiki.example/mcp'), { code: 'mcp_unavailable' })
  assert.equal(state.refreshes, 2)
})
