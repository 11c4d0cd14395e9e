import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openPurser, type PurserOptions } from '../../src/index.ts'
import type { ChatMessage } from '../../src/openai/chat.ts'
import type { OpenAiCompatibleConfig } from '../../src/options/provider-config.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openUpstream, sendJson } from '../support/provider-upstream.ts'

const messages: ChatMessage[] = [{ role: 'user', content: 'Who are you?' }]
const secretKey = Buffer.alloc(32, 5).toString('base64')

/** Opens a Purser on the same store for each configuration, and returns how each turn was answered. */
async function runOn(
  configs: readonly PurserOptions['providers'][],
  prepare: (
    user: ReturnType<Awaited<ReturnType<typeof openPurser>>['user']>,
    index: number,
  ) => Promise<unknown> = async () => undefined,
): Promise<string[]> {
  const store = await openMemoryStore({ effects: handClock() })
  const shared = { ...store, close: async () => undefined }
  const outcomes: string[] = []
  for (const [index, providers] of configs.entries()) {
    await using purser = await openPurser({
      store: shared,
      secretKey,
      providers,
      runtime: { defaults: { provider: 'local', model: 'm', region: 'eu-west-1' } },
      answers: { enabled: true },
    })
    const ada = purser.user('ada')
    await prepare(ada, index)
    const turn = await ada.turn({ messages })
    if (!turn.allowed) assert.fail('refused')
    const { choices } = await turn.completion()
    outcomes.push(`${turn.cache} ${choices[0]?.message.content}`)
    await purser.answers.flush()
  }
  await store.close()
  return outcomes
}

const openNamed = (name: string) =>
  openUpstream((response) =>
    sendJson(response, 200, {
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: name }, finish_reason: 'stop' }],
    }),
  )

const compatible = (baseURL: string, fields: Partial<OpenAiCompatibleConfig> = {}): PurserOptions['providers'] => ({
  local: { kind: 'openai-compatible', baseURL, apiKey: 'k', ...fields },
})

test('a provider that is pointed at another address does not serve the answers of the old one', async () => {
  await using one = await openNamed('one')
  await using other = await openNamed('other')
  const configs = [`${one.url}/v1`, `${one.url}/v1`, `${other.url}/v1`, `${one.url}/v1`, `${one.url}/v2`]
  assert.deepEqual(await runOn(configs.map((url) => compatible(url))), [
    'miss one',
    'hit one',
    'miss other',
    'hit one',
    'miss one',
  ])
})

/** Fields that shape an answer, and what they are changed to. */
const SHAPING: Readonly<Record<string, object>> = {
  kind: { kind: 'openai' },
  'a header': { headers: { 'x-model-variant': 'b' } },
  'a field of the kind': { includeUsage: false },
  region: { region: 'us-east-1' },
}

for (const [what, fields] of Object.entries(SHAPING)) {
  test(`a changed configuration does not serve the answers of the old one: ${what}`, async () => {
    await using upstream = await openNamed('one')
    const configs = [compatible(`${upstream.url}/v1`), compatible(`${upstream.url}/v1`, fields)]
    assert.deepEqual(await runOn(configs), ['miss one', 'miss one'])
  })
}

test('a changed key, allow-list or order of fields serves the stored answer', async () => {
  await using upstream = await openNamed('one')
  const baseURL = `${upstream.url}/v1`
  const configs = [
    compatible(baseURL, { region: 'r', includeUsage: true }),
    compatible(baseURL, { apiKey: 'rotated', region: 'r', includeUsage: true }),
    compatible(baseURL, { models: ['m'], defaultModel: 'm', includeUsage: true, region: 'r' }),
    compatible(baseURL, { region: 'r', includeUsage: true, headers: { authorization: 'Bearer x' } }),
  ]
  assert.deepEqual(await runOn(configs), ['miss one', 'hit one', 'hit one', 'hit one'])
})

test("a user's own resource is another endpoint than the operator's", async () => {
  await using upstream = await openNamed('one')
  const config = {
    local: { kind: 'azure', baseURL: upstream.url, apiKey: 'k', resourceName: 'op' },
  } satisfies PurserOptions['providers']
  const outcomes = await runOn([config, config, config], (user, index) =>
    index === 0
      ? user.runtime.configure({})
      : user.runtime.setSecret('local', { apiKey: `own-${index}`, ...(index === 2 ? { resourceName: 'own' } : {}) }),
  )
  assert.deepEqual(outcomes, ['miss one', 'hit one', 'miss one'])
})
