import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { noPgbouncer, startPgbouncer } from '../../../purser/test/support/pgbouncer.ts'
import { noPostgres, sharedPostgres } from '../../../purser/test/support/postgres-server.ts'
import {
  ADMIN_KEY,
  createTempDirectory,
  MAIN,
  type Purser,
  runPurser,
  SOURCE_FLAGS,
  spawnPurser,
  startPurser,
} from '../support/processes.ts'

const directory = createTempDirectory()
/** Runs a command line in this process, on the store of `directory`. */
const run = (line: string, environment: Record<string, string> = {}, input = '') =>
  runPurser(
    line.split(' ').filter((arg) => arg !== ''),
    directory,
    environment,
    input,
  )

let server: Purser
before(async () => {
  server = await startPurser({ store: 'memory:' })
})
after(() => server?.stop())

test('invalid arguments exit with 2 and a suggestion', async () => {
  for (const [line, text] of [
    ['srve', "Did you mean 'serve'?"],
    ['keys', 'Did you mean: keys create, keys list, keys revoke?'],
    ['users --lmit 3', "Did you mean '--limit'?"],
    ['show', 'Usage: purser show ID'],
    ['show ..', 'An id must be'],
    ['events .', 'An id must be'],
    ['keys create', 'Missing --role'],
    ['cap ada many', "not 'many'"],
    ['block ada', 'Missing --reason'],
    ['limit ada daily reset', 'Missing --reason'],
    ['limit ada daily much --reason x', "'reset'"],
    ['limit ada daily reset --reason x --until 2030-01-01T00:00:00Z', '--until'],
    ['serve --store redis:x', "'sqlite:PATH'"],
    ['demo --config purser.config.json', "'--config'"],
  ] as const) {
    const { code, stderr, stdout } = await run(line)
    assert.equal(code, 2, `${line}: ${stderr}`)
    assert.ok(stderr.includes(text), `${line}: ${stderr}`)
    assert.equal(stdout, '')
  }
})

test('commands that only read do not create a store; doctor reports a missing store as ok', async () => {
  const empty = createTempDirectory()
  const runEmpty = (line: string) => runPurser(line.split(' '), empty)
  for (const line of [
    'verify',
    'verify ada',
    'checkpoint',
    'users',
    'show ada',
    'events ada',
    'export ada',
    'tail',
    'cap ada',
    'keys list',
    'backup copy.db',
  ]) {
    const { code, stderr, stdout } = await runEmpty(line)
    assert.equal(code, 3, `${line}: ${stderr}`)
    assert.equal(stderr, `error: Store ${join(empty, 'data', 'purser.db')} not found.\n`, line)
    assert.equal(stdout, '')
  }
  const { stdout } = await runEmpty('doctor --json')
  const store = JSON.parse(stdout).data.find(({ check }: { check: string }) => check === 'store')
  assert.equal(store.ok, true)
  assert.match(store.detail, /does not exist yet; purser serve creates it/)
  assert.deepEqual(readdirSync(empty), [])
})

test('a cap must be decimal digits, and an invalid one changes nothing', async () => {
  const empty = createTempDirectory()
  for (const value of ['0x10', '1e3', ' 5 ', '+5', '1.5', '', '٥'])
    assert.equal((await runPurser(['cap', 'ada', value], empty)).code, 2, value)
  assert.deepEqual(readdirSync(empty), [])
  const { stdout } = await runPurser(['cap', 'ada', '007', '--json'], empty)
  assert.equal(JSON.parse(stdout).dailyCap, 7)
})

test('commands on local files reject or ignore the URL of a server', async () => {
  const remote = { PURSER_URL: server.url, PURSER_KEY: ADMIN_KEY }
  for (const line of ['backup copy.db', 'restore copy.db']) {
    const { code, stderr } = await run(line, remote)
    assert.equal(code, 2, line)
    assert.match(stderr, /PURSER_URL/)
  }
  for (const line of ['doctor --json', 'config print --json']) {
    const { stderr, stdout } = await run(line, remote)
    assert.match(stderr, /PURSER_URL is ignored: this command reads the local configuration/)
    assert.ok(JSON.parse(stdout))
    assert.doesNotMatch((await run(line)).stderr, /PURSER_URL/)
  }
})

test('on the configured store: data on stdout, messages on stderr, and the exit codes of the contract', async () => {
  const set = await run('set ada model=demo parameters.temperature=0.2 --json')
  assert.equal(set.code, 0, set.stderr)
  assert.equal(JSON.parse(set.stdout).parameters.temperature, 0.2)
  for (const command of ['show', 'events', 'verify', 'export'])
    assert.equal((await run(`${command} unknown`)).code, 3, command)
  const cap = await run('cap ada 5 --reason trial --json')
  assert.equal(JSON.parse(cap.stdout).dailyCap, 5)
  assert.equal(JSON.parse((await run('cap ada --json')).stdout).dailyCap, 5)
  const limit = await run('limit ada daily reset --reason fault --json')
  assert.deepEqual([JSON.parse(limit.stdout).max, JSON.parse(limit.stdout).used], [5, 0])
  assert.equal((await run('limit ada weekly reset --reason fault')).code, 3)
  assert.equal(JSON.parse((await run('limit ada daily 7 --json')).stdout).max, 7)
  assert.equal(JSON.parse((await run('limit ada daily unlimited --json')).stdout).max, null)
  assert.equal(JSON.parse((await run('limit ada daily 5 --until 2999-01-01T00:00:00Z --json')).stdout).origin, 'user')
  const limits = JSON.parse((await run('limits ada --json')).stdout).data
  assert.deepEqual(
    limits.map(({ name, max }: { name: string; max: number }) => [name, max]),
    [['daily', 5]],
  )
  assert.match((await run('limits ada')).stdout, /^daily: 0 of 5 turns \(day\) used/)
  assert.equal((await run('limits')).code, 0)
  assert.equal((await run('limits unknown')).code, 3)
  const plan = await run('plan ada gold')
  assert.notEqual(plan.code, 0)
  assert.match(plan.stderr, /Unknown plan 'gold'/)
  assert.equal((await run('plan ada default')).code, 0)
  assert.equal(JSON.parse((await run('show ada --json')).stdout).user, 'ada')
  const users = JSON.parse((await run('users --json')).stdout)
  assert.deepEqual(
    users.data.map(({ user }: { user: string }) => user),
    ['ada'],
  )
  const verified = await run('verify --json')
  assert.deepEqual([verified.code, JSON.parse(verified.stdout).ok], [0, true])
  assert.ok(!(await run('users')).stdout.includes('\u001b'))
})

test('the reason of a settings change may contain any characters, on one line', async () => {
  const createArgs = (reason: string) => ['set', 'ida', 'parameters.seed=1', '--reason', reason]
  const { code, stderr } = await runPurser(createArgs('weil’s hilft ✓ 日本'), directory)
  assert.equal(code, 0, stderr)
  const { stdout } = await run('events ida --json')
  const reasons = JSON.parse(stdout).data.map(({ reason }: { reason?: string }) => reason)
  assert.ok(reasons.includes('weil’s hilft ✓ 日本'), stdout)
  assert.equal((await runPurser(createArgs('two\nlines'), directory)).code, 2)
})

test('a secret is read from stdin, and no command prints it', async () => {
  const stored = await run('secret set ada demo', {}, 'sk-very-secret\n')
  assert.equal(stored.code, 0, stored.stderr)
  for (const line of ['show ada', 'export ada', 'events ada', 'users --json']) {
    const { stdout, stderr } = await run(line)
    assert.ok(!`${stdout}${stderr}`.includes('sk-very-secret'), line)
  }
})

test('an erasure requires the id as confirmation', async () => {
  const unconfirmed = await run('erase ada --reason test')
  assert.equal(unconfirmed.code, 2)
  assert.equal((await run('erase ada --reason test --confirm bob')).code, 2)
  const erased = await run('erase ada --reason test --confirm ada')
  assert.equal(JSON.parse(erased.stdout).erased.bond, 1)
  assert.equal((await run('show ada')).code, 3)
})

test('an export is written to a new file with mode 0600', async () => {
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

test('keys are created, listed and revoked, and a list does not contain them', async () => {
  const created = await run('keys create --role viewer --name watch')
  assert.match(created.stdout, /^purser_viewer_[\w-]{43}\n$/)
  const list = await run('keys list --json')
  assert.ok(!list.stdout.includes(created.stdout.trim()))
  const { id } = JSON.parse(list.stdout).data.find(({ name }: { name: string }) => name === 'watch')
  assert.equal((await run(`keys revoke ${id}`)).code, 0)
  assert.equal((await run(`keys revoke ${id}`)).code, 3)
})

test('a running server sees changes that a command makes on the same store within a second', async () => {
  const shared = createTempDirectory()
  const running = await startPurser({ store: 'sqlite:data/purser.db' }, shared)
  try {
    const { stdout } = await runPurser(['keys', 'create', '--role', 'service'], shared)
    const headers = { authorization: `Bearer ${stdout.trim()}`, 'x-purser-user': 'ada' }
    const getMe = async () => {
      const response = await fetch(`${running.baseURL}/me`, { headers })
      return { status: response.status, body: (await response.json()) as { cap: number } }
    }
    while ((await getMe()).status === 401);
    await runPurser(['cap', 'ada', '9'], shared)
    while ((await getMe()).body.cap !== 9);
    const { stdout: list } = await runPurser(['keys', 'list', '--json'], shared)
    const { data: keys } = JSON.parse(list) as { data: { id: string; role: string }[] }
    await runPurser(['keys', 'revoke', keys.find(({ role }) => role === 'service')?.id ?? ''], shared)
    while ((await getMe()).status === 200);
    assert.equal((await getMe()).status, 401)
  } finally {
    await running.stop()
  }
})

test('over HTTP the commands have the same results and exit codes', async () => {
  const runRemote = (line: string, key = ADMIN_KEY) => run(`${line} --url ${server.url}`, { PURSER_KEY: key })
  assert.equal((await runRemote('set dora model=demo')).code, 0)
  assert.equal(JSON.parse((await runRemote('show dora --json')).stdout).user, 'dora')
  assert.equal((await runRemote('show unknown')).code, 3)
  assert.equal((await runRemote('users', 'wrong')).code, 4)
  assert.equal((await runRemote('verify')).code, 0)
  assert.equal((await run('users --url http://127.0.0.1:9', { PURSER_KEY: 'x' })).code, 7)
  assert.equal((await run('users --url http://127.0.0.1:9')).code, 2)
  const json = await runRemote('show unknown --json')
  assert.equal(JSON.parse(json.stdout).error.code, 'not_found')
})

test('tail prints events as they occur, and Ctrl-C ends it with 130', async () => {
  const child = spawn(
    process.execPath,
    [...SOURCE_FLAGS, MAIN, 'tail', '--json', '--after', 'none', '--url', server.url],
    {
      env: { PATH: process.env.PATH, PURSER_KEY: ADMIN_KEY },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const firstOutput = new Promise<string>((resolve) => child.stdout.once('data', (bytes) => resolve(String(bytes))))
  let printed = ''
  child.stdout.on('data', (bytes) => {
    printed += String(bytes)
  })
  let errors = ''
  child.stderr.on('data', (bytes) => {
    errors += String(bytes)
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  let output = ''
  const received = firstOutput.then((text) => {
    output = text
  })
  // The stream starts some time after the process, so events are added until it has printed one.
  while (output === '') {
    await server.api('POST', '/api/users/tail/notes', { text: 'x' })
    await Promise.race([received, fetch(`${server.url}/livez`)])
  }
  assert.equal(JSON.parse(output.split('\n')[0] ?? '').user, 'tail')
  child.kill('SIGINT')
  assert.equal(await ended, 130)
  // Nothing but events: Ctrl-C is how the command ends.
  for (const line of printed.trimEnd().split('\n')) assert.equal(typeof JSON.parse(line).sequence, 'number')
  assert.equal(errors, '')
})

test('a child process exits with the same code and prints the reason on stderr', async () => {
  const { code, stderr } = await spawnPurser(['show', 'unknown', '--store', 'memory:'], directory)
  assert.deepEqual([code, stderr], [3, "error: User 'unknown' not found.\n"])
})

test('config print shows the effective configuration with defaults, and masks secrets', async () => {
  const { stdout, code } = await run('config print --json --port 1234 --daily-cap 5', { PURSER_SECRET_KEY: 'c2VjcmV0' })
  assert.equal(code, 0)
  const { server, ledger, context } = JSON.parse(stdout)
  assert.equal(server.port, 1234)
  assert.deepEqual([ledger.dailyCap, ledger.window, context.budgetMs], [5, 'day', 1_500])
  assert.ok(!stdout.includes('c2VjcmV0'))
})

test('doctor reports problems with a fix', async () => {
  const { stdout, code } = await run('doctor --json --secret-key AAAA')
  assert.equal(code, 6)
  const bad = JSON.parse(stdout).data.filter(({ ok }: { ok: boolean }) => !ok)
  assert.ok(bad.some(({ check, hint }: { check: string; hint?: string }) => check === 'store' && hint !== undefined))
})

test('doctor finds providers that cannot work and sources that do not respond', async () => {
  const empty = createTempDirectory()
  const closed = 'http://127.0.0.1:1'
  const config = {
    providers: {
      bare: { kind: 'openai-compatible', models: ['m'] },
      keyless: { kind: 'openai', models: ['m'] },
      spare: { kind: 'anthropic', models: ['m'] },
      keyed: { kind: 'openai', apiKey: 'k', baseURL: `${closed}/v1` },
    },
    runtime: { defaults: { provider: 'keyless' } },
    context: { sources: { profile: { url: `${closed}/profile/{user}` } } },
  }
  writeFileSync(join(empty, 'purser.config.json'), JSON.stringify(config))
  assert.equal((await runPurser(['cap', 'ada', '1'], empty)).code, 0)
  const { stdout, code } = await runPurser(['doctor', '--json'], empty)
  assert.equal(code, 6)
  const findings = JSON.parse(stdout).data as { check: string; ok: boolean; detail: string; hint?: string }[]
  const find = (check: string) => findings.filter((finding) => finding.check === check)
  assert.match(find('provider bare')[0]?.hint ?? '', /providers\.bare\.baseURL/)
  assert.deepEqual([find('provider keyless')[0]?.ok, find('provider spare')[0]?.ok], [false, true])
  assert.match(find('provider keyless')[0]?.hint ?? '', /purser secret set ID keyless/)
  assert.deepEqual([find('provider keyed')[0]?.ok, find('source profile')[0]?.ok], [false, false])
  assert.match(find('source profile')[0]?.hint ?? '', /curl -I http:\/\/127\.0\.0\.1:1/)
})

test('doctor finds what a server of PostgreSQL should not be set to', { skip: noPgbouncer }, async () => {
  const server = await sharedPostgres()
  const secret = ['--secret-key', Buffer.alloc(32, 1).toString('base64')]
  const inspect = async (url: string) => {
    const { stdout } = await runPurser(['doctor', '--json', '--store', url, ...secret], createTempDirectory())
    assert.ok(!stdout.includes('hunter2'))
    return new Map(
      (JSON.parse(stdout).data as { check: string; ok: boolean; hint?: string }[]).map((finding) => [
        finding.check,
        finding,
      ]),
    )
  }
  const url = new URL(server.url())
  url.password = 'hunter2'
  const direct = await inspect(url.href)
  assert.deepEqual(
    ['store', 'store version', 'store writes', 'clock', 'pooler'].map((check) => direct.get(check)?.ok),
    [true, true, false, true, true],
  )
  assert.match(direct.get('store writes')?.hint ?? '', /ALTER SYSTEM SET/, 'the shared server runs without fsync')
  await using pooler = await startPgbouncer(server)
  const pooled = pooler.url()
  assert.equal((await inspect(pooled)).get('pooler')?.ok, true)
  const refused = (await inspect(pooled.replace('&pgbouncer=true', ''))).get('store')
  assert.match(refused?.hint ?? '', /add pgbouncer=true/)
  const ignored = 'ignore_startup_parameters = statement_timeout, idle_in_transaction_session_timeout'
  await using lenient = await startPgbouncer(server, [ignored])
  const unmarked = (await inspect(lenient.url().replace('&pgbouncer=true', ''))).get('pooler')
  assert.equal(unmarked?.ok, false)
  assert.match(unmarked?.hint ?? '', /Add pgbouncer=true/)
})

test('doctor finds a store that cannot be written', { skip: noPostgres }, async () => {
  const server = await sharedPostgres()
  const url = server.url()
  const line = ['--store', url, '--secret-key', Buffer.alloc(32, 1).toString('base64')]
  assert.equal((await runPurser(['cap', 'ada', '1', ...line], createTempDirectory())).code, 0)
  await server.query(`CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA ${new URL(url).searchParams.get('schema')} TO reader;
    GRANT SELECT ON ALL TABLES IN SCHEMA ${new URL(url).searchParams.get('schema')} TO reader`)
  const asReader = line.map((part) => part.replace('purser@', 'reader@'))
  const { stdout, code } = await runPurser(['doctor', '--json', ...asReader], createTempDirectory())
  assert.equal(code, 6)
  const store = JSON.parse(stdout).data.find(({ check }: { check: string }) => check === 'store')
  assert.equal(store.ok, false, stdout)
})

test('serve does not listen beyond loopback without keys, and says how to create them', async () => {
  const { code, stderr } = await run('serve --host 0.0.0.0 --port 0 --store memory:')
  assert.equal(code, 2)
  assert.match(stderr, /keys create/)
  assert.match(stderr, /PURSER_ADMIN_KEY/)
  const same = { PURSER_SERVICE_KEY: 'the-same-key', PURSER_ADMIN_KEY: 'the-same-key' }
  const refused = await run('serve --port 0 --store memory:', same)
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /are the same/)
})

test('serve refuses before it opens a store: without keys beyond loopback, and with keys that can be guessed', async () => {
  const empty = createTempDirectory()
  const strong = 'abcdefghijklmnopqrstuvwxyz0123456789'
  for (const [line, environment, text] of [
    ['serve --host 0.0.0.0 --port 0', {}, 'no API keys exist'],
    ['serve --host :: --port 0', {}, 'no API keys exist'],
    ['serve --port 0', { PURSER_ADMIN_KEY: 'a' }, 'at least 32 ASCII characters'],
    ['serve --port 0', { PURSER_SERVICE_KEY: `é${strong}` }, 'at least 32 ASCII characters'],
    ['serve --host 0.0.0.0 --port 0', { PURSER_ADMIN_KEY: strong.slice(0, 31) }, 'shorter than 32'],
  ] as const) {
    const { code, stderr } = await runPurser(line.split(' '), empty, environment)
    assert.equal(code, 2, `${line}: ${stderr}`)
    assert.ok(stderr.includes(text), stderr)
  }
  assert.deepEqual(readdirSync(empty), [])
})

test('the files of the store are readable by their owner only', () => {
  for (const name of ['purser.db', 'purser-cache.db']) {
    const path = join(directory, 'data', name)
    if (existsSync(path)) assert.equal(statSync(path).mode & 0o077, 0, name)
  }
  assert.ok(existsSync(join(directory, 'data', 'purser.db')))
})
