import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

type Json = Readonly<Record<string, unknown>>

let harness: ServerHarness
let webhook: string
let document: { readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>; readonly components: Json }

before(async () => {
  harness = await openServerHarness({
    config: {
      providers: { local: { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9/v1', models: ['m'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
      mcpServers: { calendar: { command: 'true' } },
      plans: { pro: { limits: [{ name: 'hourly', measure: 'tokens', max: 9, window: '1h', alertAt: [0.8] }] } },
      ledger: { dailyCap: 5, plan: 'pro' },
    },
  })
  document = (await harness.call('GET', '/openapi.json')).json()
  const ada = harness.user('ada')
  await ada.profile.put({ name: 'Ada' })
  await ada.ledger.observe({ phase: 'warm', riskLevel: 'high' }, { peaks: { longing: 0.5 } })
  await ada.ledger.admit()
  await ada.ledger.addNote('a note', { actor: 'root' })
  await ada.ledger.block({ actor: 'root', reason: 'test' })
  await ada.runtime.setSecret('local', { apiKey: 'k' })
  await ada.runtime.startSession('evening', { policy: 'pin' })
  webhook = (await harness.call('POST', '/api/webhooks', { url: 'https://hooks.example.com/' })).json().id
})
after(() => harness[Symbol.asyncDispose]())

/** The schema of a successful response, with the components it refers to. */
function schemaOf(path: string): z.ZodType | undefined {
  const responses = document.paths[path]?.get?.responses as Readonly<Record<string, Json>>
  const content = responses['2XX']?.content as Readonly<Record<string, { schema: Json }>> | undefined
  const schema = content?.['application/json']?.schema
  if (schema === undefined) return undefined
  const { schemas } = document.components
  const text = JSON.stringify({ ...schema, $defs: schemas }).replaceAll('#/components/schemas/', '#/$defs/')
  return z.fromJSONSchema(JSON.parse(text))
}

test('every response of the management API to a read has the shape of its schema', async () => {
  const checked: string[] = []
  for (const path of Object.keys(document.paths).filter((name) => name.startsWith('/api/'))) {
    if (document.paths[path]?.get === undefined) continue
    const schema = schemaOf(path)
    if (schema === undefined) continue
    const response = await harness.call('GET', path.replace('{id}', 'ada').replace('{webhook}', webhook))
    assert.equal(response.statusCode, 200, `${path}: ${response.body}`)
    const { error } = schema.safeParse(response.json())
    assert.equal(error, undefined, `${path}: ${error?.message}`)
    checked.push(path)
  }
  assert.ok(checked.length >= 18, `only ${checked.length} routes have a schema`)
  for (const path of ['/api/users/{id}/bond', '/api/users/{id}/limits', '/api/users/{id}/context', '/api/config']) {
    assert.ok(checked.includes(path), path)
  }
})

test('a schema finds a response of another shape', () => {
  const schema = schemaOf('/api/users/{id}/bond')
  assert.equal(schema?.safeParse({ user: 'ada' }).success, false)
})

test('the configuration names providers and servers without addresses and secrets', async () => {
  const response = await harness.call('GET', '/api/config')
  assert.doesNotMatch(response.body, /127\.0\.0\.1|apiKey|"command"/)
  assert.deepEqual(response.json().providers, [{ name: 'local', kind: 'openai-compatible', models: ['m'] }])
})
