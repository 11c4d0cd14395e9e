import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { pipeAnswer, type ReadableAnswer } from '../../src/turn/http-response.ts'

/** An answer that ends when its last batch is resolved. */
function createAnswer(): { answer: ReadableAnswer; offer: (bytes: Buffer) => boolean; end: () => void } {
  const last = Promise.withResolvers<undefined>()
  let take = (_: Buffer): boolean => false
  const answer: ReadableAnswer = {
    streams: true,
    headers: {},
    async *texts() {},
    nextBatch: () => last.promise,
    offer(to) {
      take = to
    },
    wholeText: () => '',
    complete: () => undefined,
    end: () => undefined,
    giveBack: () => undefined,
    onReaderTimeout: () => undefined,
  }
  return { answer, offer: (bytes) => take(bytes), end: () => last.resolve(undefined) }
}

async function respond(use: (response: ServerResponse) => Promise<void>): Promise<string> {
  const server = createServer((_, response) => void use(response)).listen(0)
  await once(server, 'listening')
  try {
    const call = request({ port: (server.address() as AddressInfo).port }).end()
    const [message] = await once(call, 'response')
    let text = ''
    for await (const bytes of message) text += bytes
    return text
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

test('bytes are taken while the response accepts more, and no longer', async () => {
  const { answer, offer, end } = createAnswer()
  const bytes = Buffer.alloc(1_024, 'x')
  let taken = 0
  const text = await respond(async (response) => {
    const piped = pipeAnswer(answer, response)
    while (offer(bytes)) taken++
    // What is above the limit was accepted before the response said so.
    assert.equal(response.writableLength < response.writableHighWaterMark + 2 * bytes.length, true)
    await once(response, 'drain')
    assert.equal(offer(bytes), true)
    end()
    await piped
    assert.equal(offer(bytes), false)
  })
  assert.equal(text, `${bytes.toString().repeat(taken + 1)}data: [DONE]\n\n`)
})

test('bytes are not taken for a reader that has left', async () => {
  const { answer, offer, end } = createAnswer()
  await assert.rejects(
    respond(async (response) => {
      const piped = pipeAnswer(answer, response)
      assert.equal(offer(Buffer.from('data: {}\n\n')), true)
      response.destroy()
      assert.equal(offer(Buffer.from('data: {}\n\n')), false)
      end()
      await piped
    }),
    { code: 'ECONNRESET' },
  )
})
