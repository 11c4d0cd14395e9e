import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import type { Verification } from '../../src/ledger/verify.ts'
import { erase, openHouse } from '../support/ledger-harness.ts'

/*
 * Somebody with write access to the database file, but without the secret key, tries to change what happened.
 * Each attack works on a copy of the same honest file, through SQLite itself, and must be found.
 */

interface Attack {
  readonly name: string
  /** SQL, or what to do with the open file. */
  readonly act: string | ((database: DatabaseSync) => void)
  /** Only a checkpoint from outside can tell. */
  readonly needsCheckpoint?: boolean
  readonly problem?: RegExp
}

const ANN = "(SELECT uid FROM users WHERE id = 'ann')"
const BOB = "(SELECT uid FROM users WHERE id = 'bob')"
const swapped = (column: string, a: string, b: string, where: string): string =>
  `UPDATE events SET ${column} = CASE sequence WHEN ${a} THEN (SELECT ${column} FROM events WHERE ${where} AND sequence = ${b})
   ELSE (SELECT ${column} FROM events WHERE ${where} AND sequence = ${a}) END WHERE ${where} AND sequence IN (${a}, ${b})`

const ATTACKS: readonly Attack[] = [
  {
    name: 'edits what an event says',
    act: `UPDATE events SET body = replace(body, 'warm', 'calm') WHERE uid = ${ANN} AND sequence = 1`,
    problem: /changed/,
  },
  {
    name: 'changes the time in an event',
    act: `UPDATE events SET body = replace(body, '"at":"2026', '"at":"2025') WHERE uid = ${ANN} AND sequence = 2`,
  },
  {
    name: 'changes the time beside an event',
    act: `UPDATE events SET at = at + 1 WHERE uid = ${ANN} AND sequence = 2`,
    problem: /beside/,
  },
  {
    name: 'changes the type beside an event',
    act: `UPDATE events SET type = 'acme:x' WHERE uid = ${ANN} AND sequence = 3`,
    problem: /beside/,
  },
  {
    name: 'changes the id beside an event',
    act: `UPDATE events SET id = 'x' WHERE uid = ${ANN} AND sequence = 3`,
    problem: /beside/,
  },
  {
    name: 'changes who did it',
    act: `UPDATE events SET body = replace(body, '"actor":"ana"', '"actor":"bea"') WHERE uid = ${ANN} AND sequence = 3`,
  },
  {
    name: 'deletes an event in the middle',
    act: `DELETE FROM events WHERE uid = ${ANN} AND sequence = 2`,
    problem: /missing/,
  },
  {
    name: 'deletes the first event',
    act: `DELETE FROM events WHERE uid = ${ANN} AND sequence = 1`,
    problem: /missing/,
  },
  {
    name: 'cuts the tail',
    act: `DELETE FROM events WHERE uid = ${ANN} AND sequence = 5`,
    problem: /missing at the end/,
  },
  {
    name: 'cuts the tail and sets the head back to the event before',
    act: `DELETE FROM events WHERE uid = ${ANN} AND sequence = 5;
      UPDATE users SET head_sequence = 4, head_mac = (SELECT mac FROM events WHERE uid = ${ANN} AND sequence = 4) WHERE id = 'ann'`,
    problem: /head/,
  },
  {
    name: 'deletes all events and the head',
    act: `DELETE FROM events WHERE uid = ${ANN}; UPDATE users SET head_sequence = NULL, head_mac = NULL WHERE id = 'ann'`,
    problem: /no head/,
  },
  {
    name: 'inserts an event behind the last',
    act: `INSERT INTO events (uid, namespace, sequence, id, at, type, body, mac) SELECT uid, namespace, 6, 'x', at, type, replace(replace(body, '"sequence":5', '"sequence":6'), id, 'x'), mac
      FROM events WHERE uid = ${ANN} AND sequence = 5; UPDATE users SET head_sequence = 6 WHERE id = 'ann'`,
  },
  {
    name: 'inserts an event for a user there is not',
    act: (database) => {
      database.exec(`INSERT INTO users (namespace, id, incarnation, revision, created_at, updated_at, seen_at, phase, risk_level, blocked, cap_used, cap_used_until, peak, counters)
        VALUES ('default', 'mallory', 1, 1, 0, 0, 0, 'x', 'x', 0, 0, 0, 0, '{}')`)
      database.exec(`INSERT INTO events (uid, namespace, sequence, id, at, type, body, mac) SELECT (SELECT uid FROM users WHERE id = 'mallory'), namespace, 1, 'y', at, type, body, mac
        FROM events WHERE uid = ${ANN} AND sequence = 1`)
    },
    problem: /no head/,
  },
  { name: 'reorders two events', act: swapped('body', '1', '2', `uid = ${ANN}`) },
  {
    name: 'reorders two events with their MACs',
    act: `${swapped('body', '1', '2', `uid = ${ANN}`)}; ${swapped('mac', '1', '2', `uid = ${ANN}`)}`,
  },
  {
    name: "swaps two users' ids",
    act: "UPDATE users SET id = 'x' WHERE id = 'ann'; UPDATE users SET id = 'ann' WHERE id = 'bob'; UPDATE users SET id = 'bob' WHERE id = 'x'",
  },
  {
    name: "gives one user's events to another",
    act: `DELETE FROM events WHERE uid = ${BOB}; UPDATE events SET uid = ${BOB} WHERE uid = ${ANN}`,
  },
  {
    name: "gives a user's state to another",
    act: "UPDATE users SET state = (SELECT state FROM users WHERE id = 'bob') WHERE id = 'ann'",
    problem: /changed/,
  },
  {
    name: 'lifts a block in the state',
    act: "UPDATE users SET state = json_set(state, '$.blocked', NULL) WHERE id = 'ann'",
    problem: /changed/,
  },
  { name: 'damages the state', act: "UPDATE users SET state = '{' WHERE id = 'ann'", problem: /cannot be read/ },
  { name: 'moves a user to a later life', act: "UPDATE users SET incarnation = 2 WHERE id = 'ann'" },
  { name: 'takes the head MAC away', act: "UPDATE users SET mac = NULL WHERE id = 'ann'" },
  {
    name: "edits the namespace's own log",
    act: "UPDATE events SET body = replace(body, 'checkpoint made', 'nothing made') WHERE type = 'checkpoint'",
  },
  {
    name: 'rewrites the text of a note',
    act: `UPDATE records SET value = replace(value, 'Called.', 'Shouted') WHERE kind = 'note' AND uid = ${ANN}`,
    problem: /note was changed/,
  },
  {
    name: 'changes who wrote a note',
    act: `UPDATE records SET value = replace(value, '"actor":"ana"', '"actor":"bea"') WHERE kind = 'note' AND uid = ${ANN}`,
    problem: /note was changed/,
  },
  {
    name: 'damages a note',
    act: `UPDATE records SET value = '{' WHERE kind = 'note' AND uid = ${ANN}`,
    problem: /note was changed/,
  },
  {
    name: 'removes a note',
    act: `DELETE FROM records WHERE kind = 'note' AND uid = ${ANN}`,
    problem: /missing/,
  },
  {
    name: 'adds a note that nobody wrote',
    act: `INSERT INTO records (uid, kind, name, value) VALUES (${BOB}, 'note', 'z', '{}')`,
    problem: /more or fewer/,
  },
  {
    name: 'removes a user with all events',
    act: `DELETE FROM events WHERE uid = ${ANN}; DELETE FROM users WHERE id = 'ann'`,
    needsCheckpoint: true,
  },
  {
    name: 'removes the log of the namespace',
    act: "DELETE FROM events WHERE uid = (SELECT uid FROM users WHERE id = ''); DELETE FROM users WHERE id = ''",
    needsCheckpoint: true,
    problem: /set back/,
  },
]

describe('tampering with the file (L11)', () => {
  let directory = ''
  let honest = ''
  let older = ''
  let checkpoint = ''

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'purser-tampering-'))
    honest = join(directory, 'honest.db')
    older = join(directory, 'older.db')
    const by = { actor: 'ana', reason: 'test' }
    await using house = await openHouse({ driver: 'sqlite', path: honest })
    for (const id of ['ann', 'bob']) {
      await house.of(id).observe({ phase: 'warm', riskLevel: id === 'ann' ? 'high' : 'some' })
      await house.of(id).block(by)
    }
    await copy(honest, older)
    for (const id of ['ann', 'bob']) await house.of(id).addNote('Called.', by)
    await house.of('ann').record('acme:n')
    checkpoint = await house.ledger.checkpoint()
    assert.deepEqual(await house.ledger.verify({ checkpoint }), { ok: true, checked: 10 })
  })
  after(() => rm(directory, { recursive: true, force: true }))

  /** A consistent copy, also while the file is open. */
  async function copy(from: string, to: string): Promise<void> {
    const database = new DatabaseSync(from)
    database.exec(`VACUUM INTO '${to}'`)
    database.close()
  }

  async function verify(path: string, text?: string): Promise<Verification> {
    await using house = await openHouse({ driver: 'sqlite', path })
    const found = await house.ledger.verify({ checkpoint: text })
    return found
  }

  for (const [index, { name, act, needsCheckpoint, problem }] of ATTACKS.entries()) {
    it(`${name}: found${needsCheckpoint ? ' with the checkpoint' : ''}`, async () => {
      const path = join(directory, `attack-${index}.db`)
      await copyFile(honest, path)
      const database = new DatabaseSync(path)
      if (typeof act === 'string') database.exec(act)
      else act(database)
      database.close()
      const found = await verify(path, needsCheckpoint ? checkpoint : undefined)
      assert.equal(found.ok, false)
      assert.match(found.firstBad?.problem ?? '', problem ?? /./)
    })
  }

  it('sets the whole file back: found with the checkpoint, and only with it', async () => {
    assert.equal((await verify(older)).ok, true)
    const found = await verify(older, checkpoint)
    assert.equal(found.ok, false)
    assert.match(found.firstBad?.problem ?? '', /set back/)
  })

  it('puts an event of another history in its place: found by the link to the one before', async () => {
    const [path, other] = [join(directory, 'spliced.db'), join(directory, 'other.db')]
    await copyFile(honest, path)
    await copyFile(older, other)
    {
      await using house = await openHouse({ driver: 'sqlite', path: other })
      await house.of('ann').addNote('Never called.', { actor: 'ana' })
    }
    const database = new DatabaseSync(path)
    database.exec(`ATTACH '${other}' AS other`)
    database.exec(`UPDATE events SET (id, at, body, mac) = (SELECT id, at, body, mac FROM other.events WHERE sequence = 4)
      WHERE uid = ${ANN} AND sequence = 4`)
    database.close()
    const found = await verify(path)
    assert.deepEqual([found.ok, found.firstBad?.sequence], [false, 5])
  })

  it('sets the file back, lets it go on and erases somebody: found with the checkpoint', async () => {
    const path = join(directory, 'erased.db')
    await copyFile(older, path)
    {
      await using house = await openHouse({ driver: 'sqlite', path })
      await house.ledger.checkpoint()
      for (let round = 0; round < 5; round++) await house.of('ann').record('acme:n')
      await erase(house, 'bob')
    }
    assert.equal((await verify(path)).ok, true)
    assert.equal((await verify(path, checkpoint)).ok, false)
  })

  it('sets the file back and lets it go on: found with the checkpoint', async () => {
    const path = join(directory, 'went-on.db')
    await copyFile(older, path)
    {
      await using house = await openHouse({ driver: 'sqlite', path })
      for (let round = 0; round < 5; round++) await house.of('ann').record('acme:n')
      await house.ledger.checkpoint()
    }
    assert.equal((await verify(path)).ok, true)
    assert.equal((await verify(path, checkpoint)).ok, false)
  })

  it('a broken chain can still be exported and erased (BL-D20)', async () => {
    const path = join(directory, 'broken.db')
    await copyFile(honest, path)
    const database = new DatabaseSync(path)
    database.exec(
      "UPDATE users SET state = '{' WHERE id = 'ann'; UPDATE events SET body = 'x' WHERE type = 'risk_change'",
    )
    database.close()
    await using house = await openHouse({ driver: 'sqlite', path })
    await assert.rejects(house.of('ann').bond(), { code: 'store_damaged' })
    await assert.rejects(house.of('ann').admit(), { code: 'store_damaged' })
    assert.deepEqual(
      (await house.ledger.users()).users.map(({ user }) => user),
      ['bob'],
    )
    const rows = await Array.fromAsync(house.of('ann').exportRows())
    assert.deepEqual(
      rows.map(({ type }) => type),
      ['bond', 'event', 'event', 'event', 'event', 'event', 'note'],
    )
    const receipt = await house.journal.erase({ namespace: 'default', id: 'ann' }, (incarnation, pseudonym) => ({
      type: 'user_erased',
      detail: 'user erased',
      data: { pseudonym, incarnation },
    }))
    assert.deepEqual([receipt.user, receipt.events, receipt.note], [1, 5, 1])
    assert.equal((await house.of('ann').bond()).exists, false)
  })
})
