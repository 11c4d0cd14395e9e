import assert from 'node:assert/strict'
import type { LookupFunction } from 'node:net'
import { test } from 'node:test'
import { PurserError } from '../../src/errors.ts'
import type { ChatCompletion } from '../../src/openai/chat.ts'
import { completionOf } from '../../src/openai/completion.ts'
import type { ProviderConfig } from '../../src/options.ts'
import { createModels } from '../../src/providers/registry.ts'
import type { ModelRequest } from '../../src/runtime/api.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { ask, call, configOf, messages, models, orderFor, withHostileEnvironment } from './model-requests.ts'
import { openUpstream } from './upstream.ts'

withHostileEnvironment()

test('without a base URL each kind goes to its own host, which region, resource and nothing else decide', async () => {
  const asked: string[] = []
  const resolve: LookupFunction = (hostname, _, done) => {
    asked.push(hostname)
    done(Object.assign(new Error('no network'), { code: 'ENOTFOUND' }), [])
  }
  const elsewhere = createModels({ effects: handClock(), resolve })
  const at = (region: string | null, deployment: string | null = null) => ({
    settings: { region, deployment, baseURL: null },
  })
  const cases: [Partial<ProviderConfig> & { kind: ProviderConfig['kind'] }, Partial<ModelRequest>, string][] = [
    [{ kind: 'openai' }, {}, 'api.openai.com'],
    [{ kind: 'anthropic' }, {}, 'api.anthropic.com'],
    [{ kind: 'google' }, {}, 'generativelanguage.googleapis.com'],
    [{ kind: 'friendli' }, {}, 'api.friendli.ai'],
    [{ kind: 'amazon-bedrock' }, at('eu-west-3'), 'bedrock-runtime.eu-west-3.amazonaws.com'],
    [{ kind: 'amazon-bedrock', region: 'us-east-2' }, {}, 'bedrock-runtime.us-east-2.amazonaws.com'],
    [{ kind: 'amazon-bedrock' }, at('cn-north-1'), 'bedrock-runtime.cn-north-1.amazonaws.com.cn'],
    [{ kind: 'azure', resourceName: 'res-a' }, {}, 'res-a.openai.azure.com'],
    [
      { kind: 'azure', resourceName: 'res-a' },
      { credentials: { apiKey: 'k', resourceName: 'res-b' } },
      'res-b.openai.azure.com',
    ],
  ]
  for (const [config, more, host] of cases) {
    const { chat } = elsewhere.build(orderFor('u', config, { credentials: { apiKey: 'k' }, ...more }))
    await assert.rejects(ask(chat, false), (error: unknown) => PurserError.is(error, 'upstream_failed'))
    assert.equal(asked.pop(), host)
  }
  await elsewhere.close()
})

test('a region or resource that would name another host is refused', () => {
  const settings = (region: string) => ({
    settings: { region, deployment: null, baseURL: null },
    credentials: { apiKey: 'k' },
  })
  for (const region of ['evil.com/', 'us-east-1.evil.com', 'x@evil', 'us_east', '']) {
    assert.throws(
      () => models.build(orderFor('u', { kind: 'amazon-bedrock' }, settings(region))),
      (error: unknown) => PurserError.is(error, 'settings_invalid'),
    )
  }
  const credentials = { apiKey: 'k', resourceName: 'user@internal:8080/#' }
  assert.throws(
    () => models.build(orderFor('u', { kind: 'azure' }, { credentials })),
    (error: unknown) => PurserError.is(error, 'settings_invalid'),
  )
  assert.throws(
    () => models.build(orderFor('u', { kind: 'azure' }, { credentials: { apiKey: 'k' } })),
    (error: unknown) => PurserError.is(error, 'settings_invalid'),
    'a resource name of the environment is not taken',
  )
})

test('Azure calls the deployment of the user under the resource of their key', async () => {
  await using upstream = await openUpstream()
  const config = configOf('azure', upstream, { useDeploymentBasedUrls: true, apiVersion: '2025-04-01' })
  const settings = { region: null, deployment: 'dep-a', baseURL: null }
  await ask(models.build(orderFor('u', config, { settings, credentials: { apiKey: 'k' } })).chat, false)
  assert.equal(upstream.seen[0]?.path, '/base/deployments/dep-a/chat/completions?api-version=2025-04-01')
  assert.equal(upstream.seen[0]?.headers['api-key'], 'k')
})

test('Friendli calls the endpoint of the user under their team', async () => {
  await using upstream = await openUpstream()
  const settings = { region: null, deployment: 'endpoint-1', baseURL: null }
  const config = configOf('friendli', upstream, { teamId: 'operator-team' })
  const own = { apiKey: 'k', teamId: 'own-team' }
  await ask(models.build(orderFor('u', config, { settings, credentials: own })).chat, false)
  await ask(models.build(orderFor('u', config, { settings, credentials: { apiKey: 'k' } })).chat, false)
  assert.equal(JSON.parse(upstream.seen[0]?.body ?? '').model, 'endpoint-1')
  assert.equal(upstream.seen[0]?.headers['x-friendli-team'], 'own-team')
  assert.equal(
    upstream.seen[1]?.headers['x-friendli-team'],
    undefined,
    "the operator's team is not mixed with a user's key",
  )
})

test('a limit of tokens goes to OpenAI under its newer name, and to other servers as it was given', async () => {
  await using upstream = await openUpstream()
  for (const kind of ['openai', 'openai-compatible'] as const) {
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'k' })))
    await chat.chat({ messages, max_tokens: 5 }, call())
  }
  const [openai, other] = upstream.seen.map(({ body }) => JSON.parse(body))
  assert.deepEqual([openai.max_completion_tokens, openai.max_tokens], [5, undefined])
  assert.deepEqual([other.max_completion_tokens, other.max_tokens], [undefined, 5])
})

test("a provider's own options become fields of the request, but never the user, the model or the messages", async () => {
  await using upstream = await openUpstream()
  const { chat } = models.build(orderFor('u', configOf('openai-compatible', upstream, { apiKey: '' })))
  const providerOptions = { p: { top_logprobs: 2, seed: 1, user: 'bob', model: 'x' }, other: { a: 1 } }
  await chat.chat({ messages, seed: 7, providerOptions }, call())
  assert.deepEqual(JSON.parse(upstream.seen[0]?.body ?? ''), { messages, seed: 7, top_logprobs: 2, model: 'm-1' })
})

test('a server that refuses stream options is spared them on request', async () => {
  await using upstream = await openUpstream()
  const { chat } = models.build(
    orderFor('u', configOf('openai-compatible', upstream, { apiKey: '', includeUsage: false })),
  )
  await ask(chat, true)
  assert.equal(JSON.parse(upstream.seen[0]?.body ?? '').stream_options, undefined)
})

test('the demo kind answers from the messages alone, the same words each time', async () => {
  const { chat } = models.build(orderFor('u', { kind: 'demo' }))
  const request = { messages: [{ role: 'system', content: 'user_name: Ann' }, ...messages] }
  const whole = await chat.chat(request, call())
  const streamed = await chat.chat({ ...request, stream: true }, call())
  if (whole.kind !== 'completion' || streamed.kind !== 'stream') assert.fail()
  const texts = await Array.fromAsync(streamed.chunks)
  const told = completionOf(texts.map((text) => JSON.parse(text)))
  const expected = JSON.parse(whole.text) as ChatCompletion
  assert.equal(told.choices[0]?.message.content, expected.choices[0]?.message.content)
  assert.match(expected.choices[0]?.message.content ?? '', /Hi[\s\S]*Ann/)
  assert.deepEqual(told.usage, expected.usage)
  assert.ok(texts.length > 5)
})

test('a provider that cannot be is refused when Purser opens, with the name of what is wrong', () => {
  const wrong: [unknown, string, string?][] = [
    [null, 'providers.p'],
    [{}, 'providers.p.kind'],
    [{ kind: 'open-ai' }, 'providers.p.kind', "Did you mean 'openai'?"],
    [{ kind: 'openai', baseURL: 'localhost:9100' }, 'providers.p.baseURL'],
    [{ kind: 'openai', baseURL: 'https://user:pass@host/v1' }, 'providers.p.baseURL'],
    [{ kind: 'openai', models: 'gpt' }, 'providers.p.models'],
    [{ kind: 'openai', userField: 'name' }, 'providers.p.userField'],
    [{ kind: 'openai', headers: { 'x-a': 1 } }, 'providers.p.headers'],
  ]
  for (const [provider, path, hint] of wrong) {
    const providers = { p: provider } as unknown as Record<string, ProviderConfig>
    assert.throws(
      () => createModels({ effects: handClock(), providers }),
      (error: unknown) =>
        PurserError.is(error, 'option_invalid') &&
        error.message.includes(`'${path}'`) &&
        (hint === undefined || error.hint === hint),
      path,
    )
  }
  const own = { kind: 'azure', apiKey: 'k', resourceName: 'r', anything: 1 } as const
  createModels({ effects: handClock(), providers: { own, made: () => ({ languageModel: () => ({}) }) } })
})

test('a server that needs no key is sent none, when the operator says so', async () => {
  await using upstream = await openUpstream()
  const { chat } = models.build(orderFor('u', configOf('openai-compatible', upstream, { apiKey: '' })))
  await ask(chat, false)
  assert.equal(upstream.seen[0]?.headers.authorization, undefined)
})
