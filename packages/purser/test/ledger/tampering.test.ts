import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import type { Verification } from '../../src/ledger/api.ts'
import { type LedgerHarness, openLedgerHarness } from '../support/ledger-harness.ts'

/*
 * Attacks by an intruder with write access to the database file, but without the secret key. Each works on a copy of the
 * same valid file, through SQLite, and must be found.
 */

interface Attack {
  readonly name: string
  /** SQL, or a function on the open file. */
  readonly act: string | ((database: DatabaseSync) => void)
  /** Found only with a checkpoint. */
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
    name: 'changes the data of an event',
    act: `UPDATE events SET body = replace(body, 'warm', 'calm') WHERE uid = ${ANN} AND sequence = 1`,
    problem: /changed/,
  },
  {
    name: 'changes the time in an event',
    act: `UPDATE events SET body = replace(body, '"at":"2026', '"at":"2025') WHERE uid = ${ANN} AND sequence = 2`,
  },
  {
    name: 'changes the time column of an event',
    act: `UPDATE events SET at = at + 1 WHERE uid = ${ANN} AND sequence = 2`,
    problem: /columns/,
  },
  {
    name: 'changes the type column of an event',
    act: `UPDATE events SET type = 'acme:x' WHERE uid = ${ANN} AND sequence = 3`,
    problem: /columns/,
  },
  {
    name: 'changes the id column of an event',
    act: `UPDATE events SET id = 'x' WHERE uid = ${ANN} AND sequence = 3`,
    problem: /columns/,
  },
  {
    name: 'changes the actor of an event',
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
    name: 'truncates the log',
    act: `DELETE FROM events WHERE uid = ${ANN} AND sequence = 5`,
    problem: /missing at the end/,
  },
  {
    name: 'truncates the log and sets the head to the previous event',
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
    name: 'appends an event',
    act: `INSERT INTO events (uid, namespace, sequence, id, at, type, body, mac) SELECT uid, namespace, 6, 'x', at, type, replace(replace(body, '"sequence":5', '"sequence":6'), id, 'x'), mac
      FROM events WHERE uid = ${ANN} AND sequence = 5; UPDATE users SET head_sequence = 6 WHERE id = 'ann'`,
  },
  {
    name: 'inserts an event of a user that does not exist',
    act: (database) => {
      database.exec(`INSERT INTO users (namespace, id, incarnation, revision, created_at, updated_at, seen_at, phase, risk_level, blocked, cap_used, cap_used_until, peak)
        VALUES ('default', 'mallory', 1, 1, 0, 0, 0, 'x', 'x', 0, 0, 0, 0)`)
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
  { name: 'moves a user to a later incarnation', act: "UPDATE users SET incarnation = 2 WHERE id = 'ann'" },
  { name: 'removes the head MAC', act: "UPDATE users SET mac = NULL WHERE id = 'ann'" },
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
    name: 'changes the author of a note',
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
    name: 'adds a note without an event',
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
    problem: /rolled back/,
  },
]

const by = { actor: 'ana', reason: 'test' }

function openHarness(path: string): Promise<LedgerHarness> {
  return openLedgerHarness({ driver: 'sqlite', path })
}

/** A consistent copy, also of an open file. */
function copyDatabase(from: string, to: string): void {
  withDatabase(from, (database) => database.exec(`VACUUM INTO '${to}'`))
}

function withDatabase(path: string, act: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path)
  act(database)
  database.close()
}

async function verify(path: string, checkpoint?: string): Promise<Verification> {
  await using harness = await openHarness(path)
  return await harness.ledger.verify({ checkpoint })
}

let directory = ''
let valid = ''
/** The same file at an earlier time. */
let older = ''
let checkpoint = ''

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'purser-tampering-'))
  valid = join(directory, 'valid.db')
  older = join(directory, 'older.db')
  await using harness = await openHarness(valid)
  for (const id of ['ann', 'bob']) {
    await harness.user(id).observe({ phase: 'warm', riskLevel: id === 'ann' ? 'high' : 'some' })
    await harness.user(id).block(by)
  }
  copyDatabase(valid, older)
  for (const id of ['ann', 'bob']) await harness.user(id).addNote('Called.', by)
  await harness.user('ann').record('acme:n')
  checkpoint = await harness.ledger.checkpoint()
  assert.deepEqual(await harness.ledger.verify({ checkpoint }), { ok: true, checked: 10 })
})
after(() => rm(directory, { recursive: true, force: true }))

describe('an intruder who changes the file', () => {
  for (const [index, { name, act, needsCheckpoint, problem }] of ATTACKS.entries()) {
    it(`${name}: found${needsCheckpoint ? ' with the checkpoint' : ''}`, async () => {
      const path = join(directory, `attack-${index}.db`)
      await copyFile(valid, path)
      withDatabase(path, (database) => (typeof act === 'string' ? database.exec(act) : act(database)))
      const { ok, firstBad } = await verify(path, needsCheckpoint ? checkpoint : undefined)
      assert.equal(ok, false)
      assert.match(firstBad?.problem ?? '', problem ?? /./)
    })
  }

  it('splices in an event of another history: found by the link to the previous event', async () => {
    const [path, other] = [join(directory, 'spliced.db'), join(directory, 'other.db')]
    await copyFile(valid, path)
    await copyFile(older, other)
    {
      await using harness = await openHarness(other)
      await harness.user('ann').addNote('Never called.', { actor: 'ana' })
    }
    withDatabase(path, (database) => {
      database.exec(`ATTACH '${other}' AS other`)
      database.exec(`UPDATE events SET (id, at, body, mac) = (SELECT id, at, body, mac FROM other.events WHERE sequence = 4)
        WHERE uid = ${ANN} AND sequence = 4`)
    })
    const { ok, firstBad } = await verify(path)
    assert.deepEqual([ok, firstBad?.sequence], [false, 5])
  })
})

describe('an intruder who rolls back the whole file', () => {
  it('is found with the checkpoint, and only with it', async () => {
    assert.equal((await verify(older)).ok, true)
    const { ok, firstBad } = await verify(older, checkpoint)
    assert.equal(ok, false)
    assert.match(firstBad?.problem ?? '', /rolled back/)
  })

  it('is found with the checkpoint after further writes', async () => {
    const path = join(directory, 'written.db')
    await copyFile(older, path)
    {
      await using harness = await openHarness(path)
      for (let round = 0; round < 5; round++) await harness.user('ann').record('acme:n')
      await harness.ledger.checkpoint()
    }
    assert.equal((await verify(path)).ok, true)
    assert.equal((await verify(path, checkpoint)).ok, false)
  })

  it('is found with the checkpoint after further writes and an erasure', async () => {
    const path = join(directory, 'erased.db')
    await copyFile(older, path)
    {
      await using harness = await openHarness(path)
      await harness.ledger.checkpoint()
      for (let round = 0; round < 5; round++) await harness.user('ann').record('acme:n')
      await harness.erase('bob')
    }
    assert.equal((await verify(path)).ok, true)
    assert.equal((await verify(path, checkpoint)).ok, false)
  })
})

describe('a user with a broken chain', () => {
  it('can still be exported and erased (BL-D20)', async () => {
    const path = join(directory, 'broken.db')
    await copyFile(valid, path)
    withDatabase(path, (database) =>
      database.exec(
        "UPDATE users SET state = '{' WHERE id = 'ann'; UPDATE events SET body = 'x' WHERE type = 'risk_change'",
      ),
    )
    await using harness = await openHarness(path)
    const ann = harness.user('ann')
    await assert.rejects(ann.bond(), { code: 'store_damaged' })
    await assert.rejects(ann.admit(), { code: 'store_damaged' })
    assert.deepEqual(
      (await harness.ledger.users()).users.map(({ user }) => user),
      ['bob'],
    )
    const rows = await Array.fromAsync(harness.internalUser('ann').exportRows())
    assert.deepEqual(
      rows.map(({ type }) => type),
      ['bond', 'event', 'event', 'event', 'event', 'event', 'note'],
    )
    const receipt = await harness.erase('ann')
    assert.deepEqual([receipt.user, receipt.events, receipt.note], [1, 5, 1])
    assert.equal((await ann.bond()).exists, false)
  })
})
