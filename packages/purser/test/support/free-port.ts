import { createServer } from 'node:net'

/*
 * The system takes the ports of outgoing connections, and those of servers that ask for any port, from 32,768 up. One
 * that is free now may be theirs before the server of a test listens on it, or while that server restarts. So these
 * ports are lower, and each process has a block of its own. Redis in a cluster also listens 10,000 higher.
 */
const FIRST_PORT = 12_000
const BLOCKS = 500
const PORTS_PER_BLOCK = 20
let calls = 0

/** A loopback port that no process listens on now, and that nothing else takes by chance. */
export async function findFreePort(): Promise<number> {
  const first = FIRST_PORT + (process.pid % BLOCKS) * PORTS_PER_BLOCK
  for (let attempt = 0; attempt < PORTS_PER_BLOCK; attempt++) {
    const port = first + (calls++ % PORTS_PER_BLOCK)
    if (await isFree(port)) return port
  }
  throw new Error(`No port of ${first} to ${first + PORTS_PER_BLOCK - 1} is free.`)
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
