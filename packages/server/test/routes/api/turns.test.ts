import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Latency } from '../../../src/overview/measure-latency.ts'
import { CHAT_USAGE, openGatewayHarness, sendChat, sendJson, startFakeProvider } from '../../support/gateway-harness.ts'

/* Routes of turn records and usage: for operators, and for a person. */

const upstream = await startFakeProvider((request, response) => {
  if (request.text.includes('please fail')) sendJson(response, { error: { message: 'no' } }, 500)
  else sendChat(request, response, { content: 'Hello' })
})
const gateway = await openGatewayHarness({
  providers: { local: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k', models: ['m', 'n'] } },
  runtime: { defaults: { provider: 'local', model: 'm' } },
  prices: { 'local/m': { input: '1', output: '10' } },
  ledger: { limits: [{ name: 'few', measure: 'turns', max: 3, window: 'day' }] },
  plans: { pro: { limits: [{ name: 'few', measure: 'turns', max: 100, window: 'day' }] } },
})

interface Page<Row> {
  readonly data: readonly Row[]
  readonly cursor: string | null
}

interface Row {
  readonly id: string
  readonly user: string
  readonly model: string
  readonly outcome: string
  readonly code: string | null
  readonly limit: string | null
  readonly totalMs: number
  readonly requestId: string
}

interface Sum {
  readonly key: string | null
  readonly turns: number
  readonly refused: number
  readonly cost: string
}

let admin: string

async function get<Body>(path: string, { key = admin, user = '' } = {}): Promise<Body> {
  const headers = { authorization: `Bearer ${key}`, ...(user === '' ? {} : { 'x-purser-user': user }) }
  const response = await fetch(`${gateway.url}${path}`, { headers })
  const text = await response.text()
  assert.equal(response.status, 200, `${path}: ${text}`)
  return JSON.parse(text) as Body
}

async function fails(path: string, key = admin): Promise<readonly [status: number, code: string]> {
  const response = await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${key}` } })
  const { error } = (await response.json()) as { readonly error?: { readonly code: string } }
  return [response.status, error?.code ?? '']
}

test('periods that end before they begin are refused; an empty one is no error', async () => {
  const days = ['/api/usage', '/api/users/ada/usage', '/api/overview/days', '/api/overview/phases']
  const instants = ['/api/users/ada/turns', '/api/users/ada/events']
  for (const path of days) {
    assert.deepEqual(await fails(`${path}?from=2026-11-29&to=2026-11-01`), [400, 'argument_invalid'], path)
    // Without a start, the period begins 30 days ago.
    assert.deepEqual(await fails(`${path}?to=2020-01-01`), [400, 'argument_invalid'], path)
    assert.deepEqual(await get(`${path}?from=2026-11-29&to=2026-11-29`), { data: [], cursor: null }, path)
  }
  for (const path of instants) {
    const period = (from: string, to: string): string => `${path}?from=${from}T00:00:00Z&to=${to}T00:00:00Z`
    assert.deepEqual(await fails(period('2026-11-29', '2026-11-01')), [400, 'argument_invalid'], path)
    assert.deepEqual(await get(period('2026-11-29', '2026-11-29')), { data: [], cursor: null }, path)
  }
})

async function chat(user: string, content: string, model = 'auto'): Promise<number> {
  const body = { model, messages: [{ role: 'user', content }] }
  const response = await gateway.fetch('/v1/chat/completions', body, { 'x-purser-user': user })
  await response.text()
  return response.status
}

before(async () => {
  admin = await gateway.createKey('admin')
  await gateway.user('bob').ledger.setPlan('pro', { actor: 'ana' })
  for (let turn = 0; turn < 5; turn++) await chat('ada', 'Hi', turn === 1 ? 'n' : 'auto')
  for (let turn = 0; turn < 4; turn++) await chat('bob', turn === 2 ? 'please fail' : 'Hi')
})

test('turns of all users are filtered and read page by page, in both orders', async () => {
  const all = await get<Page<Row>>('/api/turns?limit=1000')
  assert.deepEqual(
    all.data.map(({ user, model, outcome }) => `${user} ${model} ${outcome}`),
    [
      ...['ada m completed', 'ada n completed', 'ada m completed', 'ada m refused', 'ada m refused'],
      ...['bob m completed', 'bob m completed', 'bob m failed', 'bob m completed'],
    ],
  )
  assert.equal(all.cursor, null)
  const ids = all.data.map(({ id }) => id)
  const pages: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Page<Row> = await get(`/api/turns?limit=2&order=descending${cursor && `&cursor=${cursor}`}`)
    assert.ok(page.data.length <= 2)
    pages.push(...page.data.map(({ id }) => id))
    cursor = page.cursor
  }
  assert.deepEqual(pages, ids.toReversed())
  for (const [query, count] of [
    ['user=bob', 4],
    ['user=unknown', 0],
    ['outcome=refused', 2],
    ['outcome=failed&user=ada', 0],
    ['model=n', 1],
    ['provider=local', 9],
    ['provider=other', 0],
    ['code=few', 2],
    ['code=upstream_failed', 1],
    ['minMs=100000000', 0],
    ['limit=0', 0],
  ] as const)
    assert.equal((await get<Page<Row>>(`/api/turns?${query}`)).data.length, count, query)
  const [failed] = (await get<Page<Row>>('/api/turns?outcome=failed')).data
  assert.deepEqual([failed?.code, failed?.limit], ['upstream_failed', null])
})

test('turns of one user are read newest first, with a cursor', async () => {
  const all = await get<Page<Row>>('/api/users/ada/turns')
  assert.deepEqual(
    all.data.map(({ outcome, limit }) => [outcome, limit]),
    [
      ['refused', 'few'],
      ['refused', 'few'],
      ['completed', null],
      ['completed', null],
      ['completed', null],
    ],
  )
  assert.equal(all.cursor, null)
  const first = await get<Page<Row>>('/api/users/ada/turns?limit=2')
  const second = await get<Page<Row>>(`/api/users/ada/turns?limit=2&before=${first.cursor}`)
  assert.deepEqual([...first.data, ...second.data], all.data.slice(0, 4))
  assert.equal((await get<Page<Row>>('/api/users/ada/turns?outcome=completed')).data.length, 3)
  assert.deepEqual(await get('/api/users/unknown/turns'), { data: [], cursor: null })
  for (const [period, count] of [
    ['from=2026-01-01T00:00:00Z', 5],
    ['to=2026-01-01T00:00:00Z', 0],
  ] as const)
    for (const list of ['turns', 'events?types=limit_reached'])
      assert.equal(
        (await get<Page<Row>>(`/api/users/ada/${list}${list.includes('?') ? '&' : '?'}${period}`)).data.length,
        list === 'turns' ? count : Math.min(1, count),
        `${list} ${period}`,
      )
  assert.deepEqual(await fails('/api/users/ada/events?from=yesterday'), [400, 'argument_invalid'])
  assert.deepEqual(await fails('/api/users/ada/turns?to=2026-01-01'), [400, 'argument_invalid'])
})

test('usage of all users and of one is added up by each key, and is a table as well', async () => {
  const by = async (key: string): Promise<readonly (readonly [string | null, number, number])[]> =>
    (await get<Page<Sum>>(`/api/usage?by=${key}`)).data.map(({ key: name, turns, refused }) => [name, turns, refused])
  assert.deepEqual(await by('user'), [
    ['ada', 3, 2],
    ['bob', 3, 0],
  ])
  assert.deepEqual(await by('plan'), [
    [null, 3, 2],
    ['pro', 3, 0],
  ])
  assert.deepEqual(await by('model'), [
    ['local/m', 5, 2],
    ['local/n', 1, 0],
  ])
  assert.deepEqual(await by('provider'), [['local', 6, 2]])
  assert.deepEqual(await by('limit'), [['few', 0, 2]])
  for (const time of ['hour', 'day', 'month']) {
    const sums = await by(time)
    assert.deepEqual(
      [sums.reduce((sum, [, turns]) => sum + turns, 0), sums.reduce((sum, [, , refused]) => sum + refused, 0)],
      [6, 2],
    )
  }
  const own = await get<Page<Sum>>('/api/users/bob/usage?by=model')
  const { prompt_tokens: input, completion_tokens: output } = CHAT_USAGE
  assert.deepEqual(own.data, [
    {
      ...{ key: 'local/m', turns: 3, refused: 0, unpriced: 0, inputTokens: 3 * input, outputTokens: 3 * output },
      ...{ cachedTokens: 9, cost: ((3 * (input + 10 * output)) / 1e6).toFixed(6) },
    },
  ])
  assert.equal((await get<Page<Sum>>('/api/usage?by=user&limit=1')).data.length, 1)
  const tomorrow = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10)
  assert.deepEqual((await get<Page<Sum>>(`/api/usage?from=${tomorrow}`)).data, [])
  const response = await fetch(`${gateway.url}/api/usage?by=user&format=csv`, {
    headers: { authorization: `Bearer ${admin}` },
  })
  assert.match(response.headers.get('content-type') ?? '', /^text\/csv/)
  const [header, ada] = (await response.text()).split('\r\n')
  assert.equal(header, 'key,turns,refused,unpriced,inputTokens,outputTokens,cachedTokens,cost')
  assert.match(ada ?? '', /^ada,3,2,1,33,21,9,0\.\d+$/)
})

test('proposed limits are simulated for all users, some of them, and from an instant on', async () => {
  const simulate = async (body: object): Promise<Response> =>
    fetch(`${gateway.url}/api/limits/simulate`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await gateway.createKey('viewer')}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const one = { name: 'one', measure: 'turns', max: 1, window: 'day' }
  const result = (await (await simulate({ limits: [one] })).json()) as { refused: number; users: { user: string }[] }
  // A turn that failed would have been refused as well; and a day may have ended between two turns.
  assert.ok(result.refused >= 4 && result.refused <= 5, String(result.refused))
  const some = (await (await simulate({ limits: [one], users: ['bob'] })).json()) as typeof result
  assert.deepEqual(new Set(some.users.map(({ user }) => user)), new Set(['bob']))
  const later = (await (await simulate({ limits: [one], since: '2999-01-01T00:00:00Z' })).json()) as typeof result
  assert.equal(later.refused, 0)
  const plans = { pro: { limits: [{ ...one, name: 'few', max: 0 }] } }
  const planned = (await (await simulate({ plans })).json()) as typeof result
  assert.deepEqual(
    planned.users.map(({ user }) => user),
    ['bob'],
  )
  for (const body of [
    { limits: [{ ...one, max: -1 }] },
    { limits: 1 },
    { plans: { a: { extends: 'b' } } },
    { since: 'now' },
    { after: 'x' },
  ]) {
    const response = await simulate(body)
    assert.equal(response.status, 400, JSON.stringify(body))
  }
})

test('a person reads their own turns and usage only', async () => {
  const key = await gateway.createKey('user')
  const own = await get<Page<Row>>('/v1/me/turns?limit=4', { key })
  assert.deepEqual([own.data.length, own.data.every(({ user }) => user === 'ada')], [4, true])
  const rest = await get<Page<Row>>(`/v1/me/turns?limit=4&before=${own.cursor}`, { key })
  assert.equal(rest.data.length, 1)
  assert.equal((await get<Page<Row>>('/v1/me/turns?outcome=refused', { key })).data.length, 2)
  const [sum] = (await get<Page<Sum>>('/v1/me/usage?by=limit', { key })).data
  assert.deepEqual([sum?.key, sum?.refused], ['few', 2])
  assert.equal((await get<Page<Sum>>('/v1/me/usage?by=model', { key: gateway.key, user: 'bob' })).data[0]?.turns, 3)
  assert.equal((await fails('/api/turns', key))[0], 403)
  assert.equal((await fails('/api/users/ada/usage', key))[0], 403)
  const other = await fetch(`${gateway.url}/v1/me/turns`, {
    headers: { authorization: `Bearer ${key}`, 'x-purser-user': 'bob' },
  })
  assert.equal(other.status, 403)
})

test('times of turns and numbers of users of each day are read', async () => {
  const latency = await get<Latency>('/api/overview/latency')
  assert.deepEqual([latency.turns, latency.complete, latency.cache], [7, true, { off: 7 }])
  assert.ok(latency.totalMs.p50 > 0 && latency.totalMs.p99 >= latency.totalMs.p95)
  const days = await get<Page<{ day: string; users: number }>>('/api/overview/days')
  assert.equal(days.data.at(-1)?.users, 2)
  assert.equal(days.data.length, 31)
})

test('parameters that are not valid are errors, and nothing is coerced', async () => {
  for (const path of [
    '/api/turns?outcome=lost',
    '/api/turns?order=up',
    '/api/turns?limit=many',
    '/api/turns?limit=-1',
    '/api/turns?user=',
    '/api/turns?sort=at',
    '/api/usage?by=week',
    '/api/usage?by=user&limit=0',
    '/api/usage?from=yesterday',
    '/api/usage?format=xml',
    '/api/users/ada/usage?by=user',
    '/api/users/ada/turns?limit=1001',
    '/api/users/ada/turns?outcome=lost',
    '/api/overview/days?from=now',
    '/v1/me/turns?limit=many',
    '/v1/me/usage?by=user',
    '/v1/me/usage?until=2026-01-01',
    '/v1/me/turns?after=x',
  ]) {
    const key = path.startsWith('/v1') ? await gateway.createKey('user') : admin
    const [status] = await fails(path, key)
    assert.equal(status, 400, path)
  }
})
