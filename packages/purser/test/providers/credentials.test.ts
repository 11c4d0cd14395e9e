import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PurserError } from '../../src/errors.ts'
import { rounds } from '../support/fuzz-options.ts'
import { ask, configOf, KINDS, keyIn, models, orderFor, withHostileEnvironment } from './model-requests.ts'
import { answerWith, openUpstream, type Seen } from './upstream.ts'
import { SPEAKERS } from './wire-formats.ts'

withHostileEnvironment()

for (const kind of KINDS) {
  test(`${kind}: every user's call carries their own key, whole and streamed, whatever the environment holds`, async () => {
    await using upstream = await openUpstream(SPEAKERS[kind]?.('hello'))
    const config = configOf(kind, upstream, { apiKey: 'operator-key' })
    const users = Array.from({ length: rounds(1_000, 12) }, (_, index) => `user-${index}`)
    await Promise.all(
      users.map(async (user, index) => {
        const credentials = index % 3 === 0 ? null : { apiKey: `key-of-${user}` }
        const { chat } = models.build(orderFor(user, config, { credentials, modelId: `m-${user}` }))
        const told = await ask(chat, index % 2 === 0)
        assert.equal(told.choices[0]?.message.content, 'hello')
        assert.equal(told.choices[0]?.finish_reason, 'stop')
        assert.deepEqual([told.usage?.prompt_tokens, told.usage?.completion_tokens], [3, 2])
      }),
    )
    assert.equal(upstream.seen.length, users.length)
    for (const seen of upstream.seen) {
      const user = /m-(user-\d+)/.exec(`${seen.path} ${seen.body}`)?.[1] ?? ''
      const expected = Number(user.slice(5)) % 3 === 0 ? 'operator-key' : `key-of-${user}`
      assert.equal(keyIn(seen), expected)
      assert.doesNotMatch(JSON.stringify(seen), /server-/)
    }
  })

  test(`${kind}: without a key of the user or the operator nothing is sent, though the environment has one`, async () => {
    await using upstream = await openUpstream(SPEAKERS[kind]?.('hello'))
    for (const credentials of [null, { apiKey: '' }, { apiKey: ' ' }, { other: 'field' }]) {
      assert.throws(
        () => models.build(orderFor('u', configOf(kind, upstream), { credentials })),
        (error: unknown) => PurserError.is(error, 'secret_missing'),
      )
    }
    assert.equal(upstream.seen.length, 0)
  })

  test(`${kind}: the operator's key and headers do not go to an address that the user set`, async () => {
    await using upstream = await openUpstream(SPEAKERS[kind]?.('hello'))
    const config = configOf(kind, undefined, {
      apiKey: 'operator-key',
      headers: { 'x-operator': 'secret' },
      baseURL: 'http://127.0.0.1:9/operator',
      allowedHosts: [new URL(upstream.url).host],
    })
    const settings = { region: null, deployment: null, baseURL: `${upstream.url}/mine` }
    const order = orderFor('u', config, { settings, operatorKeyAllowed: false })
    assert.throws(
      () => models.build(order),
      (error: unknown) => PurserError.is(error, 'secret_missing'),
    )
    const own = models.build({ ...order, credentials: { apiKey: 'own-key' } })
    await ask(own.chat, false)
    assert.equal(upstream.seen.length, 1)
    const [seen] = upstream.seen
    assert.match(seen?.path ?? '', /^\/mine/)
    assert.equal(seen === undefined ? '' : keyIn(seen), 'own-key')
    assert.doesNotMatch(JSON.stringify(seen), /operator|server-/)
  })

  test(`${kind}: lease.model, the AI SDK's face, carries the same key`, async () => {
    await using upstream = await openUpstream(SPEAKERS[kind]?.('hello'))
    const config = configOf(kind, upstream, { apiKey: 'operator-key' })
    const { model } = models.build(orderFor('u', config, { credentials: { apiKey: 'own-key' } }))
    assert.equal(model.specificationVersion, 'v4')
    const result = await model.doGenerate({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] })
    assert.deepEqual(
      result.content.filter((part) => part.type === 'text').map((part) => part.text),
      ['hello'],
    )
    assert.equal(keyIn(upstream.seen[0] as Seen), 'own-key')
  })
}

test("Bedrock signs with a user's own keys and region, though the environment holds a bearer token and another region", async () => {
  await using upstream = await openUpstream(SPEAKERS['amazon-bedrock']?.('hello'))
  const users = ['eu-west-1', 'us-east-1', 'ap-south-1']
  for (const region of users) {
    const credentials = { accessKeyId: `AKIA-${region}`, secretAccessKey: 'own', sessionToken: `session-${region}` }
    const settings = { region, deployment: null, baseURL: null }
    const { chat } = models.build(orderFor('u', configOf('amazon-bedrock', upstream), { credentials, settings }))
    await ask(chat, true)
  }
  for (const [index, seen] of upstream.seen.entries()) {
    const region = users[index]
    assert.match(String(seen.headers.authorization), new RegExp(`Credential=AKIA-${region}/\\d+/${region}/bedrock/`))
    assert.equal(seen.headers['x-amz-security-token'], `session-${region}`)
    assert.match(seen.path, /^\/base\/model\/m-1\/converse-stream$/)
  }
  const half = { accessKeyId: 'AKIA' }
  assert.throws(
    () => models.build(orderFor('u', configOf('amazon-bedrock', upstream), { credentials: half })),
    (error: unknown) => PurserError.is(error, 'secret_missing') && error.details?.field === 'secretAccessKey',
  )
})

test("a provider function gets the user's credentials, and cannot read what nobody gave", async () => {
  await using upstream = await openUpstream(answerWith('hello'))
  const given: unknown[] = []
  const make = (credentials: Readonly<Record<string, string>>) => {
    given.push({ ...credentials })
    const key = credentials.apiKey as string
    return {
      languageModel: (modelId: string) =>
        models.build(orderFor('u', configOf('openai-compatible', upstream), { modelId, credentials: { apiKey: key } }))
          .model,
    }
  }
  const { chat } = models.build(orderFor('u', make, { credentials: { apiKey: 'own' } }))
  assert.equal((await ask(chat, true)).choices[0]?.message.content, 'hello')
  assert.deepEqual(given, [{ apiKey: 'own' }])
  assert.throws(
    () => models.build(orderFor('u', make)),
    (error: unknown) => PurserError.is(error, 'secret_missing'),
  )
  const withoutKey = () => ({ languageModel: () => models.build(orderFor('u', { kind: 'demo' })).model })
  assert.ok((await ask(models.build(orderFor('u', withoutKey)).chat, false)).choices.length)
})

test("a provider function that gives a model's name or an older model is refused, so no gateway of the SDK is paid", () => {
  const wrong: unknown[] = ['openai/gpt-5', null, { specificationVersion: 'v2' }]
  for (const model of wrong) {
    assert.throws(
      () => models.build(orderFor('u', () => ({ languageModel: () => model }))),
      (error: unknown) => PurserError.is(error, 'option_invalid'),
    )
  }
})
