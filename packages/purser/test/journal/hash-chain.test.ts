import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKeyring } from '../../src/core/keyring.ts'
import { extendChain, headMac, linkMac } from '../../src/journal/hash-chain.ts'

const keys = createKeyring(Buffer.alloc(32, 1))
const ann = { user: { namespace: 'n', id: 'ann' }, incarnation: 1 }
const elsewhere = [
  { ...ann, user: { namespace: 'n', id: 'bob' } },
  { ...ann, user: { namespace: 'm', id: 'ann' } },
  { ...ann, user: { namespace: 'na', id: 'nn' } },
  { ...ann, incarnation: 2 },
]

describe('the chain', () => {
  it('a link holds for one life of one user, one place and one text', () => {
    const link = linkMac(keys, ann, 'before', 'body')
    for (const other of elsewhere) assert.notEqual(linkMac(keys, other, 'before', 'body'), link)
    assert.notEqual(linkMac(keys, ann, 'befor', 'ebody'), link)
    assert.notEqual(linkMac(keys, ann, 'before', 'bodY'), link)
    assert.notEqual(linkMac(createKeyring(Buffer.alloc(32, 2)), ann, 'before', 'body'), link)
  })

  it('a head holds for one life of one user, one last event and one state, and is never a link', () => {
    const head = { sequence: 3, mac: 'last' }
    const mac = headMac(keys, ann, head, '{}')
    for (const other of elsewhere) assert.notEqual(headMac(keys, other, head, '{}'), mac)
    assert.notEqual(headMac(keys, ann, { sequence: 4, mac: 'last' }, '{}'), mac)
    assert.notEqual(headMac(keys, ann, { sequence: 3, mac: 'least' }, '{}'), mac)
    assert.notEqual(headMac(keys, ann, head, '{ }'), mac)
    assert.notEqual(linkMac(keys, ann, 'last', '{}'), mac)
  })

  it('keeps the exact text of an event, and puts it behind the one before', () => {
    let ids = 0
    const { events, head } = extendChain(
      keys,
      { ...ann, head: { sequence: 4, mac: 'm4' }, at: 0, nextId: () => `id-${++ids}` },
      [
        { type: 'a:b', detail: 'é', data: { n: 1, gone: undefined } },
        { type: 'a:c', detail: '', data: {}, actor: 'ana' },
      ],
    )
    assert.equal(
      events[0]?.body,
      '{"v":1,"id":"id-1","sequence":5,"at":"1970-01-01T00:00:00.000Z","type":"a:b","detail":"é","data":{"n":1}}',
    )
    assert.equal(events[0]?.mac, linkMac(keys, ann, 'm4', events[0]?.body ?? ''))
    assert.equal(events[1]?.mac, linkMac(keys, ann, events[0]?.mac ?? '', events[1]?.body ?? ''))
    assert.deepEqual(head, { sequence: 6, mac: events[1]?.mac })
  })
})
