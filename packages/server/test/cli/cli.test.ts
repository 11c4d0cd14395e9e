import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  ADMIN_KEY,
  FROM_SOURCE,
  freshDirectory,
  type Purser,
  runPurser,
  spawnPurser,
  startPurser,
} from '../support/processes.ts'

const directory = freshDirectory()
const run = (words: string, environment: Record<string, string> = {}, input = '') =>
  runPurser(
    words.split(' ').filter((word) => word !== ''),
    directory,
    environment,
    input,
  )

let server: Purser
before(async () => {
  server = await startPurser({ store: 'memory:' })
})
after(() => server?.stop())

test('a command that is not understood says which was meant and exits with 2', async () => {
  for (const [words, said] of [
    ['srve', "Did you mean 'serve'?"],
    ['keys', "'purser keys create'"],
    ['users --lmit 3', "Did you mean '--limit'?"],
    ['show', 'Usage: purser show ID'],
    ['show ..', 'An id is'],
    ['events .', 'An id is'],
    ['keys create', '--role is missing'],
    ['cap ada many', "not 'many'"],
    ['block ada', '--reason is missing'],
    ['serve --store redis:x', "'sqlite:PATH'"],
    ['demo --config purser.config.json', "'--config'"],
  ] as const) {
    const { code, talk, output } = await run(words)
    assert.equal(code, 2, `${words}: ${talk}`)
    assert.ok(talk.includes(said), `${words}: ${talk}`)
    assert.equal(output, '')
  }
})

test('what only looks makes no store where there is none; doctor says so and finds no fault', async () => {
  const empty = freshDirectory()
  const look = (words: string) => runPurser(words.split(' '), empty)
  for (const words of [
    'verify',
    'verify ada',
    'users',
    'show ada',
    'events ada',
    'export ada',
    'tail',
    'cap ada',
    'keys list',
    'backup copy.db',
  ]) {
    const { code, talk, output } = await look(words)
    assert.equal(code, 3, `${words}: ${talk}`)
    assert.equal(talk, `error: There is no store at ${join(empty, 'data', 'purser.db')}.\n`, words)
    assert.equal(output, '')
  }
  const { output } = await look('doctor --json')
  const store = JSON.parse(output).find(({ check }: { check: string }) => check === 'store')
  assert.equal(store.ok, true)
  assert.match(store.detail, /no store at .*purser serve makes it/)
  assert.deepEqual(readdirSync(empty), [])
})

test('a cap is written in decimal digits, and a word that is none changes nothing', async () => {
  const empty = freshDirectory()
  for (const word of ['0x10', '1e3', ' 5 ', '+5', '1.5', '', '٥'])
    assert.equal((await runPurser(['cap', 'ada', word], empty)).code, 2, word)
  assert.deepEqual(readdirSync(empty), [])
  const { output } = await runPurser(['cap', 'ada', '007', '--json'], empty)
  assert.equal(JSON.parse(output).dailyCap, 7)
})

test('commands on local files say so where a server is named', async () => {
  const elsewhere = { PURSER_URL: server.url, PURSER_KEY: ADMIN_KEY }
  for (const words of ['backup copy.db', 'restore copy.db']) {
    const { code, talk } = await run(words, elsewhere)
    assert.equal(code, 2, words)
    assert.match(talk, /PURSER_URL/)
  }
  for (const words of ['doctor --json', 'config print --json']) {
    const { talk, output } = await run(words, elsewhere)
    assert.match(talk, /PURSER_URL names a server; this is about the configuration here/)
    assert.ok(JSON.parse(output))
    assert.doesNotMatch((await run(words)).talk, /PURSER_URL/)
  }
})

test('on a store of its own: data on stdout, talk on stderr, and exit codes that programs can act on', async () => {
  const set = await run('set ada model=demo parameters.temperature=0.2 --json')
  assert.equal(set.code, 0, set.talk)
  assert.equal(JSON.parse(set.output).parameters.temperature, 0.2)
  for (const command of ['show', 'events', 'verify', 'export'])
    assert.equal((await run(`${command} nobody`)).code, 3, command)
  const cap = await run('cap ada 5 --reason trial --json')
  assert.equal(JSON.parse(cap.output).dailyCap, 5)
  assert.equal(JSON.parse((await run('cap ada --json')).output).dailyCap, 5)
  assert.equal(JSON.parse((await run('show ada --json')).output).user, 'ada')
  const users = JSON.parse((await run('users --json')).output)
  assert.deepEqual(
    users.data.map(({ user }: { user: string }) => user),
    ['ada'],
  )
  const verdict = await run('verify --json')
  assert.deepEqual([verdict.code, JSON.parse(verdict.output).ok], [0, true])
  assert.ok(!(await run('users')).output.includes('\u001b'))
})

test('why settings were changed may be told in any language, on one line', async () => {
  const words = (reason: string) => ['set', 'ida', 'parameters.seed=1', '--reason', reason]
  const { code, talk } = await runPurser(words('weil’s hilft ✓ 日本'), directory)
  assert.equal(code, 0, talk)
  const { output } = await run('events ida --json')
  const reasons = JSON.parse(output).data.map(({ reason }: { reason?: string }) => reason)
  assert.ok(reasons.includes('weil’s hilft ✓ 日本'), output)
  assert.equal((await runPurser(words('two\nlines'), directory)).code, 2)
})

test('a secret comes on stdin, and no command shows it again', async () => {
  const kept = await run('secret set ada demo', {}, 'sk-very-secret\n')
  assert.equal(kept.code, 0, kept.talk)
  for (const words of ['show ada', 'export ada', 'events ada', 'users --json']) {
    const { output, talk } = await run(words)
    assert.ok(!`${output}${talk}`.includes('sk-very-secret'), words)
  }
})

test('what cannot be undone asks for the id again', async () => {
  const unsure = await run('erase ada --reason test')
  assert.equal(unsure.code, 2)
  assert.equal((await run('erase ada --reason test --confirm bob')).code, 2)
  const erased = await run('erase ada --reason test --confirm ada')
  assert.equal(JSON.parse(erased.output).erased.bond, 1)
  assert.equal((await run('show ada')).code, 3)
})

test('an export goes into a file that only its owner reads', async () => {
  await run('set cleo model=demo')
  const { code } = await run(`export cleo --output ${join(directory, 'cleo.ndjson')}`)
  assert.equal(code, 0)
  const path = join(directory, 'cleo.ndjson')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const rows = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual([rows[0].part, rows.at(-1).part], ['header', 'end'])
  assert.equal((await run(`export cleo --output ${join(directory, 'cleo.ndjson')}`)).code, 1)
})

test('keys are made, listed and revoked, and shown once', async () => {
  const made = await run('keys create --role viewer --name watch')
  assert.match(made.output, /^purser_viewer_[\w-]{43}\n$/)
  const list = await run('keys list --json')
  assert.ok(!list.output.includes(made.output.trim()))
  const { id } = JSON.parse(list.output).data.find(({ name }: { name: string }) => name === 'watch')
  assert.equal((await run(`keys revoke ${id}`)).code, 0)
  assert.equal((await run(`keys revoke ${id}`)).code, 3)
})

test('what is done beside a running server on the same store, the server knows within a second', async () => {
  const shared = freshDirectory()
  const beside = await startPurser({ store: 'sqlite:data/purser.db' }, shared)
  try {
    const { output } = await runPurser(['keys', 'create', '--role', 'service'], shared)
    const headers = { authorization: `Bearer ${output.trim()}`, 'x-purser-user': 'ada' }
    const me = async () => {
      const answer = await fetch(`${beside.baseURL}/me`, { headers })
      return { status: answer.status, body: (await answer.json()) as { cap: number } }
    }
    while ((await me()).status === 401);
    await runPurser(['cap', 'ada', '9'], shared)
    while ((await me()).body.cap !== 9);
    const { output: list } = await runPurser(['keys', 'list', '--json'], shared)
    const { data: keys } = JSON.parse(list) as { data: { id: string; role: string }[] }
    await runPurser(['keys', 'revoke', keys.find(({ role }) => role === 'service')?.id ?? ''], shared)
    while ((await me()).status === 200);
    assert.equal((await me()).status, 401)
  } finally {
    await beside.stop()
  }
})

test('over HTTP the same commands do the same, with the same exit codes', async () => {
  const remote = (words: string, key = ADMIN_KEY) => run(`${words} --url ${server.url}`, { PURSER_KEY: key })
  assert.equal((await remote('set dora model=demo')).code, 0)
  assert.equal(JSON.parse((await remote('show dora --json')).output).user, 'dora')
  assert.equal((await remote('show nobody')).code, 3)
  assert.equal((await remote('users', 'wrong')).code, 4)
  assert.equal((await remote('verify')).code, 0)
  assert.equal((await run('users --url http://127.0.0.1:9', { PURSER_KEY: 'x' })).code, 7)
  assert.equal((await run('users --url http://127.0.0.1:9')).code, 2)
  const json = await remote('show nobody --json')
  assert.equal(JSON.parse(json.output).error.code, 'not_found')
})

test('tail prints events as they happen, and Ctrl-C ends it with 130', async () => {
  const main = new URL('../../src/main.ts', import.meta.url).pathname
  const child = spawn(
    process.execPath,
    [...FROM_SOURCE, main, 'tail', '--json', '--after', 'none', '--url', server.url],
    {
      env: { PATH: process.env.PATH, PURSER_KEY: ADMIN_KEY },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const line = new Promise<string>((resolve) => child.stdout.once('data', (bytes) => resolve(String(bytes))))
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  let seen = ''
  const told = line.then((text) => {
    seen = text
  })
  // The stream begins some time after the process: events are made until it has told one.
  while (seen === '') {
    await server.api('POST', '/api/users/tail/notes', { text: 'x' })
    await Promise.race([told, fetch(`${server.url}/livez`)])
  }
  assert.equal(JSON.parse(seen.split('\n')[0] ?? '').user, 'tail')
  child.kill('SIGINT')
  assert.equal(await ended, 130)
})

test('as a process it ends with the same exit codes, and says why on stderr', async () => {
  const { code, talk } = await spawnPurser(['show', 'nobody', '--store', 'memory:'], directory)
  assert.deepEqual([code, talk], [3, "error: There is no user 'nobody'.\n"])
})

test('config print shows all that holds, defaults too, secrets masked', async () => {
  const { output, code } = await run('config print --json --port 1234 --daily-cap 5', { PURSER_SECRET_KEY: 'c2VjcmV0' })
  assert.equal(code, 0)
  const { server, ledger, context } = JSON.parse(output)
  assert.equal(server.port, 1234)
  assert.deepEqual([ledger.dailyCap, ledger.window, context.budgetMs], [5, 'day', 1_500])
  assert.ok(!output.includes('c2VjcmV0'))
})

test('doctor tells what is wrong and how to mend it', async () => {
  const { output, code } = await run('doctor --json --secret-key AAAA')
  assert.equal(code, 6)
  const bad = JSON.parse(output).filter(({ ok }: { ok: boolean }) => !ok)
  assert.ok(bad.some(({ check, hint }: { check: string; hint?: string }) => check === 'store' && hint !== undefined))
})

test('nobody listens beyond this machine while there are no keys, and says how to mend it', async () => {
  const { code, talk } = await run('serve --host 0.0.0.0 --port 0 --store memory:')
  assert.equal(code, 2)
  assert.match(talk, /keys create/)
  assert.match(talk, /PURSER_ADMIN_KEY/)
  const same = { PURSER_SERVICE_KEY: 'same', PURSER_ADMIN_KEY: 'same' }
  const refused = await run('serve --port 0 --store memory:', same)
  assert.equal(refused.code, 2)
  assert.match(refused.talk, /are the same/)
})

test('the files of the store belong to their owner alone', () => {
  for (const name of ['purser.db', 'purser-cache.db']) {
    const path = join(directory, 'data', name)
    if (existsSync(path)) assert.equal(statSync(path).mode & 0o077, 0, name)
  }
  assert.ok(existsSync(join(directory, 'data', 'purser.db')))
})
