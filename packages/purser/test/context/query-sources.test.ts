import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openPurser } from '../../src/index.ts'
import type { ChatMessage } from '../../src/openai/chat.ts'
import type { HttpSource } from '../../src/options/context-section.ts'
import { openContextHarness, runCallbacks } from '../support/context-harness.ts'
import { openTurnHarness } from '../support/turn-harness.ts'

test('a source that needs the query gets what the user wrote last, and its data belongs to that text', async () => {
  const queries: (string | undefined)[] = []
  await using harness = await openContextHarness({
    mode: 'plain',
    clock: 'off',
    sources: { actions: async () => [{ action: 'Sang' }] },
    sections: {
      memories: {
        needs: 'query',
        source: async (_user: string, { query }: { query?: string | undefined }) => {
          queries.push(query)
          return [{ fact: `about ${query}` }]
        },
        render: '{fact}',
      },
    },
  })
  const { context } = harness.user('asha')
  const cats = await context.resolve({ query: 'cats' })
  assert.ok(cats.text.endsWith('Recent actions:\nSang\n\nabout cats'), cats.text)
  assert.equal(await context.resolve({ query: ' cats\n' }), cats, 'an equal query is a warm call')
  const dogs = await context.resolve({ query: 'dogs' })
  assert.ok(dogs.text.endsWith('about dogs'))
  assert.equal(dogs.prefixHash, cats.prefixHash, 'what was found is no part of the prefix')
  assert.deepEqual(queries, ['cats', 'dogs'])
  const without = await context.resolve()
  assert.deepEqual([without.sections[2]?.status, without.sections[2]?.text, without.status], ['empty', '', 'fresh'])
  assert.equal(await context.resolve(), without)
  await context.resolve({ query: 'x'.repeat(5_000) })
  assert.equal(queries.at(-1)?.length, 400)
  assert.equal(queries.length, 3)
  await assert.rejects(context.resolve({ query: 7 as never }), { code: 'argument_invalid' })
  await context.invalidate({ section: 'memories' })
  await context.resolve({ query: 'cats' })
  assert.equal(queries.length, 4)
})

test('the data of the last four queries of a user is in memory', async () => {
  let calls = 0
  await using harness = await openContextHarness({
    sections: { memories: { needs: 'query', source: async () => [`found ${++calls}`] } },
  })
  const { context } = harness.user('asha')
  for (let query = 0; query < 20; query++) await context.resolve({ query: `q${query}`, sections: ['memories'] })
  for (let query = 16; query < 20; query++) await context.resolve({ query: `q${query}`, sections: ['memories'] })
  assert.equal(calls, 20)
  await context.resolve({ query: 'q15', sections: ['memories'] })
  assert.equal(calls, 21)
})

test('what was found for one query is not served for another, neither from memory nor from the store', async () => {
  let isDown = false
  const sections = {
    memories: {
      needs: 'query' as const,
      source: async (_user: string, { query }: { query?: string | undefined }) => {
        if (isDown) throw new Error('down')
        return `about ${query}`
      },
    },
  }
  await using harness = await openContextHarness({ mode: 'plain', sections })
  await harness.user('asha').context.resolve({ query: 'cats' })
  isDown = true
  await using other = await harness.reopen()
  for (const { context } of [harness.user('asha'), other.user('asha')]) {
    const { sections: resolved } = await context.resolve({ query: 'dogs', sections: ['memories'] })
    assert.equal(resolved[0]?.status, 'unavailable')
    assert.doesNotMatch(resolved[0]?.text ?? '', /cats/)
  }
})

test('after a failure for one query the source is not called for the next one before the backoff', async () => {
  let calls = 0
  const source = async (): Promise<never> => {
    calls++
    throw new Error('down')
  }
  await using harness = await openContextHarness({ sections: { memories: { needs: 'query', source } } })
  const { context } = harness.user('asha')
  for (let query = 0; query < 5; query++) await context.resolve({ query: `q${query}` })
  assert.equal(calls, 1)
})

test('a section has a budget of its own within that of the call', async () => {
  await using harness = await openContextHarness({
    mode: 'plain',
    sources: { profile: () => new Promise(() => undefined), actions: async () => [{ action: 'Sang' }] },
    sections: { memories: { source: () => new Promise(() => undefined), budgetMs: 200 } },
  })
  const { context } = harness.user('asha')
  const memories = context.resolve({ sections: ['memories'] })
  const all = context.resolve({ budgetMs: 1_000 })
  let settled = ''
  void memories.then(() => (settled += 'memories '))
  void all.then(() => (settled += 'all'))
  await harness.clock.pass(199)
  await runCallbacks()
  assert.equal(settled, '')
  await harness.clock.pass(1)
  await runCallbacks()
  assert.equal(settled, 'memories ')
  assert.equal((await memories).sections[0]?.status, 'unavailable')
  await harness.clock.pass(800)
  await runCallbacks()
  assert.equal(settled, 'memories all')
  assert.deepEqual(
    (await all).sections.map(({ status }) => status),
    ['unavailable', 'fresh', 'unavailable'],
  )
  assert.equal(harness.clock.timers <= 2, true, 'only the timers of running loads are left')
})

test('a section whose budget is 0 is never waited for, and arrives later', async () => {
  await using harness = await openContextHarness({
    mode: 'plain',
    sections: { memories: { source: async () => ['tea'], budgetMs: 0 } },
  })
  const { context } = harness.user('asha')
  assert.equal((await context.resolve()).sections[2]?.status, 'unavailable')
  await runCallbacks()
  assert.equal((await context.resolve()).sections[2]?.status, 'fresh')
})

test('a negative cache: a source without data of a user is not asked again for emptyTtlMs', async () => {
  let calls = 0
  await using harness = await openContextHarness({
    ttlMs: 1_000,
    sections: {
      memories: {
        source: async () => {
          calls++
          return null
        },
        emptyTtlMs: 60_000,
      },
    },
  })
  const { context } = harness.user('asha')
  await context.resolve()
  await harness.clock.pass(40_000)
  assert.equal((await context.resolve()).sections[2]?.status, 'empty')
  await runCallbacks()
  assert.equal(calls, 1)
  await harness.clock.pass(20_000)
  await context.resolve()
  await runCallbacks()
  assert.equal(calls, 2)
})

test('data is refreshed ahead of its expiry by the call that finds it old, so that no caller waits', async () => {
  let calls = 0
  await using harness = await openContextHarness({
    ttlMs: 1_000,
    sections: { memories: async () => [`version ${++calls}`] },
  })
  const { context } = harness.user('asha')
  await context.resolve({ sections: ['memories'] })
  for (let second = 0; second < 5; second++) {
    await harness.clock.pass(950)
    assert.equal((await context.resolve({ sections: ['memories'] })).status, 'fresh')
    await runCallbacks()
  }
  assert.equal(calls, 6)
})

test('over HTTP, {query} is encoded wherever it is inserted, and select finds the data', async (t) => {
  const received: string[] = []
  let answer: unknown = { data: { items: [{ memory: 'likes tea' }] } }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    received.push(`${request.method} ${request.url} ${request.headers['x-query']} ${body}`)
    response.end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await using harness = await openContextHarness(
    {
      mode: 'plain',
      sections: {
        memories: {
          needs: 'query',
          source: {
            url: `${url}/search/{user}?q={query}`,
            method: 'POST',
            body: { query: '{query}', user: '{user}' },
            headers: { 'x-query': '{query}' },
            select: 'data.items',
          },
          render: '{memory}',
        },
      },
    },
    { effects: systemEffects },
  )
  const resolve = async (query: string) =>
    (await harness.user('{query}').context.resolve({ query, sections: ['memories'] })).sections[0]
  assert.equal((await resolve('a&b=1#/"\n{user}'))?.text, 'likes tea')
  assert.deepEqual(received, [
    `POST /search/%7Bquery%7D?q=a%26b%3D1%23%2F%22%0A%7Buser%7D a&b=1#/"%0A{user} {"query":"a&b=1#/\\"\\n{user}","user":"{query}"}`,
  ])
  answer = { data: { items: null } }
  assert.equal((await resolve('nothing'))?.status, 'empty')
  answer = { error: 'changed' }
  assert.equal((await resolve('other'))?.status, 'unavailable')
  const open = (source: HttpSource, needs?: 'query') =>
    openPurser({ store: 'memory:', context: { sections: { memories: { source, needs } } } })
  for (const [source, needs] of [
    [{ url: `${url}?q={query}` }, undefined],
    [{ url }, 'query'],
    [{ url: 'http://{query}.example.org' }, 'query'],
    [{ url, select: '' }, undefined],
    [{ url, select: 'a..b' }, undefined],
    [{ url, select: 7 }, undefined],
    [{ url }, 'everything'],
  ] as const)
    await assert.rejects(
      open(source as HttpSource, needs as 'query'),
      { code: 'option_invalid' },
      JSON.stringify(source),
    )
})

test('a turn passes on the last message of the user', async () => {
  const queries: (string | undefined)[] = []
  await using harness = await openTurnHarness({
    context: {
      sections: {
        memories: {
          needs: 'query',
          source: async (_user: string, { query }: { query?: string | undefined }) => {
            queries.push(query)
            return `found for ${query}`
          },
        },
      },
    },
  })
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }
  const conversations: ChatMessage[][] = [
    [
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'answer' },
      { role: 'user', content: [{ type: 'text', text: 'second' }, image, { type: 'text', text: 'part' }] },
    ],
    [{ role: 'system', content: 'no user' }],
  ]
  for (const messages of conversations) {
    const turn = await harness.user('ada').turn({ messages })
    assert.ok(turn.allowed)
    await turn.completion()
  }
  assert.deepEqual(queries, ['second\npart'])
  assert.match(JSON.stringify(harness.upstream.requests[0]?.body), /found for second/)
})
