import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { generateText, streamText, type ToolSet, wrapLanguageModel } from 'ai'
import { type AiSdkUser, purserMiddleware, purserTools } from '../../src/ai-sdk/index.ts'
import { getCount, openAiSdkHarness } from '../support/ai-sdk-harness.ts'
import { failsWith } from '../support/provider-harness.ts'

/** A model of the application, which records its prompts. The last answer is repeated. */
function createOwnModel(
  answers: readonly (readonly LanguageModelV4StreamPart[] | Error)[],
): LanguageModelV4 & { prompts: LanguageModelV4CallOptions['prompt'][] } {
  const remaining = [...answers]
  const prompts: LanguageModelV4CallOptions['prompt'][] = []
  const next = (call: LanguageModelV4CallOptions) => {
    prompts.push(call.prompt)
    const answer = remaining.length > 1 ? remaining.shift() : remaining[0]
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer')
    return answer
  }
  return {
    specificationVersion: 'v4',
    provider: 'own',
    modelId: 'own',
    supportedUrls: {},
    prompts,
    async doGenerate(call) {
      next(call)
      return {
        content: [{ type: 'text', text: 'own' }],
        finishReason: { unified: 'stop', raw: 'stop' },
        usage,
        warnings: [],
      }
    },
    async doStream(call) {
      return { stream: ReadableStream.from(next(call)) as ReadableStream<LanguageModelV4StreamPart> }
    },
  }
}

const usage = {
  inputTokens: { total: 3, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 2, text: undefined, reasoning: undefined },
}
const parts: LanguageModelV4StreamPart[] = [
  { type: 'stream-start', warnings: [] },
  { type: 'text-start', id: '0' },
  { type: 'text-delta', id: '0', delta: 'own' },
  { type: 'text-end', id: '0' },
  { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage },
]

test('purserMiddleware: calls of a model of the application are admitted, carry the context and are counted', async () => {
  await using harness = await openAiSdkHarness({ dailyCap: 2 })
  const user = harness.user('u')
  await user.profile.put({ name: 'Ann' })
  const own = createOwnModel([parts])
  const model = wrapLanguageModel({ model: own, middleware: purserMiddleware(user) })
  assert.equal((await generateText({ model, instructions: 'Be kind.', prompt: 'Hi' })).text, 'own')
  assert.equal(await streamText({ model, prompt: 'Hi' }).text, 'own')
  assert.match(String(own.prompts[0]?.[0]?.content), /^Be kind\.\n\n[\s\S]*Ann/)
  assert.equal(own.prompts[1]?.[0]?.role, 'system')
  assert.equal(await getCount(user), 2)
  await assert.rejects(generateText({ model, prompt: 'Hi' }), failsWith('cap_reached'))
  assert.equal(own.prompts.length, 2)
})

test('purserMiddleware: the context stands behind instructions with a cache breakpoint, which stay as they are', async () => {
  await using harness = await openAiSdkHarness({})
  const user = harness.user('u')
  await user.profile.put({ name: 'Ann' })
  const own = createOwnModel([parts])
  const model = wrapLanguageModel({ model: own, middleware: purserMiddleware(user) })
  const providerOptions = { anthropic: { cacheControl: { type: 'ephemeral' } } }
  await generateText({ model, instructions: { role: 'system', content: 'Be kind.', providerOptions }, prompt: 'Hi' })
  const [instructions, context] = own.prompts[0] ?? []
  assert.deepEqual(instructions, { role: 'system', content: 'Be kind.', providerOptions })
  assert.ok(context?.role === 'system' && context.content.includes('Ann') && context.providerOptions === undefined)
})

test('purserMiddleware: a call that fails before it answers is refunded; one that fails later or is cancelled is not', async () => {
  await using harness = await openAiSdkHarness({ dailyCap: 9 })
  const failing: LanguageModelV4StreamPart[] = [
    { type: 'stream-start', warnings: [] },
    { type: 'error', error: new Error('no') },
  ]
  const later: LanguageModelV4StreamPart[] = [...parts.slice(0, 3), { type: 'error', error: new Error('no') }]
  const cases: [string, readonly LanguageModelV4StreamPart[] | Error, number][] = [
    ['rejected', new Error('no'), 0],
    ['failed at once', failing, 0],
    ['failed later', later, 1],
    ['cancelled', parts, 1],
  ]
  for (const [name, answer, count] of cases) {
    const user = harness.user(name)
    const model = wrapLanguageModel({ model: createOwnModel([answer]), middleware: purserMiddleware(user) })
    const prompt: LanguageModelV4CallOptions['prompt'] = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]
    try {
      const { stream } = await model.doStream({ prompt })
      const reader = stream.getReader()
      if (name === 'cancelled') await reader.cancel()
      else while (!(await reader.read()).done);
    } catch (error) {
      assert.equal((error as Error).message, 'no')
    }
    assert.equal(await getCount(user), count, name)
  }
})

test('purserMiddleware: a stream that is left or cut is counted by what was delivered', async () => {
  await using harness = await openAiSdkHarness()
  const long: LanguageModelV4StreamPart[] = [
    ...parts.slice(0, 2),
    { type: 'text-delta', id: '0', delta: 'x'.repeat(400) },
    { type: 'reasoning-delta', id: '1', delta: 'y'.repeat(400) },
  ]
  const answers = {
    left: [...long, ...parts.slice(3)],
    cut: [...long, { type: 'error', error: new Error('no') } satisfies LanguageModelV4StreamPart],
  }
  for (const [how, answer] of Object.entries(answers)) {
    const user = harness.user(how)
    const model = wrapLanguageModel({ model: createOwnModel([answer]), middleware: purserMiddleware(user) })
    const prompt: LanguageModelV4CallOptions['prompt'] = [
      { role: 'user', content: [{ type: 'text', text: 'z'.repeat(4_000) }] },
    ]
    const reader = (await model.doStream({ prompt })).stream.getReader()
    for (let read = 0; read < 4; read++) await reader.read()
    if (how === 'left') await reader.cancel()
    else await reader.read()
    const rows = (await Array.fromAsync(user.export())).filter(({ type }) => type === 'counter')
    const counters = rows.map(({ value }) => value as { readonly limit: string; readonly value: number })
    const tokens = Object.fromEntries(counters.map(({ limit, value }) => [limit, value]))
    assert.equal(tokens.outputTokens, 200, how)
    assert.ok((tokens.inputTokens ?? 0) >= 1_000, how)
  }
})

test("a user's handle is an AiSdkUser, and its tools are a ToolSet", async () => {
  await using harness = await openAiSdkHarness()
  const user: AiSdkUser = harness.user('u')
  const tools: ToolSet = await purserTools(user)
  assert.deepEqual(tools, {})
})
