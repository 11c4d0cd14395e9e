import assert from 'node:assert/strict'
import type { LookupFunction } from 'node:net'
import { test } from 'node:test'
import { PurserError } from '../../src/errors.ts'
import type { ChatCompletion, ChatRequest } from '../../src/openai/chat.ts'
import { mergeChunks } from '../../src/openai/merge-chunks.ts'
import type { ProviderConfig } from '../../src/options/provider-config.ts'
import { openProviderRegistry } from '../../src/providers/registry.ts'
import type { ModelRequest } from '../../src/runtime/ports.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import {
  complete,
  createCall,
  createModelRequest,
  failsWith,
  messages,
  openProviderHarness,
  readChunks,
  useHostileEnvironment,
} from '../support/provider-harness.ts'

useHostileEnvironment()

test('without a base URL each kind calls its own host, selected by region and resource alone', async () => {
  const lookups: string[] = []
  const resolve: LookupFunction = (hostname, _, done) => {
    lookups.push(hostname)
    done(Object.assign(new Error('no network'), { code: 'ENOTFOUND' }), [])
  }
  const registry = openProviderRegistry({ effects: handClock(), resolve })
  const inRegion = (region: string) => ({ settings: { region, deployment: null, baseURL: null } })
  const cases: [Partial<ProviderConfig> & { kind: ProviderConfig['kind'] }, Partial<ModelRequest>, string][] = [
    [{ kind: 'openai' }, {}, 'api.openai.com'],
    [{ kind: 'anthropic' }, {}, 'api.anthropic.com'],
    [{ kind: 'google' }, {}, 'generativelanguage.googleapis.com'],
    [{ kind: 'friendli' }, {}, 'api.friendli.ai'],
    [{ kind: 'amazon-bedrock' }, inRegion('eu-west-3'), 'bedrock-runtime.eu-west-3.amazonaws.com'],
    [{ kind: 'amazon-bedrock', region: 'us-east-2' }, {}, 'bedrock-runtime.us-east-2.amazonaws.com'],
    [{ kind: 'amazon-bedrock' }, inRegion('cn-north-1'), 'bedrock-runtime.cn-north-1.amazonaws.com.cn'],
    [{ kind: 'azure', resourceName: 'res-a' }, {}, 'res-a.openai.azure.com'],
    [
      { kind: 'azure', resourceName: 'res-a' },
      { credentials: { apiKey: 'k', resourceName: 'res-b' } },
      'res-b.openai.azure.com',
    ],
  ]
  for (const [config, fields, host] of cases) {
    const { chat } = registry.build(createModelRequest(config, { credentials: { apiKey: 'k' }, ...fields }))
    await assert.rejects(complete(chat, false), failsWith('upstream_failed'))
    assert.equal(lookups.pop(), host)
  }
  await registry.close()
})

test('a region or resource that would select another host is settings_invalid', async () => {
  await using harness = await openProviderHarness()
  for (const region of ['evil.com/', 'us-east-1.evil.com', 'x@evil', 'us_east', '']) {
    const fields = { settings: { region, deployment: null, baseURL: null }, credentials: { apiKey: 'k' } }
    assert.throws(() => harness.build({ kind: 'amazon-bedrock' }, fields), failsWith('settings_invalid'))
  }
  const credentials = { apiKey: 'k', resourceName: 'user@internal:8080/#' }
  assert.throws(() => harness.build({ kind: 'azure' }, { credentials }), failsWith('settings_invalid'))
  assert.throws(
    () => harness.build({ kind: 'azure' }, { credentials: { apiKey: 'k' } }),
    failsWith('settings_invalid'),
    'the resource name in the environment is not used',
  )
})

test("Azure calls the user's deployment with the user's key", async () => {
  await using harness = await openProviderHarness()
  const config = harness.configure('azure', { useDeploymentBasedUrls: true, apiVersion: '2025-04-01' })
  const settings = { region: null, deployment: 'dep-a', baseURL: null }
  await complete(harness.build(config, { settings, credentials: { apiKey: 'k' } }).chat, false)
  const [request] = harness.upstream.requests
  assert.equal(request?.path, '/base/deployments/dep-a/chat/completions?api-version=2025-04-01')
  assert.equal(request?.headers['api-key'], 'k')
})

/** Names that would select another path, method, query or host, in the encodings that something on the way may decode. */
const SHAPING_NAMES = [
  '..',
  '.',
  '../../admin',
  'm/../../files',
  'models/..',
  'models/../../admin',
  'tunedModels/m/../../x',
  '%2e%2e/%2e%2e/admin',
  '%2E%2E%2Fx',
  '%252e%252e%252fx',
  'm%2f..',
  '..\\..\\admin',
  'm\\x',
  '/admin',
  '//evil.example/x',
  'm//x',
  'm/',
  'm?key=other&',
  'm#',
  'm;x',
  'm@evil.example',
  'm:generateContent?x=',
  'm x',
  'ｍ․․／x',
  'm\u2028',
  'http://evil.example/m',
  'arn:aws:bedrock:eu-west-1:1:custom-model/../../x',
  'arn:aws:bedrock:eu-west-1:1:custom-model/a/b/c/d',
]

test('a model or deployment whose name would shape the URL is model_not_found, and nothing is called', async () => {
  await using harness = await openProviderHarness()
  const none = { region: null, deployment: null, baseURL: null }
  const azure = { useDeploymentBasedUrls: true }
  for (const name of SHAPING_NAMES) {
    const check = (kind: ProviderConfig['kind'], fields: Partial<ModelRequest>, config: Partial<ProviderConfig> = {}) =>
      assert.throws(
        () => harness.build(harness.configure(kind, { apiKey: 'k', ...config }), fields),
        failsWith('model_not_found', ({ details }) => details?.param === 'model'),
        `${kind}: ${name}`,
      )
    for (const kind of ['google', 'azure', 'amazon-bedrock'] as const) check(kind, { modelId: name })
    check('azure', { modelId: name }, azure)
    check('azure', { modelId: 'm', settings: { ...none, deployment: name } }, azure)
  }
  assert.equal(harness.upstream.requests.length, 0)
})

test('names that these kinds have are called at their own path', async () => {
  await using harness = await openProviderHarness()
  const bedrockName = 'arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-v1:0'
  const cases: [ProviderConfig['kind'], string, string][] = [
    ['google', 'gemini-2.5-flash', '/base/models/gemini-2.5-flash:generateContent'],
    ['google', 'tunedModels/my-model-1', '/base/tunedModels/my-model-1:generateContent'],
    ['azure', 'gpt-4.1_mini', '/base/deployments/gpt-4.1_mini/chat/completions?api-version=v1'],
    ['amazon-bedrock', 'anthropic.claude-v2:1', '/base/model/anthropic.claude-v2%3A1/converse'],
    ['amazon-bedrock', bedrockName, `/base/model/${encodeURIComponent(bedrockName)}/converse`],
    [
      'amazon-bedrock',
      'arn:aws:bedrock:us-east-1:1:custom-model/amazon.nova-v1:0/abc',
      `/base/model/${encodeURIComponent('arn:aws:bedrock:us-east-1:1:custom-model/amazon.nova-v1:0/abc')}/converse`,
    ],
  ]
  for (const [kind, modelId, path] of cases) {
    const config = harness.configure(kind, { apiKey: 'k', useDeploymentBasedUrls: true })
    // The upstream answers in OpenAI's format only: the request is what counts.
    await complete(harness.build(config, { modelId }).chat, false).catch(() => undefined)
    assert.equal(harness.upstream.requests.at(-1)?.path, path)
  }
})

test("Friendli calls the user's endpoint under the user's team", async () => {
  await using harness = await openProviderHarness()
  const settings = { region: null, deployment: 'endpoint-1', baseURL: null }
  const config = harness.configure('friendli', { teamId: 'operator-team' })
  const withTeam = { apiKey: 'k', teamId: 'own-team' }
  await complete(harness.build(config, { settings, credentials: withTeam }).chat, false)
  await complete(harness.build(config, { settings, credentials: { apiKey: 'k' } }).chat, false)
  const [first, second] = harness.upstream.requests
  assert.equal(JSON.parse(first?.body ?? '').model, 'endpoint-1')
  assert.equal(first?.headers['x-friendli-team'], 'own-team')
  assert.equal(second?.headers['x-friendli-team'], undefined, "the operator's team is not sent with a user's key")
})

test('a token limit is sent to OpenAI under its newer name, to other servers under the name of the request', async () => {
  await using harness = await openProviderHarness()
  for (const kind of ['openai', 'openai-compatible'] as const) {
    const { chat } = harness.build(harness.configure(kind, { apiKey: 'k' }))
    await chat.chat({ messages, max_tokens: 5 }, createCall())
  }
  const [openai, other] = harness.upstream.requests.map(({ body }) => JSON.parse(body))
  assert.deepEqual([openai.max_completion_tokens, openai.max_tokens], [5, undefined])
  assert.deepEqual([other.max_completion_tokens, other.max_tokens], [undefined, 5])
})

test("a provider's own options become fields of the request, but never user, model or messages", async () => {
  await using harness = await openProviderHarness()
  const { chat } = harness.build(harness.configure('openai-compatible', { apiKey: '' }))
  const providerOptions = { p: { top_logprobs: 2, seed: 1, user: 'bob', model: 'x' }, other: { a: 1 } }
  const request: ChatRequest & { providerOptions: object } = { messages, seed: 7, providerOptions }
  await chat.chat(request, createCall())
  assert.deepEqual(JSON.parse(harness.upstream.requests[0]?.body ?? ''), {
    messages,
    seed: 7,
    top_logprobs: 2,
    model: 'm-1',
  })
})

test('includeUsage: false omits the stream options, for servers that reject them', async () => {
  await using harness = await openProviderHarness()
  const { chat } = harness.build(harness.configure('openai-compatible', { apiKey: '', includeUsage: false }))
  await complete(chat, true)
  assert.equal(JSON.parse(harness.upstream.requests[0]?.body ?? '').stream_options, undefined)
})

test('the demo kind answers from the messages alone, with the same text each time', async () => {
  await using harness = await openProviderHarness()
  const { chat } = harness.build({ kind: 'demo' })
  const request: ChatRequest = { messages: [{ role: 'system', content: 'user_name: Ann' }, ...messages] }
  const answer = await chat.chat(request, createCall())
  if (answer.kind !== 'completion') assert.fail()
  const chunks = await readChunks(await chat.chat({ ...request, stream: true }, createCall()))
  const streamed = mergeChunks(chunks.map((chunk) => JSON.parse(chunk)))
  const expected = JSON.parse(answer.text) as ChatCompletion
  assert.equal(streamed.choices[0]?.message.content, expected.choices[0]?.message.content)
  assert.match(expected.choices[0]?.message.content ?? '', /Hi[\s\S]*Ann/)
  assert.deepEqual(streamed.usage, expected.usage)
  assert.ok(chunks.length > 5)
})

test('an invalid provider is rejected when the registry is opened, with the path of the option', () => {
  const cases: [unknown, string, string?][] = [
    [null, 'providers.p'],
    [{}, 'providers.p.kind'],
    [{ kind: 'open-ai' }, 'providers.p.kind', "Did you mean 'openai'?"],
    [{ kind: 'openai', baseURL: 'localhost:9100' }, 'providers.p.baseURL'],
    [{ kind: 'openai', baseURL: 'https://user:pass@host/v1' }, 'providers.p.baseURL'],
    [{ kind: 'openai', models: 'gpt' }, 'providers.p.models'],
    [{ kind: 'openai', userField: 'name' }, 'providers.p.userField'],
    [{ kind: 'openai', headers: { 'x-a': 1 } }, 'providers.p.headers'],
    [{ kind: 'openai', apiKeys: 'k' }, 'providers.p.apiKeys', "Did you mean 'apiKey'?"],
    [{ kind: 'google', accessKeyId: 'k' }, 'providers.p.accessKeyId'],
  ]
  for (const [provider, path, hint] of cases) {
    const providers = { p: provider } as unknown as Record<string, ProviderConfig>
    assert.throws(
      () => openProviderRegistry({ effects: handClock(), providers }),
      (error: unknown) =>
        PurserError.is(error) &&
        /^option_(invalid|unknown)$/.test(error.code) &&
        error.message.includes(`'${path}'`) &&
        (hint === undefined || error.hint === hint),
      path,
    )
  }
  const azure = { kind: 'azure', apiKey: 'k', resourceName: 'r' } as const
  openProviderRegistry({
    effects: handClock(),
    providers: { azure, own: () => ({ languageModel: () => ({}) }) },
  })
})

test('a server that needs no key receives none if the operator configures an empty one', async () => {
  await using harness = await openProviderHarness()
  await complete(harness.build(harness.configure('openai-compatible', { apiKey: '' })).chat, false)
  assert.equal(harness.upstream.requests[0]?.headers.authorization, undefined)
})
