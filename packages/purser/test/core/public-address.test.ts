import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { after, test } from 'node:test'
import { createPublicLookup, isPublicAddress } from '../../src/core/public-address.ts'
import { PurserError } from '../../src/errors.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'
import type { ProviderConfig } from '../../src/options/provider-config.ts'
import { openProviderRegistry } from '../../src/providers/registry.ts'
import type { ModelRequest } from '../../src/runtime/ports.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openUpstream } from '../support/provider-upstream.ts'

const closing: (() => Promise<void>)[] = []
after(() => Promise.all(closing.map((close) => close())))

test('private addresses are recognized in all notations', () => {
  const privateAddresses = [
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.0.0.1', '192.168.1.1', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:a00:1', '64:ff9b::a00:1', '64:ff9b:1::1'],
    ...[
      'fc00::1',
      'fd12:3456::1',
      'fe80::1',
      'fec0::1',
      'ff02::1',
      '2001:db8::1',
      '2002:7f00:1::',
      '2001::1',
      '100::1',
    ],
    ...['', 'localhost', '1', '127.1', '0x7f000001'],
  ]
  for (const address of privateAddresses) assert.equal(isPublicAddress(address), false, address)
  for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001::1']) {
    assert.equal(isPublicAddress(address), true, address)
  }
})

const resolveTo =
  (...answers: LookupAddress[][]): LookupFunction =>
  (_, __, done) =>
    done(null, answers.length > 1 ? (answers.shift() ?? []) : (answers[0] ?? []))

test('a host name is allowed only if all addresses it resolves to are public; no addresses are an error', () => {
  const publicAddress = { address: '8.8.8.8', family: 4 }
  const privateAddress = { address: '::ffff:127.0.0.1', family: 6 }
  const cases: [LookupAddress[], boolean][] = [
    [[publicAddress], true],
    [[privateAddress], false],
    [[publicAddress, privateAddress], false],
    [[], false],
  ]
  for (const [addresses, allowed] of cases) {
    for (const all of [true, false]) {
      createPublicLookup(resolveTo(addresses))('name.test', { all }, (error, resolved) => {
        assert.equal(error === null, allowed)
        if (allowed) assert.deepEqual(resolved, all ? addresses : addresses[0]?.address)
        else assert.ok(PurserError.is(error, 'host_not_allowed'))
      })
    }
  }
})

function modelAt(
  baseURL: string,
  { resolve, config = {} }: { resolve?: LookupFunction; config?: Partial<ProviderConfig> } = {},
  kind: ProviderConfig['kind'] = 'openai-compatible',
) {
  const models = openProviderRegistry({ effects: handClock(), resolve })
  closing.push(() => models.close())
  const request: ModelRequest = {
    user: { namespace: 'default', id: 'u' },
    provider: 'p',
    config: { kind, baseURL: 'https://operator.example/v1', region: 'eu-west-1', ...config },
    modelId: 'm',
    settings: { region: null, deployment: null, baseURL },
    credentials: { apiKey: 'k' },
    operatorKeyAllowed: false,
  }
  return models.build(request).chat
}

const request: ChatRequest = { messages: [{ role: 'user', content: 'Hi' }] }
const call = () => ({ signal: new AbortController().signal, firstChunkTimeoutMs: 1000, idleTimeoutMs: 1000 })
const notAllowed = (error: unknown) => PurserError.is(error, 'host_not_allowed')

test('a base URL with a private address is rejected when the model is created, in any notation', () => {
  const hosts = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '[::1]',
    '[::ffff:7f00:1]',
    '169.254.169.254',
    '10.0.0.1',
  ]
  for (const host of hosts) assert.throws(() => modelAt(`http://${host}:1/v1`), notAllowed, host)
})

test('a base URL that is not HTTP or contains credentials is settings_invalid', () => {
  for (const url of ['file:///etc/passwd', 'ftp://host/', 'not a url', 'http://user:pass@host/v1']) {
    assert.throws(
      () => modelAt(url),
      (error: unknown) => PurserError.is(error, 'settings_invalid'),
    )
  }
})

for (const kind of ['openai-compatible', 'anthropic', 'google', 'azure', 'amazon-bedrock'] as const) {
  test(`${kind}: a host name that resolves to a private address is rejected on connect, before any byte is sent`, async () => {
    await using upstream = await openUpstream()
    const { port } = new URL(upstream.url)
    const resolve = resolveTo([{ address: '127.0.0.1', family: 4 }])
    const chat = modelAt(`http://rebind.test:${port}/v1`, { resolve }, kind)
    for (const stream of [false, true]) await assert.rejects(chat.chat({ ...request, stream }, call()), notAllowed)
    assert.equal(upstream.sockets.size, 0)
  })
}

test('a host name that resolves to a private address later is rejected then: every connection is checked', async () => {
  await using upstream = await openUpstream()
  const { port } = new URL(upstream.url)
  const unreachable = new Error('no network')
  let lookups = 0
  const resolve: LookupFunction = (_, __, done) => {
    lookups += 1
    if (lookups === 1) done(unreachable, [])
    else done(null, [{ address: '127.0.0.1', family: 4 }])
  }
  const chat = modelAt(`http://rebind.test:${port}/v1`, { resolve })
  await assert.rejects(chat.chat(request, call()), (error: unknown) => PurserError.is(error, 'upstream_failed'))
  await assert.rejects(chat.chat(request, call()), notAllowed)
  assert.equal(lookups, 2)
  assert.equal(upstream.sockets.size, 0)
})

test('a host in allowedHosts may be private, and other hosts are rejected', async () => {
  await using upstream = await openUpstream()
  const { host } = new URL(upstream.url)
  const chat = modelAt(`${upstream.url}/v1`, { config: { allowedHosts: [host] } })
  assert.equal((await chat.chat(request, call())).kind, 'completion')
  assert.throws(() => modelAt('https://elsewhere.example/v1', { config: { allowedHosts: [host] } }), notAllowed)
  assert.throws(() => modelAt('https://notexample.com/v1', { config: { allowedHosts: ['*.example.com'] } }), notAllowed)
  assert.ok(modelAt('https://eu.example.com/v1', { config: { allowedHosts: ['*.example.com'] } }))
})
