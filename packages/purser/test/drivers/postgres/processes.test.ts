import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { BusMessage } from '../../../src/storage/store.ts'
import { mustCommit } from '../../../src/testing/store-contract/samples.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { noPostgres, openPostgres, sharedPostgres } from '../../support/postgres-server.ts'
import { startChild } from '../../support/start-child.ts'
import { temporaryPath } from '../../support/temporary-store.ts'
import { assertConsistent } from '../assert-consistent.ts'
import { admitTogether, sum } from '../children/admit-together.ts'
import { nextMessage } from '../next-message.ts'

const NAMESPACE = 'processes'
const USERS = ['a', 'b', 'c', 'd']
const ann = { namespace: NAMESPACE, id: 'ann' }

describe('processes on one schema of PostgreSQL', { skip: noPostgres }, () => {
  test('attempts of 3 processes at once on a cap of 100 admit exactly 100', async () => {
    const server = await sharedPostgres()
    const attempts = Array<number>(3).fill(rounds(1_000, 333))
    for (let round = 0; round < rounds(200, 2); round++) {
      const url = server.url()
      const allowed = await admitTogether({ location: url, attempts, cap: 100 })
      assert.equal(sum(allowed), 100, allowed.join(' + '))
      const store = await openPostgres(url)
      assert.equal((await store.users.load(ann))?.usage, '{"steps":100}')
      await store.close()
    }
  })

  test('processes that write one user without a pause do not starve each other', async () => {
    const url = (await sharedPostgres()).url()
    const attempts = Array<number>(3).fill(rounds(1_000, 50))
    const allowed = await admitTogether({ location: url, attempts, cap: 1_000_000, mode: 'sequential' })
    assert.deepEqual(allowed, attempts)
  })

  test('after SIGKILL of a process acknowledged commits are stored, others completely or not at all', async () => {
    printSeed('crashes of processes')
    const server = await sharedPostgres()
    const url = server.url()
    // The server may still run what the process had sent.
    const open = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'purser'"
    const acknowledged = new Map<string, number>()
    for (let cycle = 0; cycle < rounds(200, 3); cycle++) {
      const writer = startChild(new URL('../children/crash-writer.ts', import.meta.url), [url, USERS.join(',')])
      for (let line = 0; line < 1 + ((seed + cycle * 7_919) % 100); line++) await writer.line()
      writer.process.kill('SIGKILL')
      await writer.exited
      while ((await server.query(open)).length > 0);
      for (const line of writer.lines) {
        const [id = '', sequence] = line.split(' ')
        acknowledged.set(id, Number(sequence))
      }
      const store = await openPostgres(url)
      for (const id of USERS) await assertConsistent(store, id, acknowledged.get(id) ?? 0)
      await store.close()
    }
  })

  test('a commit and a message of another process are received', async () => {
    const url = (await sharedPostgres()).url()
    const store = await openPostgres(url)
    await store.users.load(ann)
    const file = `${temporaryPath()}.received`
    const child = startChild(new URL('../children/listener.ts', import.meta.url), [url, file])
    assert.equal(await child.line(), 'ready')
    const change = nextMessage(
      store,
      (message) => message !== 'gap' && message.topic === 'user' && message.user === 'eve',
    )
    child.send('eve')
    assert.deepEqual(await change, { topic: 'user', namespace: NAMESPACE, user: 'eve', detail: '' })
    const answer = nextMessage(store, (message) => message !== 'gap' && message.user === 'bob')
    const message: BusMessage = { topic: 'context', namespace: NAMESPACE, user: 'ann', detail: 'profile' }
    await store.bus.publish(message)
    // The child has read what was sent before it creates the next user.
    child.send('bob')
    await answer
    assert.ok(readFileSync(file, 'utf8').includes(`${JSON.stringify(message)}\n`))
    child.process.kill('SIGKILL')
    await child.exited
    await store.close()
  })

  test('many changes at once arrive all, or as a gap', async () => {
    const url = (await sharedPostgres()).url()
    const [first, second] = [await openPostgres(url), await openPostgres(url)]
    await Promise.all([first.users.load(ann), second.users.load(ann)])
    const missing = new Set(Array.from({ length: 2_000 }, (_, index) => `user ${index} ${'é'.repeat(100)}`))
    const done = nextMessage(second, (message) => {
      if (message === 'gap') missing.clear()
      else if (message.topic === 'user') missing.delete(message.user ?? '')
      return missing.size === 0
    })
    await Promise.all([...missing].map((id) => mustCommit(first, { namespace: NAMESPACE, id })))
    await done
    await Promise.all([first.close(), second.close()])
  })
})
