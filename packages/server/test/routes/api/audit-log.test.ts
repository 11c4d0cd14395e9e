import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Event } from 'purser'
import { openServerHarness, type ServerHarness } from '../../support/server-harness.ts'

interface Page {
  readonly data: readonly Event[]
  readonly cursor: string | null
}

let harness: ServerHarness

before(async () => {
  harness = await openServerHarness({ config: { ledger: { dailyCap: 9 } } })
  for (let index = 0; index < 1_200; index++) {
    const id = `user-${index % 4}`
    // Events that are not changes by people lie between those that are, in several windows of the log.
    await harness.user(id).ledger.observe({ phase: `phase ${index}` })
    if (index % 120 === 0) await harness.call('PUT', `/api/users/${id}/cap`, { cap: index + 1, reason: 'exam week' })
  }
  await harness.call('PUT', '/api/users/user-1/block', { reason: 'shared account' })
  await harness.call('POST', '/api/keys', { role: 'viewer', name: 'meera' })
})
after(() => harness[Symbol.asyncDispose]())

async function read(query: string): Promise<Page> {
  const response = await harness.call('GET', `/api/audit?${query}`)
  assert.equal(response.statusCode, 200, response.body)
  return response.json() as Page
}

test('the audit log has every change of all users and of the namespace, newest first', async () => {
  const { data, cursor } = await read('limit=1000')
  assert.equal(cursor, null)
  const actions = data.map((event) => event.data.action)
  assert.deepEqual(actions.slice(0, 3), ['key_created', 'block', 'cap'])
  assert.equal(actions.filter((action) => action === 'cap').length, 10)
  assert.ok(data.every(({ type }) => type !== 'phase_transition'))
  const [created, block] = data
  assert.equal(created?.user, '')
  assert.deepEqual(
    [block?.user, block?.actor, block?.reason, block?.data.origin],
    ['user-1', 'root', 'shared account', 'api'],
  )
})

test('pages follow each other without a gap or a repetition', async () => {
  const all = (await read('limit=1000')).data.map(({ id }) => id)
  const paged: string[] = []
  for (let query = 'limit=3'; ; ) {
    const { data, cursor } = await read(query)
    paged.push(...data.map(({ id }) => id))
    if (cursor === null) break
    query = `limit=3&cursor=${cursor}`
  }
  assert.deepEqual(paged, all)
})

test('filters by actor, action and user combine', async () => {
  const count = async (query: string): Promise<number> => (await read(`limit=1000&${query}`)).data.length
  assert.equal(await count('action=cap'), 10)
  assert.equal(await count('action=cap&user=user-0'), 10)
  assert.equal(await count('action=cap&user=user-1'), 0)
  assert.equal(await count('user=user-1&actor=root'), 1)
  assert.equal(await count('actor=other'), 0)
  assert.equal(await count('action=block,cap'), 11)
  assert.equal(await count('action=unblock,none'), 0)
})

test('bad cursors and limits are refused', async () => {
  for (const query of [
    'cursor=x',
    'cursor=-1',
    'limit=0',
    'limit=1001',
    'since=1',
    'action=,',
    `action=${'a,'.repeat(40)}a`,
  ]) {
    const response = await harness.call('GET', `/api/audit?${query}`)
    assert.equal(response.statusCode, 400, query)
  }
})
