import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKeyring } from '../../src/core/keyring.ts'
import { extendChain, findBrokenLink, headMac, linkMac } from '../../src/journal/hash-chain.ts'

const keys = createKeyring(Buffer.alloc(32, 1))
const chain = { user: { namespace: 'n', id: 'ann' }, incarnation: 1 }
const otherChains = [
  { ...chain, user: { namespace: 'n', id: 'bob' } },
  { ...chain, user: { namespace: 'm', id: 'ann' } },
  { ...chain, user: { namespace: 'na', id: 'nn' } },
  { ...chain, incarnation: 2 },
]

describe('the hash chain', () => {
  it('the MAC of a link depends on key, user, incarnation, previous MAC and body', () => {
    const link = linkMac(keys, chain, 'before', 'body')
    for (const other of otherChains) assert.notEqual(linkMac(keys, other, 'before', 'body'), link)
    assert.notEqual(linkMac(keys, chain, 'befor', 'ebody'), link)
    assert.notEqual(linkMac(keys, chain, 'before', 'bodY'), link)
    assert.notEqual(linkMac(createKeyring(Buffer.alloc(32, 2)), chain, 'before', 'body'), link)
  })

  it('the MAC of a head depends on user, incarnation, last event and state, and is never that of a link', () => {
    const head = { sequence: 3, mac: 'last' }
    const mac = headMac(keys, chain, head, '{}')
    for (const other of otherChains) assert.notEqual(headMac(keys, other, head, '{}'), mac)
    assert.notEqual(headMac(keys, chain, { sequence: 4, mac: 'last' }, '{}'), mac)
    assert.notEqual(headMac(keys, chain, { sequence: 3, mac: 'least' }, '{}'), mac)
    assert.notEqual(headMac(keys, chain, head, '{ }'), mac)
    assert.notEqual(linkMac(keys, chain, 'last', '{}'), mac)
  })

  it('an event is stored as the exact text that its MAC covers, chained to the previous event', () => {
    let ids = 0
    const { events, head } = extendChain(
      keys,
      { ...chain, head: { sequence: 4, mac: 'm4' }, at: 0, nextId: () => `id-${++ids}` },
      [
        { type: 'a:b', detail: 'é', data: { n: 1, absent: undefined } },
        { type: 'a:c', detail: '', data: {}, actor: 'ana' },
      ],
    )
    assert.equal(
      events[0]?.body,
      '{"v":1,"id":"id-1","sequence":5,"at":"1970-01-01T00:00:00.000Z","type":"a:b","detail":"é","data":{"n":1}}',
    )
    assert.equal(events[0]?.mac, linkMac(keys, chain, 'm4', events[0]?.body ?? ''))
    assert.equal(events[1]?.mac, linkMac(keys, chain, events[0]?.mac ?? '', events[1]?.body ?? ''))
    assert.deepEqual(head, { sequence: 6, mac: events[1]?.mac })
  })

  it('a broken link is reported with its sequence', () => {
    const { events } = extendChain(keys, { ...chain, head: null, at: 0, nextId: () => 'id' }, [
      { type: 'a:b', detail: '', data: {} },
      { type: 'a:c', detail: '', data: {} },
    ])
    const [first, second] = events
    assert.ok(first !== undefined && second !== undefined)
    assert.equal(findBrokenLink(keys, { chain, previous: first }, second), undefined)
    const start = { sequence: 0, mac: '' }
    assert.deepEqual(findBrokenLink(keys, { chain, previous: start }, second), {
      sequence: 1,
      problem: 'An event is missing.',
    })
    for (const changed of [
      { ...second, body: first.body },
      { ...second, id: 'x' },
      { ...second, at: 1 },
    ])
      assert.equal(findBrokenLink(keys, { chain, previous: first }, changed)?.sequence, 2)
  })
})
