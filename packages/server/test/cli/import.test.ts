import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { importedRequest, openPurser, type Purser, type TurnRecord, type UsageSum } from 'purser'
import {
  ADMIN_KEY,
  createTempDirectory,
  type Purser as PurserProcess,
  runPurser,
  spawnPurser,
  startPurser,
} from '../support/processes.ts'

/** A store with one user that has data of every kind, and the user's export. */
const source = createTempDirectory()
const exportFile = join(source, 'ada.ndjson')
let server: PurserProcess

before(async () => {
  server = await startPurser({ store: 'memory:' })
  const purser = await openPurser({
    store: `sqlite:${join(source, 'data', 'purser.db')}`,
    providers: { demo: { kind: 'demo', models: ['demo'] } },
    runtime: { defaults: { provider: 'demo', model: 'demo' } },
    prices: { 'demo/*': { input: '1', output: '2' } },
  })
  const ada = purser.user('ada')
  await ada.profile.put({ first_name: 'Ada', tags: ['x'] })
  await ada.actions.record([
    { action: 'Played', at: '2026-01-02T03:04:05Z', label: 'l' },
    { action: 'Left', at: '2026-01-02T04:04:05Z' },
  ])
  await ada.ledger.observe(
    { phase: 'warm', riskLevel: 'medium', archetype: 'poet', turnCount: 12 },
    { peaks: { trust: 0.7 } },
  )
  await ada.ledger.setDailyCap(7, { actor: 'eve', reason: 'trial' })
  await ada.ledger.block({ actor: 'eve', reason: 'asked for a break' })
  await ada.ledger.addNote('likes boats – ⛵', { actor: 'eve' })
  await ada.ledger.setTimeZone('Asia/Kolkata')
  await ada.context.setEnabled(false)
  await takeTurns(purser, 'ada')
  await purser.close()
  await runPurser(['set', 'ada', 'model=demo', 'parameters.temperature=0.3'], source)
  await runPurser(['secret', 'set', 'ada', 'demo'], source, {}, 'sk-very-secret')
  await runPurser(['export', 'ada', '--output', exportFile], source)
})
after(() => server?.stop())

/** Turns that are answered, fail and are refused; the last one is refused because the user is blocked. */
async function takeTurns(purser: Purser, id: string): Promise<void> {
  const request = { messages: [{ role: 'user' as const, content: 'Hello' }] }
  const user = purser.user(id)
  await user.ledger.unblock({ actor: 'eve' })
  for (let turn = 0; turn < 3; turn++) {
    const answered = await user.turn(request, { session: 's', requestId: `request ${turn}` })
    assert.ok(answered.allowed)
    await answered.completion()
  }
  await assert.rejects(user.turn({ ...request, model: 'unknown' }), { code: 'model_not_found' })
  await user.ledger.block({ actor: 'eve', reason: 'asked for a break' })
  assert.equal((await user.turn(request)).allowed, false)
}

const pickFields = (bond: Record<string, unknown>) => {
  const { phase, riskLevel, archetype, turnCount, dailyCap, capOrigin, timeZone, notesCount } = bond
  const blocked = (bond.blocked as { reason: string } | null)?.reason
  return { phase, riskLevel, archetype, turnCount, dailyCap, capOrigin, timeZone, notesCount, blocked }
}

test('importing a directory is a usage error', async () => {
  const refused = await spawnPurser(['import', source], createTempDirectory())
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /is a directory/)
})

test('an import restores the user: state by new events, the old log as records, and reports what it skipped', async () => {
  const target = createTempDirectory()
  const imported = await spawnPurser(['import', exportFile, '--json'], target)
  assert.equal(imported.code, 0, imported.stderr)
  const [report] = JSON.parse(imported.stdout).users
  {
    await using purser = await openPurser({ store: `sqlite:${join(target, 'data', 'purser.db')}` })
    assert.equal((await purser.user('ada').context.explain()).enabled, false)
  }
  assert.deepEqual(report.refused, [])
  assert.deepEqual(
    report.left.map(({ what }: { what: string }) => what),
    ['secret', 'counter'],
  )
  const purser = await openPurser({ store: `sqlite:${join(target, 'data', 'purser.db')}` })
  try {
    const ada = purser.user('ada')
    const bond = await ada.ledger.bond()
    const rows = readFileSync(exportFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const original = rows.find(({ type }) => type === 'bond').value
    assert.deepEqual(pickFields({ ...bond }), pickFields(original))
    assert.equal(bond.peaks.trust?.value, 0.7)
    assert.deepEqual(await ada.profile.get(), { first_name: 'Ada', tags: ['x'] })
    assert.deepEqual(
      (await ada.actions.list()).map(({ action, at }) => `${action} ${at}`),
      ['Left 2026-01-02T04:04:05.000Z', 'Played 2026-01-02T03:04:05.000Z'],
    )
    assert.deepEqual((await ada.ledger.notes())[0]?.text, 'likes boats – ⛵')
    const events = (await ada.ledger.events({ limit: 1000 })).toReversed()
    assert.equal(events[0]?.type, 'import:export')
    const sha256 = createHash('sha256').update(readFileSync(exportFile)).digest('hex')
    assert.equal(events[0]?.data.sha256, sha256)
    const records = events.filter(({ type }) => type === 'import:event').map(({ data }) => data)
    const old = rows.filter(({ type }) => type === 'event').map(({ value: { user: _, detail: __, ...event } }) => event)
    assert.deepEqual(records, old)
    const override = events.find(({ data }) => data.action === 'correct')
    assert.equal(override?.reason, `import sha256:${sha256.slice(0, 16)}`)
    assert.equal((await purser.verify()).ok, true)
  } finally {
    await purser.close()
  }
})

function exportedRows(type: string): readonly Record<string, unknown>[] {
  const rows = readFileSync(exportFile, 'utf8').trim().split('\n')
  return rows.map((line) => JSON.parse(line)).filter((row) => row.type === type)
}

test('records of turns and sums of usage are imported, once', async () => {
  const target = createTempDirectory()
  const counts: unknown[] = []
  for (const flags of [[], ['--force']]) {
    const imported = await runPurser(['import', exportFile, '--json', ...flags], target)
    assert.equal(imported.code, 0, imported.stderr)
    const { taken, refused } = JSON.parse(imported.stdout).users[0]
    assert.deepEqual(refused, [])
    counts.push([taken.turns, taken.usage])
  }
  const turns = exportedRows('turn').map(({ value }) => value as TurnRecord)
  assert.deepEqual(counts[0], [turns.length, exportedRows('usage').length])
  assert.deepEqual(counts[0], counts[1])
  assert.deepEqual(
    turns.map(({ outcome, code }) => [outcome, code]),
    [
      ['completed', null],
      ['completed', null],
      ['completed', null],
      ['failed', 'model_not_found'],
      ['refused', 'user_blocked'],
    ],
  )
  await using purser = await openPurser({ store: `sqlite:${join(target, 'data', 'purser.db')}` })
  const ada = purser.user('ada')
  const stored = (await ada.turns()).toReversed()
  const withoutId = ({ id: _, ...turn }: TurnRecord) => turn
  assert.deepEqual(stored.map(withoutId), turns.map(withoutId))
  assert.ok(stored.every(({ id }, index) => id.slice(0, 18) === turns[index]?.id.slice(0, 18)))
  await using original = await openPurser({ store: `sqlite:${join(source, 'data', 'purser.db')}` })
  for (const by of ['day', 'hour', 'model', 'limit'] as const)
    assert.deepEqual(await ada.usage({ by }), await original.user('ada').usage({ by }))
  const [sum]: UsageSum[] = await ada.usage({ by: 'month' })
  assert.deepEqual([sum?.turns, sum?.refused], [3, 1])
  // What other users of this installation see is what was used here.
  assert.deepEqual(await purser.usage({ by: 'day' }), [])
  assert.equal((await purser.simulate({ limits: [{ name: 'l', measure: 'turns', max: 1, window: 'day' }] })).refused, 2)
  const { erased } = await ada.erase({ actor: 'eve', reason: 'asked' })
  assert.equal(erased.turns, 5)
  assert.deepEqual([await ada.turns(), await ada.usage()], [[], []])
})

test('what is used of limits is imported, under the plan and in the zone of the user', async () => {
  const limits = [{ name: 'spent', measure: 'cost', max: '5', window: 'month', alertAt: [0.1] }] as const
  const config = {
    ledger: { dailyCap: 9 },
    plans: { pro: { limits: [...limits] } },
    prices: { '*': { input: '1', output: '1' } },
  }
  const [from, to] = [createTempDirectory(), createTempDirectory()]
  const configFile = join(from, 'limits.json')
  writeFileSync(configFile, JSON.stringify(config))
  const storeIn = (directory: string) => ({ ...config, store: `sqlite:${join(directory, 'data', 'purser.db')}` })
  {
    await using purser = await openPurser(storeIn(from))
    const { ledger } = purser.user('bo')
    await ledger.setTimeZone('Pacific/Kiritimati')
    await ledger.setPlan('pro', { actor: 'eve' })
    const admission = await ledger.admit({ model: 'x/m' })
    assert.ok(admission.allowed)
    await ledger.settle(admission.ticket, { inputTokens: 1_000_000 })
  }
  const file = join(from, 'bo.ndjson')
  await runPurser(['export', 'bo', '--output', file, '--config', configFile], from)
  const damaged = join(from, 'damaged.ndjson')
  writeFileSync(damaged, readFileSync(file, 'utf8').replace('"value":"1"', '"value":"-1"'))
  const refused = await spawnPurser(['import', damaged, '--config', configFile, '--json'], createTempDirectory())
  const damagedReport = JSON.parse(refused.stdout).users[0]
  assert.match(damagedReport.refused[0].message, /'value' must be a decimal number/)
  assert.equal(damagedReport.taken['use of limits'], 1)
  for (const force of [[], ['--force']]) {
    const imported = await runPurser(['import', file, '--config', configFile, '--json', ...force], to)
    assert.equal(imported.code, 0, imported.stderr)
    const [report] = JSON.parse(imported.stdout).users
    assert.deepEqual([report.taken['use of limits'], report.refused], [2, []])
    await using purser = await openPurser(storeIn(to))
    const { ledger } = purser.user('bo')
    const used = (await ledger.limits()).map(({ name, used: amount }) => [name, amount])
    assert.deepEqual(used, [
      ['daily', 1],
      ['spent', '1'],
    ])
    assert.deepEqual(await ledger.events({ types: ['limit_threshold'] }), [])
  }
  const { api } = server
  const elsewhere = await runPurser(['import', file, '--json', '--url', server.url], to, { PURSER_KEY: ADMIN_KEY })
  const { left } = JSON.parse(elsewhere.stdout).users[0]
  assert.match(left.find(({ what }: { what: string }) => what === 'counter').why, /--url/)
  assert.equal((await api('GET', '/api/users/bo')).status, 200)
})

test('records that are damaged are reported with their line, and the others are imported', async () => {
  const target = createTempDirectory()
  const [bad, badLine] = [join(target, 'bad.ndjson'), exportedRows('turn')[1]]
  const damages = [
    ['"requestId":"request 0"', '"requestId":7'],
    ['"outcome":"refused"', '"outcome":"lost"'],
    ['"cost":"0.', '"cost":"-0.'],
  ] as const
  assert.ok(badLine)
  let text = readFileSync(exportFile, 'utf8')
  for (const [from, to] of damages) {
    assert.ok(text.includes(from), from)
    text = text.replace(from, to)
  }
  writeFileSync(bad, text)
  const { code, stdout } = await runPurser(['import', bad, '--json'], target)
  assert.equal(code, 1)
  const { taken, refused } = JSON.parse(stdout).users[0]
  assert.match(refused.map(({ message }: { message: string }) => message).join(), /requestId.*outcome/s)
  assert.ok(taken.turns >= 2)
  assert.equal(taken.turns + taken.usage + refused.length, exportedRows('turn').length + exportedRows('usage').length)
})

test('existing users are not changed without --force, and a file may contain several users', async () => {
  const target = createTempDirectory()
  const text = readFileSync(exportFile, 'utf8')
  const both = join(target, 'both.ndjson')
  writeFileSync(both, `${text}${text.replaceAll('"ada"', '"bob"')}`)
  await runPurser(['cap', 'ada', '3', '--reason', 'mine'], target)
  const importBoth = (...flags: string[]) => runPurser(['import', both, '--json', ...flags], target)
  const first = await importBoth()
  assert.equal(first.code, 5)
  assert.deepEqual(
    JSON.parse(first.stdout).users.map(({ user, exists }: { user: string; exists: boolean }) => [user, exists]),
    [
      ['ada', true],
      ['bob', false],
    ],
  )
  const getCap = async (id: string) => JSON.parse((await runPurser(['cap', id, '--json'], target)).stdout).dailyCap
  assert.deepEqual([await getCap('ada'), await getCap('bob')], [3, 7])
  assert.equal((await importBoth('--force')).code, 0)
  assert.equal(await getCap('ada'), 7)
  // The records of the old log exist once.
  const { stdout } = await runPurser(['events', 'bob', '--limit', '1000', '--types', 'import:event', '--json'], target)
  const ids = (JSON.parse(stdout).data as { data: { id: string } }[]).map(({ data }) => data.id)
  assert.equal(new Set(ids).size, ids.length)
})

test('a file that is truncated, inconsistent or of another format changes nothing', async () => {
  const target = createTempDirectory()
  const lines = readFileSync(exportFile, 'utf8').trim().split('\n')
  const [header = '', ...rows] = lines
  for (const [content, text] of [
    [lines.slice(0, -1), 'is truncated'],
    [[header, ...rows.slice(1)], 'number of rows that its end states'],
    [[header, 'not JSON', ...rows], 'line 2'],
    [[...lines, ...rows], 'outside of an export'],
    [[header, ...lines], 'has no end'],
    [[header.replace('"format":1', '"format":2'), ...rows], 'format 1'],
    [['{"some":"file"}'], '--user ID'],
    [[], '--user ID'],
  ] as const) {
    const path = join(target, 'bad.ndjson')
    writeFileSync(path, content.join('\n'))
    const { code, stderr } = await runPurser(['import', path], target)
    assert.equal(code, 2, stderr)
    assert.ok(stderr.includes(text), stderr)
  }
  assert.equal((await runPurser(['import', join(target, 'none')], target)).code, 3)
  assert.equal((await runPurser(['show', 'ada'], target)).code, 3)
})

test('rows that this installation refuses are reported with their line, and the others are imported', async () => {
  const target = createTempDirectory()
  writeFileSync(join(target, 'purser.config.json'), '{"ledger":{"phases":["new","old"]}}')
  const { code, stdout } = await runPurser(['import', exportFile, '--json'], target)
  assert.equal(code, 1)
  const [report] = JSON.parse(stdout).users
  assert.match(report.refused[0].message, /warm/)
  assert.equal(typeof report.refused[0].line, 'number')
  assert.equal(report.taken.notes, 1)
})

test('over HTTP an import has the same result, without the records of the old log', async () => {
  const target = createTempDirectory()
  const imported = await runPurser(['import', exportFile, '--json', '--url', server.url], target, {
    PURSER_KEY: ADMIN_KEY,
  })
  assert.equal(imported.code, 0, imported.stderr)
  const { left } = JSON.parse(imported.stdout).users[0]
  assert.match(left.find(({ what }: { what: string }) => what === 'event').why, /without --url/)
  const { body } = await server.api('GET', '/api/users/ada')
  assert.deepEqual(pickFields(body as Record<string, unknown>).blocked, 'asked for a break')
})

test('CM-09: an old ai_responses.json is imported for one user, also when it is damaged', async () => {
  const target = createTempDirectory()
  const key = (text: string) => createHash('sha256').update(text).digest('hex')
  const now = Date.now() / 1000
  const entry = (response: string) => ({ response, created_at: now, text_length: response.length })
  const old = { [key('q1')]: entry('a1'), [key('q2')]: entry('a2'), [key('q3')]: { ...entry('a3'), text_length: 9 } }
  const path = join(target, 'ai_responses.json')
  writeFileSync(path, JSON.stringify(old, null, 2))
  assert.equal((await spawnPurser(['import', path], target)).code, 2)
  const imported = await spawnPurser(['import', path, '--user', 'ada', '--json'], target)
  assert.equal(imported.code, 0, imported.stderr)
  const { imported: count, skipped } = JSON.parse(imported.stdout)
  assert.deepEqual([count, skipped], [2, { incomplete: 1 }])
  const purser = await openPurser({ store: `sqlite:${join(target, 'data', 'purser.db')}` })
  assert.equal((await purser.user('ada').answers.lookup(importedRequest('q1')))?.answer, 'a1')
  await purser.close()
  writeFileSync(path, JSON.stringify(old, null, 2).slice(0, -40))
  const damaged = await runPurser(['import', path, '--user', 'bob'], target)
  assert.equal(damaged.code, 0, damaged.stderr)
  assert.match(damaged.stderr, /damaged/)
  writeFileSync(path, 'not JSON')
  assert.equal((await runPurser(['import', path, '--user', 'cleo'], target)).code, 1)
})
