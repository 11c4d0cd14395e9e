import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { generateText, streamText, type ToolSet, wrapLanguageModel } from 'ai'
import { type AiSdkUser, purserMiddleware, purserTools } from '../../src/ai-sdk/index.ts'
import { openUpstream } from '../providers/upstream.ts'

import { closeAfterTests, counted, purserOn, refusedWith } from '../support/ai-sdk-harness.ts'

closeAfterTests()

/** A model of the application's own, which notes what it is asked. */
function ownModel(
  answers: readonly (readonly LanguageModelV4StreamPart[] | Error)[],
): LanguageModelV4 & { prompts: LanguageModelV4CallOptions['prompt'][] } {
  const left = [...answers]
  const prompts: LanguageModelV4CallOptions['prompt'][] = []
  const next = (call: LanguageModelV4CallOptions) => {
    prompts.push(call.prompt)
    const answer = left.length > 1 ? left.shift() : left[0]
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

test('purserMiddleware: a model of your own is admitted, told the context and counted once a message', async () => {
  await using upstream = await openUpstream()
  const purser = await purserOn(upstream, { dailyCap: 2 })
  const user = purser.user('u')
  await user.profile.put({ name: 'Ann' })
  const own = ownModel([parts])
  const model = wrapLanguageModel({ model: own, middleware: purserMiddleware(user) })
  assert.equal((await generateText({ model, instructions: 'Be kind.', prompt: 'Hi' })).text, 'own')
  assert.equal(await streamText({ model, prompt: 'Hi' }).text, 'own')
  assert.match(String(own.prompts[0]?.[0]?.content), /^Be kind\.\n\n[\s\S]*Ann/)
  assert.equal(own.prompts[1]?.[0]?.role, 'system')
  assert.equal(await counted(user), 2)
  await assert.rejects(generateText({ model, prompt: 'Hi' }), refusedWith('cap_reached'))
  assert.equal(own.prompts.length, 2)
})

test('purserMiddleware: what fails before it answers is given back; what fails later, or is left, is not', async () => {
  await using upstream = await openUpstream()
  const purser = await purserOn(upstream, { dailyCap: 9 })
  const failing: LanguageModelV4StreamPart[] = [
    { type: 'stream-start', warnings: [] },
    { type: 'error', error: new Error('no') },
  ]
  const later: LanguageModelV4StreamPart[] = [...parts.slice(0, 3), { type: 'error', error: new Error('no') }]
  const cases: [string, readonly LanguageModelV4StreamPart[] | Error, number][] = [
    ['rejected', new Error('no'), 0],
    ['failed at once', failing, 0],
    ['failed later', later, 1],
    ['left', parts, 1],
  ]
  for (const [name, answer, count] of cases) {
    const user = purser.user(name)
    const model = wrapLanguageModel({ model: ownModel([answer]), middleware: purserMiddleware(user) })
    const prompt: LanguageModelV4CallOptions['prompt'] = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]
    try {
      const { stream } = await model.doStream({ prompt })
      const reader = stream.getReader()
      if (name === 'left') await reader.cancel()
      else while (!(await reader.read()).done);
    } catch (error) {
      assert.equal((error as Error).message, 'no')
    }
    assert.equal(await counted(user), count, name)
  }
})

test('the handle of a user, and the tools made from it, are what the AI SDK and Purser say they are', async () => {
  await using upstream = await openUpstream()
  const purser = await purserOn(upstream)
  const user: AiSdkUser = purser.user('u')
  const tools: ToolSet = await purserTools(user)
  assert.deepEqual(tools, {})
})
