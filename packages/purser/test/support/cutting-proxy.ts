import { type AddressInfo, createServer, connect as openSocket, type Socket } from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  readonly port: number
  /** Cuts the next connection whose server answers a command that contains `text`, before the client sees the answer. */
  cutReplyTo(text: string): void
  /** While true, nothing that a server sends arrives. */
  isSilent: boolean
  /** While true, nothing arrives on connections that listen for messages of other processes. */
  isBusSilent: boolean
  readonly cuts: number
  /** Cuts all connections; new ones lead to another port. */
  redirect(port: number): void
}

/** What Redis and PostgreSQL get on such a connection. */
const LISTENS = /SUBSCRIBE|LISTEN/

/** A proxy between a client and a server on a loopback port, which loses what a test asks it to lose. */
export async function startCuttingProxy(targetPort: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let cutText: string | undefined
  let cuts = 0
  let isSilent = false
  let isBusSilent = false
  let port = targetPort
  const server = createServer((client) => {
    const upstream = openSocket(port, '127.0.0.1')
    let isArmed = false
    let isBus = false
    const destroy = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', destroy).on('close', () => {
        sockets.delete(socket)
        destroy()
      })
    }
    client.on('data', (data) => {
      isBus ||= LISTENS.test(data.toString('latin1'))
      if (cutText !== undefined && data.includes(cutText)) {
        isArmed = true
        cutText = undefined
      }
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (isArmed) {
        cuts++
        destroy()
      } else if (!isSilent && !(isBus && isBusSilent)) {
        client.write(data)
      }
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    cutReplyTo(text) {
      cutText = text
    },
    get isSilent() {
      return isSilent
    },
    set isSilent(value) {
      isSilent = value
    },
    get isBusSilent() {
      return isBusSilent
    },
    set isBusSilent(value) {
      isBusSilent = value
    },
    get cuts() {
      return cuts
    },
    redirect(to) {
      port = to
      for (const socket of sockets) socket.destroy()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
