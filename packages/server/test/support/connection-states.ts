import { connect, type Socket } from 'node:net'

/** A connection as a client leaves it: what it sends, and what it does afterwards. */
export interface ConnectionState {
  readonly name: string
  readonly bytes: string
  /** Whether the client reads. Default: it does not. */
  readonly reads?: boolean
  /** Sent again and again, as long as the connection is open. */
  readonly repeated?: string
}

/** Connections that a server must close by itself, because their clients never do. */
export function createConnectionStates(serviceKey: string): readonly ConnectionState[] {
  const chat = JSON.stringify({ stream: true, messages: [{ role: 'user', content: 'hi' }] })
  const post = (path: string, length: number, headers = ''): string =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n${headers}\r\n`
  const asService = `authorization: Bearer ${serviceKey}\r\nx-purser-user: ada\r\n`
  const piece = 'x'.repeat(16_384)
  return [
    { name: 'silent', bytes: '' },
    { name: 'half a head', bytes: 'GET /livez HTTP/1.1\r\nhost: x\r\n' },
    { name: 'half a body, public', bytes: `${post('/api/session', 100)}{` },
    { name: 'half a body, with a key', bytes: `${post('/v1/chat/completions', 100, asService)}{` },
    { name: 'no HTTP', bytes: 'GARBAGE\r\n\r\n' },
    { name: 'no HTTP, and more of it', bytes: 'GARBAGE\r\n\r\n', repeated: piece },
    { name: 'too large a head', bytes: `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}` },
    { name: 'half a second request', bytes: 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\nGET /livez HTT', reads: true },
    { name: 'refused, half a body', bytes: `${post('/v1/chat/completions', 1_000_000)}{`, reads: true },
    { name: 'refused, a body without end', bytes: post('/v1/chat/completions', 1e12), repeated: piece, reads: true },
    { name: 'a body without end for a GET', bytes: getWithBody('/livez'), repeated: piece, reads: true },
    { name: 'a body without end for no route', bytes: post('/nothing', 1e12), repeated: piece, reads: true },
    { name: 'too large a body', bytes: post('/v1/chat/completions', 1e12, asService), repeated: piece, reads: true },
    { name: 'answered, then silent', bytes: 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n', reads: true },
    { name: 'answers that are not read', bytes: '', repeated: 'GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n' },
    { name: 'a stream that is not read', bytes: `${post('/v1/chat/completions', chat.length, asService)}${chat}` },
  ]
}

function getWithBody(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000000\r\n\r\n`
}

/** Opens a connection and keeps this side open. Resolves when it is connected. */
export function openConnection(port: number, { bytes, reads = false, repeated }: ConnectionState): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const repeat = (): void => {
      if (repeated === undefined || socket.destroyed || !socket.writable) return
      socket.write(repeated, (error) => {
        if (error == null) setImmediate(repeat)
      })
    }
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject).on('error', () => undefined)
      if (reads) socket.resume()
      else socket.pause()
      if (bytes !== '') socket.write(bytes)
      repeat()
      resolve(socket)
    })
  })
}
