import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rounds } from '../support/fuzz-options.ts'
import {
  complete,
  createProviderConfig,
  failsWith,
  getKey,
  KINDS,
  openProviderHarness,
  useHostileEnvironment,
} from '../support/provider-harness.ts'
import { answerWith, type UpstreamRequest } from '../support/provider-upstream.ts'
import { WIRE_FORMATS } from '../support/provider-wire-formats.ts'

useHostileEnvironment()

for (const kind of KINDS) {
  test(`${kind}: every call carries its user's own key, streamed or not, whatever the environment holds`, async () => {
    await using harness = await openProviderHarness({ handler: WIRE_FORMATS[kind]?.('hello') })
    const config = harness.configure(kind, { apiKey: 'operator-key' })
    const users = Array.from({ length: rounds(1_000, 12) }, (_, index) => `user-${index}`)
    await Promise.all(
      users.map(async (user, index) => {
        const credentials = index % 3 === 0 ? null : { apiKey: `key-of-${user}` }
        const { chat } = harness.build(config, { credentials, modelId: `m-${user}` })
        const completion = await complete(chat, index % 2 === 0)
        assert.equal(completion.choices[0]?.message.content, 'hello')
        assert.equal(completion.choices[0]?.finish_reason, 'stop')
        assert.deepEqual([completion.usage?.prompt_tokens, completion.usage?.completion_tokens], [3, 2])
      }),
    )
    const { requests } = harness.upstream
    assert.equal(requests.length, users.length)
    for (const request of requests) {
      const user = /m-(user-\d+)/.exec(`${request.path} ${request.body}`)?.[1] ?? ''
      const expected = Number(user.slice(5)) % 3 === 0 ? 'operator-key' : `key-of-${user}`
      assert.equal(getKey(request), expected)
      assert.doesNotMatch(JSON.stringify(request), /server-/)
    }
  })

  test(`${kind}: without a key of the user or the operator nothing is sent, though the environment has one`, async () => {
    await using harness = await openProviderHarness({ handler: WIRE_FORMATS[kind]?.('hello') })
    for (const credentials of [null, { apiKey: '' }, { apiKey: ' ' }, { other: 'field' }]) {
      assert.throws(() => harness.build(harness.configure(kind), { credentials }), failsWith('secret_missing'))
    }
    assert.equal(harness.upstream.requests.length, 0)
  })

  test(`${kind}: the operator's key and headers are not sent to a base URL that the user set`, async () => {
    await using harness = await openProviderHarness({ handler: WIRE_FORMATS[kind]?.('hello') })
    const { url, requests } = harness.upstream
    const config = createProviderConfig(kind, {
      apiKey: 'operator-key',
      headers: { 'x-operator': 'secret' },
      baseURL: 'http://127.0.0.1:9/operator',
      allowedHosts: [new URL(url).host],
    })
    const settings = { region: null, deployment: null, baseURL: `${url}/mine` }
    assert.throws(() => harness.build(config, { settings, operatorKeyAllowed: false }), failsWith('secret_missing'))
    const credentials = { apiKey: 'own-key' }
    await complete(harness.build(config, { settings, operatorKeyAllowed: false, credentials }).chat, false)
    assert.equal(requests.length, 1)
    const [request] = requests
    assert.match(request?.path ?? '', /^\/mine/)
    assert.equal(request === undefined ? '' : getKey(request), 'own-key')
    assert.doesNotMatch(JSON.stringify(request), /operator|server-/)
  })

  test(`${kind}: the language model for the AI SDK carries the same key`, async () => {
    await using harness = await openProviderHarness({ handler: WIRE_FORMATS[kind]?.('hello') })
    const config = harness.configure(kind, { apiKey: 'operator-key' })
    const { model } = harness.build(config, { credentials: { apiKey: 'own-key' } })
    assert.equal(model.specificationVersion, 'v4')
    const result = await model.doGenerate({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] })
    assert.deepEqual(
      result.content.filter((part) => part.type === 'text').map((part) => part.text),
      ['hello'],
    )
    assert.equal(getKey(harness.upstream.requests[0] as UpstreamRequest), 'own-key')
  })
}

test("Bedrock signs with the user's own keys and region, though the environment has a bearer token and another region", async () => {
  await using harness = await openProviderHarness({ handler: WIRE_FORMATS['amazon-bedrock']?.('hello') })
  const config = harness.configure('amazon-bedrock')
  const regions = ['eu-west-1', 'us-east-1', 'ap-south-1']
  for (const region of regions) {
    const credentials = { accessKeyId: `AKIA-${region}`, secretAccessKey: 'own', sessionToken: `session-${region}` }
    const settings = { region, deployment: null, baseURL: null }
    await complete(harness.build(config, { credentials, settings }).chat, true)
  }
  for (const [index, { headers, path }] of harness.upstream.requests.entries()) {
    const region = regions[index]
    assert.match(String(headers.authorization), new RegExp(`Credential=AKIA-${region}/\\d+/${region}/bedrock/`))
    assert.equal(headers['x-amz-security-token'], `session-${region}`)
    assert.match(path, /^\/base\/model\/m-1\/converse-stream$/)
  }
  assert.throws(
    () => harness.build(config, { credentials: { accessKeyId: 'AKIA' } }),
    failsWith('secret_missing', (error) => error.details?.field === 'secretAccessKey'),
  )
})

test("a provider function receives the user's credentials; without credentials, reading one is secret_missing", async () => {
  await using harness = await openProviderHarness({ handler: answerWith('hello') })
  const received: unknown[] = []
  const createProvider = (credentials: Readonly<Record<string, string>>) => {
    received.push({ ...credentials })
    const apiKey = credentials.apiKey as string
    const config = harness.configure('openai-compatible')
    return {
      languageModel: (modelId: string) => harness.build(config, { modelId, credentials: { apiKey } }).model,
    }
  }
  const { chat } = harness.build(createProvider, { credentials: { apiKey: 'own' } })
  assert.equal((await complete(chat, true)).choices[0]?.message.content, 'hello')
  assert.deepEqual(received, [{ apiKey: 'own' }])
  assert.throws(() => harness.build(createProvider), failsWith('secret_missing'))
  const createKeylessProvider = () => ({ languageModel: () => harness.build({ kind: 'demo' }).model })
  assert.ok((await complete(harness.build(createKeylessProvider).chat, false)).choices.length)
})

test('a provider function that returns a model name or an older model is rejected: no gateway of the AI SDK is used', async () => {
  await using harness = await openProviderHarness()
  for (const model of ['openai/gpt-5', null, { specificationVersion: 'v2' }]) {
    assert.throws(() => harness.build(() => ({ languageModel: () => model })), failsWith('option_invalid'))
  }
})
