import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPurser } from 'purser'
import { readPage } from '../../src/core/long-read.ts'

test('pages of concurrent long reads are read one at a time, in turns, with the event loop in between', async () => {
  let running = 0
  let ticks = 0
  let isDone = false
  const count = (): void => {
    ticks++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  const order: string[] = []
  const read = async (name: string): Promise<void> => {
    for (let page = 0; page < 20; page++) {
      await readPage(async () => {
        assert.equal(++running, 1)
        await Promise.resolve()
        running--
      })
      order.push(name)
    }
  }
  await Promise.all(['a', 'b', 'c'].map(read))
  isDone = true
  assert.deepEqual(order.slice(0, 6), ['a', 'b', 'c', 'a', 'b', 'c'])
  assert.ok(ticks >= 55, `${ticks}`)
})

test('a page that cannot be read fails only its own reader', async () => {
  const failed = readPage(() => Promise.reject(new Error('no')))
  const next = readPage(async () => 'next')
  await assert.rejects(failed, /no/)
  assert.equal(await next, 'next')
})

test('verifications, exports, checkpoints and readers of the log let other work run', async () => {
  await using purser = await openPurser()
  const users = Array.from({ length: 300 }, (_, index) => purser.user(`u${index}`))
  await Promise.all(users.map((user) => user.ledger.block({ actor: 'test', reason: 'test' })))
  const [ada] = users as [(typeof users)[number]]
  for (let index = 0; index < 1_200; index++) await ada.ledger.record('acme:x')
  const first = (await ada.ledger.events({ limit: 1, before: 2 }))[0]
  const tail = async (): Promise<void> => {
    let count = 0
    for await (const _ of purser.events({ after: first?.id })) if (++count === 1_400) return
  }
  const drain = async (): Promise<void> => {
    for await (const _ of ada.export());
  }
  for (const [name, run, pages] of [
    ['verify', () => purser.verify(), 300],
    ['verify one', () => ada.ledger.verify(), 5],
    ['export', drain, 3],
    ['checkpoint', () => purser.checkpoint(), 2],
    ['tail', tail, 2],
  ] as const) {
    let ticks = 0
    let isDone = false
    const count = (): void => {
      ticks++
      if (!isDone) setImmediate(count)
    }
    setImmediate(count)
    await run()
    isDone = true
    assert.ok(ticks >= pages - 1, `${name}: ${ticks} turns of the event loop for ${pages} pages`)
  }
})
