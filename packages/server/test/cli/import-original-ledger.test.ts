import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openPurser } from 'purser'
import { noRedis, startRedis } from '../../../purser/test/support/redis-server.ts'
import { createTempDirectory, runPurser } from '../support/processes.ts'

describe('the users of the original ledger', { skip: noRedis }, () => {
  test('are imported with their events, and what cannot be is reported', async () => {
    await using server = await startRedis({ args: ['--save', ''] })
    const set = (key: string, value: unknown): Promise<unknown> =>
      server.command('SET', key, typeof value === 'string' ? value : JSON.stringify(value))
    const push = (user: string, event: unknown): Promise<unknown> =>
      server.command('LPUSH', `abl:events:${user}`, typeof event === 'string' ? event : JSON.stringify(event))
    const bond = {
      user_id: 'ann',
      archetype: 'poet',
      turn_count: 12,
      peak_nodes: { trust: 0.7, odd: 'x' },
      daily_msg_cap: 7,
      daily_msg_count: 3,
      notes: ['[2026-01-02 03:04] likes boats'],
      egg_status: null,
    }
    await set('abl:ann', bond)
    await push('ann', {
      timestamp: 1_767_323_045,
      event_type: 'phase_transition',
      detail: 'a -> b',
      data: { from: 'a' },
    })
    await push('ann', { timestamp: 1_767_323_046, event_type: 'risk_change', detail: 'risk', data: {} })
    // A user whose bond has the name of another user's events.
    await set('abl:events:bob', { archetype: 'twin' })
    await push('carl', 'not JSON')
    await push('carl', { timestamp: 1, event_type: 'admin_action', detail: 'only events' })
    await set('abl:damaged', '{')
    await set('abl:odd-phase', { phase: 'x'.repeat(10_000), archetype: 'kept' })
    await set('other:key', 'of another program')

    const directory = createTempDirectory()
    const url = `redis://127.0.0.1:${server.port}/0`
    const { code, stdout } = await runPurser(['import', url, '--json'], directory)
    assert.equal(code, 1, 'some values were refused')
    const { users } = JSON.parse(stdout) as { users: { user: string; taken: object; refused: unknown[] }[] }
    const byUser = Object.fromEntries(users.map((report) => [report.user, report]))
    assert.deepEqual(Object.keys(byUser).sort(), ['ann', 'carl', 'damaged', 'events:bob', 'odd-phase'])
    assert.deepEqual(byUser.ann?.taken, { event: 2, note: 1, archetype: 1, turnCount: 1, peaks: 1, cap: 1 })
    assert.deepEqual(byUser.carl?.taken, { event: 1 })
    assert.deepEqual(
      ['ann', 'carl', 'damaged', 'events:bob', 'odd-phase'].map((user) => byUser[user]?.refused.length),
      [0, 1, 1, 0, 1],
    )

    await using purser = await openPurser({ store: `sqlite:${join(directory, 'data', 'purser.db')}` })
    const { archetype, turnCount, dailyCap, peaks, notesCount } = await purser.user('ann').ledger.bond()
    assert.deepEqual(
      { archetype, turnCount, dailyCap, notesCount, trust: peaks.trust?.value },
      { archetype: 'poet', turnCount: 12, dailyCap: 7, notesCount: 1, trust: 0.7 },
    )
    const events = await purser.user('ann').ledger.events({ types: ['abl:phase_transition', 'abl:risk_change'] })
    assert.deepEqual(
      events.map(({ type, detail, data }) => [type, detail, data]),
      [
        ['abl:risk_change', 'risk', { at: '2026-01-02T03:04:06.000Z', original: {} }],
        ['abl:phase_transition', 'a -> b', { at: '2026-01-02T03:04:05.000Z', original: { from: 'a' } }],
      ],
    )
    assert.equal((await purser.user('events:bob').ledger.bond()).archetype, 'twin')
    assert.equal((await purser.user('odd-phase').ledger.bond()).archetype, 'kept')
  })

  test('existing users are left unchanged, and an absent server is reported', async () => {
    const server = await startRedis({ args: ['--save', ''] })
    const url = `redis://127.0.0.1:${server.port}/0`
    const directory = createTempDirectory()
    await server.command('SET', 'abl:ann', JSON.stringify({ archetype: 'poet', notes: ['one'] }))
    assert.equal((await runPurser(['import', url], directory)).code, 0)
    const again = await runPurser(['import', url], directory)
    assert.equal(again.code, 5)
    assert.match(again.stderr, /ann: exists, not changed/)
    await server[Symbol.asyncDispose]()
    assert.equal((await runPurser(['import', url], directory)).code, 7)
  })
})
