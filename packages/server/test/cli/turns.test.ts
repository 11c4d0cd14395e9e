import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Limit, openPurser, type Purser, type TurnRecord, type UsageSum } from 'purser'
import { type OpenServer, openServer } from '../../src/app/server.ts'
import type { ConfigFile } from '../../src/index.ts'
import { type CommandResult, createTempDirectory, runPurser } from '../support/processes.ts'

/* `turns`, `usage`, `limits`, `limit`, `plan`, `simulate` and `show`, on a store and over HTTP. */

const directory = createTempDirectory()
const store = `sqlite:${join(directory, 'data', 'purser.db')}`
const few: Limit = { name: 'few', measure: 'turns', max: 3, window: 'day' }
const config: ConfigFile = {
  providers: { demo: { kind: 'demo', models: ['demo'] } },
  runtime: { defaults: { provider: 'demo', model: 'demo' } },
  prices: { 'demo/*': { input: '1', output: '2' } },
  ledger: { limits: [few] },
  plans: { pro: { limits: [{ ...few, max: 50 }] }, team: { extends: 'pro' } },
}
let server: OpenServer
let url: string
let key: string

async function take(purser: Purser, user: string, model?: string): Promise<void> {
  const request = { messages: [{ role: 'user' as const, content: 'Hello' }], ...(model === undefined ? {} : { model }) }
  const turn = await purser
    .user(user)
    .turn(request)
    .catch(() => undefined)
  if (turn?.allowed) await turn.completion()
}

before(async () => {
  writeFileSync(join(directory, 'purser.config.json'), JSON.stringify(config))
  await using purser = await openPurser({ store, ...(config as object) })
  for (let turn = 0; turn < 5; turn++) await take(purser, 'ada')
  await take(purser, 'ada', 'unknown')
  await take(purser, '=2+3')
  server = await openServer({ config: { ...config, store: 'memory:', server: { port: 0, logLevel: 'silent' } } })
  key = (await server.context.keys.create({ role: 'admin', name: 'root', createdBy: 'test' })).key
  url = await server.listen({ port: 0, host: '127.0.0.1' })
  for (let turn = 0; turn < 4; turn++) await take(server.context.purser, 'ada')
})
after(() => server?.close())

const run = (...args: string[]): Promise<CommandResult> => runPurser(args, directory)
const runOver = (...args: string[]): Promise<CommandResult> =>
  runPurser([...args, '--url', url], createTempDirectory(), { PURSER_KEY: key })

async function read<Value>(...args: string[]): Promise<Value> {
  const { code, stdout, stderr } = await run(...args, '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Value
}

test('turns are a table with why, in pages, and JSON', async () => {
  const { stdout } = await run('turns', 'ada')
  const [header = '', ...lines] = stdout.trim().split('\n')
  assert.match(header, /at\s+model\s+outcome\s+why\s+input\s+output\s+cost\s+ms/)
  assert.deepEqual(
    lines.map((line) =>
      line
        .split(/\s{2,}/)
        .slice(1, 4)
        .join(' '),
    ),
    [
      '– failed model_not_found',
      'demo/demo refused few',
      'demo/demo refused few',
      ...Array.from({ length: 3 }, () => 'demo/demo completed off'),
    ],
  )
  const first = await run('turns', 'ada', '--limit', '2')
  const cursor = /--before (\S+)/.exec(first.stderr)?.[1] ?? ''
  const second = await run('turns', 'ada', '--limit', '9', '--before', cursor)
  assert.equal(second.stdout.trim().split('\n').length, 1 + 4)
  assert.equal(second.stderr, '')
  const refused = await read<{ data: TurnRecord[] }>('turns', 'ada', '--outcome', 'refused')
  assert.deepEqual(
    refused.data.map(({ limit }) => limit),
    ['few', 'few'],
  )
  assert.equal((await run('turns', 'zoe')).code, 3)
  assert.equal((await run('turns', 'ada', '--outcome', 'lost')).code, 2)
  assert.equal((await run('turns')).code, 2)
})

test('usage is a table, CSV, JSON lines and JSON, for one user or all', async () => {
  const table = (await run('usage', '--by', 'user')).stdout.trim().split('\n')
  assert.match(table[0] ?? '', /user\s+turns\s+refused\s+input tokens\s+output tokens\s+cost/)
  assert.match(table[1] ?? '', /^ada\s+3\s+2/)
  const { data: sums } = await read<{ data: UsageSum[] }>('usage', '--by', 'user')
  assert.deepEqual(
    sums.map(({ key: user, turns, refused }) => [user, turns, refused]),
    [
      ['ada', 3, 2],
      ['=2+3', 1, 0],
    ],
  )
  const csv = (await run('usage', '--by', 'user', '--format', 'csv')).stdout.trim().split('\n')
  assert.equal(csv[0], 'key,turns,refused,unpriced,inputTokens,outputTokens,cachedTokens,cost')
  assert.match(csv[1] ?? '', /^ada,3,2,0,\d+,\d+,0,0\.\d+$/)
  assert.match(csv[2] ?? '', /^'=2\+3,1,0,/)
  const lines = (await run('usage', '--by', 'user', '--format', 'jsonl')).stdout.trim().split('\n')
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    sums,
  )
  assert.equal((await read<{ data: UsageSum[] }>('usage', '--by', 'user', '--limit', '1')).data.length, 1)
  const { data: own } = await read<{ data: UsageSum[] }>('usage', 'ada', '--by', 'limit')
  assert.deepEqual([own[0]?.key, own[0]?.refused], ['few', 2])
  assert.deepEqual(await read('usage', 'ada', '--from', '2999-01-01'), { data: [], cursor: null })
  for (const args of [
    ['--format', 'xml'],
    ['--by', 'week'],
    ['ada', '--by', 'user'],
    ['--from', 'yesterday'],
  ])
    assert.equal((await run('usage', ...args)).code, 2, args.join(' '))
  assert.equal((await run('usage', 'zoe')).code, 3)
})

test('limits and plans are listed, set, reset and assigned', async () => {
  const { stdout } = await run('limits', 'ada')
  assert.match(stdout, /^daily: 3 of unlimited turns \(day\) used/m)
  assert.match(stdout, /^few: 3 of 3 turns \(day\) used, resets .* \[default\]$/m)
  assert.match((await run('limits')).stdout, /^pro: few 50\nteam extends pro: no limits of its own$/m)
  assert.match(
    (await run('limit', 'ada', 'few', '9', '--until', '2999-01-01T00:00:00Z')).stderr,
    /few: 3 of 9.*user, until 2999/,
  )
  assert.match((await run('limit', 'ada', 'few', 'unlimited')).stderr, /few: 3 of unlimited/)
  assert.match((await run('limit', 'ada', 'few', 'default')).stderr, /few: 3 of 3 .*\[default\]/)
  assert.equal((await run('limit', 'ada', 'few', 'reset')).code, 2)
  assert.match((await run('limit', 'ada', 'few', 'reset', '--reason', 'asked')).stderr, /few: 0 of 3/)
  assert.equal((await run('limit', 'ada', 'other', '3')).code, 3)
  assert.equal((await run('limit', 'ada', 'few', 'lots')).code, 2)
  assert.match((await run('plan', 'ada', 'team', '--reason', 'paid')).stderr, /Plan team \(user\)/)
  assert.match((await run('limits', 'ada')).stdout, /few: 0 of 50 .*\[plan:pro\]/)
  assert.match((await run('plan', 'ada', 'default')).stderr, /Plan none \(default\)/)
  assert.equal((await run('plan', 'ada', 'gold')).code, 2)
  assert.equal((await run('limits', 'zoe')).code, 3)
  const shown = await run('show', 'ada')
  for (const text of ['few', 'model_not_found', 'demo/demo']) assert.ok(shown.stdout.includes(text), text)
})

test('proposed limits and plans are simulated from a file, or a configuration file', async () => {
  const file = join(directory, 'proposal.json')
  writeFileSync(file, JSON.stringify({ limits: [{ ...few, name: 'one', max: 1 }] }))
  const result = await run('simulate', file)
  assert.equal(result.code, 0, result.stderr)
  const [header = '', row = ''] = result.stdout.trim().split('\n')
  assert.match(header, /user\s+refused\s+first\s+limit/)
  assert.match(row, /^ada\s+[12]\s+\d{4}-\S+\s+one$/)
  assert.match(result.stderr, /[12] of 4 turns would be refused, of 1 user\n$/)
  const none = await run('simulate', file, '--since', '2999-01-01T00:00:00Z')
  assert.match(none.stderr, /^0 of 0 turns/)
  writeFileSync(file, JSON.stringify({ ledger: { limits: [{ ...few, max: 0 }] }, plans: {} }))
  const all = await run('simulate', file, '--json')
  assert.deepEqual((JSON.parse(all.stdout) as { users: { user: string }[] }).users.map(({ user }) => user).sort(), [
    '=2+3',
    'ada',
  ])
  for (const [content, code] of [
    ['not JSON', 2],
    ['[]', 2],
    [JSON.stringify({ limits: [{ ...few, max: -1 }] }), 2],
  ] as const) {
    writeFileSync(file, content)
    assert.equal((await run('simulate', file)).code, code, content)
  }
  assert.equal((await run('simulate', join(directory, 'none.json'))).code, 2)
})

test('over HTTP the commands are the same', async () => {
  const file = join(directory, 'over.json')
  writeFileSync(file, JSON.stringify({ limits: [{ ...few, name: 'one', max: 1 }] }))
  assert.match((await runOver('turns', 'ada')).stdout, /refused\s+few/)
  assert.match((await runOver('usage', 'ada', '--by', 'model')).stdout, /^demo\/demo\s+3\s+1/m)
  assert.match((await runOver('limits', 'ada')).stdout, /few: 3 of 3/)
  assert.match((await runOver('simulate', file)).stderr, /2 of 3 turns would be refused/)
  assert.match((await runOver('plan', 'ada', 'pro')).stderr, /Plan pro \(user\)/)
  assert.equal((await runOver('turns', 'zoe')).code, 3)
})
