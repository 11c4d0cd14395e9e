import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Block } from './support/pages.ts'
import { Programs } from './support/programs.ts'

/*
 * The public types, as a program that is written against them meets them: what is right compiles under the strictest
 * settings, and a misspelt name does not.
 */

const OPENING = `import { openPurser, type ChatRequest, type ProviderConfig, type PurserOptions, type User } from 'purser'
const purser = await openPurser({ store: 'memory:' })
const user: User = purser.user('ada')
const messages: ChatRequest['messages'] = [{ role: 'user', content: 'Hello' }]
export { messages, type ProviderConfig, type PurserOptions, user }
`

// cspell:disable
/** Programs with one misspelt name each, in their last line. */
const MISSPELT: Readonly<Record<string, string>> = {
  'an option': `await openPurser({ store: 'memory:', ledger: { dailyCaps: 3 } })`,
  'a group of options': `await openPurser({ leger: { dailyCap: 3 } })`,
  'a field of a provider': `await openPurser({ providers: { p: { kind: 'openai', apikey: 'k' } } })`,
  'a field of another kind of provider': `await openPurser({ providers: { p: { kind: 'openai', resourceName: 'r' } } })`,
  'a kind of provider': `await openPurser({ providers: { p: { kind: 'open-ai', apiKey: 'k' } } })`,
  'a field of a preset': `await openPurser({ presets: { fast: { modle: 'm' } } })`,
  'a runtime default': `await openPurser({ runtime: { defaults: { provder: 'p' } } })`,
  'a model parameter': `await openPurser({ runtime: { defaults: { parameters: { temprature: 0 } } } })`,
  'settings of a plan': `await openPurser({ plans: { free: { runtime: { modle: 'm' } } } })`,
  'the rule of a plan': `await openPurser({ plans: { free: { limits: [{ name: 'a', mesure: 'turns', max: 1 }] } } })`,
  'a context source': `await openPurser({ context: { sources: { profil: async () => null } } })`,
  'a field of a context source': `await openPurser({ context: { sources: { profile: { uri: 'http://h' } } } })`,
  'a field of a section': `await openPurser({ context: { sections: { facts: { source: async () => null, tlMs: 1 } } } })`,
  'an MCP server': `await openPurser({ mcpServers: { files: { comand: 'npx' } } })`,
  'a price': `await openPurser({ prices: { 'p/m': { input: '1', ouput: '2' } } })`,
  'a field of a request': `await user.turn({ messages, temprature: 0 })`,
  'a role': `await user.turn({ messages: [{ role: 'asistant', content: 'Hello' }] })`,
  'a field of a message': `await user.turn({ messages: [{ role: 'user', contnt: 'Hello' }] })`,
  'an option of a turn': `await user.turn({ messages }, { sesion: 's' })`,
  'a setting': `await user.runtime.configure({ regoin: 'eu' })`,
  'an override': `await user.turn({ messages }, { override: { modell: 'm' } })`,
  'an option of resolve': `await user.context.resolve({ budgetMS: 1 })`,
  'a detection': `await user.ledger.observe({ risklevel: 'low' })`,
  'an option of admit': `await user.ledger.admit({ costs: 1 })`,
}
// cspell:enable

const VALID = `import OpenAI from 'openai'
export const options: PurserOptions = {
  store: 'memory:',
  cacheStore: undefined,
  providers: {
    local: { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9100/v1', apiKey: '', includeUsage: false },
    azure: { kind: 'azure', resourceName: 'r', apiVersion: undefined },
    own: ({ apiKey }) => ({ languageModel: (id) => [id, apiKey] }),
  },
  presets: { fast: { provider: 'local', model: 'm', parameters: { temperature: 0 } } },
  plans: { free: { limits: [{ name: 'tokens', measure: 'tokens', max: 1_000, window: '5h' }] } },
  context: {
    sources: { profile: async (id, { signal }) => ({ id, aborted: signal.aborted }), actions: { url: 'http://h/{user}' } },
    sections: { facts: async () => ['a'], other: { source: async () => null, ttlMs: 1_000, render: 'It is {text}.' } },
  },
  ledger: { dailyCap: null, hold: { outputTokens: 1 } },
}
const request: ChatRequest & { top_k: number } = { messages, top_k: 40 }
await user.turn(request, { session: undefined, signal: undefined })
const fromKit: OpenAI.ChatCompletionCreateParams = { model: 'auto', messages: [{ role: 'user', content: 'Hello' }] }
await user.turn(fromKit)
const provider: ProviderConfig = { kind: 'google', apiKey: 'k' }
if (provider.kind === 'google') console.log(provider.apiKey)
`

function toBlock(name: string, text: string): Block {
  return { page: `${name.replaceAll(' ', '-')}.md`, line: 1, language: 'ts', words: [], text: `${OPENING}${text}` }
}

test('what is right compiles, and every misspelt name is an error at its line', async () => {
  await using programs = new Programs()
  const blocks = Object.entries(MISSPELT).map(([name, text]) => toBlock(name, text))
  const problems = await programs.check([toBlock('valid', VALID), ...blocks])
  const line = OPENING.split('\n').length
  assert.deepEqual(
    problems.filter((problem) => !blocks.some(({ page }) => problem.startsWith(`${page}:${line}:`))),
    [],
  )
  const compiled = blocks.filter(({ page }) => !problems.some((problem) => problem.startsWith(`${page}:`)))
  assert.deepEqual(
    compiled.map(({ page }) => page),
    [],
  )
})
