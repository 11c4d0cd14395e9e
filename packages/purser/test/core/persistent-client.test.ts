import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { Pool } from 'undici'
import { createPersistentClient } from '../../src/core/persistent-client.ts'

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n'
const OK = `${HEAD}content-length: 2\r\n\r\nok`

/** What a server does with the next request, on the socket that it arrived on. */
type Reaction = (socket: Socket) => void

interface Server extends AsyncDisposable {
  readonly pool: Pool
  /** Sockets, and for each request the number of its socket. */
  readonly sockets: Socket[]
  readonly requests: number[]
  reactions: Reaction[]
  send(options?: { readonly body?: string | undefined; readonly signal?: AbortSignal }): Promise<string>
}

async function openServer(connections = 1): Promise<Server> {
  const sockets: Socket[] = []
  const requests: number[] = []
  const listener = createServer((socket) => {
    const index = sockets.push(socket)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      // The head of a request; its small body arrives with it.
      if (!bytes.includes('HTTP/1.1')) return
      requests.push(index)
      const react = server.reactions.shift() ?? ((one: Socket) => void one.write(OK))
      react(socket)
    })
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  const pool = new Pool(origin, { connections, factory: createPersistentClient, allowH2: false })
  const server: Server = {
    pool,
    sockets,
    requests,
    reactions: [],
    async send({ body = 'x', signal } = {}) {
      const response = await pool.request({ path: '/', method: 'POST', body, ...(signal && { signal }) })
      return `${response.statusCode} ${await response.body.text()}`
    },
    async [Symbol.asyncDispose]() {
      await pool.destroy()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
  return server
}

const DEATHS: Readonly<Record<string, Reaction>> = {
  'is closed': (socket) => void socket.end(),
  'is destroyed': (socket) => void socket.destroy(),
  'is reset': (socket) => void socket.resetAndDestroy(),
}

for (const [death, die] of Object.entries(DEATHS)) {
  test(`a request on a kept-alive socket that ${death} before the answer is repeated once, on a new socket`, async () => {
    await using server = await openServer()
    assert.equal(await server.send(), '200 ok')
    server.reactions = [die]
    assert.equal(await server.send(), '200 ok')
    assert.deepEqual(server.requests, [1, 1, 2])
    server.reactions = [die, die]
    await assert.rejects(server.send())
    assert.deepEqual(server.requests, [1, 1, 2, 2, 3], 'the repeated request is not repeated again')
  })

  test(`a request on a new socket that ${death} is not repeated`, async () => {
    await using server = await openServer()
    server.reactions = [die]
    await assert.rejects(server.send())
    assert.deepEqual(server.requests, [1])
  })

  for (const beginning of ['H', 'HTTP/1.1 200', `${HEAD}content-length: 9\r\n\r\n`, 'HTTP/1.1 100 Continue\r\n\r\n']) {
    test(`a request is not repeated when its socket ${death} after ${JSON.stringify(beginning)}`, async () => {
      await using server = await openServer()
      await server.send()
      server.reactions = [
        (socket) => {
          socket.write(beginning)
          setImmediate(() => setImmediate(() => die(socket)))
        },
      ]
      await assert.rejects(server.send())
      assert.deepEqual(server.requests, [1, 1])
    })
  }
}

test('a body that can be read only once is not repeated', async () => {
  await using server = await openServer()
  await server.send()
  server.reactions = [DEATHS['is reset'] as Reaction]
  async function* body() {
    yield 'x'
  }
  const { pool } = server
  await assert.rejects(pool.request({ path: '/', method: 'POST', body: body() as never }))
  assert.deepEqual(server.requests, [1, 1])
})

test('a request that was aborted before it is repeated is not sent again', async () => {
  await using server = await openServer()
  await server.send()
  const abort = new AbortController()
  server.reactions = [
    (socket) => {
      abort.abort(new Error('left'))
      socket.resetAndDestroy()
    },
  ]
  await assert.rejects(server.send({ signal: abort.signal }), { message: 'left' })
  await server.send()
  assert.equal(server.requests.length, 3)
})

test('all kept-alive sockets of a restarted server are replaced, one repetition for each request', async () => {
  await using server = await openServer(8)
  server.reactions = Array.from({ length: 8 }, () => (socket: Socket) => void setImmediate(() => socket.write(OK)))
  await Promise.all(Array.from({ length: 8 }, () => server.send()))
  assert.equal(server.sockets.length, 8)
  server.reactions = Array.from({ length: 8 }, () => DEATHS['is reset'] as Reaction)
  const answers = await Promise.all(Array.from({ length: 8 }, () => server.send()))
  assert.deepEqual(new Set(answers), new Set(['200 ok']))
  assert.equal(server.requests.length, 24)
})

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const HINTS = 'HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n'

test('informational responses that were not asked for are skipped, in any pieces', async () => {
  await using server = await openServer()
  const sequences = [
    CONTINUE,
    HINTS,
    'HTTP/1.1 102 Processing\r\n\r\n',
    'HTTP/1.0 100 C\r\n\r\n',
    CONTINUE + HINTS + CONTINUE,
  ]
  for (const sequence of sequences) {
    server.reactions = [(socket) => void socket.write(sequence + OK)]
    assert.equal(await server.send(), '200 ok')
    server.reactions = [
      async (socket) => {
        for (const byte of sequence + OK) {
          socket.write(byte)
          await new Promise(setImmediate)
        }
      },
    ]
    assert.equal(await server.send(), '200 ok')
  }
  assert.equal(server.sockets.length, 1, 'the socket is kept')
})

test('endless informational responses end the call', async () => {
  await using server = await openServer()
  for (const endless of [CONTINUE, HINTS, 'HTTP/1.1 100 Continue\r\nx: ']) {
    server.reactions = [
      (socket) => {
        socket.write(endless)
        const write = (): void => {
          if (!socket.destroyed && socket.write(endless.slice(-5).repeat(100))) setImmediate(write)
        }
        const writeWhole = (): void => {
          if (!socket.destroyed) socket.write(endless.repeat(100), () => setImmediate(writeWhole))
        }
        if (endless.endsWith('\r\n\r\n')) writeWhole()
        else {
          socket.on('drain', write)
          write()
        }
      },
    ]
    await assert.rejects(server.send())
  }
})

test('a text of an answer that looks informational is not skipped', async () => {
  await using server = await openServer()
  server.reactions = [(socket) => void socket.write(`${HEAD}content-length: ${CONTINUE.length}\r\n\r\n${CONTINUE}`)]
  assert.equal(await server.send(), `200 ${CONTINUE}`)
  server.reactions = [
    (socket) => {
      socket.write(`${HEAD}content-length: ${CONTINUE.length}\r\n\r\n`)
      setImmediate(() => socket.write(CONTINUE))
    },
  ]
  assert.equal(await server.send(), `200 ${CONTINUE}`)
})

test('a switch of protocols that was not asked for ends the call at once', async () => {
  await using server = await openServer()
  server.reactions = [
    (socket) => void socket.write('HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
  ]
  await assert.rejects(server.send())
})

test('a closed pool does not repeat', async () => {
  await using server = await openServer()
  await server.send()
  const arrived = Promise.withResolvers<Socket>()
  server.reactions = [(socket) => arrived.resolve(socket)]
  const pending = server.send()
  const socket = await arrived.promise
  const closed = server.pool.close().catch(() => undefined)
  socket.resetAndDestroy()
  await assert.rejects(pending)
  await closed
  assert.equal(server.requests.length, 2)
})
