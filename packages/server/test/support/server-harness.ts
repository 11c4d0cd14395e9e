import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import type { User } from 'purser'
import { type HandClock, handClock } from 'purser/testing'
import { TEST_SECRET_KEY, testStoreUrl } from '../../../purser/test/support/test-store.ts'
import type { AppContext } from '../../src/app/context.ts'
import { type OpenServer, openServer } from '../../src/app/server.ts'
import type { Role } from '../../src/auth/scopes.ts'
import type { ConfigFile } from '../../src/index.ts'

export interface ServerHarnessOptions {
  /** The name of the key that `call` uses; servers on one store need different ones. Default: `root`. */
  readonly keyName?: string
  /** Default: a store of `testStoreUrl`. */
  readonly config?: ConfigFile
  /** Role of the key that `call` uses. Default: admin. */
  readonly role?: Role
  /** Run on the system's clock, for tests with sockets or other servers. */
  readonly realTime?: boolean
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
export type Headers = Record<string, string>

/** A server in this process, called without a socket. */
export interface ServerHarness extends AsyncDisposable {
  readonly server: OpenServer
  readonly context: AppContext
  readonly fastify: FastifyInstance
  /** Drives the server, unless it runs in real time. */
  readonly clock: HandClock
  /** The key that `call` uses. */
  readonly key: string
  user(id: string): User
  createKey(role: Role): Promise<string>
  /** Sends a request with the key of the harness. A text body is sent as it is, any other as JSON. */
  call(method: Method, url: string, body?: unknown, headers?: Headers): Promise<LightMyRequestResponse>
  /** Closes the server and opens another one on the same configuration. */
  reopen(): Promise<void>
}

export async function openServerHarness(options: ServerHarnessOptions = {}): Promise<ServerHarness> {
  const { role = 'admin', keyName = 'root', realTime = false } = options
  // A store that a test names has a key of its own.
  const ownStore = options.config?.store === undefined ? { store: testStoreUrl(), secretKey: TEST_SECRET_KEY } : {}
  const config = { ...ownStore, ...options.config }
  const clock = handClock()
  const open = (): Promise<OpenServer> =>
    openServer({
      config: { ...config, server: { port: 0, logLevel: 'silent', ...config.server } },
      ...(realTime ? {} : { effects: clock }),
    })
  let server = await open()
  const createKey = async (keyRole: Role, name?: string): Promise<string> => {
    const user = keyRole === 'user' ? 'ada' : undefined
    return (await server.context.keys.create({ role: keyRole, name, user, createdBy: 'test' })).key
  }
  const key = await createKey(role, keyName)
  return {
    key,
    clock,
    get server() {
      return server
    },
    get context() {
      return server.context
    },
    get fastify() {
      return server.fastify
    },
    user: (id) => server.context.purser.user(id),
    createKey,
    call: (method, url, body, headers = {}) =>
      server.fastify.inject({
        method,
        url,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    async reopen() {
      await server.close()
      server = await open()
    },
    [Symbol.asyncDispose]: () => server.close(),
  }
}
