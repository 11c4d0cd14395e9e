import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getEventLog, getMeta } from 'purser/internal'
import { Webhook } from 'standardwebhooks'
import { openServerHarness, type ServerHarness } from '../../support/server-harness.ts'
import { openWebhookReceiver } from '../../support/webhook-receiver.ts'

const PUBLIC = 'https://hooks.example.com/t0ken?q=1'

const openPrivate = (): Promise<ServerHarness> =>
  openServerHarness({ realTime: true, config: { server: { allowPrivateWebhooks: true } } })

test('webhooks are created, listed, changed and deleted; each write leaves an event without the token of the URL', async () => {
  await using harness = await openServerHarness()
  const created = await harness.call('POST', '/api/webhooks', { url: PUBLIC, types: ['limit_reached'] })
  assert.equal(created.statusCode, 200, created.body)
  const { id, secret, ...webhook } = created.json()
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  assert.deepEqual(webhook, {
    url: PUBLIC,
    types: ['limit_reached'],
    enabled: true,
    createdAt: new Date(harness.clock.now()).toISOString(),
    createdBy: 'root',
  })
  const status = { id, ...webhook, pending: 0, dead: 0, lastError: null, isFailing: false }
  assert.deepEqual((await harness.call('GET', '/api/webhooks')).json(), { data: [status], cursor: null })
  const patched = await harness.call('PATCH', `/api/webhooks/${id}`, { types: null, enabled: false })
  assert.deepEqual(patched.json(), { id, ...webhook, types: null, enabled: false })
  assert.equal((await harness.call('GET', `/api/webhooks/${id}`)).json().enabled, false)
  assert.equal((await harness.call('DELETE', `/api/webhooks/${id}`)).statusCode, 204)
  assert.equal((await harness.call('GET', `/api/webhooks/${id}`)).statusCode, 404)
  const log = (await getEventLog(harness.context.purser).read(0, 100)).map(({ event }) => event)
  assert.deepEqual(
    log.map(({ actor, data }) => [actor, data.action]),
    [
      ['root', 'webhook_created'],
      ['root', 'webhook_changed'],
      ['root', 'webhook_deleted'],
    ],
  )
  assert.ok(!JSON.stringify(log).includes('t0ken') && !JSON.stringify(log).includes(secret))
})

test('the secret is stored sealed and returned once', async () => {
  await using harness = await openServerHarness()
  const { secret } = (await harness.call('POST', '/api/webhooks', { url: PUBLIC })).json()
  const { purser } = harness.context
  const stored = await getMeta(purser).get(`webhooks/${purser.namespace}`)
  assert.ok(stored?.includes('hooks.example.com'))
  assert.ok(!stored?.includes(secret.slice('whsec_'.length)))
  assert.ok(!(await harness.call('GET', '/api/webhooks')).body.toLowerCase().includes('secret'))
})

test('receivers that are not on the public internet, and other invalid fields, are refused', async () => {
  await using harness = await openServerHarness()
  const hosts = [
    '127.0.0.1',
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    '017700000001',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    '10.0.0.8',
    '192.168.1.1',
    '172.16.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[fe80::1]',
    '[fd00::1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '①②⑦.0.0.1',
  ]
  for (const host of hosts) {
    const { statusCode, body } = await harness.call('POST', '/api/webhooks', { url: `https://${host}/` })
    assert.equal(statusCode, 400, `${host}: ${body}`)
    assert.equal(JSON.parse(body).error.code, 'host_not_allowed', host)
  }
  const invalid = [
    { url: 'http://hooks.example.com/' },
    { url: 'ftp://hooks.example.com/' },
    { url: 'file:///etc/passwd' },
    { url: 'https://user:password@hooks.example.com/' },
    { url: 'https://hooks.example.com/#part' },
    { url: 'hooks.example.com' },
    { url: 5 },
    { url: `https://hooks.example.com/${'a'.repeat(2_048)}` },
    { url: PUBLIC, types: [] },
    { url: PUBLIC, types: 'limit_reached' },
    { url: PUBLIC, types: ['a b'] },
    { url: PUBLIC, types: Array.from({ length: 65 }, (_, index) => `type-${index}`) },
    {},
    { url: PUBLIC, secret: 'whsec_mine' },
  ]
  for (const body of invalid)
    assert.equal((await harness.call('POST', '/api/webhooks', body)).statusCode, 400, JSON.stringify(body))
  const { id } = (await harness.call('POST', '/api/webhooks', { url: PUBLIC })).json()
  for (const body of [{ url: 'https://10.0.0.1/' }, { enabled: 'no' }, { types: [7] }, { createdBy: 'eve' }])
    assert.equal((await harness.call('PATCH', `/api/webhooks/${id}`, body)).statusCode, 400, JSON.stringify(body))
  assert.equal((await harness.call('GET', '/api/webhooks')).json().data[0].url, PUBLIC)
})

test('at most 20 webhooks exist', async () => {
  await using harness = await openServerHarness()
  for (let count = 0; count < 20; count++)
    assert.equal((await harness.call('POST', '/api/webhooks', { url: PUBLIC })).statusCode, 200)
  const { statusCode, body } = await harness.call('POST', '/api/webhooks', { url: PUBLIC })
  assert.deepEqual([statusCode, JSON.parse(body).error.code], [400, 'argument_invalid'])
})

test('unknown webhooks and deliveries are 404', async () => {
  await using harness = await openServerHarness()
  const { id } = (await harness.call('POST', '/api/webhooks', { url: PUBLIC })).json()
  const cases = [
    ['GET', '/api/webhooks/none', 'webhook_unknown'],
    ['PATCH', '/api/webhooks/none', 'webhook_unknown'],
    ['DELETE', '/api/webhooks/none', 'webhook_unknown'],
    ['POST', '/api/webhooks/none/test', 'webhook_unknown'],
    ['GET', '/api/webhooks/none/deliveries', 'webhook_unknown'],
    ['POST', `/api/webhooks/none/deliveries/x/retry`, 'webhook_unknown'],
    ['POST', `/api/webhooks/${id}/deliveries/x/retry`, 'delivery_unknown'],
  ] as const
  for (const [method, url, code] of cases) {
    const { statusCode, body } = await harness.call(method, url, method === 'PATCH' ? {} : undefined)
    assert.deepEqual([statusCode, JSON.parse(body).error.code], [404, code], url)
  }
  assert.equal((await harness.call('GET', `/api/webhooks/${id}/deliveries?state=lost`)).statusCode, 400)
})

test('an event is delivered with a signature that the official package verifies', async () => {
  await using receiver = await openWebhookReceiver()
  await using harness = await openPrivate()
  const { id, secret } = (
    await harness.call('POST', '/api/webhooks', { url: receiver.url, types: ['limit_reached', 'vendor:seen'] })
  ).json()
  await harness.user('ada').ledger.record('vendor:other')
  const event = await harness.user('ada').ledger.record('vendor:seen', { detail: 'Grüße ✓', data: { a: 1 } })
  harness.context.webhooks.start()
  await receiver.receive(1)
  const [first] = receiver.received
  assert.ok(first)
  const verified = new Webhook(secret).verify(first.body, first.headers)
  assert.deepEqual(verified, { type: 'vendor:seen', timestamp: event.at, data: { ...event } })
  assert.deepEqual([first.id, first.headers['content-type']], [event.id, 'application/json'])
  assert.throws(() => new Webhook(secret).verify(first.body.replace('seen', 'sean'), first.headers))
  assert.throws(() => new Webhook(`whsec_${Buffer.alloc(32).toString('base64')}`).verify(first.body, first.headers))
  const deliveries = async (state: string): Promise<{ id: string; attempts: number }[]> =>
    (await harness.call('GET', `/api/webhooks/${id}/deliveries?state=${state}`)).json().data
  while ((await deliveries('delivered')).length === 0) await new Promise((resolve) => setImmediate(resolve))
  const [delivered] = await deliveries('delivered')
  assert.deepEqual([delivered?.id, delivered?.attempts], [event.id, 1])
  assert.deepEqual(await deliveries('pending'), [])
})

test('a test tells how the receiver answers, and does not follow redirects', async () => {
  await using receiver = await openWebhookReceiver()
  await using harness = await openPrivate()
  const { id, secret } = (await harness.call('POST', '/api/webhooks', { url: receiver.url })).json()
  const send = async () => (await harness.call('POST', `/api/webhooks/${id}/test`)).json()
  const sent = await send()
  assert.deepEqual([sent.ok, sent.status, sent.error], [true, 204, null])
  const [first] = receiver.received
  assert.deepEqual([first?.event.type, first?.id], ['webhook_test', sent.id])
  new Webhook(secret).verify(first?.body ?? '', first?.headers ?? {})
  receiver.answer = (response) => response.writeHead(307, { location: receiver.url }).end()
  const redirected = await send()
  assert.deepEqual([redirected.ok, redirected.status, redirected.error], [false, 307, 'status 307'])
  assert.equal(receiver.received.length, 2)
  receiver.answer = (response) => response.destroy()
  const cut = await send()
  assert.deepEqual([cut.ok, cut.status, cut.error], [false, null, 'ECONNRESET'])
  receiver.answer = (response) => response.writeHead(200).end('x'.repeat(200_000))
  assert.equal((await send()).ok, true)
})
