import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { importedRequest, openPurser } from 'purser'
import { ADMIN_KEY, freshDirectory, type Purser, runPurser, spawnPurser, startPurser } from '../support/processes.ts'

/** A store with one user about whom everything is known, and their export. */
const from = freshDirectory()
const exported = join(from, 'ada.ndjson')
let server: Purser

before(async () => {
  server = await startPurser({ store: 'memory:' })
  const purser = await openPurser({ store: `sqlite:${join(from, 'data', 'purser.db')}` })
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
  await purser.close()
  await runPurser(['set', 'ada', 'model=demo', 'parameters.temperature=0.3'], from)
  await runPurser(['secret', 'set', 'ada', 'demo'], from, {}, 'sk-very-secret')
  await runPurser(['export', 'ada', '--output', exported], from)
})
after(() => server?.stop())

const fieldsOf = (bond: Record<string, unknown>) => {
  const { phase, riskLevel, archetype, turnCount, dailyCap, capOrigin, timeZone, notesCount } = bond
  const blocked = (bond.blocked as { reason: string } | null)?.reason
  return { phase, riskLevel, archetype, turnCount, dailyCap, capOrigin, timeZone, notesCount, blocked }
}

test('a directory cannot be imported, and that is told as a wrong use', async () => {
  const refused = await spawnPurser(['import', from], freshDirectory())
  assert.equal(refused.code, 2)
  assert.match(refused.talk, /is a directory/)
})

test('an export becomes the user again: state by new events, the old log as records, and a report of the rest', async () => {
  const to = freshDirectory()
  const imported = await spawnPurser(['import', exported, '--json'], to)
  assert.equal(imported.code, 0, imported.talk)
  const [report] = JSON.parse(imported.output).users
  assert.deepEqual(report.refused, [])
  assert.deepEqual(
    report.left.map(({ what }: { what: string }) => what),
    ['secret'],
  )
  const purser = await openPurser({ store: `sqlite:${join(to, 'data', 'purser.db')}` })
  try {
    const ada = purser.user('ada')
    const here = await ada.ledger.bond()
    const rows = readFileSync(exported, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const there = rows.find(({ type }) => type === 'bond').value
    assert.deepEqual(fieldsOf({ ...here }), fieldsOf(there))
    assert.equal(here.peaks.trust?.value, 0.7)
    assert.deepEqual(await ada.profile.get(), { first_name: 'Ada', tags: ['x'] })
    assert.deepEqual(
      (await ada.actions.list()).map(({ action, at }) => `${action} ${at}`),
      ['Left 2026-01-02T04:04:05.000Z', 'Played 2026-01-02T03:04:05.000Z'],
    )
    assert.deepEqual((await ada.ledger.notes())[0]?.text, 'likes boats – ⛵')
    const events = (await ada.ledger.events({ limit: 1000 })).toReversed()
    assert.equal(events[0]?.type, 'import:export')
    const sha256 = createHash('sha256').update(readFileSync(exported)).digest('hex')
    assert.equal(events[0]?.data.sha256, sha256)
    const records = events.filter(({ type }) => type === 'import:event').map(({ data }) => data)
    const old = rows.filter(({ type }) => type === 'event').map(({ value: { user: _, detail: __, ...event } }) => event)
    assert.deepEqual(records, old)
    const corrected = events.find(({ data }) => data.action === 'correct')
    assert.equal(corrected?.reason, `import sha256:${sha256.slice(0, 16)}`)
    assert.equal((await purser.verify()).ok, true)
  } finally {
    await purser.close()
  }
})

test('who exists is left alone unless it is forced, and a file may hold many users', async () => {
  const to = freshDirectory()
  const text = readFileSync(exported, 'utf8')
  const both = join(to, 'both.ndjson')
  writeFileSync(both, `${text}${text.replaceAll('"ada"', '"bob"')}`)
  await runPurser(['cap', 'ada', '3', '--reason', 'mine'], to)
  const run = (...more: string[]) => runPurser(['import', both, '--json', ...more], to)
  const first = await run()
  assert.equal(first.code, 5)
  assert.deepEqual(
    JSON.parse(first.output).users.map(({ user, exists }: { user: string; exists: boolean }) => [user, exists]),
    [
      ['ada', true],
      ['bob', false],
    ],
  )
  const cap = async (id: string) => JSON.parse((await runPurser(['cap', id, '--json'], to)).output).dailyCap
  assert.deepEqual([await cap('ada'), await cap('bob')], [3, 7])
  assert.equal((await run('--force')).code, 0)
  assert.equal(await cap('ada'), 7)
  // Records of the old log are not doubled.
  const { output } = await runPurser(['events', 'bob', '--limit', '1000', '--types', 'import:event', '--json'], to)
  const ids = (JSON.parse(output).data as { data: { id: string } }[]).map(({ data }) => data.id)
  assert.equal(new Set(ids).size, ids.length)
})

test('a file that is cut, mixed up or of another format changes nothing', async () => {
  const to = freshDirectory()
  const lines = readFileSync(exported, 'utf8').trim().split('\n')
  const [header = '', ...rows] = lines
  for (const [content, said] of [
    [lines.slice(0, -1), 'cut off'],
    [[header, ...rows.slice(1)], 'as many rows as it says'],
    [[header, 'no json', ...rows], 'Line 2'],
    [[...lines, ...rows], 'outside of an export'],
    [[header, ...lines], 'has no end'],
    [[header.replace('"format":1', '"format":2'), ...rows], 'format 1'],
    [['{"some":"file"}'], '--user ID'],
    [[], '--user ID'],
  ] as const) {
    const path = join(to, 'bad.ndjson')
    writeFileSync(path, content.join('\n'))
    const { code, talk } = await runPurser(['import', path], to)
    assert.equal(code, 2, talk)
    assert.ok(talk.includes(said), talk)
  }
  assert.equal((await runPurser(['import', join(to, 'none')], to)).code, 3)
  assert.equal((await runPurser(['show', 'ada'], to)).code, 3)
})

test('what this installation does not take is told with its line, and the rest comes in', async () => {
  const to = freshDirectory()
  writeFileSync(join(to, 'purser.config.json'), '{"ledger":{"phases":["new","old"]}}')
  const { code, output } = await runPurser(['import', exported, '--json'], to)
  assert.equal(code, 1)
  const [report] = JSON.parse(output).users
  assert.match(report.refused[0].message, /warm/)
  assert.equal(typeof report.refused[0].line, 'number')
  assert.equal(report.taken.notes, 1)
})

test('over HTTP an import does the same, but for the records of the old log', async () => {
  const to = freshDirectory()
  const imported = await runPurser(['import', exported, '--json', '--url', server.url], to, { PURSER_KEY: ADMIN_KEY })
  assert.equal(imported.code, 0, imported.talk)
  const { left } = JSON.parse(imported.output).users[0]
  assert.match(left.find(({ what }: { what: string }) => what === 'event').why, /without --url/)
  const { body } = await server.api('GET', '/api/users/ada')
  assert.deepEqual(fieldsOf(body as Record<string, unknown>).blocked, 'asked for a break')
})

test('CM-09: an old ai_responses.json is taken over for one user, whole or torn', async () => {
  const to = freshDirectory()
  const key = (text: string) => createHash('sha256').update(text).digest('hex')
  const now = Date.now() / 1000
  const entry = (response: string) => ({ response, created_at: now, text_length: response.length })
  const old = { [key('q1')]: entry('a1'), [key('q2')]: entry('a2'), [key('q3')]: { ...entry('a3'), text_length: 9 } }
  const path = join(to, 'ai_responses.json')
  writeFileSync(path, JSON.stringify(old, null, 2))
  assert.equal((await spawnPurser(['import', path], to)).code, 2)
  const imported = await spawnPurser(['import', path, '--user', 'ada', '--json'], to)
  assert.equal(imported.code, 0, imported.talk)
  const { imported: count, skipped } = JSON.parse(imported.output)
  assert.deepEqual([count, skipped], [2, { incomplete: 1 }])
  const purser = await openPurser({ store: `sqlite:${join(to, 'data', 'purser.db')}` })
  assert.equal((await purser.user('ada').answers.lookup(importedRequest('q1')))?.answer, 'a1')
  await purser.close()
  writeFileSync(path, JSON.stringify(old, null, 2).slice(0, -40))
  const torn = await runPurser(['import', path, '--user', 'bob'], to)
  assert.equal(torn.code, 0, torn.talk)
  assert.match(torn.talk, /torn/)
  writeFileSync(path, 'nothing of the kind')
  assert.equal((await runPurser(['import', path, '--user', 'cleo'], to)).code, 1)
})
