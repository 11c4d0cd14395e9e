/*
 * What share of the input an upstream with a prompt cache has cached, over conversations of 50 turns with a new action every
 * third turn and 40 seconds from turn to turn. The upstream counts the characters that a request has in common with an
 * earlier one of the same user, in blocks as providers do. The context stands in front of the conversation, so whatever
 * changes in it makes the conversation behind it uncached: the clock each minute, a new action once.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openPurser, type PurserOptions } from 'purser'

const TURNS = Number(process.argv[2] ?? 50)
const USERS = 5
/** OpenAI caches 128 tokens at a time; about 512 characters. */
const BLOCK_CHARACTERS = 512
const START = Date.parse('2026-01-05T09:00:00Z')

interface Row {
  readonly name: string
  readonly context: NonNullable<PurserOptions['context']>
}

const ROWS: readonly Row[] = [
  { name: 'reuse, clock on (before)', context: { mode: 'reuse' } },
  { name: 'reuse, clock off', context: { mode: 'reuse', clock: 'off' } },
  { name: 'plain, clock on (default)', context: { mode: 'plain' } },
  { name: 'plain, clock off', context: { mode: 'plain', clock: 'off' } },
  {
    name: 'plain, actions frozen for the session, clock off',
    context: { mode: 'plain', clock: 'off', sections: { actions: { stability: 'session' } } },
  },
]

/** Longest common start with any earlier prompt of the same user. */
class PromptCache {
  readonly #prompts = new Map<string, string[]>()
  total = 0
  cached = 0

  add(user: string, prompt: string): void {
    const earlier = this.#prompts.get(user) ?? []
    const common = Math.max(0, ...earlier.map((other) => commonStart(other, prompt)))
    this.total += prompt.length
    this.cached += Math.floor(common / BLOCK_CHARACTERS) * BLOCK_CHARACTERS
    this.#prompts.set(user, [...earlier.slice(-3), prompt])
  }
}

function commonStart(one: string, other: string): number {
  let index = 0
  while (index < one.length && one.charCodeAt(index) === other.charCodeAt(index)) index++
  return index
}

for (const { name, context } of ROWS) {
  const cache = new PromptCache()
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const { messages, safety_identifier } = JSON.parse(body) as { messages: unknown; safety_identifier: string }
    cache.add(safety_identifier, JSON.stringify(messages))
    const message = { role: 'assistant', content: 'That is a good question. Let us look at it step by step.' }
    response.setHeader('content-type', 'application/json')
    const choices = [{ index: 0, message, finish_reason: 'stop' }]
    response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  let offset = 0
  const purser = await openPurser({
    store: 'memory:',
    providers: { local: { kind: 'openai-compatible', baseURL, apiKey: 'key' } },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    context,
    // Each turn is 40 seconds after the one before.
    effects: { now: () => START + offset },
  })
  let same = 0
  let turns = 0
  for (let index = 0; index < USERS; index++) {
    const user = purser.user(`user-${index}`)
    await user.profile.put({ name: `Person ${index}`, preferred_language: 'English', plan: 'gold', city: 'Pune' })
    const past = Array.from({ length: 30 }, (_, day) => ({
      action: `Finished exercise ${day}`,
      at: START - (30 - day) * 3_600_000,
    }))
    await user.actions.record(past)
    const messages: { role: string; content: string }[] = [
      { role: 'system', content: `You are a patient teacher. ${'Explain each step, and ask back. '.repeat(20)}` },
    ]
    let before: string | undefined
    for (let turn = 0; turn < TURNS; turn++) {
      offset += 40_000
      await user.context.resolve({ maxAgeMs: 0 })
      if (turn % 3 === 0) await user.actions.record({ action: `Asked about topic ${turn}` })
      messages.push({ role: 'user', content: `Question ${turn}: how does this work, and why?` })
      const answered = await user.turn({ messages }, { session: 'chat' })
      if (!answered.allowed) throw new Error('The turn was refused.')
      const completion = await answered.completion()
      messages.push({ role: 'assistant', content: String(completion.choices[0]?.message.content) })
      const { prefixHash } = answered.context
      if (before !== undefined) {
        turns++
        if (before === prefixHash) same++
      }
      before = prefixHash
    }
  }
  const share = ((100 * cache.cached) / cache.total).toFixed(1).padStart(5)
  const uncached = Math.round((cache.total - cache.cached) / (USERS * TURNS))
  console.log(
    `${name.padEnd(50)} ${share} % of the input cached, ${uncached} characters a turn not, ${((100 * same) / turns).toFixed(0).padStart(3)} % of turns with an equal prefix`,
  )
  await purser.close()
  server.closeAllConnections()
  server.close()
}
