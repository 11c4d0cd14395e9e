import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const run = promisify(execFile)

/** Patterns in the output of each example. An example without patterns fails. */
const OUTPUTS: Readonly<Record<string, readonly RegExp[]>> = {
  'library.ts': [
    /Ada/,
    /Opened the lesson on fractions/,
    /\(1 left\)/,
    /\(0 left\)/,
    /refused: daily_cap, resets at \d{4}-/,
  ],
  'fastify.ts': [/^200 You said: "Hello from Fastify"$/m, /\{"application":"mine"\}/],
  'express.ts': [/^200 You said: "Hello from Express"$/m, /\{"application":"mine"\}/],
  'hono.ts': [/^200 text\/event-stream/, /\[DONE\]\s+200\s$/],
  'next-route.ts': [/^200 You said: "Hello from a route"$/m, /remaining: 49/, /^401$/m],
  'ai-sdk.ts': [
    /^You said: "What is my name\?"[\s\S]*name: Ada[\s\S]*^You are a patient teacher\.$[\s\S]*name: Ada/m,
    /^refused until \d{4}-\S+T00:00:00\.000Z$/m,
    /The sum of 2 and 3 is 5\./,
  ],
  'agent-mcp.ts': [
    /^ada: The server runs for ada with token-of-ada\. \(2 steps, 1 tool call, 1 turn\)$/m,
    /^bela: The server runs for bela with token-of-bela\. \(2 steps, 1 tool call, 1 turn\)$/m,
  ],
  'companion.ts': [
    /^Let us go on later \(hour\)\.$/m,
    /^You said: "Good morning"$/m,
    /^ada: attached, high \(risk: low -> high\)$/m,
    /^admin_action grace corrected risk: high -> elevated$/m,
    /^companion:break_suggested app hour, until \d{4}-/m,
    /^limit_threshold purser limit hour at 75 %/m,
  ],
  'langchain.ts': [
    /^You said: "What is my name\?"[\s\S]*patient teacher[\s\S]*name: Ada/,
    /^You said: "And now as a stream\?"/m,
    /^429 insufficient_quota$/m,
    /^You said: "Hello"$/m,
  ],
}
/** Runs until it is stopped; `chat-page.test.ts` uses it in a browser. */
const SERVERS = ['chat-page.ts']
/** Needs a running gateway; the tests of the server run it. */
const NEEDS_GATEWAY = ['openai-client.ts']
/** With the programs of packages, such as the MCP server that examples start. */
const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}` }
/** Memory services as their documentation has them: the request that an example must make, and the answer. */
const SERVICES: Readonly<Record<string, Service>> = {
  'memory-mem0.ts': {
    env: 'MEM0',
    path: '/v2/memories/search/',
    authorization: 'Token the-key',
    body: { query: 'What should I eat?', filters: { user_id: 'ada' }, top_k: 5 },
    answer: { results: [{ id: 'm1', memory: 'is a vegetarian', score: 0.9, user_id: 'ada' }] },
    expected: /- is a vegetarian/,
  },
  'memory-zep.ts': {
    env: 'ZEP',
    path: '/api/v2/graph/search',
    authorization: 'Api-Key the-key',
    body: { user_id: 'ada', query: 'What should I eat?', scope: 'edges', limit: 10 },
    answer: { edges: [{ uuid: 'e1', name: 'LIKES', fact: 'Ada likes curry' }] },
    expected: /- Ada likes curry/,
  },
}

interface Service {
  readonly env: string
  readonly path: string
  readonly authorization: string
  readonly body: object
  readonly answer: object
  readonly expected: RegExp
}

for (const [name, service] of Object.entries(SERVICES)) {
  test(`the example ${name} asks the memory service for what the user wrote`, async (t) => {
    const requests: { url: string | undefined; authorization: string | undefined; body: unknown }[] = []
    const server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      requests.push({ url: request.url, authorization: request.headers.authorization, body: JSON.parse(body) })
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(service.answer))
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    t.after(() => server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const serviceEnv = { ...env, [`${service.env}_URL`]: url, [`${service.env}_API_KEY`]: 'the-key' }
    const { stdout } = await run(process.execPath, ['--conditions=@purser/source', join(root, 'examples', name)], {
      env: serviceEnv,
    })
    const { path, authorization, body } = service
    assert.deepEqual(requests, [{ url: path, authorization, body }])
    assert.match(stdout, service.expected)
    assert.ok(!stdout.includes('the-key'))
  })
}

for (const name of globSync('*.ts', { cwd: join(root, 'examples') }).filter(
  (file) => ![...NEEDS_GATEWAY, ...SERVERS].includes(file) && !(file in SERVICES),
)) {
  test(`the example ${name} runs and prints the expected output`, async () => {
    const { stdout } = await run(process.execPath, ['--conditions=@purser/source', join(root, 'examples', name)], {
      env,
    })
    for (const expected of OUTPUTS[name] ?? assert.fail(`${name} has no expected output`))
      assert.match(stdout, expected)
  })
}
