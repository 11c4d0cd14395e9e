import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openGatewayHarness, sendChat, sendJson, startFakeProvider } from '../../support/gateway-harness.ts'

/* Metrics of turns: what they add up to is what the sums of usage say, and no label names a user. */

const upstream = await startFakeProvider((request, response) => {
  if (request.text.includes('please fail')) sendJson(response, { error: { message: 'no' } }, 500)
  else sendChat(request, response, { content: 'Hello' })
})
const gateway = await openGatewayHarness({
  namespace: 'metrics',
  providers: {
    local: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k' },
    other: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k', models: ['n'] },
  },
  runtime: {
    defaults: { provider: 'local', model: 'm', allowedModels: null },
  },
  prices: { 'local/m': { input: '1', output: '10' } },
  ledger: { limits: [{ name: 'few', measure: 'turns', max: 6, window: 'day' }] },
})
const admin = await gateway.createKey('admin')
const USERS = ['ada.secret', 'bob.secret']

async function chat(user: string, content: string, model = 'auto'): Promise<void> {
  const body = { model, messages: [{ role: 'user', content }] }
  const response = await gateway.fetch('/v1/chat/completions', body, { 'x-purser-user': user })
  await response.text()
}

async function readMetrics(): Promise<string> {
  const response = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${admin}` } })
  assert.equal(response.status, 200)
  return response.text()
}

/** The values of a metric by its labels. */
function valuesOf(text: string, name: string): Map<string, number> {
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, labels = '', value] = new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`).exec(line) ?? []
    if (value !== undefined) values.set(labels, Number(value))
  }
  return values
}

function sum(values: ReadonlyMap<string, number>, part = ''): number {
  return [...values].reduce((total, [labels, value]) => total + (labels.includes(part) ? value : 0), 0)
}

test('requests, tokens, cost, refusals and times are those of the turns', async () => {
  for (const user of USERS) {
    for (let turn = 0; turn < 8; turn++) await chat(user, turn === 3 ? 'please fail' : 'Hi')
    await chat(user, 'Hi', 'other/unknown')
  }
  // Turns are over before their responses are, but their diagnostics may come after.
  const usage = await gateway.context.purser.usage({ by: 'model' })
  const text = await readMetrics()
  const requests = valuesOf(text, 'purser_requests_total')
  assert.equal(requests.get('provider="local",model="m",outcome="completed"'), 12)
  assert.equal(requests.get('provider="local",model="m",outcome="failed"'), 2)
  assert.equal(requests.get('provider="local",model="m",outcome="refused"'), 2)
  assert.equal(sum(requests, 'outcome="failed"'), 4)
  const total = (field: 'inputTokens' | 'outputTokens' | 'cachedTokens' | 'refused') =>
    usage.reduce((amount, row) => amount + row[field], 0)
  const tokens = valuesOf(text, 'purser_tokens_total')
  assert.equal(sum(tokens, 'kind="input"'), total('inputTokens'))
  assert.equal(sum(tokens, 'kind="output"'), total('outputTokens'))
  assert.equal(sum(tokens, 'kind="cached"'), total('cachedTokens'))
  const cost = usage.reduce((amount, row) => amount + Number(row.cost), 0)
  assert.ok(Math.abs(sum(valuesOf(text, 'purser_cost_total')) - cost) < 1e-9)
  assert.deepEqual([...valuesOf(text, 'purser_limit_refusals_total')], [['limit="few"', total('refused')]])
  // Failed calls took time at the upstream as well; refused turns did not.
  assert.equal(valuesOf(text, 'purser_upstream_seconds_count').get(''), 14)
  assert.equal(valuesOf(text, 'purser_turn_seconds_count').get(''), 18)
  assert.equal(valuesOf(text, 'purser_turn_overhead_seconds_count').get(''), 18)
  for (const user of USERS) assert.ok(!text.includes(user), user)
})

test('models that users name have a bounded number of series', async () => {
  for (let model = 0; model < 230; model++) await chat(`user-${model}`, 'Hi', `any-${model}`)
  const requests = valuesOf(await readMetrics(), 'purser_requests_total')
  assert.ok(requests.size <= 210, `${requests.size} series`)
  assert.ok((requests.get('provider="other",model="other",outcome="completed"') ?? 0) >= 20)
  assert.equal(
    sum(requests, 'model="any-'),
    230 - (requests.get('provider="other",model="other",outcome="completed"') ?? 0),
  )
})
